"""Sampling inside a space with linear constraints, proving it empty, and repairing a point that is outside.

Kept apart from `space`, which needs no solver. Mixed-integer linear programs go to HiGHS through scipy.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from preimage.core.space import TOLERANCE, Space
from preimage.support.errors import StudyError

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
    kept: list[np.ndarray] = [np.empty((0, len(space.inputs)))]
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
            check_feasible(space)
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
        # A category has no neighbours: it is the centre's.
        spread = np.where(space.categorical, 0.0, CLUSTER_SPREAD)
        unit = centres + spread * rng.standard_normal((n, d))
        while (outside := (unit < 0) | (unit > 1)).any():
            unit[outside] = (centres + spread * rng.standard_normal((n, d)))[outside]
    else:
        raise StudyError(f"sampling '{scheme}': expected uniform, latin_hypercube or clustered")
    X = space.low + unit * (space.high - space.low)
    whole = np.floor(space.low + unit * (space.high - space.low + 1))
    return space.codes(
        np.where(space.discrete, np.clip(whole, space.low, space.high), np.clip(X, space.low, space.high))
    )


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


def proven_empty(space: Space) -> bool:
    """Return whether a linear program proves that no point satisfies the constraints."""
    return bool(space.constraints) and _feasible(space) is None


def _feasible(space: Space) -> np.ndarray | None:
    """Return a point (d,) that is valid up to the solver's tolerance, or None where there is none."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    u = _Units.of(space)
    d = len(u.low)
    rows: Any = LinearConstraint(u.matrix, u.row_low, u.row_high) if len(u.matrix) else ()
    solution = milp(np.zeros(d), constraints=rows, bounds=Bounds(u.low, u.high), integrality=space.discrete)
    if solution.x is None and solution.status != INFEASIBLE:
        raise StudyError(f"constraints: the solver gave up ({solution.message})")
    return None if solution.x is None else u.back(solution.x)


# scipy.optimize.milp's status where it has proved that there is no solution.
INFEASIBLE = 2


class _Units(NamedTuple):
    """A space as a solver should see it, whose tolerances are absolute: inputs counted from their low in units of
    their width (whole numbers in ones), rows divided by their largest coefficient."""

    offset: np.ndarray
    unit: np.ndarray
    low: np.ndarray
    high: np.ndarray
    matrix: np.ndarray
    row_low: np.ndarray
    row_high: np.ndarray

    @classmethod
    def of(cls, space: Space) -> _Units:
        offset = np.array([i.low for i in space.inputs], float)
        unit = np.where(space.discrete, 1.0, space.width)
        matrix, low, high = space.rows
        largest = np.abs(matrix * unit).max(axis=1, initial=0.0)
        largest = np.where(largest > 0, largest, 1.0)
        held = matrix @ offset
        return cls(
            offset,
            unit,
            (space.low - offset) / unit,
            (space.high - offset) / unit,
            matrix * unit / largest[:, None],
            (low - held) / largest,
            (high - held) / largest,
        )

    def back(self, u: np.ndarray) -> np.ndarray:
        return self.offset + self.unit * u


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
    u = _Units.of(space)
    wanted = (x - u.offset) / u.unit
    eye = np.eye(d)
    spread = np.diag(space.width / u.unit)
    rows = [
        LinearConstraint(np.hstack([u.matrix, np.zeros_like(u.matrix)]), u.row_low, u.row_high),
        LinearConstraint(np.hstack([eye, -spread]), -np.inf, wanted),
        LinearConstraint(np.hstack([eye, spread]), wanted, np.inf),
    ]
    solution = milp(
        np.concatenate([np.zeros(d), np.ones(d)]),
        constraints=rows,
        bounds=Bounds(np.concatenate([u.low, np.zeros(d)]), np.concatenate([u.high, np.full(d, np.inf)])),
        integrality=np.concatenate([space.discrete, np.zeros(d, bool)]),
        options={"mip_rel_gap": 0.0},
    )
    if solution.x is None:
        check_feasible(space)
        raise StudyError(f"constraints: the solver gave up ({solution.message})")
    point = polish(space, u.back(solution.x[:d]))
    if not space.contains(point)[0]:
        raise StudyError(f"constraints: no point within the bounds meets them to {TOLERANCE:g} of their scale")
    return point


def polish(space: Space, x: np.ndarray) -> np.ndarray:
    """Remove a solver's rounding: whole numbers exact, bounds exact, violated rows met to 1e-13 of their scale.

    Whole numbers are rounded first; the other inputs make up for it, by the smallest step in units of their widths
    that mends the rows violated so far. An input that meets a bound on the way stays there.
    """
    matrix, low, high = space.rows
    x = np.clip(np.where(space.discrete, np.round(x), x), space.low, space.high)
    movable = ~space.discrete & space.free
    active = low == high
    for _ in range(len(x) + 2):
        value = matrix @ x
        excess = np.where(value < low, value - low, np.where(value > high, value - high, 0.0))
        wrong = np.abs(excess) > TOLERANCE_POLISHED * space.row_scale
        if not (wrong.any() and movable.any()):
            break
        active = active | wrong
        width = space.width[movable]
        scale = space.row_scale[active]
        part = matrix[np.ix_(active, movable)] * width / scale[:, None]
        step = x.copy()
        step[movable] -= width * np.linalg.lstsq(part, excess[active] / scale, rcond=None)[0]
        x = np.clip(step, space.low, space.high)
        movable &= x == step
    return x


# Tighter than what is accepted, so that writing and reading a point can't push it over the line.
TOLERANCE_POLISHED = 1e-13


# -- random walk -------------------------------------------------------------------------------------------------------


class _Walls(NamedTuple):
    """bottom <= rows @ u <= top, rows of length 1, u in [0, 1] over each input's width."""

    rows: np.ndarray
    bottom: np.ndarray
    top: np.ndarray


def _hit_and_run(space: Space, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw n points (n, d) by independent random walks from the centre, in the directions equalities leave free.

    Inputs that no constraint names are drawn by themselves. A whole number walks half a step beyond its bounds, so
    that rounding gives its ends the chance that the others have.
    """
    check_feasible(space)
    X = _draw(space, n, rng, "uniform")
    moving = space.free & space.rows[0].any(axis=0)
    if moving.any():
        offset, walls, rest = _walled(space, moving)
        start, basis = _centre(walls, rest, (_middle(space) - offset)[moving] / space.width[moving])
        X[:, moving] = offset[moving] + space.width[moving] * _walk(start, basis, walls, n, rng)
    X = np.array([polish(space, x) for x in X])
    return repair(space, X)[0]


def _middle(space: Space) -> np.ndarray:
    point = _feasible(space)
    assert point is not None, "check_feasible has found one"
    return polish(space, point)


def _walled(space: Space, moving: np.ndarray) -> tuple[np.ndarray, _Walls, np.ndarray]:
    """Return where u = 0 is (d,), the walls of the walk, and the equalities' rows, over the moving inputs."""
    offset = np.array([i.low for i in space.inputs], float)
    half = np.where(space.discrete, 0.5, 0.0)
    matrix, low, high = space.rows
    equal = _equalities(space)
    held = matrix @ np.where(moving, offset, space.low)
    part = matrix[:, moving] * space.width[moving]
    length = np.linalg.norm(part, axis=1)
    used = length > 0
    part, low, high = ((v[used].T / length[used]).T for v in (part, low - held, high - held))
    equal = equal[used]
    eye = np.eye(int(moving.sum()))
    bottom = ((space.low - half - offset) / space.width)[moving]
    top = ((space.high + half - offset) / space.width)[moving]
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
