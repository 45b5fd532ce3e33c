"""Trees that split categories by sets of values, as trees of thresholds on the values' numbers.

A set is a union of runs of neighbouring numbers, and a run lies between two thresholds: `x == 3` is 2.5 < x <= 3.5.
What the set's branch leads to is copied for each of its runs, without what the values that are still possible on a path
can't reach; so every path asks of a value no more than it has to, and what takes thresholds takes these trees.
"""

from __future__ import annotations

import numpy as np

from preimage.support.numba_cache import numba
from preimage.trees.forest import Nodes


def as_thresholds(tree: Nodes, by_set: np.ndarray, goes_left: np.ndarray, levels: np.ndarray) -> Nodes:
    """Return a tree, in preorder, whose splits by sets have become thresholds.

    Args:
        tree: the root first, in any order; thresholds of splits by sets mean nothing.
        by_set: row of `goes_left` that a node splits by, -1 where it splits a number (nodes,).
        goes_left: whether each value, by its number, goes left (sets, largest level).
        levels: number of values of each input, 0 where it is a number (d,).
    """
    first = np.r_[0, np.cumsum(levels)].astype(np.int64)
    arrays = (np.asarray(a, np.int64) for a in (tree.left, tree.right, tree.feature))
    source, feature, threshold, right = _walk(
        *arrays, tree.threshold.astype(float), np.asarray(by_set, np.int64), np.asarray(goes_left, bool), first
    )
    left = np.where(feature < 0, -1, np.arange(len(feature)) + 1)
    return Nodes(left, right, feature, threshold, tree.value[source])


@numba.njit(cache=True)
def _walk(left, right, feature, threshold, by_set, goes_left, first):  # type: ignore[no-untyped-def]
    """Return of each new node, in preorder: the node that it was, its input (-1 at a leaf), threshold, right child."""
    n, size, most = 0, 1, 2 * len(left) + 1
    source, which, child, at = (
        np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most)
    )  # fmt: skip
    # Right branches that are still to be walked: their node, whose right child they are, and the values possible there.
    waiting = np.empty((len(left) + first[-1] + 1, 2), np.int64)
    waiting_values = np.empty((len(waiting), first[-1]), np.bool_)
    waiting[0] = 0, -1
    waiting_values[0] = True
    while size > 0:
        size -= 1
        k, parent, possible = waiting[size, 0], waiting[size, 1], waiting_values[size].copy()
        if parent >= 0:
            child[parent] = n
        while True:
            f, low, high, cut, begin, end = feature[k], left[k], right[k], threshold[k], 0, 0
            inner = low >= 0
            if inner and by_set[k] >= 0:
                begin, end = first[f], first[f + 1]
                last = _middle_turn(possible[begin:end], goes_left[by_set[k]])
                if last < 0:
                    k = low if last == LEFT else high
                    continue
                # Both sides of the threshold ask the same node again, of fewer values.
                low, high, cut = k, k, last + 0.5
                end = begin + last + 1
            if n == len(source):
                source, which, child, at = _longer(source), _longer(which), _longer(child), _longer(at)
            source[n], which[n], at[n], child[n] = k, f if inner else -1, cut if inner else 0.0, -1
            n += 1
            if not inner:
                break
            waiting[size], waiting_values[size] = (high, n - 1), possible
            if end > begin:
                waiting_values[size, begin:end] = False
                possible[end : first[f + 1]] = False
            size += 1
            k = low
    return source[:n], which[:n], at[:n], child[:n]


# What `_middle_turn` returns where all values go one way.
LEFT, RIGHT = -1, -2


@numba.njit(cache=True)
def _middle_turn(possible, goes_left):  # type: ignore[no-untyped-def]
    """Return the value after which, of the possible ones in order, the way changes; of several such the middle one."""
    turns, before = 0, -1
    last = np.empty(len(possible), np.int64)
    for c in range(len(possible)):
        if possible[c]:
            if before >= 0 and goes_left[before] != goes_left[c]:
                last[turns] = before
                turns += 1
            before = c
    if turns:
        return last[turns // 2]
    return LEFT if goes_left[before] else RIGHT


@numba.njit(cache=True)
def _longer(a):  # type: ignore[no-untyped-def]
    return np.concatenate((a, np.empty_like(a)))
