"""The tolerance box of the recommended answer, in words: how exactly its inputs must be met."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from preimage.core.objective import Objective
from preimage.core.space import Input, Space
from preimage.reporting import words
from preimage.support import digits

# The inputs that leave least room are named; all of them stand in the table beside the answer.
NAMED = 3


def window(row: Mapping[str, Any], wanted: Objective, space: Space, units: Mapping[str, str]) -> str:
    """Return what the window of a recommended answer promises; "" where it has none."""
    if pd.isna(row.get("tolerance_width")):
        return ""
    free = [i for i in space.inputs if i.name not in wanted.fixed and i.fixed is None]
    tightest = sorted(free, key=lambda i: _width(row, i))[:NAMED]
    others = ["the others as in the table"] if len(free) > NAMED else []
    keep = words.listing([*(_kept(row, i) for i in tightest), *others])
    return f"Keep {keep}: everywhere in that window, {_promise(row, wanted, units)} (proven)."


def ends(row: Mapping[str, Any], i: Input) -> tuple[Any, Any]:
    """Return between which values an input may be kept, as text that lies inside; None where there is no window."""
    if pd.isna(row.get("tolerance_width")):
        return None, None
    low, high = _exact(row, i)
    return (low, high) if i.categories else digits.inside(low, high, digits.step(i.high - i.low, float(i.integer)))


def _exact(row: Mapping[str, Any], i: Input) -> tuple[Any, Any]:
    return row[f"tolerance_low.{i.name}"], row[f"tolerance_high.{i.name}"]


def _kept(row: Mapping[str, Any], i: Input) -> str:
    low, high = ends(row, i)
    name = words.label(i.name)
    if i.categories:
        kept = i.categories[i.categories.index(low) : i.categories.index(high) + 1]
        return f"{name} {' or '.join(kept)}"
    if low == high:
        return f"{name} at {low} {i.unit}".strip()
    return f"{name} between {low} and {high} {i.unit}".strip()


def _width(row: Mapping[str, Any], i: Input) -> float:
    low, high = _exact(row, i)
    if i.categories:
        return (i.categories.index(high) - i.categories.index(low) + 1) / len(i.categories)
    more = float(i.integer)
    return float(high - low + more) / (i.high - i.low + more) if i.high > i.low else 1.0


def _promise(row: Mapping[str, Any], wanted: Objective, units: Mapping[str, str]) -> str:
    model = words.label(str(row["surrogate"]))
    if not wanted.bounded:
        unit = units.get(wanted.outputs[0], "")
        return f"the prediction of {model} stays within {words.quantity(wanted.tolerance[0], unit)} of the best found"
    kept = [
        f"{words.label(o)} {_outside(low - margin, high + margin, o, units)}"
        for o, low, high, margin in zip(wanted.outputs, wanted.low, wanted.high, wanted.margin, strict=True)
    ]
    return f"{model} predicts {words.listing(kept)}"


def _outside(low: float, high: float, output: str, units: Mapping[str, str]) -> str:
    """Return the ends of what is proven, rounded outwards."""
    step = digits.step_of(units, output)
    span = words.span(low, high, digits.down(low, step), digits.up(high, step))
    return f"{span} {units.get(output, '')}".rstrip()
