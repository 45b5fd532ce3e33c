"""Waterfall plot: the final values of the starts of a multistart search, sorted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from preimage.evidence.plateaus import plateaus
from preimage.figures.scale import Scale
from preimage.figures.style import Look, legend, panels, shorten, styled, wrap

# Of more plateaus than these, only the first have their number of starts beside them.
MOST_NUMBERED = 3


@styled
def waterfall(starts: Mapping[tuple[str, str], np.ndarray], scale: Scale, looks: Mapping[str, Look]) -> Figure | None:
    """Draw the final values of all starts, best first, a panel a surrogate; plateaus are shaded.

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
        mine = {inverter: v for (s, inverter), v in starts.items() if s == surrogate}
        for inverter, losses in mine.items():
            values = scale.values(losses)
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
            _mark(panel, losses, values, colour, scale)
        handles |= scale.met_line(panel)
        scale.apply(panel, scale.values(np.concatenate(list(mine.values()))))
        panel.set(title=f"on {surrogate}", xlabel="start, best first")
        panel.xaxis.get_major_locator().set_params(integer=True)
    for panel in axes[::2]:
        panel.set_ylabel(wrap(scale.label, 28))
    legend(figure, list(handles.values()), [shorten(i, 24) for i in handles])
    counts = [
        f"{len(v)} starts of {inverter} on {surrogate}, {len(plateaus(v, scale.equal_to))} plateaus"
        for (surrogate, inverter), v in starts.items()
    ]
    figure.set_label(f"{scale.label} where each start ended, sorted: {'; '.join(counts)}.")
    return figure


def _mark(panel: Axes, losses: np.ndarray, values: np.ndarray, colour: str, scale: Scale) -> None:
    """Shade the plateaus of sorted losses (n,), drawn at these values (n,), and say how many starts the first have."""
    for k, plateau in enumerate(plateaus(losses, scale.equal_to)):
        last = plateau.first + plateau.size
        ends, level = [plateau.first + 1, last], values[[plateau.first, last - 1]]
        panel.plot(ends, level, color=colour, lw=11, alpha=0.25, solid_capstyle="round", clip_on=False, zorder=1)
        if k < MOST_NUMBERED:
            at = (sum(ends) / 2, level.mean())
            panel.annotate(f"×{plateau.size}", at, (0, 8), textcoords="offset points", ha="center", fontsize=9)
