"""The way of a method's proposals, in the parameters and in what they predict, untrained and trained.

As in Pesah, Wehenkel, Louppe, "Recurrent machines for likelihood-free inference" (2018), figure 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Ellipse, Patch
from matplotlib.ticker import MaxNLocator

from preimage.figures.style import INK, VIRIDIS, WIDTH, legend, shorten, styled

TRIM = 0.005
BINS = 40


class Way(NamedTuple):
    """Means and sds of proposals (steps, d), and samples (steps, m) of one coordinate simulated at each."""

    means: np.ndarray
    sds: np.ndarray
    samples: np.ndarray


@styled
def proposal_path(
    ways: Mapping[str, Way], observed: np.ndarray, truth: np.ndarray | None, names: Sequence[str], coordinate: str
) -> Figure | None:
    """Draw a row for each way, such as "untrained" and "trained": left the parameters, right the samples.

    Args:
        observed: samples (n,) of the coordinate.
        truth: parameters (d,), None where they are not known.
        names: of the first parameters, with units: of one, mean and sd by step; of more, ellipses of the first two.
        coordinate: its name, with unit.
    """
    ways = {name: way for name, way in ways.items() if len(way.means)}
    if not ways:
        return None
    figure = Figure(figsize=(WIDTH, 2.5 * len(ways) + 0.5), layout="constrained")
    axes = figure.subplots(len(ways), 2, squeeze=False, sharex="col")
    edges = _edges(observed, ways)
    colours = Normalize(0, max(max(len(w.means) for w in ways.values()) - 1, 1))
    for (left, right), (name, way) in zip(axes, ways.items(), strict=True):
        draw = _steps if len(names) == 1 else _ellipses
        draw(left, way, truth, names, colours)
        left.set_title(name)
        right.stairs(_density(observed, edges), edges, color=INK, alpha=0.2, fill=True, lw=0)
        for k, samples in enumerate(way.samples):
            right.stairs(_density(samples, edges), edges, color=VIRIDIS(colours(k)), lw=1.3)
        right.set(ylim=(0, 1.6 * _density(observed, edges).max()), yticks=[])
        for panel in (left, right):
            panel.label_outer()
    axes[-1, 1].set_xlabel(shorten(coordinate, 34))
    bar = figure.colorbar(ScalarMappable(colours, VIRIDIS), ax=axes, label="step of the proposal", shrink=0.8)
    bar.locator = MaxNLocator(integer=True)
    bar.outline.set_visible(False)
    handles: list[Any] = [Patch(color=INK, alpha=0.2, lw=0)]
    words = ["observed"]
    if truth is not None:
        handles.append(Line2D([], [], color=INK, marker="+", ms=9, mew=1.3, lw=1.1 if len(names) == 1 else 0))
        words.append("true parameters")
    legend(figure, handles, words)
    figure.set_label(f"Proposals of {', '.join(names)} by step, and samples simulated from them: {', '.join(ways)}.")
    return figure


def _steps(panel: Any, way: Way, truth: np.ndarray | None, names: Sequence[str], colours: Normalize) -> None:
    for k, (mean, sd) in enumerate(zip(way.means[:, 0], way.sds[:, 0], strict=True)):
        panel.errorbar(k, mean, 2 * sd, fmt="o", color=VIRIDIS(colours(k)), ms=4, mew=0, lw=1.4, capsize=2)
    if truth is not None:
        panel.axhline(truth[0], color=INK, lw=1.1)
    panel.set(xlabel="step", ylabel=shorten(names[0], 30))
    panel.xaxis.get_major_locator().set_params(integer=True)


def _ellipses(panel: Any, way: Way, truth: np.ndarray | None, names: Sequence[str], colours: Normalize) -> None:
    panel.plot(*way.means[:, :2].T, color=INK, lw=0.7, alpha=0.6)
    for k, (mean, sd) in enumerate(zip(way.means, way.sds, strict=True)):
        colour = VIRIDIS(colours(k))
        panel.add_patch(Ellipse(tuple(mean[:2]), *(4 * sd[:2]), fill=False, ec=colour, lw=1.3))
        panel.plot(*mean[:2], "o", color=colour, ms=4, mew=0)
    if truth is not None:
        panel.plot(*truth[:2], "+", color=INK, ms=9, mew=1.3, zorder=4)
    panel.autoscale_view()
    panel.set(xlabel=shorten(names[0], 30), ylabel=shorten(names[1], 30))


def _edges(observed: np.ndarray, ways: Mapping[str, Way]) -> np.ndarray:
    """Return bins that hold what is observed and the last proposals; first ones may be anywhere."""
    last = [w.samples[-1][np.isfinite(w.samples[-1])] for w in ways.values()]
    ends = np.concatenate([np.quantile(v, (TRIM, 1 - TRIM)) for v in (observed, *last) if len(v)])
    span = np.ptp(observed) or 1.0
    low, high = max(ends.min(), observed.min() - 2 * span), min(ends.max(), observed.max() + 2 * span)
    if (observed == np.round(observed)).all():
        step = max(1.0, np.ceil((high - low + 1) / BINS))
        return np.arange(np.floor(low) - 0.5, high + step, step)
    return np.linspace(low, high, BINS + 1)


def _density(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    return np.histogram(values, edges)[0] / (max(len(values), 1) * np.diff(edges))
