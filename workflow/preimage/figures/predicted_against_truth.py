"""Held-out rows: what the surrogate predicts against what is true."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from preimage.figures.style import BLUE, INK, VERMILLION, Look, dense, legend, mark, panels, styled, thin, wrap


@styled
def predicted_against_truth(
    truth: np.ndarray,
    predicted: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    name: str,
    truth_is: str = "measured",
    level: float = 0.9,
) -> Figure | None:
    """Draw predictions, with their intervals as bars, against the truth of the same rows.

    Args:
        truth, predicted: one output of the rows (n,), NaN where there is none.
        low, high: ends of each interval (n,), NaN where there is none.
        name: the output with its unit.
        truth_is: what the truth is: measured or simulated.
        level: what share of rows the intervals are meant to hold.
    """
    known = np.isfinite(truth) & np.isfinite(predicted)
    if not known.any():
        return None
    truth, predicted, low, high = (v[known] for v in (truth, predicted, low, high))
    inside = (low <= truth) & (truth <= high)
    judged = np.isfinite(low) & np.isfinite(high)
    title = f"{len(truth)} held-out rows"
    if judged.any():
        share = inside[judged].mean()
        title = f"{share:.0%} of {judged.sum()} held-out rows lie in their {level:.0%} interval"

    figure, (axes,) = panels(1, 5.2)
    shown = thin(len(truth))
    colours = {"in its interval": BLUE, "outside": VERMILLION}
    handles = []
    for part, colour in zip((inside | ~judged, ~inside & judged), colours.values(), strict=True):
        rows = shown[part[shown]]
        raster = dense(len(shown))
        # One path for all bars, with a gap after each: a third of the bytes of as many lines.
        bars = np.column_stack([low[rows], high[rows], np.full(len(rows), np.nan)]).ravel()
        axes.plot(np.repeat(truth[rows], 3), bars, color=colour, lw=0.5, alpha=0.35, rasterized=raster)
        axes.plot(truth[rows], predicted[rows], "o", color=colour, ms=3, mew=0, alpha=0.85, rasterized=raster)
        handles.append(mark(Look(colour, "o", "-")))
    ends = [min(truth.min(), predicted.min()), max(truth.max(), predicted.max())]
    margin = 0.04 * (ends[1] - ends[0]) or 1.0
    limits = (ends[0] - margin, ends[1] + margin)
    axes.plot(limits, limits, color=INK, lw=1, zorder=3)
    axes.set(xlim=limits, ylim=limits, title=title)
    axes.set(xlabel=f"{truth_is} {name}", ylabel=wrap(f"predicted {name}", 40))
    axes.set_aspect("equal")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(6))
    if judged.any():
        legend(figure, handles, list(colours))
    figure.set_label(f"Predicted against {truth_is} {name}: {title}.")
    return figure
