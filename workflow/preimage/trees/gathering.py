"""What a box leaves of trees and their parts, for a relaxation of its own (`relaxation`)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from preimage.support.numba_cache import numba
from preimage.trees.boxes import CUT, FEATURE, RIGHT

# Intervals of a part up to which equal runs are kept once.
FEW = 16
# Columns of Local.tree, Local.part and Local.run.
LEAF, PART, RUN = 0, 1, 2
INPUT, FIRST, ORIGIN = 0, 1, 2
LOW, HIGH, OF = 0, 1, 2


class Local(NamedTuple):
    """What a box leaves of trees and parts; scratch of one thread, filled again for each box.

    Attributes:
        tree: first leaf, part and run of each tree; int32 (trees + 1, 3).
        part: of each part its input, first interval, and that in `Parts`; int32 (parts + 1, 3).
        begin: first cell of each interval; int32 (intervals,).
        run: intervals of each run, [low, high), and its part; int32 (runs, 3).
        leaf: of each leaf the first of `runs`; int32 (leaves + 1,).
        score: of each leaf; float64 (leaves,).
        runs: the runs of all leaves, one after the other; int32.
        price: the multiplier of each interval; float64 (intervals,).
        paid: what each run pays beyond the least payment of its part; float64 (runs,).
        at: the interval of the least payment of each run; int32 (runs,).
        least: the least payment of each part; float64 (parts,).
        chosen, there: the interval that each part's tree would have, and the one that the cell is in; int32 (parts,).
        best: best leaf of each tree; int32 (trees,).
        first: of each input the first cell of `total`; int32 (d + 1,).
        total: what all parts pay for each cell; float64 (cells,).
        cell: of each input the one for which most is paid; int32 (d,).
        weight: of each part, how much the tree's leaves vary: the scale of its multipliers; float64 (parts,).
    """

    tree: np.ndarray
    part: np.ndarray
    begin: np.ndarray
    run: np.ndarray
    leaf: np.ndarray
    score: np.ndarray
    runs: np.ndarray
    price: np.ndarray
    paid: np.ndarray
    at: np.ndarray
    least: np.ndarray
    chosen: np.ndarray
    there: np.ndarray
    best: np.ndarray
    first: np.ndarray
    total: np.ndarray
    cell: np.ndarray
    weight: np.ndarray


@numba.njit(cache=True)
def scratch(trees, parts, cells):  # type: ignore[no-untyped-def]
    """Return `Local` with room for any box of a grid with so many cells."""
    n, d, leaves = len(trees.roots), trees.low.shape[1], len(trees.low)
    count, intervals, runs = len(parts.input), len(parts.begin), len(parts.part)
    return Local(
        np.empty((n + 1, 3), np.int32), np.empty((count + 1, 3), np.int32), np.empty(intervals, np.int32),
        np.empty((runs, 3), np.int32), np.empty(leaves + 1, np.int32), np.empty(leaves), np.empty(runs, np.int32),
        np.empty(intervals), np.empty(runs), np.empty(runs, np.int32), np.empty(count), np.empty(count, np.int32),
        np.empty(count, np.int32), np.empty(n, np.int32), np.empty(d + 1, np.int32), np.empty(cells),
        np.empty(d, np.int32), np.empty(count),
    )  # fmt: skip


@numba.njit(cache=True)
def _reachable(node, root, lo, hi, stack, leaves, place):  # type: ignore[no-untyped-def]
    """List the leaves of a tree that the box [lo, hi) meets, from a place on; return where they end."""
    stack[0], size, found = root, 1, place
    while size > 0:
        size -= 1
        k = stack[size]
        while node[k, FEATURE] >= 0:
            f, cut = node[k, FEATURE], node[k, CUT]
            if hi[f] <= cut:
                k += 1
            elif lo[f] >= cut:
                k = node[k, RIGHT]
            else:
                stack[size] = node[k, RIGHT]
                size += 1
                k += 1
        leaves[found] = node[k, RIGHT]
        found += 1
    return found


@numba.njit(cache=True)
def _vary(trees, score, lo, hi, found, ends, most, varies):  # type: ignore[no-untyped-def]
    """List the leaves of every tree that a box meets, with the largest score of each tree and how much it varies."""
    stack = np.empty(trees.depth + 1, np.int32)
    for t in range(len(trees.roots)):
        a = ends[t]
        ends[t + 1] = b = _reachable(trees.node, trees.roots[t], lo, hi, stack, found, a)
        least = most[t] = score[found[a]]
        for i in range(a + 1, b):
            most[t] = max(most[t], score[found[i]])
            least = min(least, score[found[i]])
        varies[t] = most[t] - least


@numba.njit(cache=True)
def _negligible(varies, spare):  # type: ignore[no-untyped-def]
    """Say which trees are left out: those that vary least, and by no more than `spare` together."""
    left_out = np.zeros(len(varies), np.bool_)
    for t in np.argsort(varies):
        spare -= varies[t]
        if spare < 0 and varies[t] > 0:
            break
        left_out[t] = True
    return left_out


@numba.njit(cache=True)
def _add_parts(parts, t, lo, hi, varies, prices, local, part, interval, seen):  # type: ignore[no-untyped-def]
    """Take the parts of a tree that the box cuts into `Local`; return where parts and intervals end there.

    Args:
        seen: of each of the tree's parts the intervals that the box meets, [begin, end), and its place in `Local`, -1
            where the box meets one interval alone; filled in, int32 (d, 3).
    """
    start = parts.of_tree[t]
    for p in range(start, parts.of_tree[t + 1]):
        j, a, b = parts.input[p], parts.first[p], parts.first[p + 1]
        while a + 1 < b and parts.begin[a + 1] <= lo[j]:
            a += 1
        while parts.begin[b - 1] >= hi[j]:
            b -= 1
        seen[p - start, 0], seen[p - start, 1], seen[p - start, 2] = a, b, -1
        if b - a < 2:
            continue
        seen[p - start, 2] = part
        local.part[part, INPUT], local.part[part, FIRST], local.part[part, ORIGIN] = j, interval, a
        local.weight[part] = varies
        part += 1
        for i in range(a, b):
            local.begin[interval], local.price[interval] = max(parts.begin[i], lo[j]), prices[i]
            interval += 1
    return part, interval


@numba.njit(cache=True)
def _add_runs(parts, t, leaf, local, run, listed, seen, number, stamp):  # type: ignore[no-untyped-def]
    """List the runs of a leaf in `Local`, equal ones once a tree; return where runs and their list end there.

    Args:
        number, stamp: of each part and pair of ends the run that was made, and for which tree; int32 (d, ends).
    """
    start = parts.of_tree[t]
    for r in range(parts.of_leaf[leaf, 0], parts.of_leaf[leaf, 1]):
        p = parts.part[r]
        k, base = p - start, parts.first[p]
        begin, end, here = seen[k, 0], seen[k, 1], seen[k, 2]
        if here < 0:
            continue
        low, high, length = max(base + parts.low[r], begin) - begin, min(base + parts.high[r], end) - begin, end - begin
        if high - low == length:
            continue
        place, known = low * (FEW + 1) + high, -1
        if length <= FEW and stamp[k, place] == t:
            known = number[k, place]
        if known < 0:
            first = local.part[here, FIRST]
            local.run[run, LOW], local.run[run, HIGH], local.run[run, OF] = first + low, first + high, here
            known = run
            run += 1
            if length <= FEW:
                stamp[k, place], number[k, place] = t, known
        local.runs[listed] = known
        listed += 1
    return run, listed


@numba.njit(cache=True)
def gather(trees, parts, channel, lo, hi, spare, prices, local):  # type: ignore[no-untyped-def]
    """Fill in `Local` for a box; return the number of trees there, and the sum of largest scores of the others.

    Args:
        spare: what the trees that are left out may vary by together.
        prices: multipliers (intervals of `Parts`,).
    """
    n, d, score = len(trees.roots), len(lo), trees.score[channel]
    found, ends = np.empty(len(trees.low), np.int32), np.zeros(n + 1, np.int64)
    most, varies, seen = np.empty(n), np.empty(n), np.empty((d, 3), np.int32)
    _vary(trees, score, lo, hi, found, ends, most, varies)
    left_out = _negligible(varies, spare)
    number, stamp = np.empty((d, (FEW + 1) ** 2), np.int32), np.full((d, (FEW + 1) ** 2), -1)
    rest, tree, part, interval, run, leaf, listed = 0.0, 0, 0, 0, 0, 0, 0
    for t in range(n):
        if left_out[t]:
            rest += most[t]
            continue
        local.tree[tree, LEAF], local.tree[tree, PART], local.tree[tree, RUN] = leaf, part, run
        tree += 1
        part, interval = _add_parts(parts, t, lo, hi, varies[t], prices, local, part, interval, seen)
        for i in range(ends[t], ends[t + 1]):
            local.leaf[leaf], local.score[leaf] = listed, score[found[i]]
            leaf += 1
            run, listed = _add_runs(parts, t, found[i], local, run, listed, seen, number, stamp)
    local.tree[tree, LEAF], local.tree[tree, PART], local.tree[tree, RUN] = leaf, part, run
    local.part[part, FIRST], local.leaf[leaf] = interval, listed
    local.first[0] = 0
    for j in range(d):
        local.first[j + 1] = local.first[j] + hi[j] - lo[j]
    return tree, rest
