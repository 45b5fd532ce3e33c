"""Recommended answers as recipes that can be weighed, judged as rounded; and what was measured already."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from preimage.core.candidates import CHANCE, DOMAIN_LIMIT, inputs_of
from preimage.core.domain import Domain
from preimage.core.formulas import Formulas
from preimage.core.objective import Draws, Fit, Objective
from preimage.core.space import Space
from preimage.core.weighing import step_of, weighable
from preimage.data.rows import Rows, together
from preimage.evidence import chance
from preimage.surrogates.intervals import Intervals
from preimage.surrogates.protocol import Surrogate

Said = Callable[[np.ndarray], np.ndarray]

# Half a step, less a rounding: so far numbers are moved to be rounded to one side.
ROUNDING = 1e-9
AWAY = 0.5 * (1 - ROUNDING)
# Where steps are too coarse, so many times a tenth of them is tried.
FINER = 4
# Ways of rounding up and down that are tried where the nearest loses what the answer has.
WAYS = 48
# Digits more than `step_of` leaves that such an answer may have; without them it is judged as it is rounded.
MORE_DIGITS = 1


def of_answers(
    solutions: pd.DataFrame,
    space: Space,
    objectives: Mapping[str, Objective],
    models: Mapping[str, tuple[Surrogate, Intervals]],
    outlooks: Mapping[str, chance.Outlook],
    formulas: Formulas,
    train: Rows,
    draws: Mapping[str, Draws],
) -> list[dict[str, Any]]:
    """Return the first solution of each objective on each surrogate as a recipe that can be weighed, as plain values.

    Keys: `surrogate`, `objective`; `x` by input; `predicted`, `low` and `high` (the interval) by output; those of
    `CHANCE`; `met`, whether the prediction satisfies values and limits; `domain_score`, `in_domain`.
    """
    domain = Domain(space.coordinates(train.X), space.one_hot)
    found = []
    for (surrogate, name), part in solutions.groupby(["surrogate", "objective"], sort=False):
        wanted = objectives[str(name)]
        if str(surrogate) not in models or wanted.name != wanted.entry or part["predicted_loss"].isna().iloc[0]:
            continue
        model, intervals = models[str(surrogate)]
        x = _rounded(wanted, space, space.encode(inputs_of(part.head(1), space)), model, formulas)
        Y = model.predict(x)
        ends = intervals.at(Y, model.spread(x))
        if formulas:
            Y, ends = formulas.extended(x, Y), formulas.intervals(x, *ends)
        score = float(domain.score(space.coordinates(x))[0])
        known = outlooks.get(str(surrogate))
        chances = (
            chance.of_points(x, known, wanted, space, draws.get(str(name)))[0] if known else [np.nan] * len(CHANCE)
        )
        outputs = train.outputs
        found.append(
            {
                "surrogate": str(surrogate),
                "objective": str(name),
                "x": {key: value[0] for key, value in space.decode(x).items()},
                "predicted": _by_name(outputs, Y[0]),
                "low": _by_name(outputs, ends[0][0]),
                "high": _by_name(outputs, ends[1][0]),
                **{key: _plain(value) for key, value in zip(CHANCE, chances, strict=True)},
                "met": bool((wanted.nominal.met(Y) if wanted.nominal.bounded else wanted.violation(Y) == 0)[0]),
                "domain_score": score,
                "in_domain": score <= DOMAIN_LIMIT,
            }
        )
    return found


def _rounded(wanted: Objective, space: Space, x: np.ndarray, model: Surrogate, formulas: Formulas) -> np.ndarray:
    """Return an answer (1, d) as a recipe that can be weighed."""
    allowed = wanted.allowed(space)

    def said(points: np.ndarray) -> np.ndarray:
        Y = model.predict(points)
        return formulas.extended(points, Y) if formulas else Y

    if wanted.front:
        return weighable(allowed, x)
    return _near(wanted, allowed, x, said) if wanted.near else _as_good(wanted.nominal, allowed, x, said)


def _as_good(wanted: Objective, space: Space, x: np.ndarray, said: Said) -> np.ndarray:
    """Return the rounding of an answer (1, d) that is predicted to be as good: the nearest, or the best of those up and
    down, with finer steps if need be. A model of trees is flat between its thresholds and worse beyond them: of an
    optimum at such an edge half of all roundings lose it."""
    nearest, answer = weighable(space, x), said(x)
    steps = np.array([step_of(i) for i in space.inputs])
    ways = np.random.default_rng(0).uniform(-0.5, 0.5, (WAYS, len(steps)))
    worst = np.inf if wanted.bounded else wanted.as_good_as(float(wanted.loss(answer)[0]))

    def kept(Y: np.ndarray) -> np.ndarray:
        return np.asarray((wanted.met(Y) if wanted.bounded else wanted.violation(Y) == 0) & (wanted.loss(Y) <= worst))

    if not kept(answer)[0]:
        return nearest
    for finer in range(MORE_DIGITS + 1):
        points = weighable(space, x, finer)
        if not kept(said(points))[0]:
            moved = x + ways * steps / 10.0**finer
            points = weighable(space, moved, finer)
            points = points[(points != moved).any(axis=1) & space.contains(points)]
        Y = said(points)
        if len(good := np.flatnonzero(kept(Y))):
            far = (np.abs(points[good] - x) / space.width).sum(axis=1)
            best = good[np.lexsort((far, wanted.loss(Y[good])))[0]]
            return points[best : best + 1]
    return nearest


def _near(wanted: Objective, allowed: Space, x: np.ndarray, said: Said) -> np.ndarray:
    """Return a changed reference (1, d) rounded: what is as there stays so; changes are rounded away from it, where
    that meets the objective as the answer does."""
    near = wanted.near
    assert near is not None
    same = {n: label for n, label, moved in zip(near.names, near.labels, near.changed(x)[0], strict=True) if not moved}
    allowed = allowed.fix(same)
    steps = np.array([step_of(i) for i in allowed.inputs])
    away = np.sign(x - near.values)

    def met(point: np.ndarray) -> bool:
        return bool(allowed.contains(point)[0] and wanted.met(said(point))[0])

    tried = [weighable(allowed, x + AWAY * steps * away), weighable(allowed, x)]
    if not met(x):
        return tried[-1]
    tried += [np.where(steps > 0, _outward(x, away, steps / 10.0**k), x) for k in range(1, FINER + 1)]
    # Of an answer without any room the finest steps, which is judged as rounded like any other.
    finest = tried[-1] if allowed.contains(tried[-1])[0] else x
    return next((point for point in tried if met(point)), finest)


def _outward(x: np.ndarray, way: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Return values (1, d) at steps that are powers of ten, each the next one in the direction of `way`; 0 stays."""
    size = np.where(steps > 0, steps, 1.0)
    number = np.where(way > 0, np.ceil(x / size - ROUNDING), np.floor(x / size + ROUNDING)) * size
    decimals = [max(0, -round(np.log10(s))) for s in size]
    return np.array([[round(float(v), n) for v, n in zip(number[0], decimals, strict=True)]])


