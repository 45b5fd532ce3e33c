"""Linear constraints on boxes of cells: cutting off cells that no valid point has, and finding a valid point in a box.

Constraints hold to `space.TOLERANCE` of each row's scale, and so do yes and no here: a box is dropped only where every
point of it breaks a row by more than that.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from preimage import polytope
from preimage.inversion.forest_boxes import Grid
from preimage.space import TOLERANCE, Input, Linear, Space

# Beyond the tolerance by what rounding in the sums may amount to, so that no point that is accepted is cut off.
SLACK = 1.001 * TOLERANCE
PASSES = 4


class Rows(NamedTuple):
    """low <= matrix @ x <= high with the tolerance taken in, and the ends of every cell (see `Grid`)."""

    matrix: np.ndarray
    low: np.ndarray
    high: np.ndarray
    first: np.ndarray
    start: np.ndarray
    end: np.ndarray


def rows(space: Space, grid: Grid) -> Rows:
    matrix, low, high = space.rows
    slack = SLACK * space.row_scale
    return Rows(matrix, low - slack, high + slack, grid.first, grid.start, grid.end)


@numba.njit(cache=True)
def propagate(rows, lo, hi):  # type: ignore[no-untyped-def]
    """Cut cells without a valid point off the ends of the box [lo, hi), in place; return whether any are left.

    Bounds consistency, row by row (Davis 1987, Artificial Intelligence 32): each input can go as far as the others
    leave it room. Sums of a row are of the box as it was when the row was begun: still valid, only weaker.
    """
    first, start, end = rows.first, rows.start, rows.end
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
