"""The space that a study's `inputs` and `constraints` make, and what is refused of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, TypeVar

import numpy as np

from preimage.core.conditions import Condition, Count, Curved, Exclusion, Linear, between
from preimage.core.expressions import Expression
from preimage.core.inputs import Input, code, pinned
from preimage.core.ratios import as_linear
from preimage.core.space import Space
from preimage.support import digits
from preimage.support.errors import StudyError, did_you_mean

# So many values of one input may be listed, or make up its steps.
MOST_VALUES = 10_000
C = TypeVar("C")


def build(
    settings: Mapping[str, Mapping[str, Any]],
    constraints: Sequence[Mapping[str, Any]],
    bounds: Mapping[str, tuple[float, float]],
    units: Mapping[str, str] | None = None,
    natural: bool = False,
) -> Space:
    """Build the space of a study's `inputs` and `constraints`.

    Args:
        settings: per input the study's keys (low, high, integer, categories, fixed, unit, step, values, zero_or);
            inputs may be left out.
        constraints: the study's list, of the kinds of `preimage.study.problem.Constraint`.
        bounds: every input in order, with the range to use where the study names none (the training rows' range).
        units: the table's own units, used where the study names none.
        natural: whether `bounds` are a problem's own, which nothing may be fixed outside of, rather than the rows'.

    Raises StudyError for an unknown input, low above high, a fixed value outside its bounds, a wrong constraint.
    """
    for name in settings:
        if name not in bounds:
            raise StudyError(f"inputs.{name}: no such input{did_you_mean(name, bounds)}")
    inputs = tuple(
        _input(name, settings.get(name) or {}, bounds[name], (units or {}).get(name, ""), natural) for name in bounds
    )
    by_name = {i.name: i for i in inputs}
    made = [c for k, row in enumerate(constraints) for c in _conditions(row, f"constraints.{k}", by_name)]
    return Space(inputs, _those(made, Linear), _those(made, Count), _those(made, Exclusion), _those(made, Curved))


def _those(made: Sequence[Any], kind: type[C]) -> tuple[C, ...]:
    return tuple(c for c in made if isinstance(c, kind))


# -- inputs ------------------------------------------------------------------------------------------------------------


def _input(name: str, settings: Mapping[str, Any], default: tuple[float, float], unit: str, natural: bool) -> Input:
    unit = settings.get("unit", unit)
    fixed = settings.get("fixed")
    categories = tuple(str(c) for c in settings.get("categories", ()))
    if categories:
        bare = Input(name, 0.0, len(categories) - 1.0, False, categories, None, unit)
        return replace(bare, fixed=None if fixed is None else code(bare, fixed))
    integer = bool(settings.get("integer", False))
    low, high = (float(settings.get(key, default[k])) for k, key in enumerate(("low", "high")))
    stated = (natural or "low" in settings, natural or "high" in settings)
    if "values" in settings:
        low, high = float(min(settings["values"])), float(max(settings["values"]))
    if "zero_or" in settings:
        _check_gap(name, settings, high)
        low, stated = 0.0, (True, stated[1])
    if integer:
        low, high = float(np.ceil(low)), float(np.floor(high))
    free = Input(name, low, high, integer, (), None, unit, stated)
    if {"step", "values"} & set(settings):
        free = _listed(free, settings)
    elif "zero_or" in settings:
        least = float(settings["zero_or"])
        free = replace(free, zero_or=float(np.ceil(least)) if integer else least)
    # A value outside the rows' range is the user's business (a warning says so); one outside bounds that the study
    # itself states is a contradiction, which Space refuses.
    return free if fixed is None else pinned(free, code(free, fixed))


def _check_gap(name: str, settings: Mapping[str, Any], high: float) -> None:
    """Raise StudyError where an input can't be 0, or not at least what it is to be else."""
    least, low = float(settings["zero_or"]), settings.get("low", 0)
    where = f"input '{name}': zero_or"
    if not least > 0:
        raise StudyError(f"{where}: found {digits.plain(least)}, expected a number above 0")
    if low != 0:
        raise StudyError(f"{where}: the input is 0 or at least {digits.plain(least)}, but low is {digits.plain(low)}; "
                         "expected low 0, or none")  # fmt: skip
    if least > high:
        raise StudyError(f"{where}: found {digits.plain(least)}, expected at most high, {digits.plain(high)}")


def _listed(i: Input, settings: Mapping[str, Any]) -> Input:
    """Return an input with the values that a study lists, or that its steps make; 0 and those beyond a gap where there
    is one. Raises StudyError."""
    listed = "values" in settings
    values = sorted(float(v) for v in settings["values"]) if listed else _steps(i, settings)
    if i.integer and (odd := [v for v in values if v != round(v)]):
        raise StudyError(f"input '{i.name}': it takes whole numbers, found the value {digits.plain(odd[0])}")
    if "zero_or" in settings:
        least = float(settings["zero_or"])
        values = [0.0, *(v for v in values if v >= least)]
    return replace(i, low=values[0], high=values[-1], integer=False, values=tuple(values), stated=(True, True))


def _steps(i: Input, settings: Mapping[str, Any]) -> list[float]:
    """Return low, low + step, ... up to high, each as its decimals say."""
    step, where = float(settings["step"]), f"input '{i.name}': step"
    if not step <= i.high - i.low:
        span = f"its bounds [{digits.plain(i.low)}, {digits.plain(i.high)}] are apart"
        raise StudyError(f"{where}: found {digits.plain(step)}, more than {span}")
    if (i.high - i.low) / step >= MOST_VALUES:
        count = digits.plain((i.high - i.low) / step, 1)
        raise StudyError(f"{where}: {digits.plain(step)} makes {count} values, expected at most {MOST_VALUES}")
    low, high, exact = (Decimal(repr(float(v))) for v in (i.low, i.high, step))
    return [float(low + k * exact) for k in range(int((high - low) / exact) + 1)]


# -- constraints -------------------------------------------------------------------------------------------------------


def _conditions(
    row: Mapping[str, Any], where: str, inputs: Mapping[str, Input]
) -> Sequence[Linear | Count | Exclusion | Curved]:
    """Return what one entry of the study's constraints asks of the inputs. Raises StudyError."""
    low = float(row.get("equals", row.get("at_least", -np.inf)))
    high = float(row.get("equals", row.get("at_most", np.inf)))
    if low > high:
        raise StudyError(f"{where}: at_least {digits.plain(low)} is above at_most {digits.plain(high)}")
    if "linear" in row:
        return [Linear(tuple((name, float(c)) for name, c in row["linear"].items()), low, high)]
    if "expression" in row:
        return _expression(row["expression"], low, high, f"{where}.expression", inputs)
    if "exclude" in row:
        return [Exclusion(tuple(_condition(n, v, f"{where}.exclude", inputs) for n, v in row["exclude"].items()))]
    return [_count(row, where, inputs)]


def _expression(
    text: str, low: float, high: float, where: str, inputs: Mapping[str, Input]
) -> Sequence[Linear | Curved]:
    expression = Expression.parse(text, list(inputs), where)
    for name in expression.names:
        if inputs[name].categories:
            raise StudyError(f"{where}: '{name}' is a category, which has no place in an expression")
    bounds = {name: (inputs[name].low, inputs[name].high) for name in expression.names}
    least, most = ({name: ends[k] for name, ends in bounds.items()} for k in (0, 1))
    # Where it is undefined, no search could keep to it.
    expression.check(least, most, where)
    linear = as_linear(expression, low, high, bounds)
    if linear is None:
        return [Curved(expression, low, high)]
    return [replace(row, words=between(expression.text, low, high)) for row in linear]


def _count(row: Mapping[str, Any], where: str, inputs: Mapping[str, Input]) -> Count:
    names = list(row["of"])
    for name in names:
        found = _known(name, f"{where}.of", inputs)
        if found.categories:
            raise StudyError(f"{where}.of: '{name}' is a category, which has no 0")
        if found.fixed is None and not found.allows(0.0):
            ends = f"[{digits.plain(found.low)}, {digits.plain(found.high)}]"
            what = "among its values" if found.values else f"within its bounds {ends}"
            raise StudyError(f"{where}.of: '{name}' can't be 0, which is not {what}; expected inputs that can")
    least, most = row.get("at_least_nonzero", 0), row.get("at_most_nonzero", len(names))
    if least > len(names):
        raise StudyError(f"{where}.at_least_nonzero: found {least}, expected at most {len(names)}, the inputs in 'of'")
    if "at_most_nonzero" in row and most >= len(names):
        raise StudyError(f"{where}.at_most_nonzero: found {most}, expected less than {len(names)}, the inputs in 'of'")
    if least > most:
        raise StudyError(f"{where}: at_least_nonzero {least} is above at_most_nonzero {most}")
    return Count(tuple(names), int(least), int(most), (0.0,) * len(names))


def _condition(name: str, value: Any, where: str, inputs: Mapping[str, Input]) -> Condition:
    i = _known(name, where, inputs)
    if isinstance(value, Mapping):
        low, high = (value.get(key) for key in ("at_least", "at_most"))
        if i.categories:
            raise StudyError(f"{where}.{name}: found an interval, expected a category or a list of them")
        if low is not None and high is not None and low > high:
            raise StudyError(f"{where}.{name}: at_least {digits.plain(low)} is above at_most {digits.plain(high)}")
        return Condition(name, -np.inf if low is None else float(low), np.inf if high is None else float(high))
    if i.categories:
        labels = [str(v) for v in (value if isinstance(value, list) else [value])]
        codes = [int(code(i, label)) for label in labels]
        return Condition(name, codes=tuple(sorted(codes)), labels=tuple(i.categories[c] for c in sorted(codes)))
    if isinstance(value, str | list):
        raise StudyError(f"{where}.{name}: found '{value}', but this input is no category; "
                         "expected a number, at_least or at_most")  # fmt: skip
    return Condition(name, float(value), float(value))


def _known(name: str, where: str, inputs: Mapping[str, Input]) -> Input:
    if name not in inputs:
        raise StudyError(f"{where}: no such input '{name}'{did_you_mean(name, inputs)}")
    return inputs[name]
