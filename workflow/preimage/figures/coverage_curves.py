"""Expected coverage: the share of truths in regions of each mass, by method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from preimage.figures.style import INK, Look, legend, panels, shorten, styled
from preimage.inference.checks import uniformity

LEVEL = 0.95
WANTED = 0.9


@styled
def coverage_curves(levels: Mapping[str, np.ndarray], looks: Mapping[str, Look], what: str = "truths") -> Figure | None:
    """Draw the share of truths within regions against the mass that these should hold, and where it may lie.

    Args:
        levels: by method (sets,) between 0 and 1 (see `preimage.inference.checks.coverage` and `tarp`).
        looks: by method.
        what: is covered.
    """
    levels = {m: v for m, v in levels.items() if len(v)}
    if not levels:
        return None
    sets = min(len(v) for v in levels.values())
    points, low, high = uniformity.bands(sets, LEVEL)
    figure, (axes,) = panels(1, 4.4)
    axes.fill_between(np.r_[0, points, 1], np.r_[0, low, 1], np.r_[0, high, 1], color=INK, alpha=0.12, lw=0)
    axes.plot([0, 1], [0, 1], color=INK, lw=0.7)
    nominal = np.linspace(0, 1, 201)
    handles: dict[str, Any] = {}
    said = []
    for method, found in levels.items():
        look = looks[method]
        share = uniformity.below(found, np.array([WANTED]))[0]
        said.append(f"{method} {100 * share:.1f} %")
        (handles[f"{shorten(method, 20)}: {100 * share:.0f} %"],) = axes.plot(
            nominal, uniformity.below(found, nominal), color=look.colour, ls=look.dashes, lw=1.6
        )
    axes.axvline(WANTED, color=INK, lw=0.9, ls=":")
    handles[f"exact, {100 * LEVEL:.0f} %"] = Patch(color=INK, alpha=0.12, lw=0)
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="mass of the region", ylabel=f"share of {what} within")
    legend(figure, list(handles.values()), list(handles))
    figure.set_label(
        f"Share of {sets} {what} in regions of each mass; in the {100 * WANTED:.0f} % region: {', '.join(said)}."
    )
    return figure
