"""What each method had found after how many evaluations."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from preimage.figures.scale import Scale
from preimage.figures.style import INK, Look, legend, log_axis, panels, shorten, styled

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
    handles = []
    for inverter, (total, best) in lines.items():
        colour, marker, dashes = looks[inverter]
        if total[-1] == 0:
            handles.append(axes.axhline(best[-1], color=colour, lw=1.4, ls="--"))
            continue
        # A method keeps what it has found while the others go on.
        x, y = np.append(total, most), np.append(best, best[-1])
        handles += axes.plot(x, y, color=colour, lw=1.8, ls=dashes, drawstyle="steps-post")
        axes.plot(total[-1:], best[-1:], marker, color=colour, ms=6, clip_on=False)
    scale.apply(axes, np.concatenate([best for _, best in lines.values()]))
    if scale.met and scale.tolerance > 0:
        axes.axhline(scale.tolerance, color=INK, lw=0.8, ls=":")
        axes.annotate(
            scale.met, (1, scale.tolerance), xycoords=("axes fraction", "data"), xytext=(-2, 2),
            textcoords="offset points", ha="right", va="bottom", fontsize=9,
        )  # fmt: skip
    if most > LOG_ABOVE * first:
        log_axis(axes.xaxis)
    axes.set_xlim(left=first, right=max(most * 1.02, first + 1))
    axes.set_xlabel("evaluations of the model")
    legend(figure, handles, [shorten(name, 24) for name in lines])
    ends = ", ".join(f"{name} {best[-1]:.4g}" for name, (_, best) in lines.items())
    figure.set_label(f"{scale.label}, best so far, against evaluations. At the end: {ends}.")
    return figure
