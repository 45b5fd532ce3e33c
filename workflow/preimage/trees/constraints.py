"""Constraints on boxes of cells: cutting off cells that no valid point has (`forest_nearest` finds one that is).

Constraints hold to `space.TOLERANCE` of each row's scale, and so do yes and no here: a box is dropped only where every
point of it breaks a row by more than that.

So do the limits of the domain (`forest_domain`): a box whose valid part is too far from every row, or that is isolated
throughout, is dropped too.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from preimage.core.space import TOLERANCE, Space
from preimage.support.numba_cache import numba
from preimage.trees.boxes import NO_TREES, Grid, Trees, best_leaf
from preimage.trees.domain import ROUNDING, Domain
from preimage.trees.projection import is_far

# Beyond the tolerance by what rounding in the sums may amount to, so that no point that is accepted is cut off.
SLACK = 1.001 * TOLERANCE
PASSES = 4


class ConstraintRows(NamedTuple):
    """low <= matrix @ x <= high with the tolerance taken in, and the ends of every cell (see `Grid`).

    Attributes:
        data, width, most: rows to be near to, what inputs are scaled by, and the largest square of a distance that is
            near; inf where that is all one.
        category: which inputs are categories: another one is 1 away.
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
    category: np.ndarray
    most: float
    paths: Trees
    least: float


def rows(space: Space, grid: Grid, domain: Domain | None = None) -> ConstraintRows:
    matrix, low, high = space.rows
    slack = SLACK * space.row_scale
    near, common = (None, None) if domain is None else (domain.near, domain.common)
    data = np.empty((0, len(space.inputs))) if near is None else np.ascontiguousarray(near.data, float)
    most = np.inf if near is None else near.most * (1 + ROUNDING)
    paths = NO_TREES if common is None or domain is None or domain.paths is None else domain.paths
    least = -np.inf if common is None else common.least
    return ConstraintRows(
        matrix, low - slack, high + slack, grid.first, grid.start, grid.end,
        data, space.width, space.categorical, most, paths, least,
    )  # fmt: skip


@numba.njit(cache=True)
def is_near(rows, lo, hi):  # type: ignore[no-untyped-def]
    """Return whether the box [lo, hi) may hold a valid input near a row: beyond rounding, none of another does."""
    first = rows.first
    for i in range(len(rows.data)):
        square = 0.0
        for j in range(len(lo)):
            a, b, x = rows.start[first[j] + lo[j]], rows.end[first[j] + hi[j] - 1], rows.data[i, j]
            away = a - x if x < a else x - b if x > b else 0.0
            if rows.category[j]:
                square += away > 0
            else:
                away /= rows.width[j]
                square += away * away
            if square > rows.most:
                break
        if square <= rows.most and (len(rows.matrix) == 0 or _meets(rows, lo, hi, i)):
            return True
    return False


@numba.njit(cache=True)
def _meets(rows, lo, hi, i):  # type: ignore[no-untyped-def]
    """Return whether constraints may leave an input near row i of the data in the box, as far as a glance can tell."""
    d, m, x = len(lo), len(rows.matrix), rows.data[i]
    least, most, low, high = np.empty(d), np.empty(d), np.empty(m), np.empty(m)
    limit, valid = rows.most, True
    for j in range(d):
        least[j], most[j] = rows.start[rows.first[j] + lo[j]] - x[j], rows.end[rows.first[j] + hi[j] - 1] - x[j]
        if rows.category[j] and (least[j] > 0 or most[j] < 0):
            limit -= 1.0
    for r in range(m):
        held = value = 0.0
        for j in range(d):
            held += rows.matrix[r, j] * x[j]
            value += rows.matrix[r, j] * min(max(0.0, least[j]), most[j])
        low[r], high[r] = rows.low[r] - held, rows.high[r] - held
        valid = valid and low[r] <= value <= high[r]
    if valid:
        return True
    for j in range(d):
        if rows.category[j]:
            least[j], most[j] = 0.0, 0.0
    return not is_far(rows.matrix, low, high, rows.width, least, most, limit)


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
    if rows.most < np.inf and not is_near(rows, lo, hi):
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