def measured(objectives: Mapping[str, Objective], space: Space, parts: Sequence[Rows]) -> dict[str, dict[str, Any]]:
    """Return by objective what the rows say that are known: `count` of those that satisfy it with its limits (of a
    direction: that keep the limits), and of the best of them `row`, its number in the source, and `values` by output.
    Rows outside the bounds and constraints, or with other fixed inputs, don't count."""
    every = together(parts)
    X, Y, numbers = every.X, every.Y, every.numbers
    found: dict[str, dict[str, Any]] = {}
    for name, wanted in objectives.items():
        if name != wanted.entry or isinstance(wanted, Fit):
            continue
        nominal = wanted.nominal
        allowed = wanted.allowed(space).contains(X) & np.isfinite(Y).all(axis=1)
        rows = np.flatnonzero(allowed & (nominal.met(Y) if nominal.bounded else nominal.violation(Y) == 0))
        found[name] = {"count": len(rows), "row": None, "values": {}}
        if len(rows):
            loss = wanted.near.distance(X[rows]) if wanted.near else nominal.loss(Y[rows])
            best = rows[np.lexsort((numbers[rows], loss))[0]]
            found[name] |= {"row": int(numbers[best]), "values": _by_name(parts[0].outputs, Y[best])}
    return found


def _by_name(outputs: Sequence[str], values: np.ndarray) -> dict[str, float | None]:
    return {output: _plain(value) for output, value in zip(outputs, values, strict=True)}


def _plain(value: float) -> float | None:
    """Return a number as JSON can hold it."""
    return float(value) if np.isfinite(value) else None
