"""Constraints on boxes of cells: cutting off cells that no valid point has, and finding a valid point in a box.

Constraints hold to `space.TOLERANCE` of each row's scale, and so do yes and no here: a box is dropped only where every
point of it breaks a row by more than that.

So do the limits of the domain (`forest_domain`): a box that is too far from every row, or isolated throughout, is
dropped too.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from preimage import polytope
from preimage.compiled import numba
from preimage.errors import StudyError
from preimage.inversion.forest_boxes import NO_TREES, Grid, Trees, best_leaf
from preimage.inversion.forest_domain import Domain, Near
from preimage.space import TOLERANCE, Input, Linear, Space

# Beyond the tolerance by what rounding in the sums may amount to, so that no point that is accepted is cut off.
SLACK = 1.001 * TOLERANCE
PASSES = 4


class Rows(NamedTuple):
    """low <= matrix @ x <= high with the tolerance taken in, and the ends of every cell (see `Grid`).

    Attributes:
        data, width, reach: rows to be near to, what inputs are scaled by, how near; reach is inf where that is all one.
        paths, least: trees of an isolation forest, and what its paths must add up to; none and -inf likewise.
    """

    matrix: np.ndarray
    low: np.ndarray
    high: np.ndarray
    first: np.ndarray
    start: np.ndarray
    end: np.ndarray
    data: np.ndarray
    width: np.ndarray
    reach: float
    paths: Trees
    least: float


def rows(space: Space, grid: Grid, domain: Domain | None = None) -> Rows:
    matrix, low, high = space.rows
    slack = SLACK * space.row_scale
    near, common = (None, None) if domain is None else (domain.near, domain.common)
    data = np.empty((0, len(space.inputs))) if near is None else np.ascontiguousarray(near.data, float)
    reach = np.inf if near is None else near.distance
    paths = NO_TREES if common is None or domain is None or domain.paths is None else domain.paths
    least = -np.inf if common is None else common.least
    return Rows(
        matrix, low - slack, high + slack, grid.first, grid.start, grid.end, data, space.width, reach, paths, least
    )


@numba.njit(cache=True)
def is_near(rows, lo, hi):  # type: ignore[no-untyped-def]
    """Return whether the box [lo, hi) may hold an input near a row: beyond rounding, none of another does."""
    first, most = rows.first, rows.reach * rows.reach * (1 + 1e-12)
    for i in range(len(rows.data)):
        square = 0.0
        for j in range(len(lo)):
            a, b, x = rows.start[first[j] + lo[j]], rows.end[first[j] + hi[j] - 1], rows.data[i, j]
            away = (a - x if x < a else x - b if x > b else 0.0) / rows.width[j]
            square += away * away
            if square > most:
                break
        if square <= most:
            return True
    return False


@numba.njit(cache=True)
def is_common(rows, lo, hi):  # type: ignore[no-untyped-def]
    """Return whether the box [lo, hi) may hold an input whose paths are long enough."""
    paths, total = rows.paths, 0.0
    stack, value = np.empty(paths.depth + 1, np.int32), np.empty(paths.depth + 1)
    for root in paths.roots:
        total += paths.score[0, best_leaf(paths.node, paths.most[0], root, lo, hi, stack, value)]
    return total >= rows.least


@numba.njit(cache=True)
def propagate(rows, lo, hi):  # type: ignore[no-untyped-def]
    """Cut cells without a valid point off the ends of the box [lo, hi), in place; return whether any are left.

    Bounds consistency, row by row (Davis 1987, Artificial Intelligence 32): each input can go as far as the others
    leave it room. Sums of a row are of the box as it was when the row was begun: still valid, only weaker.
    """
    first, start, end = rows.first, rows.start, rows.end
    if rows.reach < np.inf and not is_near(rows, lo, hi):
        return False
    if rows.least > -np.inf and not is_common(rows, lo, hi):
        return False
    for _ in range(PASSES):
        moved = False
        for r in range(len(rows.matrix)):
            least = most = 0.0
            for j in range(len(lo)):
                c = rows.matrix[r, j]
                if c != 0:
                    a, b = c * start[first[j] + lo[j]], c * end[first[j] + hi[j] - 1]
                    least += min(a, b)
                    most += max(a, b)
            if least > rows.high[r] or most < rows.low[r]:
                return False
            for j in range(len(lo)):
                c = rows.matrix[r, j]
                if c == 0:
                    continue
                a, b = start[first[j] + lo[j]], end[first[j] + hi[j] - 1]
                up, down = (rows.high[r] - least) / abs(c), (most - rows.low[r]) / abs(c)
                upper, lower = (a + up, b - down) if c > 0 else (a + down, b - up)
                # An infinite end of a row gives an infinite end here, and cuts nothing.
                while hi[j] > lo[j] and start[first[j] + hi[j] - 1] > upper:
                    hi[j] -= 1
                    moved = True
                while hi[j] > lo[j] and end[first[j] + lo[j]] < lower:
                    lo[j] += 1
                    moved = True
                if hi[j] <= lo[j]:
                    return False
        if not moved:
            break
    return True


def near_point(space: Space, near: Near, start: np.ndarray, end: np.ndarray) -> np.ndarray | None:
    """Return a point (d,) between `start` and `end` that is near the data; None where it is proven that there is none.

    Raises StudyError where neither is certain: where linear constraints, or rows between whole numbers, leave no row
    moved into the box a valid point, another input near it may still be one.
    """
    points = near.moved(space, start, end)
    if len(points):
        return np.asarray(points[0])
    square = (((np.clip(near.data, start, end) - near.data) / space.width) ** 2).sum(axis=1)
    if (square <= near.distance**2 * (1 + 1e-12)).any():
        raise StudyError("an input near the data can't be told from none")
    return None


def valid_point(space: Space, start: np.ndarray, end: np.ndarray) -> np.ndarray | None:
    """Return a point (d,) of the space between `start` and `end`, near the middle; None where it is proven empty.

    Raises StudyError where neither is certain (a sliver thinner than a solver can tell).
    """
    middle = np.where(space.discrete, np.floor((start + end) / 2), start / 2 + end / 2)
    middle = np.clip(middle, start, end)
    if space.contains(middle)[0]:
        return middle
    inside = _within(space, start, end)
    point = polytope.polish(inside, middle)
    if space.contains(point)[0]:
        return point
    if polytope.proven_empty(inside):
        return None
    return np.asarray(polytope.repair(inside, middle[None])[0][0])


def _within(space: Space, start: np.ndarray, end: np.ndarray) -> Space:
    """Return the space cut down to a box; rows keep the scale that they have in the whole."""
    inputs = tuple(
        Input(i.name, float(a), float(b), bool(whole))
        for i, a, b, whole in zip(space.inputs, start, end, space.discrete, strict=True)
    )
    return Space(inputs, tuple(Linear(c.coefficients, c.low, c.high) for c in space.constraints))
