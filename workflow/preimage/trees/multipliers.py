"""Multipliers that make trees agree on a cell: where each may take leaves that no cell has in common, a Lagrangian
relaxation charges it for that.

A part is a tree and an input that it splits. The cuts of the part divide the input into intervals, and each interval
has a multiplier, which the tree pays where the cell lies in it. What all trees pay for a cell is a sum of functions of
one input each, whose largest value is plain. So for any multipliers, the sum of trees on a box is at most

    sum over trees of the largest (leaf - its least payments) + sum over inputs of the largest payment of all trees.

With multipliers of 0 this is the bound of each tree by itself; better ones are found by subgradient steps. (The
relaxation: Guignard and Kim 1987, "Lagrangean decomposition", Mathematical Programming 39. Its value is that of a
linear program which is tighter than that of Mišić 2020, "Optimization of tree ensembles", Operations Research 68, whose
constraints are one for each side of each split.)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from preimage.support.numba_cache import numba
from preimage.trees.boxes import CUT, FEATURE, RIGHT, Grid, Trees


class Parts(NamedTuple):
    """Which input each part is of, which cells its intervals begin at, and which intervals each leaf meets.

    Attributes:
        of_tree: first part of each tree; int32 (trees + 1,).
        input: of each part; int32 (parts,).
        first: first interval of each part; int32 (parts + 1,).
        begin: first cell of each interval, which ends where the part's next one begins; int32 (intervals,).
        of_leaf: first run of each leaf and the end of its runs; int32 (leaves, 2). A leaf has a run for each part of
            which it doesn't meet all intervals.
        part: of each run; int32 (runs,).
        low, high: intervals of the part that a run has, [low, high); int32 (runs,).
        longest: most intervals of a part.
    """

    of_tree: np.ndarray
    input: np.ndarray
    first: np.ndarray
    begin: np.ndarray
    of_leaf: np.ndarray
    part: np.ndarray
    low: np.ndarray
    high: np.ndarray
    longest: int


def parts(trees: Trees, grid: Grid) -> Parts:
    """Return the parts of trees on their grid."""
    d, nodes = len(grid.shape), len(trees.node)
    runs = len(trees.low) * min(trees.depth, d)
    of_tree, of_leaf = np.zeros(len(trees.roots) + 1, np.int32), np.zeros((len(trees.low), 2), np.int32)
    input_, first, begin = np.empty(nodes, np.int32), np.zeros(nodes + 1, np.int32), np.empty(2 * nodes, np.int32)
    part, low, high = (np.empty(runs, np.int32) for _ in range(3))
    count, used = _fill(
        trees.node, trees.roots, trees.low, trees.high, grid.shape, of_tree, input_, first, begin,
        of_leaf, part, low, high,
    )  # fmt: skip
    first = first[: count + 1].copy()
    return Parts(
        of_tree, input_[:count].copy(), first, begin[: first[-1]].copy(), of_leaf,
        part[:used].copy(), low[:used].copy(), high[:used].copy(), int(np.diff(first).max(initial=0)),
    )  # fmt: skip


@numba.njit(cache=True)
def _fill(node, roots, leaf_low, leaf_high, shape, of_tree, input_, first, begin, of_leaf, part, low, high):  # type: ignore[no-untyped-def]
    """Fill in the arrays of `Parts`; return the number of parts and of runs."""
    stack, keys, leaves = np.empty(len(node), np.int32), np.empty(len(node), np.int64), np.empty(len(node), np.int32)
    most = shape.max() + 1
    parts = runs = 0
    for t in range(len(roots)):
        stack[0], size, inner, found = roots[t], 1, 0, 0
        while size > 0:
            size -= 1
            k = stack[size]
            if node[k, FEATURE] < 0:
                leaves[found] = node[k, RIGHT]
                found += 1
                continue
            keys[inner] = np.int64(node[k, FEATURE]) * most + node[k, CUT]
            inner += 1
            stack[size], stack[size + 1] = node[k, RIGHT], k + 1
            size += 2
        ordered = np.sort(keys[:inner])
        of_tree[t] = parts
        for i in range(inner):
            if i > 0 and ordered[i] == ordered[i - 1]:
                continue
            j = ordered[i] // most
            if parts == of_tree[t] or input_[parts - 1] != j:
                input_[parts] = j
                begin[first[parts]] = 0
                first[parts + 1] = first[parts] + 1
                parts += 1
            begin[first[parts]] = ordered[i] % most
            first[parts] += 1
        for i in range(found):
            leaf = leaves[i]
            of_leaf[leaf, 0] = runs
            for p in range(of_tree[t], parts):
                j = input_[p]
                if leaf_low[leaf, j] == 0 and leaf_high[leaf, j] == shape[j]:
                    continue
                own = begin[first[p] : first[p + 1]]
                part[runs] = p
                low[runs] = np.searchsorted(own, leaf_low[leaf, j])
                high[runs] = np.searchsorted(own, leaf_high[leaf, j])
                runs += 1
            of_leaf[leaf, 1] = runs
    of_tree[len(roots)] = parts
    return parts, runs
