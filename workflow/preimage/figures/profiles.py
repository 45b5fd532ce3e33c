"""Profile likelihoods: the best loss with one parameter held, over its range."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from preimage.figures.style import INK, VERMILLION, WIDTH, label, legend, log_axis, styled

COLUMNS = 3


@styled
def profiles(
    table: pd.DataFrame,
    limit: float,
    best: Mapping[str, float],
    units: Mapping[str, str],
    logarithmic: Collection[str] = (),
) -> Figure | None:
    """Draw a panel a parameter; values under the dashed line are within the 95 % interval.

    Args:
        table: columns parameter, value, loss.
        limit: largest loss within the interval.
        best: by parameter, of the best fit.
        logarithmic: parameters that are drawn by their logarithms.
    """
    names = list(dict.fromkeys(table["parameter"]))
    rows = math.ceil(len(names) / COLUMNS)
    figure = Figure(figsize=(WIDTH, 2.1 * rows + 0.4), layout="constrained")
    axes = figure.subplots(rows, COLUMNS, squeeze=False, sharey=True).ravel()
    for spare in axes[len(names) :]:
        spare.remove()
    handles: dict[str, Any] = {}
    for panel, name in zip(axes, names, strict=False):
        part = table[table["parameter"] == name].sort_values("value")
        (handles["best loss with the parameter held"],) = panel.plot(
            part["value"], part["loss"], "o-", ms=2.5, lw=1.2, mew=0, color=VERMILLION
        )
        handles["limit of the 95 % interval"] = panel.axhline(limit, color=INK, lw=0.9, ls="--")
        handles["best fit"] = panel.axvline(best[name], color=INK, lw=0.9, ls=":")
        panel.set_xlabel(label(name, units.get(name, "")))
        if name in logarithmic:
            log_axis(panel.xaxis)
        else:
            panel.locator_params(axis="x", nbins=4)
    least = max(float(table["loss"].min()), 1e-300)
    log_axis(axes[0].yaxis)
    axes[0].set_ylim(least / 1.5, max(limit * 30, least * 100))
    for panel in axes[: len(names) : COLUMNS]:
        panel.set_ylabel("loss")
    legend(figure, list(handles.values()), list(handles))
    figure.set_label(f"The best loss with one parameter held, over the range of {', '.join(names)}.")
    return figure
