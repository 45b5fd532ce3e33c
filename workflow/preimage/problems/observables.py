"""What is observed of a user's equations, and what their states begin with, as expressions of states and parameters.

`observe: {pSTAT5A: "100 * (A + 2 * AA) / (A + B)"}` names series that are no states, with scale and offset parameters
where the study has them; `observe: measured` names a function `measured(y, p)` in the file of the right-hand side.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from preimage.core.dynamics import Dose, Parameters
from preimage.core.expressions import Expression
from preimage.problems import user_import
from preimage.support.errors import StudyError, did_you_mean

Observe = Callable[[Sequence[Any], Parameters], Sequence[Any]]


def initial(states: Mapping[str, float | str], inputs: Sequence[str]) -> Callable[[Parameters], tuple[Any, ...]]:
    """Return the states' initial values as a function of the parameters: numbers, inputs or expressions of these.

    Raises StudyError for an expression that can't be read.
    """
    return _formulas(states, inputs, "problem.ode.states")


def _formulas(
    stated: Mapping[str, float | str], inputs: Sequence[str], place: str
) -> Callable[[Parameters], tuple[Any, ...]]:
    """Return numbers, inputs or expressions of these as a function of the parameters."""
    values: dict[str, float | Expression] = {}
    for name, value in stated.items():
        where = f"{place}.{name}"
        values[name] = Expression.parse(value, inputs, where) if isinstance(value, str) else float(value)

    def evaluated(p: Parameters) -> tuple[Any, ...]:
        xp = _arithmetic(p.values())
        return tuple(v.evaluate(p, xp)[()] if isinstance(v, Expression) else v for v in values.values())

    return evaluated


def before(
    stated: Mapping[str, float | str] | None, inputs: Sequence[str]
) -> Callable[[Parameters], Parameters] | None:
    """Return a function from the parameters to those under which states come to rest before the origin; None where a
    study has no pre-equilibration. Raises StudyError for a name that is no input."""
    if stated is None:
        return None
    for name in stated:
        if name not in inputs:
            raise StudyError(f"problem.ode.preequilibration.{name}: no such input{did_you_mean(name, inputs)}")
    values = _formulas(stated, inputs, "problem.ode.preequilibration")
    return lambda p: dict(zip(stated, values(p), strict=True))


def doses(stated: Sequence[Mapping[str, Any]], states: Sequence[str], inputs: Sequence[str]) -> tuple[Dose, ...]:
    """Return a study's doses. Raises StudyError for a state that there is not, and an amount that can't be read."""
    found = []
    for k, entry in enumerate(stated):
        where = f"problem.events.doses.{k}"
        if entry["state"] not in states:
            raise StudyError(f"{where}.state: found '{entry['state']}'{did_you_mean(entry['state'], states)}")
        amount = _formulas({"amount": entry["amount"]}, inputs, where)
        first = entry.get("rows", "before") == "before"
        found.append(Dose(states.index(entry["state"]), lambda p, of=amount: of(p)[0], first))  # type: ignore[misc]
    return tuple(found)


def observed(spec: Mapping[str, Any], inputs: Sequence[str], name: str, run: bool) -> tuple[tuple[str, ...], Observe]:
    """Return the names of the observed series, and a function from states over time and parameters to them.

    Args:
        spec: the `problem` entry, with its `ode`.
        name: of the right-hand side, beside which a function may be.
        run: whether that may be imported.

    Raises StudyError for a series that is neither a state nor observed, and an expression that can't be read.
    """
    states, observe = list(spec["ode"]["states"]), spec["ode"].get("observe") or {}
    outputs = tuple(spec.get("outputs") or ())
    if isinstance(observe, str):
        return _by_function(observe, outputs, name, run)
    names = outputs or tuple(observe) or tuple(states)
    for series in names:
        if series not in states and series not in observe:
            raise StudyError(f"problem.outputs.{series}: no such state{did_you_mean(series, [*states, *observe])}")
    if both := sorted(set(states) & set(inputs)) if observe else []:
        raise StudyError(f"problem.ode.observe: '{both[0]}' is both a state and an input; rename one")
    read = {
        key: Expression.parse(text, [*states, *inputs], f"problem.ode.observe.{key}") for key, text in observe.items()
    }
    if not any(series in read for series in names):
        places = [states.index(series) for series in names]
        return names, lambda y, p: tuple(y[k] for k in places)

    def observe_all(y: Sequence[Any], p: Parameters) -> tuple[Any, ...]:
        columns = {**p, **dict(zip(states, y, strict=True))}
        xp = _arithmetic(columns.values())
        return tuple(read[n].evaluate(columns, xp) if n in read else columns[n] for n in names)

    return names, observe_all


def _by_function(function: str, outputs: tuple[str, ...], name: str, run: bool) -> tuple[tuple[str, ...], Observe]:
    """Return the study's outputs, and the function that returns them."""
    if not outputs:
        raise StudyError("problem.outputs: name the series that the function of `problem.ode.observe` returns")
    call = user_import.load(f"{name.rpartition(':')[0]}:{function}") if run else user_import.not_imported
    return outputs, lambda y, p: [call(y, p)] if len(outputs) == 1 else list(call(y, p))


def _arithmetic(values: Any) -> ModuleType:
    """Return jax.numpy where a value is JAX's, which it can only be where that was imported, numpy otherwise."""
    jax = sys.modules.get("jax")
    if jax is not None and any(isinstance(v, jax.Array) for v in values):
        import jax.numpy

        return jax.numpy
    return np
