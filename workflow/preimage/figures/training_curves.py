"""The losses of a network while it was trained."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from preimage.figures.style import BLUE, INK, VERMILLION, legend, log_axis, panels, styled


@styled
def training_curves(training: np.ndarray, validation: np.ndarray) -> Figure | None:
    """Draw training and validation loss by epoch (n,), and the epoch whose weights were kept."""
    if not np.isfinite(validation).any():
        return None
    figure, (axes,) = panels(1, 3.6)
    epoch = np.arange(1, len(training) + 1)
    kept = int(np.nanargmin(np.where(np.isfinite(validation), validation, np.nan)))
    shown = [np.where(np.isfinite(loss), loss, np.nan) for loss in (training, validation)]
    lines = [axes.plot(epoch, y, color=c, lw=1.4)[0] for y, c in zip(shown, (BLUE, VERMILLION), strict=True)]
    lines.append(axes.axvline(epoch[kept], color=INK, lw=0.9, ls=":"))
    axes.plot(epoch[kept], shown[1][kept], "o", color=VERMILLION, ms=5, clip_on=False, zorder=4)
    if np.nanmin(shown) > 0:
        log_axis(axes.yaxis)
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=9))
    axes.set(xlabel="epoch", ylabel="loss, outputs in standard deviations")
    legend(figure, lines, ["training rows", "validation rows", "weights kept"])
    figure.set_label(
        f"Loss on training and validation rows by epoch, {len(epoch)} epochs: the lowest on validation rows is "
        f"{validation[kept]:.4g}, in epoch {epoch[kept]}."
    )
    return figure
