"""Fits as a study names them: model, data and loss put together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from preimage.calibration import losses, solving
from preimage.calibration.course import Course
from preimage.calibration.fit import Fit
from preimage.core.dynamics import Curve, Model
from preimage.data import counts, series
from preimage.data.series import Series
from preimage.problems import loading
from preimage.support.errors import StudyError


def build(spec: Mapping[str, Any], entry: Mapping[str, Any], run: bool = True) -> Fit:
    """Return the fit of a study's objective to all rows but those held out for a forecast.

    Args:
        spec: the study's `problem`.
        entry: the objective's `fit`.
        run: whether it is to be run; otherwise a model of the user's own is not imported.

    Raises StudyError for data that can't be fitted.
    """
    model, names, start = _model(spec, run)
    whole = series.read(entry, model)
    hold_out = int(entry.get("hold_out", 0))
    rows = whole.before(hold_out)
    if len(rows) < series.FEWEST_ROWS:
        raise StudyError(
            f"hold_out: found {hold_out} of {len(whole)} rows, which leaves fewer than {series.FEWEST_ROWS}"
        )
    used = counts.used(entry, model)
    columns = tuple(k for k, name in enumerate(model.observed) if name in used)
    weights = losses.by_time(rows.times, entry.get("window"), entry["weights"])
    solver = spec.get("solver") or {}
    rtol = float(solver.get("rtol", 1e-9))
    atol = float(solver.get("atol", rtol))
    kind = losses.check(entry["loss"])
    logs = tuple((spec.get("inputs") or {}).get(name, {}).get("scale") == "log" for name in names)
    course = Course(whole.start)
    found = Fit(model, names, rows, kind, weights, columns, start, rtol, atol, course=course, logarithmic=logs)
    return found if isinstance(model, Curve) else solving.settled(found, whole, spec, run)


def observed(spec: Mapping[str, Any], entry: Mapping[str, Any]) -> Series:
    """Return all rows of a study's objective, those held out too."""
    return series.read(entry, _model(spec)[0])


def build_all(spec: Mapping[str, Any], entries: Mapping[str, Mapping[str, Any]], run: bool = True) -> dict[str, Fit]:
    """Return the fits of a study's objectives, by name. Raises StudyError naming the objective."""
    found = {}
    for name, entry in entries.items():
        try:
            found[name] = build(spec, entry["fit"], run)
        except StudyError as error:
            raise StudyError(f"objectives.{name}.fit: {error}") from None
    return found


def _model(spec: Mapping[str, Any], run: bool = True) -> tuple[Model, tuple[str, ...], np.ndarray]:
    found = loading.load(spec, run)
    assert found is not None and found.dynamics is not None
    settings = spec.get("inputs") or {}
    names = tuple(found.inputs)
    start = [float(_start(settings.get(name) or {}, found.start[name])) for name in names]
    return found.dynamics, names, np.array(start)


def _start(settings: Mapping[str, Any], default: float) -> float:
    return float(settings.get("fixed", settings.get("start", default)))
