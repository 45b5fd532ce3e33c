"""The optimisation path of proposals, in the parameters and in what they predict, untrained and trained.

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

from preimage.figures.style import INK, VIRIDIS, WIDTH, legend, shorten, styled

TRIM = 0.005
BINS = 40
# Steps that are drawn of a longer way, evenly spread over it.
MOST = 6
# How far beyond the prior a panel may reach, in widths of the prior: proposals may be much wider, answers are not.
ROOM = 0.4


class Way(NamedTuple):
    """Means and sds of proposals (steps, d), and samples (steps, m) of one coordinate simulated at each."""

    means: np.ndarray
    sds: np.ndarray
    samples: np.ndarray

    def drawn(self) -> list[tuple[int, float]]:
        """Return the steps that are drawn, each with the share of the way that is then behind."""
        last = len(self.means) - 1
        steps = np.unique(np.linspace(0, last, MOST).round().astype(int))
        return [(int(k), k / max(last, 1)) for k in steps]


@styled
def proposal_path(
    ways: Mapping[str, Way], observed: np.ndarray, prior: np.ndarray, truth: np.ndarray | None, names: Sequence[str],
    coordinate: str,
) -> Figure | None:  # fmt: skip
    """Draw a row for each way, such as "untrained" and "trained": left the parameters, right the samples.

    Args:
        observed: samples (n,) of the coordinate.
        prior: draws of it (m, d).
        truth: parameters (d,), None where they are not known.
        names: of the first parameters, with units: of one, mean and sd by step; of more, ellipses of the first two.
        coordinate: its name, with unit.
    """
    ways = {name: way for name, way in ways.items() if len(way.means)}
    if not ways:
        return None
    one = len(names) == 1
    figure = Figure(figsize=(WIDTH, 2.5 * len(ways) + 0.5), layout="constrained")
    # Of one parameter the left axis counts steps, and ways have more of these or less.
    axes = figure.subplots(len(ways), 2, squeeze=False, sharex=False if one else "col")
    edges = _edges(observed, ways)
    for (left, right), (name, way) in zip(axes, ways.items(), strict=True):
        draw = _steps if one else _ellipses
        draw(left, way, truth, names)
        _limit(left, prior, one)
        left.set_title(name)
        right.stairs(_density(observed, edges), edges, color=INK, alpha=0.2, fill=True, lw=0)
        for k, share in way.drawn():
            right.stairs(_density(way.samples[k], edges), edges, color=VIRIDIS(share), lw=1.3)
        right.set(xlim=(edges[0], edges[-1]), ylim=(0, 1.6 * _density(observed, edges).max()), yticks=[])
        for panel in (right,) if one else (left, right):
            panel.label_outer()
    axes[-1, 1].set_xlabel(shorten(coordinate, 34))
    _tell_colours(figure, axes)
    handles: list[Any] = [Patch(color=INK, alpha=0.2, lw=0)]
    words = ["observed"]
    if truth is not None:
        handles.append(Line2D([], [], color=INK, marker="+", ms=9, mew=1.3, lw=1.1 if one else 0))
        words.append("true parameters")
    legend(figure, handles, words)
    figure.set_label(f"Proposals of {', '.join(names)} by step, and samples simulated from them: {', '.join(ways)}.")
    return figure


def _tell_colours(figure: Figure, axes: Any) -> None:
    """Add a bar above the panels: as high as the figure it would be all that one sees."""
    colours = ScalarMappable(Normalize(0, 1), VIRIDIS)
    bar = figure.colorbar(
        colours, ax=axes, label="step of the proposal", location="top", shrink=0.4, aspect=30, pad=0.05 / len(axes)
    )
    bar.set_ticks([0, 1], labels=["first", "last"])
    bar.outline.set_visible(False)


def _steps(panel: Any, way: Way, truth: np.ndarray | None, names: Sequence[str]) -> None:
    for k, share in way.drawn():
        panel.errorbar(k, way.means[k, 0], 2 * way.sds[k, 0], fmt="o", color=VIRIDIS(share), ms=4, lw=1.4, capsize=2)
    if truth is not None:
        panel.axhline(truth[0], color=INK, lw=1.1)
    panel.set(xlabel="step", ylabel=shorten(names[0], 30))
    panel.xaxis.get_major_locator().set_params(integer=True)


def _ellipses(panel: Any, way: Way, truth: np.ndarray | None, names: Sequence[str]) -> None:
    panel.plot(*way.means[:, :2].T, color=INK, lw=0.7, alpha=0.6)
    for k, share in way.drawn():
        mean, sd, colour = way.means[k, :2], way.sds[k, :2], VIRIDIS(share)
        panel.add_patch(Ellipse(tuple(mean), *(4 * sd), fill=False, ec=colour, lw=1.3))
        panel.plot(*mean, "o", color=colour, ms=4, mew=0)
    if truth is not None:
        panel.plot(*truth[:2], "+", color=INK, ms=9, mew=1.3, zorder=4)
    panel.autoscale_view()
    panel.set(xlabel=shorten(names[0], 30), ylabel=shorten(names[1], 30))


def _limit(panel: Any, prior: np.ndarray, one: bool) -> None:
    """Keep the axes of parameters near the prior (m, d)."""
    for column, axis in zip(prior.T, "y" if one else "xy", strict=False):
        low, high = getattr(panel, f"get_{axis}lim")()
        room = ROOM * np.ptp(column)
        low, high = max(low, column.min() - room), min(high, column.max() + room)
        if low < high:
            getattr(panel, f"set_{axis}lim")(low, high)


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
