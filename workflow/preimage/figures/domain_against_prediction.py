"""Do better answers lie outside the data?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from preimage.figures.style import (
    INK,
    MOST_POINTS,
    Look,
    dense,
    legend,
    panels,
    picks,
    shorten,
    styled,
    thin,
    widen,
    wrap,
)


@styled
def domain_against_prediction(
    score: np.ndarray,
    predicted: np.ndarray,
    inverters: Sequence[str],
    first: np.ndarray,
    name: str,
    looks: Mapping[str, Look],
    limit: float,
    wanted: tuple[float, float] | None = None,
    least_span: float = 0.0,
    places: Sequence[int] = (),
) -> Figure | None:
    """Draw what is predicted for every candidate against its domain score.

    Args:
        score, predicted: of the candidates (n,); NaN where there is none.
        inverters: the method of each candidate (n,).
        first: which candidates are their method's best (n,), of bool.
        name: axis label of what is predicted, with its unit.
        looks: by inverter.
        limit: the score at which the data ends.
        wanted: the interval of predicted values that was asked for, if there is one.
        least_span: what the axis of predicted values shows at least.
        places: of the candidates in their table (n,), where they can be picked on a page.
    """
    names, at = np.asarray(inverters, dtype=str), np.asarray(places, int)
    known = np.isfinite(score) & np.isfinite(predicted)
    found = [i for i in looks if (known & (names == i)).any()]
    if not found:
        return None
    figure, (axes,) = panels(1, 4.2)
    axes.axvline(limit, color=INK, lw=1)
    # Shaded: outside the data.
    axes.axvspan(limit, 1.03, color=INK, alpha=0.08, lw=0)
    axes.annotate(
        "edge of the data", (limit, 1), xycoords=("data", "axes fraction"), xytext=(0, 3),
        textcoords="offset points", ha="right", va="bottom",
    )  # fmt: skip
    raster = dense(int(known.sum()))
    handles = {}
    for inverter in found:
        colour, marker, _ = looks[inverter]
        mine = np.flatnonzero(known & (names == inverter))
        best = mine[first[mine]]
        mine = mine[thin(len(mine), MOST_POINTS // len(found))]
        axes.plot(
            score[mine], predicted[mine], marker, color=colour, ms=3.4, mew=0, alpha=0.7, rasterized=raster,
            gid=None if raster else _picked(at, mine),
        )  # fmt: skip
        (handles[shorten(inverter, 24)],) = axes.plot(
            score[best], predicted[best], marker, color="none" if colour == INK else colour, mec=INK, mew=1.2, ms=10,
            zorder=3, gid=_picked(at, best),
        )  # fmt: skip
    axes.set(xlim=(-0.02, 1.03), xlabel="domain score (share of training rows that are no lonelier)", ylabel=wrap(name))
    widen(axes, predicted[known], least_span)
    if wanted is not None:
        shown = np.where(np.isfinite(wanted), wanted, axes.get_ylim())
        handles["asked for"] = axes.axhspan(*shown, color=INK, alpha=0.15, lw=0.8)
    legend(figure, list(handles.values()), list(handles))
    outside = float((score[known] > limit).mean())
    figure.set_label(
        f"{name} against domain score for {known.sum()} candidates, {outside:.0%} of them outside the data."
    )
    return figure


def _picked(places: np.ndarray, which: np.ndarray) -> str | None:
    return picks(places[which].tolist()) if len(places) else None
