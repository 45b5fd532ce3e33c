"""Parameter traces: where the starts of a fit ended, a line a start over all parameters, coloured by loss.

Where the lines of the smallest losses lie on each other, the starts agree on a parameter; where they run apart, many of
its values fit as well.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.transforms import blended_transform_factory

from preimage.figures.style import (
    BLUE,
    INK,
    PURPLE,
    VERMILLION,
    WIDTH,
    number,
    picks,
    shorten,
    styled,
    thin,
    told_apart,
)
from preimage.support import digits

# Of more starts than these some are drawn, evenly by rank; of more parameters the first.
MOST_STARTS, MOST_PARAMETERS = 60, 30
# Inches: of a parameter's row, of what is above the rows and below them.
ROW, ABOVE, BELOW = 0.4, 0.6, 0.12
# Where the axes begin and end, as shares of the figure's width.
LEFT, RIGHT = 0.36, 0.86
GAP = 0.02
# Colours of losses above the best, where 1 is the limit of the 95 % interval: what is below them all is as good as the
# best, what is above them far from it.
AS_GOOD, FAR = 0.01, 100.0
SHADES = LogNorm(AS_GOOD, FAR, clip=True)
# From the best fit's own colour on, all to be seen on light and on dark pages.
COLOURS = LinearSegmentedColormap.from_list("losses", [VERMILLION, PURPLE, BLUE], N=32)
NAME_LETTERS, NUMBER_LETTERS = 18, 8


@styled
def parameter_traces(
    ends: np.ndarray,
    loss: np.ndarray,
    limit: float,
    bounds: Mapping[str, tuple[float, float]],
    logarithmic: Collection[str] = (),
    intervals: Mapping[str, tuple[float, float]] | None = None,
    places: Sequence[int] = (),
) -> Figure | None:
    """Draw the parameters of the starts as shares of their bounds.

    Args:
        ends: where starts ended (n, d).
        loss: of each (n,), NaN where a start failed.
        limit: largest loss within the 95 % interval.
        bounds: of each parameter; those that are fixed have two alike.
        logarithmic: parameters that are drawn by their logarithms.
        intervals: by parameter, the ends of its 95 % interval.
        places: of the starts in the table of candidates (n,), where they can be picked on a page.
    """
    ranked = np.argsort(loss, kind="stable")[: int(np.isfinite(loss).sum())]
    order = ranked[thin(len(ranked), MOST_STARTS)]
    free = [j for j, (low, high) in enumerate(bounds.values()) if high > low]
    names = [list(bounds)[j] for j in free][:MOST_PARAMETERS]
    if not len(order) or not names:
        return None
    figure, axes = _frame(len(names))
    place = np.empty((len(order), len(names)))
    texts = told_apart([name.replace("_", " ") for name in names], NAME_LETTERS)
    for row, name in enumerate(names):
        ends_of, log = bounds[name], name in logarithmic
        place[:, row] = shares(ends[order, free[row]], *ends_of, log)
        known = shares(np.array((intervals or {}).get(name, (np.nan, np.nan))), *ends_of, log)
        axes.plot([0, 1], [row, row], color=INK, lw=0.8, alpha=0.5, zorder=1)
        axes.plot(known, [row, row], color=INK, lw=9, alpha=0.15, solid_capstyle="butt", zorder=1)
        _texts(figure, axes, row, texts[row], ends_of)
    above = above_best(loss[order], limit)
    for k in reversed(range(len(order))):
        axes.plot(
            place[k], np.arange(len(names)), "o-", color=COLOURS(SHADES(above[k])), lw=1.1, ms=4, mew=0, alpha=0.75,
            clip_on=False, zorder=2, gid=picks([places[order[k]]]) if len(places) else None,
        )  # fmt: skip
    if len(free) > len(names):
        figure.text(0.01, 0, f"The first {len(names)} of {len(free)} parameters.", va="bottom", fontsize=9)
    figure.set_label(
        f"Parameters within their bounds where {len(order)} of {len(ranked)} starts ended, "
        f"{int((above <= AS_GOOD).sum())} of them at the best loss."
    )
    return figure


def above_best(loss: np.ndarray, limit: float) -> np.ndarray:
    """Return losses (n,) above the smallest, in shares of by how much the limit of the 95 % interval is above it."""
    least = loss.min()
    return (loss - least) / (limit - least) if limit > least else np.where(loss > least, np.inf, 0.0)


def shares(values: np.ndarray, low: float, high: float, log: bool) -> np.ndarray:
    """Return values as shares of their bounds, or of the logarithms of these."""
    if log:
        values, low, high = np.log(values), np.log(low), np.log(high)
    return np.asarray(np.clip((values - low) / (high - low), 0, 1))


def _frame(rows: int) -> tuple[Figure, Any]:
    """Return a figure with bare axes for so many parameters, and what the colours are above it."""
    height = ABOVE + ROW * rows + BELOW
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.add_axes((LEFT, BELOW / height, RIGHT - LEFT, ROW * rows / height))
    axes.set(xlim=(0, 1), ylim=(rows - 0.5, -0.5))
    axes.set_axis_off()
    figure.text(0.01, 1 - 0.15 / height, "loss above the best", va="center", fontsize=9.5)
    bar = figure.colorbar(
        ScalarMappable(SHADES, COLOURS),
        cax=figure.add_axes((LEFT, 1 - 0.2 / height, RIGHT - LEFT, 0.1 / height)),
        orientation="horizontal",
    )
    bar.set_ticks([0.01, 0.1, 1, 10, 100], labels=["≤ 0.01", "0.1", "1", "10", "≥ 100"])
    bar.ax.minorticks_off()
    bar.ax.grid(False)
    bar.outline.set_visible(False)
    bar.solids.set_edgecolor("face")
    return figure, axes


def _texts(figure: Figure, axes: Any, row: int, name: str, ends: tuple[float, float]) -> None:
    """Write a parameter's name, and its bounds beside its axis."""
    across = blended_transform_factory(figure.transFigure, axes.transData)
    axes.text(0.01, row, name, transform=across, va="center")
    step = digits.step(ends[1] - ends[0])
    for x, side, value in ((LEFT - GAP, "right", ends[0]), (RIGHT + GAP, "left", ends[1])):
        text = shorten(number(value, step), NUMBER_LETTERS)
        axes.text(x, row, text, transform=across, ha=side, va="center", fontsize=9, alpha=0.8)
