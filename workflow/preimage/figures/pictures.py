"""Pictures that decoders make, and the residuals of what they can and can't explain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from preimage.figures.style import DASHES, PALETTE, WIDTH, legend, log_axis, panels, styled

# Ink on paper: light and dark pages both show them so.
SHADES = "gray_r"
GAP = 1


@styled
def contact_sheet(
    rows: Sequence[np.ndarray],
    labels: Sequence[str],
    below: Sequence[str],
    limits: tuple[float, float],
    sentence: str,
) -> Figure:
    """Draw pictures, each row (k, side, side) beside its label; `below` names the columns, `limits` are white and
    black."""
    k, side = len(rows[0]), rows[0].shape[-1]
    cell = side + GAP
    sheet = np.full((len(rows) * cell - GAP, k * cell - GAP), np.nan)
    for i, row in enumerate(rows):
        for j, picture in enumerate(row):
            sheet[i * cell : i * cell + side, j * cell : j * cell + side] = picture
    figure = Figure(figsize=(WIDTH, 0.5 + 0.88 * WIDTH * len(sheet) / sheet.shape[1]), layout="constrained")
    axes = figure.subplots()
    axes.imshow(sheet, cmap=SHADES, interpolation="nearest", aspect="equal", vmin=limits[0], vmax=limits[1])
    middle = (side - 1) / 2
    axes.set_yticks(middle + cell * np.arange(len(rows)), labels)
    axes.set_xticks(middle + cell * np.arange(k), below)
    axes.tick_params(length=0)
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    figure.set_label(sentence)
    return figure


@styled
def residual_histograms(residuals: pd.DataFrame) -> Figure:
    """Draw how residuals (columns inputs, residual) are spread, by what the inputs were."""
    figure, (axes,) = panels(1, 3.2)
    shown = residuals[residuals["residual"] > 0]
    edges = np.geomspace(shown["residual"].min(), shown["residual"].max() * 1.01, 50)
    handles = {}
    for k, (name, part) in enumerate(shown.groupby("inputs", sort=False)):
        _, _, patches = axes.hist(
            part["residual"], edges, histtype="step", color=PALETTE[k], lw=1.6, ls=DASHES[k % len(DASHES)]
        )
        handles[str(name)] = patches[0]
    log_axis(axes.xaxis)
    axes.set(xlabel="residual of the best explanation", ylabel="inputs")
    legend(figure, list(handles.values()), list(handles))
    middle = residuals.groupby("inputs", sort=False)["residual"].median()
    figure.set_label("Median residuals: " + ", ".join(f"{k} {v:.3g}" for k, v in middle.items()) + ".")
    return figure
