"""How much of the error is left when more candidates of a target may be tried."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from preimage.figures.style import Look, legend, log_axis, panels, shorten, styled

# Below this share of the largest an error is rounding: shown at the bottom rather than stretching the axis.
LEAST = 1e-30


@styled
def best_of_curves(
    curves: Mapping[str, Mapping[str, tuple[np.ndarray, np.ndarray]]], looks: Mapping[str, Look]
) -> Figure | None:
    """Draw r_T against T on logarithmic axes, a panel a surrogate and a line an inverter.

    Args:
        curves: by surrogate and inverter, T (k,) and r_T (k,).
        looks: by inverter.
    """
    if not curves:
        return None
    figure, axes = panels(len(curves), 3.9)
    handles = {}
    longest = max(T[-1] for lines in curves.values() for T, _ in lines.values())
    largest = max(float(np.nanmax(r, initial=0.0)) for lines in curves.values() for _, r in lines.values())
    least = LEAST * (largest or 1.0)
    for panel, (surrogate, lines) in zip(axes, curves.items(), strict=False):
        for inverter, (T, r) in lines.items():
            colour, marker, dashes = looks[inverter]
            shown = np.maximum(r, least)
            (handles[shorten(inverter, 24)],) = panel.plot(
                T, shown, color=colour, ls=dashes, lw=1.8, marker=marker, ms=4, clip_on=False
            )
            if T[-1] < longest:
                panel.plot([T[-1], longest], [shown[-1]] * 2, color=colour, lw=1, ls=":")
        log_axis(panel.yaxis)
        if longest > 1:
            log_axis(panel.xaxis)
        panel.set(xlabel="candidates tried (T)", ylabel="true squared error left (mean)")
        if len(curves) > 1:
            panel.set_title(shorten(surrogate, 30))
    # One scale, so that models compare.
    limits = [panel.get_ylim() for panel in axes]
    for panel in axes:
        panel.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))
    legend(figure, list(handles.values()), list(handles))
    ends = ", ".join(f"{i} on {s} {r[0]:.3g}" for s, lines in curves.items() for i, (_, r) in lines.items())
    figure.set_label(f"Mean true squared error of the best of T candidates, against T. For T = 1: {ends}.")
    return figure
