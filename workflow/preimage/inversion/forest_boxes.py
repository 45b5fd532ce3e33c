"""A forest on the grid of its own thresholds: boxes of whole cells, and the best leaf that a box can reach.

A forest is constant on each cell of that grid. `predict` compares x, or float32(x), with a threshold, so a cut is kept
as the largest float64 that still goes left, or for a whole number the largest whole number: cell i of an input is the
half-open interval (cut i - 1, cut i], and every cell holds an input that `predict` can see. A box is a product of runs
of cells [low, high), as whole numbers: nothing about it is rounded.

What a tree gives on a box is at most the largest score of its leaves that the box meets. Floating-point addition is
monotone in each term, so these maxima, added in the order in which `predict` adds, bound the very number that `predict`
returns anywhere in the box, rounding and all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from preimage.compiled import numba
from preimage.space import Space
from preimage.surrogates.forest import Forest

# Columns of Trees.node.
FEATURE, CUT, RIGHT = 0, 1, 2


@dataclass(frozen=True)
class Grid:
    """The cells of a space, input by input, one after the other.

    Attributes:
        first: position of each input's first cell, int32 (d + 1,); input j has cells first[j] to first[j + 1].
        start, end: smallest and largest float64 in each cell, both inside the space's bounds.
    """

    first: np.ndarray
    start: np.ndarray
    end: np.ndarray

    @property
    def shape(self) -> np.ndarray:
        """Number of cells of each input, int32 (d,)."""
        return np.diff(self.first)

    def ends(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return smallest and largest inputs (n, d) of boxes of cells [low, high), each (n, d)."""
        return self.start[self.first[:-1] + low], self.end[self.first[:-1] + high - 1]

    def cell(self, X: np.ndarray) -> np.ndarray:
        """Return the cell (n, d) that each point (n, d) of the space is in."""
        parts = [self.end[a:b] for a, b in zip(self.first[:-1], self.first[1:], strict=True)]
        return np.column_stack([np.searchsorted(end, X[:, j]) for j, end in enumerate(parts)]).astype(np.int32)


class Channels(NamedTuple):
    """What is to be made large: of each leaf (channels, leaves), and what its sums start from (channels,), in the dtype
    in which they are added up."""

    score: np.ndarray
    start: np.ndarray


class Trees(NamedTuple):
    """Trees in preorder on a grid, without the parts that lie outside it; the left child of node k is k + 1.

    Attributes:
        node: input, cut and right child of each inner node: left is cell < cut; -1, 0 and the leaf of a leaf;
            int32 (nodes, 4), the last for alignment.
        at: largest input that goes left; float64 (nodes,).
        roots: first node of each tree; int32 (trees,).
        low, high: the box of each leaf, [low, high) in cells; int32 (leaves, d).
        score: what is to be made large, by channel; float64 (channels, leaves).
        most: largest score below each node's left and right child, at a leaf its own twice;
            float64 (channels, nodes, 2).
        depth: an upper bound of the length of a path.
        start: what the sums start from; their dtype, float32 or float64 (channels,).
    """

    node: np.ndarray
    at: np.ndarray
    roots: np.ndarray
    low: np.ndarray
    high: np.ndarray
    score: np.ndarray
    most: np.ndarray
    depth: int
    start: np.ndarray


def last_left(threshold: np.ndarray) -> np.ndarray:
    """Return the largest float64 x that goes left: that with float32(x) <= threshold for float32 thresholds (n,), the
    threshold itself for float64 ones.

    Rounding is to nearest, ties to even: the last is halfway to the next float32, or just below.
    """
    if threshold.dtype == np.float64:
        return threshold
    after = np.nextafter(threshold, np.float32(np.inf)).astype(float)
    halfway = threshold.astype(float) / 2 + after / 2
    with np.errstate(over="ignore"):
        goes_left = halfway.astype(np.float32) <= threshold
    return np.where(goes_left, halfway, np.nextafter(halfway, -np.inf))


def build(forest: Forest, space: Space, channels: Channels) -> tuple[Grid, Trees]:
    """Return the grid of a forest inside a space's bounds, and its trees there."""
    d = len(space.inputs)
    cut, at = np.zeros(len(forest.feature), np.int32), np.zeros(len(forest.feature))
    start, end = [], []
    for j in range(d):
        mine = np.flatnonzero(forest.feature == j)
        thresholds = np.unique(forest.threshold[mine])
        last = last_left(thresholds)
        last = np.floor(last) if space.discrete[j] else last
        cuts = np.unique(last[(last >= space.low[j]) & (last < space.high[j])])
        # A cut below the bounds gets 0 and sends all right, one above them the number of cells and sends all left.
        place = np.where(last < space.low[j], 0, np.searchsorted(cuts, last) + 1)
        which = np.searchsorted(thresholds, forest.threshold[mine])
        cut[mine], at[mine] = place[which], last[which]
        after = cuts + 1 if space.discrete[j] else np.nextafter(cuts, np.inf)
        start.append(np.r_[space.low[j], after])
        end.append(np.r_[cuts, space.high[j]])
    first = np.r_[0, np.cumsum([len(s) for s in start])].astype(np.int32)
    grid = Grid(first, np.concatenate(start), np.concatenate(end))
    depth = int(_depth(forest.feature, forest.right, forest.roots)) + 1
    score = np.ascontiguousarray(channels.score, float)
    kept: Any = _prune(forest.feature, cut, at, forest.right, forest.roots, grid.shape, score, depth)
    return grid, Trees._make((*kept, depth, np.ascontiguousarray(channels.start)))


