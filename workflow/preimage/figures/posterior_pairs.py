"""Posterior draws: each parameter alone, and each pair, beside the prior and the true parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.ndimage import gaussian_filter

from preimage.figures.style import INK, WIDTH, Look, legend, shorten, styled

MOST_PARAMETERS = 5
# Contours hold these shares of the draws.
SHARES = (0.5, 0.9)
BINS, SMOOTH = 48, 1.2


@styled
def posterior_pairs(
    draws: Mapping[str, np.ndarray],
    prior: np.ndarray,
    names: Sequence[str],
    truth: np.ndarray | None,
    looks: Mapping[str, Look],
) -> Figure | None:
    """Draw the margins of each parameter, and contours that hold 50 % and 90 % of the draws of each pair.

    Args:
        draws: by method parameters of equal weight (k, d); one row is a point.
        prior: draws of it (m, d); panels span these.
        names: of the parameters, with units; of more than `MOST_PARAMETERS` the first are shown.
        truth: parameters (d,), None where they are not known.
        looks: by method.
    """
    draws = {m: d[np.isfinite(d).all(axis=1)] for m, d in draws.items()}
    draws = {m: d for m, d in draws.items() if len(d)}
    if not draws:
        return None
    n = min(len(names), MOST_PARAMETERS)
    figure = Figure(figsize=(WIDTH, 3.0 if n == 1 else min(WIDTH, 2.0 * n)), layout="constrained")
    axes = figure.subplots(n, n, squeeze=False, sharex="col")
    low, high = _spans(draws, prior, truth)
    for i in range(n):
        for j in range(n):
            panel = axes[i, j]
            if j > i:
                panel.remove()
                continue
            panel.set_xlim(low[j], high[j])
            if i == j:
                _margin(panel, {m: d[:, i] for m, d in draws.items()}, prior[:, i], (low[i], high[i]), looks)
            else:
                panel.set_ylim(low[i], high[i])
                for method, d in draws.items():
                    _pair(panel, d[:, [j, i]], (low[[j, i]], high[[j, i]]), looks[method])
            if truth is not None:
                _truth(panel, truth, i, j)
            panel.locator_params(nbins=4)
            panel.label_outer()
            if i == n - 1:
                panel.set_xlabel(shorten(names[j], 44 // n))
            if j == 0 and i > 0:
                panel.set_ylabel(shorten(names[i], 44 // n))
            if i == j:
                panel.tick_params(left=False, labelleft=False)
                panel.set_ylabel("")
    handles: list[Any] = [Line2D([], [], color=looks[m].colour, ls=looks[m].dashes, lw=1.6) for m in draws]
    handles.append(Line2D([], [], color=INK, lw=0.9, ls=":"))
    words = [*(shorten(m, 24) for m in draws), "prior"]
    if truth is not None:
        handles.append(Line2D([], [], color=INK, lw=1.1, marker="+", ms=9))
        words.append("truth")
    legend(figure, handles, words)
    figure.set_label(f"Posterior of {', '.join(names[:n])}, alone and in pairs, by {', '.join(draws)}.")
    return figure


def _spans(
    draws: Mapping[str, np.ndarray], prior: np.ndarray, truth: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return where panels begin and end (d,): all of the draws, or all of the prior where these fill much of it."""
    low, high = np.quantile(prior, 0.001, axis=0), np.quantile(prior, 0.999, axis=0)
    every = np.vstack([np.quantile(d, (0.002, 0.998), axis=0) for d in draws.values()])
    every = every if truth is None else np.vstack([every, truth])
    a, b = every.min(axis=0), every.max(axis=0)
    # Where neither varies, a panel still needs a width.
    room = np.where(b > a, 0.25 * (b - a), np.where(high > low, 0.05 * (high - low), 0.5))
    near_a, near_b = a - room, b + room
    wide = (b - a) > 0.4 * (high - low)
    return np.where(wide, np.minimum(low, a), near_a), np.where(wide, np.maximum(high, b), near_b)


def _margin(
    panel: Any,
    columns: Mapping[str, np.ndarray],
    prior: np.ndarray,
    span: tuple[float, float],
    looks: Mapping[str, Look],
) -> None:
    edges = np.linspace(*span, BINS + 1)
    width = edges[1] - edges[0]
    # Wider bins: the prior is smooth, and need not be many draws.
    known = np.histogram(prior, edges[::4])[0] / (len(prior) * 4 * width)
    panel.stairs(known, edges[::4], color=INK, lw=0.9, ls=":")
    for method, values in columns.items():
        look = looks[method]
        if len(values) == 1:
            panel.axvline(values[0], color=look.colour, ls=look.dashes, lw=1.6)
        else:
            counts = gaussian_filter(np.histogram(values, edges)[0].astype(float), 0.7, mode="nearest")
            panel.stairs(counts / len(values) / width, edges, color=look.colour, ls=look.dashes, lw=1.6)
    panel.set_ylim(0, None)
    panel.grid(False)


def _pair(panel: Any, rows: np.ndarray, span: tuple[np.ndarray, np.ndarray], look: Look) -> None:
    if len(rows) == 1:
        panel.plot(*rows[0], look.marker, color=look.colour, ms=6, mew=0)
        return
    edges = [np.linspace(a, b, BINS + 1) for a, b in zip(*span, strict=True)]
    mass = gaussian_filter(np.histogram2d(rows[:, 0], rows[:, 1], bins=edges)[0], SMOOTH)
    falling = np.sort(mass.ravel())[::-1]
    held = np.cumsum(falling) / falling.sum()
    levels = np.unique([falling[np.searchsorted(held, share)] for share in SHARES])
    middles = [(e[1:] + e[:-1]) / 2 for e in edges]
    if levels[0] > 0:
        panel.contour(*middles, mass.T, levels=levels, colors=look.colour, linestyles=look.dashes, linewidths=1.4)


def _truth(panel: Any, truth: np.ndarray, i: int, j: int) -> None:
    if i == j:
        panel.axvline(truth[i], color=INK, lw=1.1)
    else:
        panel.plot(truth[j], truth[i], "+", color=INK, ms=9, mew=1.3)
