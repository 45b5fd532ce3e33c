"""Waterfall plot: the final values of the starts of a multistart search, sorted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from preimage.figures.scale import Scale
from preimage.figures.style import Look, legend, panels, shorten, styled, wrap


@styled
def waterfall(starts: Mapping[tuple[str, str], np.ndarray], scale: Scale, looks: Mapping[str, Look]) -> Figure | None:
    """Draw the final values of all starts, best first, a panel a surrogate. A plateau is an optimum found again.

    Args:
        starts: by (surrogate, inverter) the final losses (n,), NaN where a start failed.
        scale: how losses are shown.
        looks: by inverter.
    """
    starts = {case: np.sort(v[np.isfinite(v)]) for case, v in starts.items() if np.isfinite(v).any()}
    surrogates = list(dict.fromkeys(surrogate for surrogate, _ in starts))
    if not surrogates:
        return None
    figure, axes = panels(len(surrogates), 3.4)
    handles: dict[str, Any] = {}
    for panel, surrogate in zip(axes, surrogates, strict=False):
        mine = {inverter: scale.values(v) for (s, inverter), v in starts.items() if s == surrogate}
        for inverter, values in mine.items():
            colour, marker, dashes = looks[inverter]
            size = 5 if len(values) <= 30 else 2.5
            (handles[inverter],) = panel.plot(
                np.arange(1, len(values) + 1),
                values,
                color=colour,
                ls=dashes,
                lw=1,
                marker=marker,
                ms=size,
                clip_on=False,
            )
        handles |= scale.met_line(panel)
        scale.apply(panel, np.concatenate(list(mine.values())))
        panel.set(title=f"on {surrogate}", xlabel="start, best first")
        panel.xaxis.get_major_locator().set_params(integer=True)
    for panel in axes[::2]:
        panel.set_ylabel(wrap(scale.label, 28))
    legend(figure, list(handles.values()), [shorten(i, 24) for i in handles])
    counts = ", ".join(f"{len(v)} starts of {inverter} on {surrogate}" for (surrogate, inverter), v in starts.items())
    figure.set_label(f"{scale.label} where each start ended, sorted: {counts}.")
    return figure
