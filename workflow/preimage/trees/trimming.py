"""Boxes of inputs cut by linear constraints: which part of a box can be valid, and whether all of it is.

Constraints hold to `space.TOLERANCE` of each row's scale, as everywhere. What is dropped breaks a row by more, and a
box is inside where each of its points breaks none by more.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from preimage.core.space import TOLERANCE, Space
from preimage.support.numba_cache import numba

EMPTY, INSIDE, BORDER, POINT = 0, 1, 2, 3
PASSES = 4
# Rounding in a row's sum is far less than this share of the tolerance.
SURE = 1e-3


class TrimmingRows(NamedTuple):
    """Constraints least <= matrix @ x <= most: with all of the tolerance and a rounding more, and with a rounding
    less; and the tolerance itself, of each row."""

    matrix: np.ndarray
    least: np.ndarray
    most: np.ndarray
    inner_least: np.ndarray
    inner_most: np.ndarray
    discrete: np.ndarray
    tolerance: np.ndarray


def rows(space: Space) -> TrimmingRows:
    matrix, low, high = space.rows
    tolerance = TOLERANCE * space.row_scale
    more, less = ((1 + side * SURE) * tolerance for side in (1, -1))
    return TrimmingRows(matrix, low - more, high + more, low - less, high + less, space.discrete, tolerance)


@numba.njit(cache=True)
def _range(row, start, end):  # type: ignore[no-untyped-def]
    """Return the least and the largest value of a linear form on the box [start, end]."""
    least = most = 0.0
    for j in range(len(start)):
        a, b = row[j] * start[j], row[j] * end[j]
        least += min(a, b)
        most += max(a, b)
    return least, most


@numba.njit(cache=True)
def trim(rows, start, end):  # type: ignore[no-untyped-def]
    """Cut off, in place, what no valid point of the box [start, end] has; return whether any is left."""
    for _ in range(PASSES):
        moved = False
        for r in range(len(rows.matrix)):
            least, most = _range(rows.matrix[r], start, end)
            if least > rows.most[r] or most < rows.least[r]:
                return False
            for j in range(len(start)):
                c = rows.matrix[r, j]
                if c == 0 or start[j] == end[j]:
                    continue
                up, down = (rows.most[r] - least) / abs(c), (most - rows.least[r]) / abs(c)
                upper, lower = (start[j] + up, end[j] - down) if c > 0 else (start[j] + down, end[j] - up)
                if rows.discrete[j]:
                    upper, lower = np.floor(upper), np.ceil(lower)
                if upper < end[j]:
                    end[j], moved = upper, True
                if lower > start[j]:
                    start[j], moved = lower, True
                if end[j] < start[j]:
                    return False
        if not moved:
            break
    return True


@numba.njit(cache=True)
def _examine_one(rows, start, end, cut):  # type: ignore[no-untyped-def]
    if not trim(rows, start, end):
        return EMPTY
    state, widest = INSIDE, 0.0
    for r in range(len(rows.matrix)):
        least, most = _range(rows.matrix[r], start, end)
        if least >= rows.inner_least[r] and most <= rows.inner_most[r]:
            continue
        if state == INSIDE:
            state = POINT
        for j in range(len(start)):
            share = abs(rows.matrix[r, j]) * (end[j] - start[j]) / (most - least) if most > least else 0.0
            if share > widest:
                widest, state = share, BORDER
                middle = start[j] / 2 + end[j] / 2
                cut[0], cut[1] = j, np.floor(middle) if rows.discrete[j] else middle if middle < end[j] else start[j]
    return state


@numba.njit(cache=True, nogil=True)
def examine(begin, stop, rows, start, end, state, cut):  # type: ignore[no-untyped-def]
    """Trim boxes begin to stop of (n, d) in place, and say of each whether nothing of it is valid (EMPTY), all of it
    (INSIDE), whether it must be split (BORDER; `cut` (n, 2): at which input and value), or is a POINT to be tried."""
    for i in range(begin, stop):
        state[i] = _examine_one(rows, start[i], end[i], cut[i])
