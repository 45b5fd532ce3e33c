"""Panels in three dimensions, seen from one side in all figures, so that surface and rows compare."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from preimage.figures.style import number, panels
from preimage.support import digits


def panels_3d(n: int) -> tuple[Figure, list[Any]]:
    """Return a figure with n panels in 3-D (MOST_PANELS at most), and their axes."""
    # Constrained layout takes no account of labels in 3-D.
    figure, drawn = panels(n, 4.6 if n == 1 else 2.9, layout="none", subplot_kw={"projection": "3d"})
    if n == 1:
        figure.subplots_adjust(left=0.0, right=0.92, bottom=0.04, top=1.08)
    else:
        figure.subplots_adjust(left=0.02, right=0.92, bottom=0.06, top=1.04, wspace=0.22, hspace=0.1)
        for panel in drawn:
            panel.set_box_aspect(None, zoom=0.9)
    return figure, drawn


# Numbers of this size are shortened where that leaves ticks apart.
SHORTENED = 1e5


def name_axes(axes: Any, labels: Sequence[str], alone: bool) -> None:
    """Turn a panel to the common view and label its three axes; with fewer ticks where it is not alone."""
    axes.view_init(elev=28, azim=-55)
    for axis, text in zip((axes.xaxis, axes.yaxis, axes.zaxis), labels, strict=True):
        axis.set_label_text(text)
        axis.labelpad = 6
        axis.set_major_locator(MaxNLocator(5 if alone else 3))
        # There is no room for large numbers, nor for a common factor.
        axis.set_major_formatter(FuncFormatter(partial(_tick, axis)))
    axes.zaxis.labelpad = 8


def _tick(axis: Any, value: float, _: int | None) -> str:
    step = digits.step(float(np.ptp(axis.get_view_interval())))
    short = abs(value) >= SHORTENED and step >= digits.SHARE * abs(value)
    return f"{value:.3g}".replace("-", "−") if short else number(value, step)
