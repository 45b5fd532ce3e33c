"""The answers among the held-out rows, for a problem with two inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from preimage.figures.style import INK, VIRIDIS, Look, dense, legend, panels, shorten, styled, thin

# Answers that take up less than this share of the inputs' ranges are shown near by as well.
NEAR = 0.25


class Answers(NamedTuple):
    """The answers of one method: its name, its look and its points (k, 2)."""

    name: str
    look: Look
    points: np.ndarray


@styled
def answers_on_test(
    X: np.ndarray,
    y: np.ndarray,
    answers: Sequence[Answers],
    inputs: Sequence[str],
    output: str,
    known: np.ndarray | None = None,
) -> Figure | None:
    """Draw held-out rows coloured by an output, the answers of each method, and the known minimum.

    Args:
        X, y: held-out rows (n, 2) and their true output (n,).
        answers: of each method; without any there is no figure.
        inputs, output: axis labels with units.
        known: where the true minimum is (2,), if that is known.
    """
    X, y = X[np.isfinite(y)], y[np.isfinite(y)]
    answers = [a._replace(points=a.points[np.isfinite(a.points).all(axis=1)]) for a in answers]
    answers = [a for a in answers if len(a.points)]
    if not answers or not len(y):
        return None
    marks = np.concatenate([a.points for a in answers] + ([known[None]] if known is not None else []))
    everything = np.concatenate([X, marks])
    whole, near = _box(everything, 0.03), _box(marks, 0.35, everything)
    zoom = bool(((near[1] - near[0]) < NEAR * (whole[1] - whole[0])).all())
    figure, axes = panels(1 + zoom, 4.0 if zoom else 4.6)
    shown = thin(len(X))
    for panel, box in zip(axes, (whole, near), strict=False):
        raster = dense(len(shown), coloured=True)
        rows = shown[((X[shown] >= box[0]) & (X[shown] <= box[1])).all(axis=1)]
        picture = panel.scatter(
            *X[rows].T, c=y[rows], cmap=VIRIDIS, s=12, linewidth=0,  vmin=y.min(), vmax=y.max(),
            antialiased=not raster, rasterized=raster,
        )  # fmt: skip
        # Where both views are there, the far one only says where the near one is.
        size = 5 if zoom and panel is axes[0] else 9
        handles = [_marks(panel, a, size) for a in answers]
        if known is not None:
            handles += panel.plot(*known, "+", color=INK, ms=13, mew=1.6, zorder=4)
        panel.set(xlim=(box[0][0], box[1][0]), ylim=(box[0][1], box[1][1]), xlabel=inputs[0])
    axes[0].set_ylabel(inputs[1])
    if zoom:
        axes[1].set_title("near the answers")
        axes[0].add_patch(_frame(near))
    bar = figure.colorbar(picture, ax=axes, location="bottom", shrink=0.6, aspect=30, pad=0.04)
    bar.set_label(output)
    bar.outline.set_linewidth(0)
    # Without edges of their own colour, a page shows seams between the steps.
    for steps in bar.ax.collections:
        if isinstance(steps, QuadMesh):
            steps.set(edgecolor="face", linewidth=0.5)
    bar.locator = MaxNLocator(5)
    bar.update_ticks()
    names = [shorten(a.name, 30) for a in answers] + (["known minimum"] if known is not None else [])
    legend(figure, handles, names)
    figure.set_label(
        f"{len(X)} held-out rows over {inputs[0]} and {inputs[1]}, coloured by {output}, and the answers of "
        f"{', '.join(a.name for a in answers)}."
    )
    return figure


def _marks(panel: Any, answers: Answers, size: float) -> Any:
    colour, marker, _ = answers.look
    (handle,) = panel.plot(
        *answers.points.T, marker, color="none" if colour == INK else colour, mec=INK, mew=1.0, ms=size, zorder=3
    )
    return handle


def _box(points: np.ndarray, margin: float, around: np.ndarray | None = None) -> np.ndarray:
    """Return the corners (2, 2) of the box of points, with a margin; a box of no width is 2 % of `around`'s."""
    low, high = points.min(axis=0), points.max(axis=0)
    width = high - low
    if around is not None:
        width = np.maximum(width, 0.02 * np.ptp(around, axis=0))
    width = np.where(width > 0, width, 1.0)
    middle = (low + high) / 2
    return np.array([middle - width * (0.5 + margin), middle + width * (0.5 + margin)])


def _frame(box: np.ndarray) -> Any:
    return Rectangle(tuple(box[0]), *(box[1] - box[0]), fill=False, ec=INK, lw=0.8)
