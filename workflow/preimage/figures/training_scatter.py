"""The training rows of a problem with two inputs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from preimage.figures.style import VIRIDIS, dense, styled, thin
from preimage.figures.three_d import name_axes, panels_3d


@styled
def training_scatter(X: np.ndarray, Y: np.ndarray, inputs: Sequence[str], outputs: Sequence[str]) -> Figure | None:
    """Draw each output of the rows over the two inputs, in 3-D, a panel an output.

    Args:
        X, Y: rows (n, 2) and their outputs (n, m).
        inputs, outputs: axis labels with units, 2 and m of them.
    """
    shown = thin(len(X))
    drawable = [j for j in range(Y.shape[1]) if np.isfinite(Y[shown, j]).any()]
    if not drawable:
        return None
    raster = dense(len(shown), coloured=True)
    figure, panels = panels_3d(len(drawable))
    for axes, j in zip(panels, drawable, strict=False):
        y = Y[shown, j]
        axes.scatter(
            X[shown, 0],
            X[shown, 1],
            y,
            c=y,
            cmap=VIRIDIS,
            s=5,
            linewidth=0,
            depthshade=False,
            # In a picture, hard edges make few colours, and those half the bytes.
            antialiased=not raster,
            rasterized=raster,
        )
        name_axes(axes, [*inputs, outputs[j]], alone=len(drawable) == 1)
    named = " and ".join(outputs[j] for j in drawable)
    figure.set_label(f"{len(X)} training rows: {named} over {inputs[0]} and {inputs[1]}.")
    return figure
