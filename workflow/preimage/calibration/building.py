"""Fits as a study names them: model, data and loss put together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from preimage.calibration import likelihoods, losses, priors, solving
from preimage.calibration.course import Course
from preimage.calibration.fit import Fit
from preimage.calibration.likelihoods import Noise
from preimage.core.dynamics import Curve, Model
from preimage.data import conditions, counts, series, stated_noise
from preimage.data.notation import Notation
from preimage.data.series import Series
from preimage.problems import loading
from preimage.support import digits
from preimage.support.errors import StudyError, did_you_mean


def build(spec: Mapping[str, Any], entry: Mapping[str, Any], run: bool = True) -> Fit:
    """Return the fit of a study's objective to all rows but those held out for a forecast.

    Args:
        spec: the study's `problem`.
        entry: the objective's `fit`.
        run: whether it is to be run; otherwise a model of the user's own is not imported.

    Raises StudyError for data that can't be fitted.
    """
    model, names, start = _model(spec, run)
    whole = _series(entry, spec, model)
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
    noises = _noises(entry, spec, [model.observed[k] for k in columns], kind)
    if whole.conditions:
        noises = tuple(_of_conditions(noise, whole.conditions, spec) for noise in noises)
    known = priors.of(spec.get("inputs") or {}, names, kind in likelihoods.LIKELIHOODS)
    _check_sample(entry, kind, model)
    found = Fit(model, names, rows, kind, weights, columns, start, rtol, atol, course=course, logarithmic=logs,
                noises=noises, priors=known)  # fmt: skip
    return found if isinstance(model, Curve) else solving.settled(found, whole, spec, run)


def _check_sample(entry: Mapping[str, Any], kind: str, model: Model) -> None:
    """Raise StudyError for draws from what has no posterior, or no gradient."""
    if entry.get("sample") and kind not in likelihoods.LIKELIHOODS:
        raise StudyError(
            f"sample: a posterior needs a likelihood; found the loss {kind}, expected `loss: normal`, or others"
        )
    if entry.get("sample") and not model.traceable:
        raise StudyError("sample: it needs exact gradients; write the model with jax.numpy instead of NumPy")


def _noises(entry: Mapping[str, Any], spec: Mapping[str, Any], series: list[str], kind: str) -> tuple[Noise, ...]:
    """Return the noise of each series that the loss takes; nothing where that is no likelihood. Raises StudyError for
    one that is missing, out of place or not above 0."""
    stated, likelihood = entry.get("noise"), likelihoods.LIKELIHOODS.get(kind)
    if likelihood is None or not likelihood.noise:
        if stated is not None:
            raise StudyError(f"noise: valid only for a likelihood with noise, not for the loss {kind}")
        return () if likelihood is None else tuple(Noise("", 1.0) for _ in series)
    if entry["weights"] != "equal":
        raise StudyError(f"weights: found {entry['weights']}, expected equal: rows of a likelihood have no weights")
    if stated is None:
        raise StudyError(f"noise: missing; the loss {kind} needs a number or the name of an input ({likelihood.noise})")
    each = stated_noise.each(stated, series)
    for name in each:
        if name not in series:
            raise StudyError(f"noise.{name}: the loss takes no such series{did_you_mean(name, series)}")
    if missing := [name for name in series if name not in each]:
        raise StudyError(f"noise.{missing[0]}: missing; expected one for each of {', '.join(series)}")
    return tuple(_noise(each[name], spec, f"noise.{name}" if each == stated else "noise") for name in series)


def _noise(stated: float | str | Mapping[str, str], spec: Mapping[str, Any], where: str) -> Noise:
    inputs = spec.get("inputs") or {}
    if isinstance(stated, Mapping):
        return Noise("", 1.0, stated_noise.key(stated[stated_noise.COLUMN]))
    if isinstance(stated, str):
        if stated not in inputs:
            raise StudyError(f"{where}: found '{stated}', expected a number or an input{did_you_mean(stated, inputs)}")
        low = float(inputs[stated].get("fixed", inputs[stated].get("low", 0)))
        if not low > 0:
            found = digits.plain(low)
            raise StudyError(
                f"problem.inputs.{stated}: it is a noise, and its lower bound is {found}; expected above 0"
            )
        return Noise(stated, low)
    if not stated > 0:
        raise StudyError(f"{where}: found {digits.plain(stated)}, expected a number above 0")
    return Noise("", float(stated))


def _of_conditions(noise: Noise, own: conditions.Conditions, spec: Mapping[str, Any]) -> Noise:
    """Return a noise whose lower bound is the least that it has in any condition. Raises StudyError for one that is not
    above 0."""
    if noise.name not in own.inputs:
        return noise
    cells = [row[own.inputs.index(noise.name)] for row in own.cells]
    where = f"conditions, column '{noise.name}'"
    return noise._replace(value=min(_noise(cell, spec, where).value for cell in cells))


def observed(spec: Mapping[str, Any], entry: Mapping[str, Any]) -> Series:
    """Return all rows of a study's objective, those held out too."""
    return _series(entry, spec, _model(spec)[0])


def _series(entry: Mapping[str, Any], spec: Mapping[str, Any], model: Model) -> Series:
    table = entry.get("conditions")
    if table is None:
        return series.read(entry, model)
    return series.read(entry, model, conditions.read(table, spec.get("inputs") or {}, Notation.of(entry, "fit")))


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
