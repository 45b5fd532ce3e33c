"""Simulation-based calibration: how far ranks of true parameters are from uniform (Säilynoja et al. 2022)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from preimage.figures.style import INK, Look, legend, panels, shorten, styled
from preimage.inference.checks import uniformity

LEVEL = 0.95


@styled
def rank_differences(ranks: Mapping[str, np.ndarray], names: Sequence[str], looks: Mapping[str, Look]) -> Figure | None:
    """Draw the distribution function of ranks less the uniform one, a panel a quantity, and where it may lie.

    Args:
        ranks: by method (sets, q) between 0 and 1 (see `preimage.inference.checks.sbc`), equally many sets.
        names: of the quantities.
        looks: by method.
    """
    ranks = {m: r for m, r in ranks.items() if len(r)}
    if not ranks:
        return None
    sets = min(len(r) for r in ranks.values())
    points, low, high = uniformity.bands(sets, LEVEL)
    figure, axes = panels(len(names), 2.5, sharex=True, sharey=True)
    handles: dict[str, Any] = {}
    for k, (panel, name) in enumerate(zip(axes, names, strict=False)):
        panel.fill_between(points, low - points, high - points, color=INK, alpha=0.12, lw=0)
        for method, found in ranks.items():
            look = looks[method]
            y = uniformity.below(found[:, k], points) - points
            (handles[shorten(method, 24)],) = panel.plot(points, y, color=look.colour, ls=look.dashes, lw=1.5)
        panel.axhline(0, color=INK, lw=0.7)
        panel.set(title=shorten(name, 34), xlim=(0, 1))
        panel.set_xlabel("rank of the truth")
        panel.set_ylabel("share below − uniform")
        panel.label_outer()
    handles[f"uniform, {100 * LEVEL:.0f} %"] = Patch(color=INK, alpha=0.12, lw=0)
    legend(figure, list(handles.values()), list(handles))
    out = [m for m, r in ranks.items() if (np.array([uniformity.p_value(c) for c in r.T]) < 1 - LEVEL).any()]
    figure.set_label(
        f"Ranks of {sets} true parameters among the draws of {', '.join(ranks)}, less uniform ones: "
        f"{', '.join(out) if out else 'none'} leave the band."
    )
    return figure
