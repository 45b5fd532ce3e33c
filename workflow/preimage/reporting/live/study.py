"""The study of a page as plain values: what `study.js` evaluates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from preimage.core.conditions import Condition, Count, Curved, Exclusion
from preimage.core.conditions import Linear as LinearRow
from preimage.core.expressions import Expression
from preimage.core.formulas import Formulas
from preimage.core.inputs import Input
from preimage.core.objective import Direction, Objective, Pareto, Values, Varied
from preimage.core.space import Space
from preimage.core.weighing import step_of
from preimage.reporting import words
from preimage.support import digits


def inputs(space: Space, density: Mapping[str, Sequence[int]]) -> list[dict[str, Any]]:
    """Return each input with its bounds, the values that it may take, and the density of the data over its range."""
    return [
        {
            "name": i.name,
            "label": words.label(i.name),
            "unit": i.unit or "",
            "low": i.low,
            "high": i.high,
            "whole": i.whole,
            "categories": list(i.categories) or None,
            "values": i.allowed.tolist(),
            "least": i.least if i.gapped else None,
            "fixed": i.fixed,
            "step": step_of(i),
            "density": density[i.name],
        }
        for i in space.inputs
    ]


def outputs(
    names: Sequence[str], units: Mapping[str, str], reach: Mapping[str, Sequence[float]]
) -> list[dict[str, Any]]:
    """Return each output with its unit, the smallest difference that must show, and its ends in the data."""
    return [
        {
            "name": name,
            "label": words.label(name),
            "unit": units.get(name, ""),
            "step": digits.step_of(units, name),
            "reach": list(reach.get(name, (0.0, 0.0))),
        }
        for name in names
    ]


def formulas(found: Formulas) -> list[dict[str, Any]]:
    """Return each formula as the steps of a calculation."""
    return [{"name": f.name, "steps": steps(f.expression), "repeats": f.expression.repeats} for f in found.each]


def steps(expression: Expression) -> list[dict[str, Any]]:
    """Return an expression as steps: a number, a name, or an operation on earlier results."""
    return [
        {"operation": s.operation, "arguments": list(s.arguments)}
        if s.arguments
        else ({"name": s.name} if s.name else {"number": s.number})
        for s in expression.steps
    ]


# -- conditions on inputs ---------------------------------------------------------------------------------------------


def conditions(space: Space) -> list[dict[str, Any]]:
    """Return what a point must keep to, each with its words."""
    rows = zip(space.constraints, space.row_scale, strict=True)
    return [
        *(_bounds(j, i) for j, i in enumerate(space.inputs) if not i.categories),
        *(_linear(space, c, float(scale)) for c, scale in rows),
        *(_count(space, c) for c in space.counts),
        *(_exclusion(space, c) for c in space.exclusions),
        *(_curved(space, c, float(scale)) for c, scale in zip(space.curved, space.curved_scale, strict=True)),
    ]


def _bounds(j: int, i: Input) -> dict[str, Any]:
    least = i.least if i.gapped else None
    low = digits.exact(i.low) if least is None else f"0, or {digits.exact(least)}"
    return {
        "kind": "bounds",
        "words": f"{words.label(i.name)} {low} to {digits.exact(i.high)} {i.unit or ''}".strip(),
        "at": j,
        **_ends(i.low, i.high),
        "least": least,
        "whole": i.whole,
        "values": i.allowed.tolist(),
    }


def _linear(space: Space, c: LinearRow, scale: float) -> dict[str, Any]:
    coefficients = [float(v) for _, v in c.coefficients]
    return {
        "kind": "linear",
        "words": str(c),
        "at": space.at(c),
        "coefficients": coefficients,
        **_ends(c.low, c.high),
        "scale": scale,
    }


def _count(space: Space, c: Count) -> dict[str, Any]:
    numbers = {"least": c.least, "most": c.most, "reference": list(c.reference)}
    return {"kind": "count", "words": str(c), "at": space.at(c), **numbers}


def _exclusion(space: Space, c: Exclusion) -> dict[str, Any]:
    return {"kind": "exclusion", "words": str(c), "conditions": [_condition(space, part) for part in c.conditions]}


def _condition(space: Space, c: Condition) -> dict[str, Any]:
    return {"at": space.names.index(c.input), "codes": list(c.codes), **_ends(c.low, c.high)}


def _curved(space: Space, c: Curved, scale: float) -> dict[str, Any]:
    own = {"kind": "curved", "words": str(c), "at": space.at(c), "steps": steps(c.expression)}
    return {**own, **_ends(c.low, c.high), "scale": scale}


def _fixed(j: int, i: Input) -> dict[str, Any]:
    value = i.categories[int(i.lower)] if i.categories else digits.exact(i.lower)
    said = f"{words.label(i.name)} = {value} {i.unit or ''}".strip()
    return {"kind": "fixed", "words": said, "at": j, "value": i.lower}


# -- objectives -------------------------------------------------------------------------------------------------------


def objective(wanted: Objective, space: Space, outputs: Sequence[str], best: Any) -> dict[str, Any]:
    """Return an objective: the limits of its outputs, what a direction must beat, and the conditions that it adds; one
    on an input listed under `instead` stands for the study's bounds.

    Args:
        best: what the training rows that count have reached (see `preimage.evidence.live`).
    """
    nominal, allowed = wanted.nominal, wanted.allowed(space)
    limits = [(limit.column, limit.low - limit.slack, limit.high + limit.slack) for limit in nominal.limits]
    if isinstance(nominal, Values) and not nominal.near:
        limits += zip(
            nominal.columns, nominal.goal.low - nominal.margin, nominal.goal.high + nominal.margin, strict=True
        )
    beats = None
    if isinstance(nominal, Direction | Pareto):
        weights = [float(w) * nominal.sign for w in nominal.low]
        beats = {"at": list(nominal.columns), "weights": weights, "front" if nominal.front else "best": best}
    other = [(j, i) for j, (i, was) in enumerate(zip(allowed.inputs, space.inputs, strict=True)) if i != was]
    known = nominal.bounded or bool(limits) or (best is not None and best != [])
    return {
        "name": wanted.name,
        "label": words.label(wanted.name),
        "outputs": [outputs.index(o) for o in wanted.involved],
        "limits": [{"at": int(at), **_ends(float(low), float(high))} for at, low, high in limits],
        "beats": beats,
        "chance": known and not isinstance(wanted, Varied),
        "varied": isinstance(wanted, Varied),
        "instead": [j for j, _ in other],
        "conditions": [
            *(_bounds(j, i) if i.fixed is None else _fixed(j, i) for j, i in other),
            *(_count(space, c) for c in allowed.counts[len(space.counts) :]),
        ],
    }


def _ends(low: float, high: float) -> dict[str, float | None]:
    """Return an interval as JSON can hold it."""
    return {"low": low if np.isfinite(low) else None, "high": high if np.isfinite(high) else None}
