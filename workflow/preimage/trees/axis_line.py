"""The whole of a line along one input, cell by cell.

Changes of the trees' leaves lie on the grid, so they are added up in one number a cell, and no sorting is needed.
"""

from __future__ import annotations

import numpy as np

from preimage.support.numba_cache import numba
from preimage.trees.boxes import CUT, FEATURE, RIGHT
from preimage.trees.objective import loss_at


@numba.njit(cache=True)
def cell_of(grid, j, v):  # type: ignore[no-untyped-def]
    """Return the cell of input j that holds the value v, which is inside the bounds."""
    a, b = grid.first[j], grid.first[j + 1] - 1
    while a < b:
        middle = (a + b) // 2
        if grid.end[middle] < v:
            a = middle + 1
        else:
            b = middle
    return a - grid.first[j]


@numba.njit(cache=True)
def add_changes(trees, cell, j, begin, stop, delta, total):  # type: ignore[no-untyped-def]
    """Walk the trees along cells [begin, stop) of input j, the others as in `cell` (d,).

    Outputs in the first of these cells go to `total` (outputs,), what changes on entering a later one is added to
    `delta` (cells, outputs).
    """
    step = 1 if len(trees.score) == 1 else 2
    node, score, m = trees.node, trees.score, len(total)
    stack, ends = np.empty(trees.depth + 1, np.int32), np.empty(trees.depth + 1, np.int32)
    # The cells [lo, hi) of each input that lead to where the walk is: more than one of input j alone.
    lo, hi = cell.copy(), cell + 1
    for c in range(m):
        total[c] = trees.start[step * c + step - 1]
    for root in trees.roots:
        k, size, before = root, 0, -1
        lo[j], hi[j] = begin, stop
        while True:
            f = node[k, FEATURE]
            while f >= 0:
                cut, right = node[k, CUT], node[k, RIGHT]
                left = lo[f] < cut
                if left and hi[f] > cut:
                    stack[size], ends[size] = right, hi[j]
                    size += 1
                    hi[j] = cut
                # One expression, so that it compiles to no branch: which way a node goes can't be predicted.
                k = k + 1 if left else right
                f = node[k, FEATURE]
            leaf = node[k, RIGHT]
            for c in range(m):
                row = step * c + step - 1
                if before < 0:
                    total[c] += score[row, leaf]
                else:
                    delta[lo[j], c] += score[row, leaf] - score[row, before]
            if size == 0:
                break
            size -= 1
            before = leaf
            k, lo[j], hi[j] = stack[size], hi[j], ends[size]


@numba.njit(cache=True)
def best_stretch(wanted, grid, j, low, high, whole, begin, stop, delta, total):  # type: ignore[no-untyped-def]
    """Return the loss at the best place of input j between the values `low` and `high`, which lie in the first and
    last of the cells [begin, stop), and the place: the middle of the widest stretch that has it. Clears `delta`."""
    best, place, width = np.inf, low, -1.0
    first, left = grid.first[j], begin
    for cell in range(begin + 1, stop + 1):
        changed = cell == stop
        if not changed:
            for c in range(len(total)):
                changed = changed or delta[cell, c] != 0
        if not changed:
            continue
        a, b = max(grid.start[first + left], low), min(grid.end[first + cell - 1], high)
        middle = a / 2 + b / 2
        if whole:
            a, b = np.ceil(a), np.floor(b)
            middle = np.floor((a + b) / 2)
        if a <= b:
            loss = loss_at(wanted, total)
            if loss < best or (loss == best and b - a > width):
                best, place, width = loss, middle, b - a
        if cell < stop:
            for c in range(len(total)):
                total[c] += delta[cell, c]
                delta[cell, c] = 0.0
        left = cell
    return best, place
