"""Fits held against their data before any job: what can't be fitted is refused, and a user's model is tried once at the
start of the search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from preimage.calibration import overlooked, solvers, starts
from preimage.calibration.building import build_all
from preimage.calibration.fit import Fit
from preimage.calibration.giving_up import NoSolutionError, TooLongError
from preimage.calibration.solving import EXPLICIT_CALLS
from preimage.core.dynamics import Curve
from preimage.core.space import Input, Space
from preimage.inversion.logarithmic import Logarithms
from preimage.problems import loading, user_code, user_series
from preimage.support import digits
from preimage.support.errors import StudyError

# Points of the box that are tried where the start has no solution.
TRIED = 20


def check(spec: Mapping[str, Any], entries: Mapping[str, Mapping[str, Any]], run: bool = True) -> list[str]:
    """Check a study's fits against their data; return what is to be said of it. Raises StudyError.

    Args:
        run: whether to import and call a model of the user's own too; of what was read of the data, nothing is said
            then, as that was said before.
    """
    bounds = _bounds(spec, run)
    said = []
    for name, fit in build_all(spec, entries, run).items():
        _check_start(fit, bounds, spec)
        tried = []
        if run or user_code.named(spec) is None:
            user_series.checked(fit.model, fit.named(fit.start), fit.series.at)
        if run and user_code.named(spec) is not None:
            try:
                tried = _tried(fit, bounds)
            except StudyError as error:
                raise StudyError(f"objectives.{name}.fit: {error}") from None
        said += [f"objective '{name}': {note}" for note in (tried if run else fit.series.notes)]
    return said


def _bounds(spec: Mapping[str, Any], run: bool) -> dict[str, tuple[float, float]]:
    """Return the bounds by parameter; of one that is fixed, twice its value."""
    found, settings = loading.load(spec, run), spec.get("inputs") or {}
    assert found is not None
    bounds = {}
    for name, natural in found.inputs.items():
        own = settings.get(name) or {}
        low, high = (float(own.get("fixed", own.get(key, natural[k]))) for k, key in enumerate(("low", "high")))
        bounds[name] = (low, high)
    return bounds


def _check_start(fit: Fit, bounds: Mapping[str, tuple[float, float]], spec: Mapping[str, Any]) -> None:
    settings = spec.get("inputs") or {}
    for parameter, value in zip(fit.names, fit.start, strict=True):
        low, high = bounds[parameter]
        if "fixed" not in settings.get(parameter, {}) and not low <= value <= high:
            raise StudyError(
                f"problem.inputs.{parameter}: the start {value:g} is outside its bounds [{low:g}, {high:g}]; "
                "name one with 'start'"
            )


def _tried(fit: Fit, bounds: Mapping[str, tuple[float, float]]) -> list[str]:
    """Return what is to be said of a user's model at the start. Raises StudyError where it has no solution there, nor
    anywhere else that was tried."""
    space = Space(tuple(Input(name, low, high) for name, (low, high) in bounds.items()))
    if logarithms := Logarithms.of(fit.logarithmic, space):
        fit, space = fit.by_logarithms(logarithms.mask), logarithms.bounds()
    try:
        fit.modelled(fit.start, most_calls=solvers.MOST_CALLS)
    except NoSolutionError as error:
        return [_elsewhere(fit, space, error)]
    still = overlooked.unmoved(fit, fit.start, space.low, space.high)
    return overlooked.sentences(still, overlooked.apart(fit, fit.start), "at the start", isinstance(fit.model, Curve))


def _has_solution(fit: Fit, x: np.ndarray) -> bool:
    try:
        fit.modelled(x, most_calls=EXPLICIT_CALLS)
    except NoSolutionError:
        return False
    return True


def _elsewhere(fit: Fit, space: Space, why: NoSolutionError) -> str:
    """Return how many of other points have a solution. Raises StudyError where none has."""
    X = starts.design(space, TRIED, np.random.default_rng(0), fit.logs)
    solved = sum(_has_solution(fit, x) for x in X)
    remedy = "; if they are stiff, set `problem.solver.method: implicit`" if isinstance(why, TooLongError) else ""
    at = ", ".join(f"{name} {digits.number(v)}" for name, v in fit.named(fit.start).items())
    said = f"the equations have no solution at the start ({at}): {why}{remedy}"
    if not solved:
        raise StudyError(f"{said}; nor at any of {TRIED} other points within the bounds")
    return f"{said}; {solved} of {TRIED} other points within the bounds have one"
