"""What exact searches have proven of an objective, in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from preimage.objective import Objective
from preimage.reporting import words

# A gap of this share of the bound is rounding.
CLOSED = 1e-9


def proof(row: Mapping[str, Any], wanted: Objective, units: Mapping[str, str]) -> str:
    """Return what is proven, from a row of the summary; "" where nothing is.

    All of it is of the model within the study's bounds and constraints: the world may do better, or worse.
    """
    bound, gap = float(row["certified_bound"]), float(row["gap"])
    if pd.isna(bound):
        return ""
    closed = gap <= CLOSED * max(1.0, abs(bound))
    model = words.label(str(row["surrogate"]))
    if not wanted.bounded:
        return _direction(bound, gap, closed, wanted, units, model)
    if row["feasible"] == "yes":
        return ""
    if len(wanted.outputs) > 1:
        least = f"the loss is nowhere below {words.number(bound)}"
        return _impossible(model, least) if row["feasible"] == "no" else _open(model, least)
    unit, away = units.get(wanted.outputs[0], ""), math.sqrt(max(bound, 0.0)) * wanted.scale[0]
    low, high = wanted.low[0] - away, wanted.high[0] + away
    empty = f"it gives no {words.label(wanted.outputs[0])} between {words.number(low)} and {words.quantity(high, unit)}"
    if row["feasible"] != "no":
        return _open(model, empty)
    nearest = float(row[f"predicted.{wanted.outputs[0]}"])
    best = f", and comes as near as {words.quantity(nearest, unit)}" if closed and math.isfinite(nearest) else ""
    return _impossible(model, empty + best)


def _impossible(model: str, least: str) -> str:
    return f"Proven: by the model {model}, no inputs within the bounds and constraints meet this; {least}."


def _open(model: str, least: str) -> str:
    return f"Not decided: the exact search on {model} stopped at its limit. So far it has proven that {least}."


def _direction(bound: float, gap: float, closed: bool, wanted: Objective, units: Mapping[str, str], model: str) -> str:
    most = wanted.kind == "maximize"
    unit = units.get(wanted.outputs[0], "") if len(wanted.outputs) == 1 else ""
    value = words.quantity(-bound if most else bound, unit)
    side = "above" if most else "below"
    if closed:
        return f"Proven: by the model {model}, nothing within the bounds and constraints lies {side} {value}."
    left = words.quantity(gap, unit)
    return f"By the model {model}, nothing lies {side} {value}: proven; the best found is {left} from that."
