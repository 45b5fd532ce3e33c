"""The history of methods that spend their evaluations one trial after another (TPE, random search)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from preimage.figures.scale import Scale
from preimage.figures.style import INK, Look, dense, legend, mark, panels, shorten, styled, thin, wrap


@styled
def history(trials: Mapping[tuple[str, str], np.ndarray], scale: Scale, looks: Mapping[str, Look]) -> Figure | None:
    """Draw every trial and the best so far, a panel for each surrogate and method.

    Args:
        trials: by (surrogate, inverter) the losses of its trials in order (n,), NaN where one failed.
        scale: how losses are shown.
        looks: by inverter.
    """
    trials = {case: loss for case, loss in trials.items() if np.isfinite(loss).any()}
    if not trials:
        return None
    figure, axes = panels(len(trials), 3.4 if len(trials) < 3 else 2.8, sharex=True, sharey=True)
    handles: dict[str, Any] = {}
    for panel, ((surrogate, inverter), loss) in zip(axes, trials.items(), strict=False):
        loss = np.asarray(loss, float)
        best = np.fmin.accumulate(np.where(np.isfinite(loss), loss, np.nan))
        number = np.arange(1, len(loss) + 1)
        shown = thin(len(loss))
        look = looks[inverter]
        panel.plot(
            number[shown], scale.values(loss)[shown], look.marker, color=look.colour, ms=3.2, mew=0, alpha=0.8,
            rasterized=dense(len(shown)),
        )  # fmt: skip
        (line,) = panel.plot(number, scale.values(best), color=INK, lw=1.6, drawstyle="steps-post")
        handles = {"best so far": line, **scale.met_line(panel), **handles}
        handles.setdefault(f"a trial of {shorten(inverter, 20)}", mark(look))
        panel.set_title(f"{inverter} on {surrogate}")
        panel.set_xlabel("trial")
    scale.apply(axes[0], np.concatenate([scale.values(v) for v in trials.values()]))
    for panel in axes:
        panel.set_ylabel(wrap(scale.label, 26))
        panel.label_outer()
    legend(figure, list(handles.values()), list(handles))
    cases = ", ".join(f"{inverter} on {surrogate}" for surrogate, inverter in trials)
    figure.set_label(f"{scale.label} of every trial, and the best so far, against the trial's number: {cases}.")
    return figure