@numba.njit(cache=True)
def _depth(feature, right, roots):  # type: ignore[no-untyped-def]
    depth = np.zeros(len(feature), np.int32)
    for k in range(len(feature)):
        if feature[k] >= 0:
            depth[k + 1] = depth[right[k]] = depth[k] + 1
    return depth.max()


@numba.njit(cache=True)
def _prune(feature, cut, at, right, roots, shape, score, depth):  # type: ignore[no-untyped-def]
    """Keep what the grid can reach; a node below which all scores are equal becomes a leaf."""
    n, d, channels = len(feature), len(shape), len(score)
    one = np.empty(n, np.int32)  # some leaf below
    same = np.ones(n, np.bool_)
    for k in range(n - 1, -1, -1):
        if feature[k] < 0:
            one[k] = right[k]
        else:
            a, b = k + 1, right[k]
            one[k] = one[a]
            same[k] = same[a] and same[b]
            for c in range(channels):
                same[k] = same[k] and score[c, one[a]] == score[c, one[b]]
    node = np.zeros((n, 4), np.int32)
    kept_at = np.zeros(n)
    kept_roots = np.empty(len(roots), np.int32)
    leaves = score.shape[1]
    low, high = np.empty((leaves, d), np.int32), np.empty((leaves, d), np.int32)
    leaf_score = np.empty((channels, leaves))
    todo, parent = np.empty(depth + 2, np.int32), np.empty(depth + 2, np.int32)
    lo, hi = np.zeros((depth + 2, d), np.int32), np.zeros((depth + 2, d), np.int32)
    nodes = found = 0
    for t in range(len(roots)):
        kept_roots[t] = nodes
        todo[0], parent[0], size = roots[t], -1, 1
        lo[0], hi[0] = 0, shape
        while size > 0:
            size -= 1
            k = todo[size]
            while feature[k] >= 0 and not same[k]:
                f = feature[k]
                if hi[size, f] <= cut[k]:
                    k += 1
                elif lo[size, f] >= cut[k]:
                    k = right[k]
                else:
                    break
            if parent[size] >= 0:
                node[parent[size], RIGHT] = nodes
            if feature[k] < 0 or same[k]:
                node[nodes, FEATURE], node[nodes, RIGHT] = -1, found
                low[found], high[found] = lo[size], hi[size]
                for c in range(channels):
                    leaf_score[c, found] = score[c, one[k]]
                found += 1
            else:
                f = feature[k]
                node[nodes, FEATURE], node[nodes, CUT], kept_at[nodes] = f, cut[k], at[k]
                lo[size + 1], hi[size + 1] = lo[size], hi[size]
                todo[size], parent[size] = right[k], nodes
                lo[size, f] = cut[k]
                todo[size + 1], parent[size + 1] = k + 1, -1
                hi[size + 1, f] = cut[k]
                size += 2
            nodes += 1
    node, leaf_score = node[:nodes].copy(), leaf_score[:, :found].copy()
    most = largest_below(node, leaf_score)
    return node, kept_at[:nodes].copy(), kept_roots, low[:found].copy(), high[:found].copy(), leaf_score, most


@numba.njit(cache=True)
def largest_below(node, score):  # type: ignore[no-untyped-def]
    """Return `Trees.most` of the leaves' scores (channels, leaves)."""
    most = np.empty((len(score), len(node), 2))
    for c in range(len(score)):
        for k in range(len(node) - 1, -1, -1):
            right = node[k, RIGHT]
            if node[k, FEATURE] < 0:
                most[c, k] = score[c, right]
            else:
                most[c, k, 0] = most[c, k + 1].max()
                most[c, k, 1] = most[c, right].max()
    return most


@numba.njit(cache=True)
def best_leaf(node, most, root, lo, hi, stack, value):  # type: ignore[no-untyped-def]
    """Return the leaf of largest score that the box [lo, hi) meets; of equal ones the first met.

    Args:
        most: one channel's, (nodes, 2).
        stack, value: scratch, as long as the tree is deep.
    """
    best, leaf = -np.inf, -1
    stack[0], value[0], size = root, max(most[root, 0], most[root, 1]), 1
    while size > 0:
        size -= 1
        k, largest = stack[size], value[size]
        while largest > best:
            f = node[k, FEATURE]
            if f < 0:
                best, leaf = largest, node[k, RIGHT]
                break
            cut = node[k, CUT]
            if hi[f] <= cut:
                largest = most[k, 0]
                k += 1
            elif lo[f] >= cut:
                largest = most[k, 1]
                k = node[k, RIGHT]
            elif most[k, 0] >= most[k, 1]:
                stack[size], value[size] = node[k, RIGHT], most[k, 1]
                size += 1
                largest = most[k, 0]
                k += 1
            else:
                stack[size], value[size] = k + 1, most[k, 0]
                size += 1
                largest = most[k, 1]
                k = node[k, RIGHT]
    return leaf
