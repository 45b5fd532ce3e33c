"""The fronts of a trade-off: found, re-simulated, that of the rows, and what is proven to be out of reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from preimage.core import fronts as core
from preimage.figures.style import INK, SKY, Look, dense, legend, panels, picks, shorten, styled, wrap

OUT_OF_REACH = SKY
# More marks of one front hide each other; the first candidates by rank span it.
MOST_MARKS = 80
# Room around what is shown, as a share of its range.
ROOM = 0.06


class Front(NamedTuple):
    """What one method found: outputs (n, k) of its front by rank, predicted and re-simulated (NaN without truth), and
    their places in the table of candidates (n,) where they can be picked on a page."""

    name: str
    look: Look
    predicted: np.ndarray
    simulated: np.ndarray
    places: Sequence[int] = ()


@styled
def fronts(
    found: Sequence[Front],
    rows: np.ndarray,
    chosen: np.ndarray,
    signs: Sequence[float],
    labels: Sequence[str],
    bound: np.ndarray | None,
) -> Figure | None:
    """Draw fronts of two outputs, or of three in every pair.

    Args:
        rows: outputs of the training rows (n, k).
        chosen: predicted outputs of the candidate that is recommended (k,).
        signs: 1 where an output is made small, -1 where large (k,).
        labels: of the outputs, with their units.
        bound: corners (m, k) that no valid input exceeds, as outputs; None where nothing is proven.
    """
    found = [front for front in found if len(front.predicted)]
    if not found:
        return None
    pairs = list(combinations(range(len(signs)), 2))
    figure, axes = panels(len(pairs), 4.4 if len(pairs) == 1 else 3.1)
    for pair, panel in zip(pairs, axes, strict=True):
        _panel(panel, found, rows, chosen, np.array(signs), pair, labels, bound)
    handles = _handles(found, len(signs) == 2, bound is not None)
    legend(figure, list(handles.values()), list(handles))
    ends = "; ".join(f"{front.name}: {len(front.predicted)} points" for front in found)
    figure.set_label(f"Fronts of {' and '.join(labels)} ({ends}), with the front of the {len(rows)} training rows.")
    return figure


def _panel(
    axes: Any,
    found: Sequence[Front],
    rows: np.ndarray,
    chosen: np.ndarray,
    signs: np.ndarray,
    pair: tuple[int, int],
    labels: Sequence[str],
    bound: np.ndarray | None,
) -> None:
    at, sign = list(pair), signs[list(pair)]
    shown = np.concatenate([rows, *(v for f in found for v in (f.predicted, f.simulated))])[:, at]
    shown = shown[np.isfinite(shown).all(axis=1)]
    room = ROOM * np.where((reach := np.ptp(shown, axis=0)) > 0, reach, 1.0)
    low, high = shown.min(axis=0) - room, shown.max(axis=0) + room
    best, worst = np.where(sign > 0, (low, high), (high, low))
    axes.plot(*rows[:, at].T, ".", color=INK, alpha=0.18, ms=4, mew=0, rasterized=dense(len(rows)), zorder=1)
    if bound is not None and len(bound):
        x, y = _stairs(bound[:, at], sign, worst)
        x, y = np.append(best[0], x), np.append(y[0], y)
        axes.fill_between(x, y, best[1], color=OUT_OF_REACH, alpha=0.22, lw=0, zorder=0)
    axes.plot(*_stairs(rows[:, at], sign, worst), color=INK, lw=1.1, ls="--", alpha=0.7, zorder=2)
    for front in found:
        colour, marker, _ = front.look
        if len(signs) == 2:
            axes.plot(*_stairs(front.predicted, sign, worst), color=colour, lw=0.9, alpha=0.6, zorder=2)
        axes.plot(
            *front.simulated[:MOST_MARKS, at].T, marker, color="none", mec=colour, mew=0.7, ms=4, alpha=0.75, zorder=3
        )
        name = picks(front.places[:MOST_MARKS])
        axes.plot(*front.predicted[:MOST_MARKS, at].T, marker, color=colour, ms=3.4, mew=0, zorder=4, gid=name)
    axes.plot(*chosen[at], "o", color="none", mec=INK, mew=1.3, ms=10, zorder=5)
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    ways = ["smaller is better" if s > 0 else "larger is better" for s in sign]
    axes.set_xlabel(f"{labels[pair[0]]}\n{ways[0]}")
    axes.set_ylabel(f"{wrap(labels[pair[1]], 30)}\n{ways[1]}")


def _stairs(Y: np.ndarray, sign: np.ndarray, worst: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the edge of what points (n, 2) dominate, as a line of steps that ends at the worst values shown (2,)."""
    F = (Y * sign)[core.undominated(Y * sign)]
    x, y = F[np.argsort(F[:, 0], kind="stable")].T
    across, down = np.maximum(worst * sign, F.max(axis=0))
    return np.append(np.repeat(x, 2), across) * sign[0], np.append(down, np.repeat(y, 2)) * sign[1]


def _handles(found: Sequence[Front], steps: bool, proven: bool) -> Mapping[str, Any]:
    handles: dict[str, Any] = {}
    line: dict[str, Any] = {"lw": 0.9} if steps else {"ls": "none"}
    for front in found:
        colour, marker, _ = front.look
        handles[shorten(front.name, 24)] = Line2D([], [], color=colour, marker=marker, ms=4, mew=0, **line)
    if any(np.isfinite(front.simulated).any() for front in found):
        handles["re-simulated"] = Line2D([], [], color="none", marker="o", mec=INK, mew=0.8, ms=5, ls="none")
    handles["training rows"] = Line2D([], [], color=INK, alpha=0.3, marker=".", ms=5, mew=0, ls="none")
    handles["front of the rows"] = Line2D([], [], color=INK, lw=1.1, ls="--", alpha=0.7)
    handles["compromise"] = Line2D([], [], color="none", marker="o", mec=INK, mew=1.3, ms=8, ls="none")
    if proven:
        handles["proven out of reach"] = Patch(color=OUT_OF_REACH, alpha=0.22, lw=0)
    return handles
