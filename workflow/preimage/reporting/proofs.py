"""What exact searches have proven of an objective, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from preimage.core.objective import Objective
from preimage.core.objective.reference import Reference
from preimage.reporting import words
from preimage.support import digits


def proof(row: Mapping[str, Any], wanted: Objective, units: Mapping[str, str]) -> str:
    """Return what is proven, from a row of the summary; "" where nothing is.

    All of it is of the model within the study's bounds and constraints: the world may do better, or worse.
    """
    bound, gap = float(row["certified_bound"]), float(row["gap"])
    model = words.label(str(row["surrogate"]))
    if pd.isna(bound):
        return _impossible(model, wanted) if row["feasible"] == "no" else ""
    closed = bound + gap <= wanted.equal_to(bound)
    if wanted.near:
        return _nearest(bound, gap, closed, wanted.near, model)
    if not wanted.bounded:
        return _direction(bound, gap, closed, wanted, units, model)
    if row["feasible"] == "yes":
        return ""
    if len(wanted.outputs) > 1:
        least = f"the loss is nowhere below {digits.down(bound)}"
        return _impossible(model, wanted, least) if row["feasible"] == "no" else _open(model, least)
    (output,), away = wanted.outputs, math.sqrt(max(bound, 0.0)) * wanted.scale[0]
    step = digits.step_of(units, output)
    low, high = wanted.low[0] - away, wanted.high[0] + away
    span = words.span(low, high, digits.up(low, step), digits.down(high, step))
    empty = f"the model gives no {words.label(output)} {span} {units.get(output, '')}".rstrip()
    if row["feasible"] != "no":
        return _open(model, empty)
    nearest = float(row[f"predicted.{output}"])
    best = f"; the nearest it gives is {words.of(nearest, output, units)}" if closed and math.isfinite(nearest) else ""
    return _impossible(model, wanted, empty + best)


def _impossible(model: str, wanted: Objective, least: str = "") -> str:
    what = "meet this objective" if wanted.bounded else "keep every limit"
    more = f"; {least}" if least else ""
    return f"Proven for the model {model}: no inputs within the bounds and constraints {what}{more}."


def _nearest(bound: float, gap: float, closed: bool, near: Reference, model: str) -> str:
    """Return what is proven of the distance to a reference."""
    if closed:
        return f"Proven for the model {model}: no inputs that meet this objective are nearer to {near.words}."
    left = f"the nearest found are {digits.number(gap)} farther" if math.isfinite(gap) else "none were found"
    return f"Proven for the model {model}: none that meet this objective are nearer than {digits.down(bound)}; {left}."


def _open(model: str, least: str) -> str:
    return f"Undecided: the exact search on {model} stopped at its limit; it has proven so far that {least}."


def _direction(bound: float, gap: float, closed: bool, wanted: Objective, units: Mapping[str, str], model: str) -> str:
    most = wanted.sign < 0
    output = wanted.outputs[0] if len(wanted.outputs) == 1 else ""
    unit, step = units.get(output, ""), digits.step_of(units, output)
    value = f"{digits.up(-bound, step) if most else digits.down(bound, step)} {unit}".rstrip()
    side = "above" if most else "below"
    if closed:
        limited = " that keep the limits" if wanted.limits else ""
        inputs = f"no inputs within the bounds and constraints{limited}"
        return f"Proven for the model {model}: {inputs} give a value {side} {value}."
    left = words.quantity(gap, unit)
    return f"Proven for the model {model}: nothing lies {side} {value}; the best found is {left} from that bound."
