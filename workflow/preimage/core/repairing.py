"""Points outside a space moved into it: to the nearest valid point, or quickly to a near one.

Nearest is by the sum of changes in units of each input's range, a category that changes counted as 1, by a
mixed-integer linear program; curved constraints are then met by local search within the piece of the space that this
has chosen, or the pieces of valid random points where that fails.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from preimage.core.conditions import Count, Exclusion
from preimage.core.curving import onto_curves
from preimage.core.nearest import nearest
from preimage.core.pieces import beside, outside
from preimage.core.scaled import polish
from preimage.core.space import Space
from preimage.support.errors import StudyError

# Random valid points that a repair may fall back on, and how many of the nearest are tried to be brought nearer.
POOL, TRIED = 16, 3


def repair(space: Space, X: np.ndarray, quickly: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Move points (n, d) that are outside to the nearest valid ones.

    Args:
        quickly: whether a near point is enough, which takes no program in most cases: each input is rounded to its
            allowed values, of those that are too many the smallest go back to their references, excluded combinations
            are left by the shortest way, and rows are met by the inputs that are left.

    Returns the points and how far each was moved (n,), the sum of changes in units of each input's range; points
    that were valid come back unchanged. Raises StudyError where no valid point exists, or none was found.
    """
    X = np.array(X, float)
    moved = np.zeros(len(X))
    plain = not (space.in_pieces or space.curved or space.listed.any())
    for k in np.flatnonzero(~space.contains(X)):
        point = space.rounded(X[k])
        if not space.contains(point)[0]:
            near = _quick(space, X[k]) if quickly and not plain else None
            point = _nearest(space, X[k]) if near is None else near
        moved[k] = _distance(space, X[k], point)
        X[k] = point
    return X, moved


def _distance(space: Space, x: np.ndarray, point: np.ndarray) -> float:
    """Return how far a point was moved; a category that was one is 1 away from any other."""
    away = np.abs(point - x) / space.width
    code = space.categorical & (space.rounded(x) == x)
    return float(np.where(code, np.sign(away), away).sum())


def _nearest(space: Space, x: np.ndarray) -> np.ndarray:
    """Return the valid point (d,) nearest to x: surely so without curved constraints."""
    point = nearest(space, x)
    if not space.curved or space.contains(point)[0]:
        return point
    found = [p for p in (onto_curves(space, point, nearest=True),) if p is not None]
    if not found:
        pool = _pool(space)
        order = np.argsort([_distance(space, x, p) for p in pool], kind="stable")[:TRIED]
        found = [pool[order[0]]]
        for p in pool[order]:
            start = _towards(space, p, x)
            found += [q for q in (onto_curves(space, start, nearest=True),) if q is not None]
    return min(found, key=lambda p: _distance(space, x, p))


@lru_cache(maxsize=4)
def _pool(space: Space) -> np.ndarray:
    """Return random valid points (n, d), always the same of a space. Raises StudyError where none was found."""
    from preimage.core.sampling import sample

    return sample(space, POOL, np.random.default_rng(0))


def _towards(space: Space, point: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return the point of the piece around a valid one (d,) that is nearest to x, curved constraints aside."""
    piece = space.straight.piece(point)
    try:
        return nearest(piece, x)
    except StudyError:
        return point


# -- quickly -----------------------------------------------------------------------------------------------------------


def _quick(space: Space, x: np.ndarray) -> np.ndarray | None:
    """Return a valid point (d,) near x; None where that takes more."""
    point = space.rounded(x)
    for count in space.counts:
        _meet_count(space, count, x, point)
    for exclusion in space.exclusions:
        _leave(space, exclusion, x, point)
    loose = _loose(space)
    if not loose.contains(point)[0]:
        return None
    point = polish(space.straight.piece(point), point)
    if space.curved and space.straight.contains(point)[0] and not space.contains(point)[0]:
        return onto_curves(space, point)
    return point if space.contains(point)[0] else None


@lru_cache(maxsize=16)
def _loose(space: Space) -> Space:
    """Return a space without its rows."""
    return Space(space.inputs, (), space.counts, space.exclusions)


def _meet_count(space: Space, count: Count, x: np.ndarray, point: np.ndarray) -> None:
    """Change a point (d,) where a count is not met: those inputs for which it takes least, as they were at x."""
    at, reference = space.at(count), np.array(count.reference)
    differ = point[at] != reference
    if count.least <= (number := int(differ.sum())) <= count.most:
        return
    back = np.array([_cost(space, j, x[j], r) for j, r in zip(at, reference, strict=True)])
    others = np.array([_unlike(space, j, x[j], r) for j, r in zip(at, reference, strict=True)])
    away = np.array([_cost(space, j, x[j], v) for j, v in zip(at, others, strict=True)])
    if number > count.most:
        order = np.argsort(np.where(differ, back - away, np.inf), kind="stable")[: number - count.most]
        point[np.array(at)[order]] = reference[order]
    else:
        order = np.argsort(np.where(differ, np.inf, away - back), kind="stable")[: count.least - number]
        point[np.array(at)[order]] = others[order]


def _cost(space: Space, j: int, x: float, value: float) -> float:
    """Return how far an input is moved to a value; without end where it may not take it."""
    if not space.inputs[j].allows(value):
        return np.inf
    return float(x != value) if space.categorical[j] else float(abs(x - value) / space.width[j])


def _unlike(space: Space, j: int, x: float, reference: float) -> float:
    """Return the allowed value of an input nearest to x that is not its reference."""
    i = space.inputs[j]
    if i.categories:
        others = [c for c in space.codes_by_name(j) if c != reference]
        return float(x if x in others else others[0] if others else reference)
    value = float(i.nearest(x))
    if value != reference:
        return value
    return min(beside(i, reference, space.width[j]), key=lambda v: abs(x - v))


def _leave(space: Space, exclusion: Exclusion, x: np.ndarray, point: np.ndarray) -> None:
    """Change a point (d,) that is an excluded combination, by the input that has the shortest way out of it."""
    at = space.at(exclusion)
    if not exclusion.violation(point[None, at], space.width[at])[0]:
        return
    ways = []
    for j, c in zip(at, exclusion.conditions, strict=True):
        i = space.inputs[j]
        if c.codes:
            ways += [(j, float(v)) for v in space.codes_by_name(j) if v not in c.codes]
        else:
            ways += [(j, v) for v in outside(i, c.low, c.high) if np.isfinite(v)]
    if ways:
        j, value = min(ways, key=lambda way: _cost(space, way[0], x[way[0]], way[1]))
        point[j] = value
