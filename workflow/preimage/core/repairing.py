"""Points outside a space moved into it: to the nearest valid point, or quickly to a near one.

Nearest is by the sum of changes in units of each input's range, a category that changes counted as 1, by a
mixed-integer linear program; curved constraints are then met by local search within the piece of the space that this
has chosen, or the pieces of valid random points where that fails.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from preimage.core.curving import onto_curves
from preimage.core.nearest import nearest
from preimage.core.quickly import moved_quickly
from preimage.core.sampling import sample
from preimage.core.scaled import polish
from preimage.core.space import Space
from preimage.support.errors import StudyError

# Random valid points that a repair may fall back on, and how many of the nearest are tried to be brought nearer.
POOL, TRIED = 64, 3
# Shares of the way from one of them that are tried.
SHARES = (1.0, 0.5, 0.25, 0.125)


def repair(space: Space, X: np.ndarray, quickly: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Move points (n, d) that are outside to the nearest valid ones.

    Args:
        quickly: whether a near point is enough, which takes no program in most cases (`preimage.core.quickly`). Where
            that fails at a curved constraint, the point is on the way from the nearest of some random valid ones.

    Returns the points and how far each was moved (n,), the sum of changes in units of each input's range; points
    that were valid come back unchanged. Raises StudyError where no valid point exists, or none was found.
    """
    X = np.array(X, float)
    moved = np.zeros(len(X))
    outside = np.flatnonzero(~space.contains(X))
    if not len(outside):
        return X, moved
    points, valid = space.rounded(X[outside]), np.zeros(0, bool)
    if quickly and not space.plain:
        points, valid = moved_quickly(space, X[outside])
    else:
        valid = space.contains(points)
    for k, point, done in zip(outside, points, valid, strict=True):
        if not done:
            point = _between(space, X[k]) if quickly and space.curved else _nearest(space, X[k])
        moved[k] = _distance(space, X[k], point[None])[0]
        X[k] = point
    return X, moved


def near(space: Space, X: np.ndarray) -> np.ndarray:
    """Return points (n, d) moved into the space as `repair` does quickly, without those for which that takes more."""
    if space.plain:
        return repair(space, X)[0]
    outside = ~space.contains(X)
    points, valid = moved_quickly(space, X[outside])
    moved, kept = X.copy(), ~outside
    moved[outside], kept[outside] = points, valid
    return moved[kept]


def _distance(space: Space, x: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return how far a point (d,) is from others (n, d); a category that is one is 1 away from any other."""
    away = np.abs(points - x) / space.width
    code = space.categorical & (space.rounded(x) == x)
    return np.asarray(np.where(code, np.sign(away), away).sum(axis=1))


def _nearest(space: Space, x: np.ndarray) -> np.ndarray:
    """Return the valid point (d,) nearest to x: surely so without curved constraints."""
    point = nearest(space, x)
    if not space.curved or space.contains(point)[0]:
        return point
    found = [p for p in (onto_curves(space, point, nearest=True),) if p is not None]
    if not found:
        pool = _pool(space)
        order = np.argsort(_distance(space, x, pool), kind="stable")[:TRIED]
        found = [pool[order[0]]]
        for p in pool[order]:
            start = _towards(space, p, x)
            found += [q for q in (onto_curves(space, start, nearest=True),) if q is not None]
    return found[int(np.argmin(_distance(space, x, np.array(found))))]


@lru_cache(maxsize=4)
def _pool(space: Space) -> np.ndarray:
    """Return random valid points (n, d), always the same of a space. Raises StudyError where none was found."""
    return sample(space, POOL, np.random.default_rng(0))


def _towards(space: Space, point: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return the point of the piece around a valid one (d,) that is nearest to x, curved constraints aside."""
    piece = space.straight.piece(point)
    try:
        return nearest(piece, x)
    except StudyError:
        return point


def _between(space: Space, x: np.ndarray) -> np.ndarray:
    """Return a valid point (d,) on the way from the nearest of the random valid points to x."""
    pool = _pool(space)
    start = pool[int(np.argmin(_distance(space, x, pool)))]
    piece = space.piece(start)
    way = np.where(piece.stepwise | ~piece.free, 0.0, piece.rounded(x) - start)
    for share in SHARES:
        point = polish(piece, start + share * way)
        if space.contains(point)[0]:
            return point
    return np.asarray(start)
