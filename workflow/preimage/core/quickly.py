"""Points moved into a space without a program, as searches need thousands of times: near, though not always nearest.

Each input is rounded to its allowed values, of those that are too many the ones that it takes least go back to their
references, excluded combinations are left by the shortest way, and rows are met by the inputs that are left to move.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from preimage.core.conditions import Count, Exclusion
from preimage.core.pieces import beside, outside
from preimage.core.scaled import polish
from preimage.core.space import Space


def moved_quickly(space: Space, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return points (n, d) moved into a space, and which of them are valid there (n,)."""
    P = space.rounded(X)
    for count in space.counts:
        _meet(space, count, X, P)
    for exclusion in space.exclusions:
        _leave(space, exclusion, X, P)
    valid = space.contains(P)
    if space.constraints or space.curved:
        for k in np.flatnonzero(~valid & _loose(space).contains(P)):
            P[k] = polish(space.piece(P[k]), P[k])
        valid = space.contains(P)
    return P, valid


@lru_cache(maxsize=16)
def _loose(space: Space) -> Space:
    """Return a space without its rows."""
    return replace(space, constraints=(), curved=())


def _meet(space: Space, count: Count, X: np.ndarray, P: np.ndarray) -> None:
    """Change points P (n, d), rounded from X, in which a count is not met: inputs for which it takes least."""
    at, reference = np.array(space.at(count)), np.array(count.reference)
    differ = P[:, at] != reference
    extra = differ.sum(axis=1) - count.most
    if (extra > 0).any():
        able = np.array([space.inputs[j].allows(r) for j, r in zip(at, reference, strict=True)])
        cost = _costs(space, at, X, np.where(able, reference, np.inf)) - _costs(space, at, X, P[:, at])
        cost = np.where(differ, cost, np.inf)
        place = np.argsort(np.argsort(cost, axis=1, kind="stable"), axis=1)
        P[:, at] = np.where(place < extra[:, None], reference, P[:, at])
    for k in np.flatnonzero(differ.sum(axis=1) < count.least):
        others = np.array([_unlike(space, j, X[k, j], r) for j, r in zip(at, reference, strict=True)])
        cost = _costs(space, at, X[k], others) - _costs(space, at, X[k], reference)
        order = np.argsort(np.where(differ[k], np.inf, cost), kind="stable")[: count.least - int(differ[k].sum())]
        P[k, at[order]] = others[order]


def _costs(space: Space, at: np.ndarray, X: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return how far each input at these positions of points X (..., d) is from values (..., k)."""
    away = np.abs(X[..., at] - values) / space.width[at]
    return np.where(space.categorical[at] & np.isfinite(away), np.sign(away), away)


def _unlike(space: Space, j: int, x: float, reference: float) -> float:
    """Return the allowed value of an input nearest to x that is not its reference."""
    i = space.inputs[j]
    if i.categories:
        others = [float(c) for c in space.codes_by_name(j) if c != reference]
        return x if x in others else others[0] if others else reference
    value = float(i.nearest(x))
    return value if value != reference else min(beside(i, reference, space.width[j]), key=lambda v: abs(x - v))


def _leave(space: Space, exclusion: Exclusion, X: np.ndarray, P: np.ndarray) -> None:
    """Change points P (n, d), rounded from X, that are an excluded combination, by the shortest way out of it."""
    at = space.at(exclusion)
    wrong = np.flatnonzero(exclusion.violation(P[:, at], space.width[at]))
    ways: list[tuple[int, float]] = []
    for j, c in zip(at, exclusion.conditions, strict=True) if len(wrong) else ():
        if c.codes:
            ways += [(j, float(v)) for v in space.codes_by_name(j) if v not in c.codes]
        else:
            ways += [(j, v) for v in outside(space.inputs[j], c.low, c.high) if np.isfinite(v)]
    if ways:
        inputs, values = np.array([j for j, _ in ways]), np.array([v for _, v in ways])
        best = _costs(space, inputs, X[wrong], values).argmin(axis=1)
        P[wrong, inputs[best]] = values[best]
