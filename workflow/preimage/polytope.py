"""Sampling inside a space with linear constraints, proving it empty, and repairing a point that is outside.

Kept apart from `space`, which needs no solver. Mixed-integer linear programs go to HiGHS through scipy.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from preimage.errors import StudyError
from preimage.space import Space

# Rejection is exact and cheap while at least this share of draws is inside; below it a random walk takes over.
LEAST_ACCEPTED = 0.02
CLUSTERS = 10
CLUSTER_SPREAD = 0.05


def sample(space: Space, n: int, rng: np.random.Generator, scheme: str = "uniform") -> np.ndarray:
    """Draw n points (n, d) inside bounds, whole numbers and constraints.

    Args:
        scheme: "uniform"; "latin_hypercube" (one point in each of n slices of every input; with constraints, the
            points of successive hypercubes that satisfy them; with an equality, or where under 2 % satisfy them,
            uniform); "clustered" (normal around 10 uniform centres, sd 5 % of each range).

    Uniform under constraints is rejection, or hit-and-run (Smith 1984, Operations Research 32) of n independent
    walks where rejection is hopeless. Raises StudyError where no point satisfies the constraints.
    """
    if not space.constraints:
        return _draw(space, n, rng, scheme)
    kept: list[np.ndarray] = []
    drawn = found = 0
    if not _equalities(space).any():
        while found < n and (drawn < 4096 or found >= LEAST_ACCEPTED * drawn):
            batch = _draw(space, max(n, 1024), rng, scheme)
            batch = batch[space.contains(batch)]
            kept.append(batch)
            drawn += max(n, 1024)
            found += len(batch)
    if found < n:
        if scheme == "clustered":
            raise StudyError("sampling: clustered draws do not meet these constraints; use uniform")
        kept = [_hit_and_run(space, n, rng)]
    return np.concatenate(kept)[:n]


def _draw(space: Space, n: int, rng: np.random.Generator, scheme: str) -> np.ndarray:
    """Draw n points (n, d) of the box alone."""
    d = len(space.inputs)
    if scheme == "uniform":
        unit = rng.random((n, d))
    elif scheme == "latin_hypercube":
        slices = rng.permuted(np.tile(np.arange(n)[:, None], (1, d)), axis=0)
        unit = (slices + rng.random((n, d))) / n
    elif scheme == "clustered":
        centres = rng.random((CLUSTERS, d))[rng.integers(CLUSTERS, size=n)]
        unit = centres + CLUSTER_SPREAD * rng.standard_normal((n, d))
        while (outside := (unit < 0) | (unit > 1)).any():
            unit[outside] = (centres + CLUSTER_SPREAD * rng.standard_normal((n, d)))[outside]
    else:
        raise StudyError(f"sampling '{scheme}': expected uniform, latin_hypercube or clustered")
    X = space.low + unit * (space.high - space.low)
    whole = np.floor(space.low + unit * (space.high - space.low + 1))
    return np.where(space.discrete, np.clip(whole, space.low, space.high), np.clip(X, space.low, space.high))


def _equalities(space: Space) -> np.ndarray:
    _, low, high = space.rows
    return low == high


# -- linear programs ---------------------------------------------------------------------------------------------------


def check_feasible(space: Space) -> None:
    """Raise StudyError, naming a smallest set of constraints in conflict, where no point satisfies all of them."""
    if not space.constraints or _feasible(space) is not None:
        return
    needed = list(space.constraints)
    for constraint in list(needed):
        rest = [c for c in needed if c is not constraint]
        if _feasible(Space(space.inputs, tuple(rest))) is None:
            needed = rest
    named = "; ".join(str(c) for c in needed)
    raise StudyError(f"constraints: no point within the bounds satisfies {named} (proved by a linear program)")


def _feasible(space: Space) -> np.ndarray | None:
    """Return a valid point (d,), or None where there is none."""
    return _solve(space, np.zeros(len(space.inputs)))


def _solve(space: Space, cost: np.ndarray) -> np.ndarray | None:
    from scipy.optimize import Bounds, LinearConstraint, milp

    matrix, low, high = space.rows
    scale = space.row_scale
    rows: Any = LinearConstraint(matrix / scale[:, None], low / scale, high / scale) if len(matrix) else ()
    solution = milp(cost, constraints=rows, bounds=Bounds(space.low, space.high), integrality=space.discrete)
    return solution.x


def repair(space: Space, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Move points (n, d) that are outside to the nearest valid ones.

    Returns the points and how far each was moved (n,), the sum of changes in units of each input's range; points
    that were valid come back unchanged. Nearest in that sum, by a mixed-integer linear program. Raises StudyError
    where no valid point exists.
    """
    X = np.array(X, float)
    moved = np.zeros(len(X))
    for k in np.flatnonzero(~space.contains(X)):
        point = np.clip(X[k], space.low, space.high)
        point = np.where(space.discrete, np.round(point), point)
        if not space.contains(point)[0]:
            point = _nearest(space, X[k])
        moved[k] = float((np.abs(point - X[k]) / space.width).sum())
        X[k] = point
    return X, moved


