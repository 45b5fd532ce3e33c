"""How a fit's equations are to be solved: as its study says, and of a user's model as is found by trying, where their
rates jump and whether they are stiff.

What is built in is known; of a user's model nothing is. All of it counts work, never time, so that every job comes to
the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from preimage.calibration import jumps, starts
from preimage.calibration.fit import Fit
from preimage.calibration.giving_up import NoSolutionError, TooLongError
from preimage.calibration.solvers import IMPLICIT, MOST_STEPS
from preimage.core.dynamics import Dynamics
from preimage.core.space import Input, Space
from preimage.data.series import Series
from preimage.support import digits
from preimage.support.errors import StudyError

# Calls of the rates within which an explicit solver has to come to the end; 12 a step.
EXPLICIT_CALLS = 12 * 2000
# Points within the bounds at which equations are tried, beside the start and the upper bounds.
TRIED = 6


def settled(found: Fit, whole: Series, spec: Mapping[str, Any], run: bool) -> Fit:
    """Return a fit with what its study says of solving its equations, and of a user's model what is found by trying.

    Args:
        whole: all rows, those held out too.
        run: whether the model may be called.
    """
    solver = spec.get("solver") or {}
    largest = float(solver.get("largest_step", np.inf))
    span = float(whole.times[-1]) - whole.start
    if span / largest > MOST_STEPS / 2:
        raise StudyError(
            f"problem.solver.largest_step: found {digits.plain(largest)}, which makes {span / largest:.3g} steps of "
            f"the data's {digits.plain(span)}; expected at most {MOST_STEPS // 2}"
        )
    stated, doses = _events(spec, whole), _doses(spec, whole)
    found = replace(found, course=replace(found.course, largest=largest))
    if found.model.own or len(stated):
        course = found.course.at(whole.times, np.concatenate([stated, *doses]))
        found = replace(found, course=course.dosed(doses) if doses else course)
    method = solver.get("method", "auto")
    assert isinstance(found.model, Dynamics)
    if found.model.before or found.model.doses:
        if method == "explicit":
            raise StudyError(
                "problem.solver.method: found explicit, expected auto or implicit with doses or pre-equilibration"
            )
        method = "implicit"
    if method == "implicit":
        found = replace(found, solver=IMPLICIT)
    if not (run and found.model.own):
        return found
    return _by_trying(found, float(whole.times[-1]), method, _points(found, spec))


def _events(spec: Mapping[str, Any], whole: Series) -> np.ndarray:
    """Return the times of a study's events, in the model's time. Raises StudyError for one that is no time."""
    times = (spec.get("events") or {}).get("times", ())
    return np.array([whole.clock.told(t, f"problem.events.times.{k}") for k, t in enumerate(times)])


def _doses(spec: Mapping[str, Any], whole: Series) -> list[np.ndarray]:
    """Return the times (k,) of each of a study's doses, in the model's time. Raises StudyError for one that is no time,
    or before the start."""
    found = []
    for j, dose in enumerate((spec.get("events") or {}).get("doses", ())):
        where = f"problem.events.doses.{j}.times"
        times = np.array([whole.clock.told(t, f"{where}.{k}") for k, t in enumerate(dose["times"])], float)
        if early := [k for k, t in enumerate(times) if t < whole.start]:
            raise StudyError(
                f"{where}.{early[0]}: found {dose['times'][early[0]]}, before the time at which the initial values hold"
            )
        found.append(times)
    return found


def _by_trying(found: Fit, end: float, method: str, points: list[np.ndarray]) -> Fit:
    """Return a fit of a user's model with stops where its rates jump, and the solver that it needs at any of the points
    (d,)."""
    assert isinstance(found.model, Dynamics)
    course = found.course
    try:
        found = replace(found, course=course.at(found.course.stops, _jumps(found, end)))
    except Exception:  # what the rates raise is said when the start is tried
        return found
    # Of several conditions one at each point: all of them take as long as a search.
    parts = [found.counted[mine] for _, mine in found.series.by_condition(found.counted)]
    if method == "auto" and any(_is_stiff(found, x, parts[k % len(parts)]) for k, x in enumerate(points)):
        return replace(found, solver=IMPLICIT)
    return found


def _jumps(found: Fit, end: float) -> np.ndarray:
    """Return the times (j,) at which the rates of any condition jump at the start's parameters."""
    assert isinstance(found.model, Dynamics)
    model, known, course, several = found.model, found.series.known, found.course, found.series.conditions is not None
    sweeps, at = jumps.sweeps_of(model, known) if several else None, []
    for condition, _ in found.series.by_condition(found.counted):
        p = found.named(found.start, condition)
        y = np.abs([float(np.real(v)) for v in model.initial(p, known)])
        y = np.where(y > 0, y, found.sizes)
        sweep = sweeps(p, y) if sweeps else jumps.sweep_of(model, p, known, y)
        at.append(jumps.found(sweep, course.stops, course.start, end))
    return np.concatenate(at)


def _points(found: Fit, spec: Mapping[str, Any]) -> list[np.ndarray]:
    """Return where equations are tried (k, d): at the start, at all upper bounds, where rates are fastest, and where a
    search may begin."""
    settings = spec.get("inputs") or {}
    ends = [
        [settings.get(n, {}).get("fixed", settings.get(n, {}).get(k)) for k in ("low", "high")] for n in found.names
    ]
    if any(end is None for pair in ends for end in pair):
        return [found.start]
    space = Space(tuple(Input(n, float(a), float(b)) for n, (a, b) in zip(found.names, ends, strict=True)))
    return [found.start, space.high, *starts.by_decades(space, TRIED, np.random.default_rng(0))]


def _is_stiff(found: Fit, x: np.ndarray, rows: np.ndarray) -> bool:
    """Whether an explicit solver takes too long to some rows (n,) at parameters (d,) where an implicit one does not."""
    try:
        found.modelled(x, rows, most_calls=EXPLICIT_CALLS)
    except TooLongError:
        pass
    except NoSolutionError:
        return False
    else:
        return False
    try:
        replace(found, solver=IMPLICIT).modelled(x, rows)
    except NoSolutionError:
        return False
    return True
