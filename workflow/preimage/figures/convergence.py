"""What each method had found after how many evaluations."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from preimage.figures.scale import Scale
from preimage.figures.style import Look, legend, log_axis, panels, shorten, styled, wrap

# Beyond this ratio of the most to the fewest evaluations, a linear axis hides the cheap methods.
LOG_ABOVE = 20


@styled
def convergence(
    spent: Mapping[str, tuple[np.ndarray, np.ndarray]], scale: Scale, looks: Mapping[str, Look]
) -> Figure | None:
    """Draw the best predicted value so far against the evaluations spent, a line for each method.

    Args:
        spent: by inverter the evaluations and the loss of its starts or trials in order, both (n,); a failed start
            has NaN for its loss, and costs what it costs. A method that spends none is a level line.
        scale: how losses are shown.
        looks: by inverter.
    """
    lines = {}
    for inverter, (evaluations, loss) in spent.items():
        best = np.fmin.accumulate(np.where(np.isfinite(loss), loss, np.nan)) if len(loss) else loss
        if np.isfinite(best).any():
            lines[inverter] = (np.cumsum(evaluations), scale.values(best))
    if not lines:
        return None
    figure, (axes,) = panels(1, 3.9)
    totals = [int(total[-1]) for total, _ in lines.values() if total[-1] > 0]
    first = min((int(t[t > 0][0]) for t, _ in lines.values() if t[-1] > 0), default=1)
    most = max(totals, default=1)
    handles = {}
    for inverter, (total, best) in lines.items():
        colour, marker, dashes = looks[inverter]
        if total[-1] == 0:
            handles[inverter] = axes.axhline(best[-1], color=colour, lw=1.4, ls="--", zorder=3)
            continue
        (handles[inverter],) = axes.plot(total, best, color=colour, lw=1.8, ls=dashes, drawstyle="steps-post")
        # A method keeps what it has found while the others go on.
        axes.plot([total[-1], most], [best[-1]] * 2, color=colour, lw=1, ls=":")
        axes.plot(total[-1:], best[-1:], marker, color=colour, ms=6, clip_on=False, zorder=4)
    scale.apply(axes, np.concatenate([best for _, best in lines.values()]))
    handles = {shorten(name, 24): line for name, line in handles.items()} | scale.met_line(axes)
    if most > LOG_ABOVE * first:
        log_axis(axes.xaxis)
    axes.set_xlim(left=first, right=max(most * 1.02, first + 1))
    axes.set(xlabel="evaluations of the model", ylabel=wrap(scale.label))
    legend(figure, list(handles.values()), list(handles))
    ends = ", ".join(f"{name} {best[-1]:.4g}" for name, (_, best) in lines.items())
    figure.set_label(f"{scale.label}, best so far, against evaluations. At the end: {ends}.")
    return figure
