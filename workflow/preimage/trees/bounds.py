"""Bounds of boxes, and where to split them: what the exact searches of a forest compute.

A box's bound is the least loss that the trees' best leaves on it allow, each tree by itself. Where these leaves have a
cell in common the bound is attained there; where they have not, the box is split at the cut that takes its best leaf
away from most trees on both sides. (Bounds of the kind: Chen et al. 2019, "Robustness verification of tree-based
models", NeurIPS; the branching is ours.)
"""

from __future__ import annotations

import numpy as np

from preimage.support.numba_cache import numba
from preimage.trees.boxes import added, best_leaf
from preimage.trees.constraints import propagate
from preimage.trees.objective import hardest, least_loss

# What comes of a box: it is split in two, or its bound is attained in a part of it.
SPLIT, ATTAINED = 1, 2


@numba.njit(cache=True)
def best_split(low, high, leaves, lo, hi):  # type: ignore[no-untyped-def]
    """Return the input and cut at which most leaves are lost on both sides of the box, (-1, 0) where none is.

    Args:
        leaves: one leaf a tree (n,), each of which the box [lo, hi) meets.
    """
    n = len(leaves)
    best, at, input_ = 0.0, 0, -1
    begins, ends = np.empty(n, np.int32), np.empty(n, np.int32)
    for j in range(len(lo)):
        a = b = 0
        for i in range(n):
            # Written whether kept or not: no branch to guess.
            begins[a], ends[b] = low[leaves[i], j], high[leaves[i], j]
            a += begins[a] > lo[j]
            b += ends[b] < hi[j]
        if min(a, b) + 0.1 * max(a, b) <= best or a == 0 or b == 0:
            continue  # no cut of this input can be better
        first, last = np.sort(begins[:a]), np.sort(ends[:b])
        # At a cut, leaves that begin there or later are lost on the left, leaves that end by there on the right.
        p = 0
        for q in range(b):
            if q + 1 < b and last[q + 1] == last[q]:
                continue
            while p < a and first[p] < last[q]:
                p += 1
            left, right = a - p, q + 1
            score = min(left, right) + 0.1 * max(left, right) if left > 0 else 0.0
            if score > best:
                best, at, input_ = score, last[q], j
    return input_, at


@numba.njit(cache=True)
def total_of(trees, leaves):  # type: ignore[no-untyped-def]
    """Return the sum of each channel's leaves, (channels,), in the order and with the rounding of `predict`."""
    score, total = trees.score, trees.start.copy()
    for c in range(len(leaves)):
        for t in range(leaves.shape[1]):
            total[c] = added(total[c], score[c, leaves[c, t]], trees.single)
    return total


@numba.njit(cache=True)
def meets(low, high, leaf, lo, hi):  # type: ignore[no-untyped-def]
    for j in range(len(lo)):  # noqa: SIM110 (a generator is slow to compile here)
        if low[leaf, j] >= hi[j] or high[leaf, j] <= lo[j]:
            return False
    return True


@numba.njit(cache=True)
def update(trees, lo, hi, leaves, narrowed):  # type: ignore[no-untyped-def]
    """Replace, in place, each best leaf (channels, trees) that the box has lost; -1 counts as lost.

    Args:
        narrowed: the one input in which the box is narrower than it was; -1 where it may be more.
    """
    low, high = trees.low, trees.high
    stack, value = np.empty(trees.depth + 1, np.int32), np.empty(trees.depth + 1)
    for c in range(len(leaves)):
        for t in range(leaves.shape[1]):
            leaf = leaves[c, t]
            if leaf < 0:
                kept = False
            elif narrowed >= 0:
                kept = low[leaf, narrowed] < hi[narrowed] and high[leaf, narrowed] > lo[narrowed]
            else:
                kept = meets(low, high, leaf, lo, hi)
            if not kept:
                leaves[c, t] = best_leaf(trees.node, trees.most[c], trees.roots[t], lo, hi, stack, value)