def _nearest(space: Space, x: np.ndarray) -> np.ndarray:
    """Solve min sum t, |x' - x| <= t width, x' valid, for one point (d,)."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    d = len(x)
    matrix, low, high = space.rows
    scale = space.row_scale
    eye = np.eye(d)
    spread = np.diag(space.width)
    rows = [
        LinearConstraint(np.hstack([matrix / scale[:, None], np.zeros_like(matrix)]), low / scale, high / scale),
        LinearConstraint(np.hstack([eye, -spread]), -np.inf, x),
        LinearConstraint(np.hstack([eye, spread]), x, np.inf),
    ]
    solution = milp(
        np.concatenate([np.zeros(d), np.ones(d)]),
        constraints=rows,
        bounds=Bounds(np.concatenate([space.low, np.zeros(d)]), np.concatenate([space.high, np.full(d, np.inf)])),
        integrality=np.concatenate([space.discrete, np.zeros(d, bool)]),
    )
    if solution.x is None:
        check_feasible(space)
        raise StudyError(f"constraints: the solver gave up ({solution.message})")
    return polish(space, solution.x[:d])


def polish(space: Space, x: np.ndarray) -> np.ndarray:
    """Remove a solver's rounding: whole numbers exact, bounds exact, violated rows met to 1e-9 of their scale."""
    matrix, low, high = space.rows
    x = np.where(space.discrete, np.round(x), x)
    for _ in range(20):
        x = np.clip(x, space.low, space.high)
        value = matrix @ x
        excess = np.where(value < low, value - low, np.where(value > high, value - high, 0.0))
        if (np.abs(excess) <= TOLERANCE_POLISHED * space.row_scale).all():
            break
        movable = ~space.discrete & (x > space.low) & (x < space.high)
        active = excess != 0
        part = matrix[np.ix_(active, movable)]
        x[movable] -= np.linalg.lstsq(part, excess[active], rcond=None)[0]
    return x


# Tighter than what is accepted, so that writing and reading a point can't push it over the line.
TOLERANCE_POLISHED = 1e-13


# -- random walk -------------------------------------------------------------------------------------------------------


def _hit_and_run(space: Space, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw n points (n, d) by independent random walks from the centre, in the directions equalities leave free."""
    check_feasible(space)
    matrix, low, high = space.rows
    equal = _equalities(space)
    walls = np.vstack([np.eye(len(space.inputs)), matrix[~equal]])
    bottom = np.concatenate([space.low, low[~equal]])
    top = np.concatenate([space.high, high[~equal]])
    # In units of each input's width, or narrow inputs would be crossed in one step and wide ones never.
    rest = np.vstack([matrix[equal], np.eye(len(space.inputs))[~space.free]])
    basis = space.width[:, None] * _null_space(rest * space.width)
    X = np.tile(_centre(space, walls, bottom, top, basis), (n, 1))
    for _ in range(20 + 20 * basis.shape[1]):
        direction = rng.standard_normal((n, basis.shape[1])) @ basis.T
        speed, position = direction @ walls.T, X @ walls.T
        with np.errstate(divide="ignore", invalid="ignore"):
            near, far = (bottom - position) / speed, (top - position) / speed
        still = np.abs(speed) < 1e-15
        start = np.where(still, -np.inf, np.minimum(near, far)).max(axis=1)
        stop = np.where(still, np.inf, np.maximum(near, far)).min(axis=1)
        start, stop = np.minimum(start, 0), np.maximum(stop, 0)
        X += (start + rng.random(n) * (stop - start))[:, None] * direction
    X = np.array([polish(space, x) for x in X])
    return repair(space, X)[0]


def _null_space(matrix: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis (d, k) of the directions that leave every row of the matrix at rest."""
    if not len(matrix):
        return np.eye(matrix.shape[1])
    _, singular, right = np.linalg.svd(matrix)
    rank = int((singular > 1e-12 * singular.max(initial=1.0)).sum())
    return right[rank:].T


def _centre(
    space: Space, walls: np.ndarray, bottom: np.ndarray, top: np.ndarray, basis: np.ndarray
) -> np.ndarray:
    """Return the Chebyshev centre (d,): the middle of the largest ball inside (Boyd and Vandenberghe 2004, 8.5.1)."""
    from scipy.optimize import linprog

    start = _feasible(space)
    if start is None or not basis.size:
        return polish(space, np.zeros(len(space.inputs)) if start is None else start)
    reach = np.linalg.norm(walls @ basis, axis=1)
    moving = reach > 1e-12
    upper, lower = moving & np.isfinite(top), moving & np.isfinite(bottom)
    position = walls @ start
    A = np.vstack(
        [
            np.column_stack([walls[upper] @ basis, reach[upper]]),
            np.column_stack([-walls[lower] @ basis, reach[lower]]),
        ]
    )
    b = np.concatenate([top[upper] - position[upper], position[lower] - bottom[lower]])
    k = basis.shape[1]
    solution = linprog(np.r_[np.zeros(k), -1.0], A_ub=A, b_ub=b, bounds=[(None, None)] * k + [(0, None)])
    return polish(space, start + basis @ solution.x[:k] if solution.x is not None else start)
