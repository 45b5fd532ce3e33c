"""Points of a space in one piece by random walks: hit-and-run (Smith 1984, Operations Research 32)."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from preimage.core.nearest import moved_inside
from preimage.core.program import program
from preimage.core.scaled import polish
from preimage.core.space import Space


class _Walls(NamedTuple):
    """bottom <= rows @ u <= top, rows of length 1, u in [0, 1] over each input's width."""

    rows: np.ndarray
    bottom: np.ndarray
    top: np.ndarray


class _Way(NamedTuple):
    """Where walks in a space begin and may go: the inputs that move (d,), where their scaled places are 0 (d,), the
    walls, the middle (k,), and the directions that are free there (k, m)."""

    moving: np.ndarray
    offset: np.ndarray
    walls: _Walls
    start: np.ndarray
    basis: np.ndarray


def walked(space: Space, X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return points (n, d) by independent random walks from the centre, in the directions equalities leave free.

    The space is in one piece, without curved constraints, and holds a point. Inputs that no constraint names stay as
    they are in X (n, d). An input of separate values walks half a step beyond its bounds, so that rounding gives its
    ends the chance that the others have.
    """
    X = X.copy()
    way = _way(space)
    if way.moving.any():
        U = _walk(way.start, way.basis, way.walls, len(X), rng)
        X[:, way.moving] = way.offset[way.moving] + space.width[way.moving] * U
    return moved_inside(space, np.array([polish(space, x) for x in X]))


def middle(space: Space) -> np.ndarray | None:
    """Return a valid point (d,) of a space in one piece, curved constraints aside; None where none was found."""
    point = program(space).point()
    if point is None:
        return None
    point = polish(space.straight, point)
    return point if space.straight.contains(point)[0] else None


@lru_cache(maxsize=512)
def _way(space: Space) -> _Way:
    moving = space.free & space.rows[0].any(axis=0)
    offset, walls, rest = _walled(space, moving)
    if not moving.any():
        return _Way(moving, offset, walls, np.empty(0), np.empty((0, 0)))
    point = program(space).point()
    assert point is not None, "the space holds one"
    inner = (polish(space, point) - offset)[moving] / space.width[moving]
    return _Way(moving, offset, walls, *_centre(walls, rest, inner))


def _walled(space: Space, moving: np.ndarray) -> tuple[np.ndarray, _Walls, np.ndarray]:
    """Return where u = 0 is (d,), the walls of the walk, and the equalities' rows, over the moving inputs."""
    offset = np.array([i.low for i in space.inputs], float)
    under, over = (np.where(space.discrete, 0.5, 0.0) for _ in range(2))
    for j in np.flatnonzero(space.listed & space.free):
        steps = np.diff(space.inputs[j].allowed) / 2
        under[j], over[j] = steps[0], steps[-1]
    matrix, low, high = space.rows
    equal = low == high
    held = matrix @ np.where(moving, offset, space.low)
    part = matrix[:, moving] * space.width[moving]
    length = np.linalg.norm(part, axis=1)
    used = length > 0
    part, low, high = ((v[used].T / length[used]).T for v in (part, low - held, high - held))
    equal = equal[used]
    eye = np.eye(int(moving.sum()))
    bottom = ((space.low - under - offset) / space.width)[moving]
    top = ((space.high + over - offset) / space.width)[moving]
    walls = _Walls(
        np.vstack([eye, part[~equal]]),
        np.concatenate([bottom, low[~equal]]),
        np.concatenate([top, high[~equal]]),
    )
    return offset, walls, part[equal]


def _walk(start: np.ndarray, basis: np.ndarray, walls: _Walls, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return where n walks from `start` (d,) are after enough steps along `basis` (d, k), shape (n, d)."""
    U = np.tile(start, (n, 1))
    for _ in range(20 + 20 * basis.shape[1] if basis.size else 0):
        direction = rng.standard_normal((n, basis.shape[1])) @ basis.T
        speed, position = direction @ walls.rows.T, U @ walls.rows.T
        with np.errstate(divide="ignore", invalid="ignore"):
            near, far = (walls.bottom - position) / speed, (walls.top - position) / speed
        still = np.abs(speed) < 1e-12
        back = np.where(still, -np.inf, np.minimum(near, far)).max(axis=1)
        ahead = np.where(still, np.inf, np.maximum(near, far)).min(axis=1)
        back, ahead = np.minimum(back, 0), np.maximum(ahead, 0)
        U += (back + rng.random(n) * (ahead - back))[:, None] * direction
    return U


def _null_space(matrix: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis (d, k) of the directions that leave every row of the matrix at rest."""
    if not len(matrix):
        return np.eye(matrix.shape[1])
    _, singular, right = np.linalg.svd(matrix)
    rank = int((singular > 1e-12 * singular.max(initial=1.0)).sum())
    return right[rank:].T


# A polytope thinner than this share of the inputs' widths is taken to be flat in that direction.
THIN = 1e-6


def _centre(walls: _Walls, rest: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the middle of the largest ball inside (d,), and the directions that are free there (d, k).

    The Chebyshev centre (Boyd and Vandenberghe 2004, 8.5.1). Where no ball fits, inequalities leave no room in some
    direction (x + y <= 1 and x + y >= 1): the walls that are so hold like equalities.
    """
    basis = _null_space(rest)
    while basis.size:
        centre, radius = _ball(walls, basis, start)
        if radius > THIN:
            return centre, basis
        tight = [row for row in walls.rows if _range(walls, basis, start, row) <= 2 * THIN]
        inner = _null_space(np.vstack([rest, *tight]))
        if inner.shape[1] == basis.shape[1]:
            return centre, basis
        start, basis = centre, inner
    return start, basis


def _limits(walls: _Walls, basis: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the walls as A z <= b for steps start + basis z, and the length of each row of A."""
    A = walls.rows @ basis
    position = walls.rows @ start
    A = np.vstack([A, -A])
    b = np.concatenate([walls.top - position, position - walls.bottom])
    length = np.linalg.norm(A, axis=1)
    use = np.isfinite(b) & (length > 1e-12)
    # A start may be outside by a rounding error, which must not make the program infeasible.
    return A[use], np.maximum(b[use], 0.0), length[use]


def _ball(walls: _Walls, basis: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, float]:
    from scipy.optimize import linprog

    A, b, length = _limits(walls, basis, start)
    k = basis.shape[1]
    solution = linprog(
        np.r_[np.zeros(k), -1.0], A_ub=np.column_stack([A, length]), b_ub=b, bounds=[(None, None)] * k + [(0, None)]
    )
    if solution.x is None:
        return start, 0.0
    return start + basis @ solution.x[:k], float(solution.x[k])


def _range(walls: _Walls, basis: np.ndarray, start: np.ndarray, row: np.ndarray) -> float:
    """Return how far `row @ u` can vary inside the walls."""
    from scipy.optimize import linprog

    A, b, _ = _limits(walls, basis, start)
    ends = [linprog(sign * (row @ basis), A_ub=A, b_ub=b, bounds=(None, None)) for sign in (1, -1)]
    return np.inf if any(end.x is None for end in ends) else -float(ends[0].fun + ends[1].fun)
