"""The true surface of a problem with two inputs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from preimage.figures.style import VIRIDIS, styled
from preimage.figures.three_d import name_axes, panels_3d


@styled
def surface(
    x1: np.ndarray, x2: np.ndarray, Y: np.ndarray, inputs: Sequence[str], outputs: Sequence[str]
) -> Figure | None:
    """Draw each true output over the two inputs, in 3-D, a panel an output.

    Args:
        x1, x2: the grid's lines, (k,) and (l,).
        Y: outputs (l, k, m); NaN where there is none.
        inputs, outputs: axis labels with units, 2 and m of them.
    """
    drawable = [j for j in range(Y.shape[2]) if np.isfinite(Y[:, :, j]).any()]
    if not drawable or min(len(x1), len(x2)) < 2:
        return None
    figure, panels = panels_3d(len(drawable))
    for axes, j in zip(panels, drawable, strict=False):
        Z = Y[:, :, j]
        axes.plot_surface(
            *np.meshgrid(x1, x2),
            Z,
            cmap=VIRIDIS,
            vmin=float(np.nanmin(Z)),
            vmax=float(np.nanmax(Z)),
            rstride=1,
            cstride=1,
            linewidth=0,
            antialiased=False,
            rasterized=True,
        )
        name_axes(axes, [*inputs, outputs[j]], alone=len(drawable) == 1)
    shown = " and ".join(outputs[j] for j in drawable)
    figure.set_label(f"The true {shown} over {inputs[0]} and {inputs[1]}, as a surface.")
    return figure
