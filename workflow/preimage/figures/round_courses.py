"""What relearning has bought: the truth of the answers and the models' errors, as the data grew round by round."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from preimage.figures.scale import LOG_ABOVE, Scale
from preimage.figures.style import DASHES, INK, Look, legend, log_axis, panels, shorten, styled

BEST = "best row of the data"


class Course(NamedTuple):
    """One inverter on one surrogate over k rounds and s seeds: how many rows there were (k,), and, each (k, s), the
    true loss of the answer (NaN without a simulator), the smallest loss in the data, the error on the test rows."""

    rows: np.ndarray
    true: np.ndarray
    best: np.ndarray
    error: np.ndarray


@styled
def round_courses(
    courses: Mapping[tuple[str, str], Course], scale: Scale, error: str, looks: Mapping[str, Look]
) -> Figure | None:
    """Draw true answers and test errors against the number of rows; a line is the median of the seeds, a band all.

    Args:
        courses: by (surrogate, inverter); surrogates are told apart by their dashes.
        scale: of the objective; error: label of the axis of errors.
        looks: by inverter.
    """
    if not courses or max(len(c.rows) for c in courses.values()) < 2:
        return None
    truth = any(np.isfinite(c.true).any() for c in courses.values())
    # A formula is no output that models are tested on.
    tested = any(np.isfinite(c.error).any() for c in courses.values())
    if not (truth or tested):
        return None
    figure, axes = panels(truth + tested, 3.4)
    surrogates = list(dict.fromkeys(s for s, _ in courses))
    dashes = {s: DASHES[k % len(DASHES)] for k, s in enumerate(surrogates)}
    handles: dict[str, Any] = {}
    for (surrogate, inverter), c in courses.items():
        look = looks[inverter]._replace(dashes=dashes[surrogate])
        name = shorten(f"{inverter} on {surrogate}" if len(surrogates) > 1 else inverter, 30)
        if truth:
            handles[name] = _line(axes[0], c.rows, scale.values(c.true), look)
    for surrogate in surrogates if tested else ():
        c = next(c for (s, _), c in courses.items() if s == surrogate)
        look = Look(INK, "o", dashes[surrogate])
        line = _line(axes[-1], c.rows, c.error, look)
        if not truth:
            handles[surrogate] = line
    if truth:
        c = next(iter(courses.values()))
        handles[BEST] = _line(axes[0], c.rows, scale.values(c.best), Look(INK, "", ":"))
        axes[0].set(xlabel="rows of data so far", ylabel=f"true {scale.label.removeprefix('predicted ')}")
        scale.apply(
            axes[0], np.concatenate([scale.values(x).ravel() for c in courses.values() for x in (c.true, c.best)])
        )
        scale.met_line(axes[0])
    if tested:
        axes[-1].set(xlabel="rows of data so far", ylabel=error)
        errors = np.concatenate([c.error.ravel() for c in courses.values()])
        if errors.min() > 0 and errors.max() > LOG_ABOVE * errors.min():
            log_axis(axes[-1].yaxis)
        else:
            axes[-1].set_ylim(bottom=0)
    legend(figure, list(handles.values()), list(handles))
    figure.set_label(_sentence(courses, scale, truth))
    return figure


def _line(axes: Any, rows: np.ndarray, values: np.ndarray, look: Look) -> Any:
    (line,) = axes.plot(
        rows, np.nanmedian(values, axis=1), color=look.colour, ls=look.dashes, marker=look.marker, ms=4, lw=1.6
    )
    if values.shape[1] > 1:
        axes.fill_between(
            rows, np.nanmin(values, axis=1), np.nanmax(values, axis=1), color=look.colour, alpha=0.15, lw=0
        )
    return line


def _sentence(courses: Mapping[tuple[str, str], Course], scale: Scale, truth: bool) -> str:
    parts = []
    for (surrogate, inverter), c in courses.items():
        shown = scale.values(c.true) if truth else c.error
        first, last = np.nanmedian(shown[0]), np.nanmedian(shown[-1])
        parts.append(f"{inverter} on {surrogate} from {first:.4g} to {last:.4g}")
    what = "True value of the answer" if truth else "Error on the test rows"
    return f"{what} as the data grew: {'; '.join(parts)}."
