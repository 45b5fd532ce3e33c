"""All inputs that meet an objective: the set itself in two dimensions, otherwise its share of each input's values."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from preimage.core.space import Space
from preimage.figures.style import BLUE, INK, SKY, dense, legend, panels, styled

CERTAIN, UNDECIDED = BLUE, SKY
FAINT = 0.35


@styled
def preimage_set(
    low: np.ndarray, high: np.ndarray, share: np.ndarray, certain: np.ndarray, space: Space, answers: np.ndarray
) -> Figure | None:
    """Draw disjoint boxes (n, d) over the inputs that are free.

    Args:
        share, certain: of the space that each box takes, and whether it is proven to belong, (n,).
        space: with fixed inputs pinned.
        answers: points (k, d) to mark: the distinct solutions, the recommended one first.
    """
    free = np.flatnonzero(space.free)
    if not len(low) or not len(free):
        return None
    order = np.argsort(certain, kind="stable")
    part = (low[order], high[order], share[order], certain[order])
    if len(free) == 2:
        figure = _plane(*part[:2], part[3], space, free, answers)
    else:
        figure = _shares(*part, space, free, answers)
    handles: list[Any] = [Patch(color=CERTAIN, label="meets it, proven")]
    if not certain.all():
        handles.append(Patch(color=UNDECIDED, alpha=FAINT, label="undecided"))
    if len(answers):
        handles.append(Line2D([], [], marker="o", color="none", mec=INK, mew=1.2, ms=7, ls="none", label="solutions"))
    legend(figure, handles, [str(h.get_label()) for h in handles])
    names = ", ".join(space.names[j].replace("_", " ") for j in free)
    figure.set_label(f"All inputs that meet the objective, over {names}: {len(low)} boxes.")
    return figure


def _plane(
    low: np.ndarray, high: np.ndarray, certain: np.ndarray, space: Space, free: np.ndarray, answers: np.ndarray
) -> Figure:
    figure, (axes,) = panels(1, 4.6)
    half = np.where(space.discrete, 0.5, 0.0)
    (a, b), (c, d) = ((low[:, j] - half[j], high[:, j] + half[j]) for j in free)
    corners = np.stack([np.stack(p, axis=1) for p in ((a, c), (b, c), (b, d), (a, d))], axis=1)
    raster = dense(len(low))
    for sure, colour, alpha in ((False, UNDECIDED, FAINT), (True, CERTAIN, 1.0)):
        boxes = corners[certain == sure]
        if len(boxes):
            axes.add_collection(
                # Without edges of their own colour, seams show between the boxes.
                PolyCollection(boxes, facecolor=colour, edgecolor=colour, linewidth=0.3, alpha=alpha, rasterized=raster)
            )
    if len(answers):
        axes.plot(*answers[:, free].T, "o", color="none", mec=INK, mew=1.2, ms=7, zorder=3)
    for j, axis, limits in zip(free, (axes.xaxis, axes.yaxis), (axes.set_xlim, axes.set_ylim), strict=True):
        limits(space.low[j] - half[j], space.high[j] + half[j])
        _ticks(axis, space, j)
        axis.set_label_text(_label(space, j))
    return figure


def _shares(
    low: np.ndarray,
    high: np.ndarray,
    share: np.ndarray,
    certain: np.ndarray,
    space: Space,
    free: np.ndarray,
    answers: np.ndarray,
) -> Figure:
    """Draw, a panel an input, what share of the others' space meets the objective at each of its values."""
    kept = certain.astype(bool)
    curves = {
        int(j): (_curve(low, high, share, space, j), _curve(low[kept], high[kept], share[kept], space, j)) for j in free
    }
    # Where there are too many panels: the inputs that bear most on it.
    shown = sorted(curves, key=lambda j: -float(np.ptp(curves[j][0][1]) + np.ptp(curves[j][1][1])))
    figure, axes = panels(len(free), 2.1, 2 if len(free) > 1 else 1)
    for j, panel in zip(sorted(shown[: len(axes)]), axes, strict=True):
        outer, inner = curves[j]
        panel.fill_between(*outer, step="post", color=UNDECIDED, alpha=FAINT, linewidth=0)
        panel.fill_between(*inner, step="post", color=CERTAIN, linewidth=0)
        if len(answers):
            panel.plot(answers[:, j], np.zeros(len(answers)), "o", color="none", mec=INK, mew=1.2, ms=7, clip_on=False)
        half = 0.5 if space.discrete[j] else 0.0
        panel.set(xlim=(space.low[j] - half, space.high[j] + half), ylim=(0, None), xlabel=_label(space, j))
        panel.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g} %")
        _ticks(panel.xaxis, space, j)
    return figure


def _curve(low: np.ndarray, high: np.ndarray, share: np.ndarray, space: Space, j: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where steps begin, and the share of the other inputs' space that boxes take from there on."""
    half = 0.5 if space.discrete[j] else 0.0
    whole = space.high[j] - space.low[j] + 2 * half
    a, b = low[:, j] - half, high[:, j] + half
    # A box of no width has no share either.
    density = share * whole / np.where(b > a, b - a, 1.0)
    ends = np.r_[space.low[j] - half, a, b, space.high[j] + half]
    order = np.argsort(ends, kind="stable")
    change = np.r_[0.0, density, -density, 0.0][order]
    return ends[order], np.clip(np.cumsum(change), 0.0, 1.0)


def _label(space: Space, j: int) -> str:
    i = space.inputs[j]
    return i.name.replace("_", " ") + (f" ({i.unit})" if i.unit else "")


def _ticks(axis: Any, space: Space, j: int) -> None:
    if labels := space.inputs[j].categories:
        axis.set_ticks(range(len(labels)), labels=[str(v)[:12] for v in labels])