@numba.njit(cache=True)
def _common(trees, leaves, lo, hi):  # type: ignore[no-untyped-def]
    """Shrink the box, in place, to what all leaves have of it."""
    for j in range(len(lo)):
        for i in range(len(leaves)):
            lo[j] = max(lo[j], trees.low[leaves[i], j])
            hi[j] = min(hi[j], trees.high[leaves[i], j])


@numba.njit(cache=True)
def _put(lo, hi, lo_there, hi_there):  # type: ignore[no-untyped-def]
    """Copy a box. Assigning a slice would take 4 s more to compile, for an error message that can't be."""
    for j in range(len(lo)):
        lo_there[j], hi_there[j] = lo[j], hi[j]


@numba.njit(cache=True)
def _expand_one(  # type: ignore[no-untyped-def]
    trees, wanted, rows, limit, lo, hi, leaves, child_lo, child_hi, child_leaves, child_loss
):
    linear = not np.isnan(wanted.slope)
    total = total_of(trees, leaves)
    bounding = 0 if linear else hardest(wanted, total)
    conflict = leaves[bounding].copy()
    j, cut = best_split(trees.low, trees.high, conflict, lo, hi)
    if j < 0 and not linear and (len(wanted.low) > 1 or least_loss(wanted, total) <= 0):
        # This channel's bound is attained, but others bear on the loss: split until all of them are.
        conflict = leaves.copy().reshape(leaves.size)
        j, cut = best_split(trees.low, trees.high, conflict, lo, hi)
    _put(lo, hi, child_lo[0], child_hi[0])
    if j < 0:
        _common(trees, conflict, child_lo[0], child_hi[0])
        return ATTAINED
    _put(lo, hi, child_lo[1], child_hi[1])
    child_hi[0, j] = cut
    child_lo[1, j] = cut
    for side in range(2):
        for c in range(len(leaves)):
            for t in range(leaves.shape[1]):
                child_leaves[side, c, t] = leaves[c, t]
        child_loss[side] = np.inf
        if propagate(rows, child_lo[side], child_hi[side]):
            narrowed = j if len(rows.matrix) == 0 else -1
            update(trees, child_lo[side], child_hi[side], child_leaves[side], narrowed)
            loss = least_loss(wanted, total_of(trees, child_leaves[side]))
            if loss < limit:
                child_loss[side] = loss
    return SPLIT


@numba.njit(cache=True, nogil=True)
def expand(  # type: ignore[no-untyped-def]
    begin, stop, trees, wanted, rows, limit, lo, hi, leaves, state, child_lo, child_hi, child_leaves, child_loss
):
    """Expand boxes begin to stop of (n, d): state (n,), and for a split the children (n, 2, ...).

    `limit` is the loss to beat: a child that can't has loss inf. A box of state ATTAINED is shrunk, in its first child,
    to where the bound is attained.
    """
    for i in range(begin, stop):
        state[i] = _expand_one(
            trees, wanted, rows, limit, lo[i], hi[i], leaves[i],
            child_lo[i], child_hi[i], child_leaves[i], child_loss[i],
        )  # fmt: skip


@numba.njit(cache=True)
def _bound_one(trees, wanted, rows, lo, hi, leaves):  # type: ignore[no-untyped-def]
    if not propagate(rows, lo, hi):
        return np.inf
    update(trees, lo, hi, leaves, -1)
    return least_loss(wanted, total_of(trees, leaves))


@numba.njit(cache=True, nogil=True)
def bound(begin, stop, trees, wanted, rows, lo, hi, leaves, loss):  # type: ignore[no-untyped-def]
    """Bound boxes begin to stop of (n, d): cut them to the constraints, find best leaves; loss inf where empty."""
    for i in range(begin, stop):
        loss[i] = _bound_one(trees, wanted, rows, lo[i], hi[i], leaves[i])
