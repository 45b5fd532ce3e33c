"""Profile likelihoods: by how much the best loss rises with one parameter held, over its range."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from preimage.figures.style import INK, VERMILLION, WIDTH, label, legend, log_axis, styled

COLUMNS = 3
# Losses are drawn up to so many times what the interval allows.
HIGHEST = 300


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
    least = float(table["loss"].min())
    # The share of a loss that the data leaves open may be small against the loss itself.
    allowed = limit - least if limit > least else 1.0
    for panel, name in zip(axes, names, strict=False):
        part = table[table["parameter"] == name].sort_values("value")
        (handles["best loss with the parameter held"],) = panel.plot(
            part["value"], part["loss"] - least, "o-", ms=2.5, lw=1.2, mew=0, color=VERMILLION
        )
        handles["limit of the 95 % interval"] = panel.axhline(allowed, color=INK, lw=0.9, ls="--")
        handles["best fit"] = panel.axvline(best[name], color=INK, lw=0.9, ls=":")
        panel.set_xlabel(label(name, units.get(name, "")))
        if name in logarithmic:
            log_axis(panel.xaxis)
        else:
            panel.locator_params(axis="x", nbins=4)
    log_axis(axes[0].yaxis, linear_below=allowed)
    axes[0].set_ylim(-0.3 * allowed, HIGHEST * allowed)
    decades = range(math.ceil(math.log10(allowed)), math.floor(math.log10(HIGHEST * allowed)) + 1)
    axes[0].set_yticks([0.0, *(10.0**k for k in decades)])
    for panel in axes[: len(names) : COLUMNS]:
        panel.set_ylabel("loss above the best")
    legend(figure, list(handles.values()), list(handles))
    figure.set_label(f"The best loss with one parameter held, over the range of {', '.join(names)}.")
    return figure
