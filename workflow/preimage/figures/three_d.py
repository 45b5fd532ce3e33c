"""Panels in three dimensions, seen from one side in all figures, so that surface and rows compare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from preimage.figures.style import panels


def panels_3d(n: int) -> tuple[Figure, list[Any]]:
    """Return a figure with n panels in 3-D (MOST_PANELS at most), and their axes."""
    figure, axes = panels(n, 4.6 if n == 1 else 3.4, subplot_kw={"projection": "3d"})
    # Constrained layout takes no account of labels in 3-D.
    figure.set_layout_engine("none")
    figure.subplots_adjust(left=0.0, right=0.9, bottom=0.06, top=1.0, wspace=0.25, hspace=0.15)
    return figure, axes


def name_axes(axes: Any, labels: Sequence[str]) -> None:
    """Turn a panel to the common view and label its three axes."""
    axes.view_init(elev=28, azim=-55)
    for axis, text in zip((axes.xaxis, axes.yaxis, axes.zaxis), labels, strict=True):
        axis.set_label_text(text)
        axis.labelpad = 6
        axis.set_major_locator(MaxNLocator(5))
