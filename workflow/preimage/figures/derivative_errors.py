"""The error of finite differences against their step: rounding on the left, truncation on the right, and below both
the floor that the solver's own tolerance makes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from preimage.figures.style import INK, ORANGE, PALETTE, SKY, legend, log_axis, panels, styled

DEFAULT = {"2-point": np.finfo(float).eps ** (1 / 2), "3-point": np.finfo(float).eps ** (1 / 3)}


@styled
def derivative_errors(steps: pd.DataFrame, ways: pd.DataFrame) -> Figure | None:
    """Draw relative errors of the gradient, a panel a rule; level lines are derivatives without a step.

    Args:
        steps: columns rule, solver, tolerance, step, error.
        ways: columns rule, way, error.
    """
    rules = list(dict.fromkeys(steps["rule"]))
    figure, axes = panels(len(rules), 3.4, sharey=True)
    handles: dict[str, Any] = {}
    for panel, rule in zip(axes, rules, strict=False):
        mine = steps[steps["rule"] == rule]
        for k, ((solver, tolerance), part) in enumerate(mine.groupby(["solver", "tolerance"], sort=False)):
            (handles[f"{solver} {tolerance:g}"],) = panel.plot(
                part["step"], part["error"].clip(lower=1e-16), "o-", ms=2.5, lw=1, mew=0, color=PALETTE[k]
            )
        best = ways.set_index("rule")["error"].groupby(level=0, sort=False).min()
        for name, colour in (("cs", SKY), ("exact", ORANGE)):
            if name in best.index:
                words = {"cs": "complex step", "exact": "through the solver"}[name]
                handles[words] = panel.axhline(max(best[name], 1e-16), color=colour, lw=1.2, ls="--")
        handles["scipy's step"] = panel.axvline(DEFAULT[rule], color=INK, lw=0.9, ls=":")
        log_axis(panel.xaxis, ticks=4)
        log_axis(panel.yaxis)
        panel.set(title=f"{rule} differences", xlabel="step, as a share of the range")
    axes[0].set_ylabel("relative error of the gradient")
    top = min(1e4, float(steps["error"].max()) * 3)
    axes[0].set_ylim(1e-13, top)
    legend(figure, list(handles.values()), list(handles))
    figure.set_label(f"Relative error of the gradient against the step of differences: {', '.join(handles)}.")
    return figure
