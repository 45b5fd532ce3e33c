"""A forest on the grid of its own thresholds: boxes of whole cells, and the best leaf that a box can reach.

A forest is constant on each cell of that grid. `predict` compares x, or float32(x), with a threshold, so a cut is kept
as the largest float64 that still goes left, or where not every number is allowed the largest that is: cell i of an
input is the half-open interval (cut i - 1, cut i], and every cell holds an input that `predict` can see. A box is a
product of runs of cells [low, high), as whole numbers: nothing about it is rounded.

What a tree gives on a box is at most the largest score of its leaves that the box meets. Floating-point addition is
monotone in each term, so these maxima, added in the order in which `predict` adds, bound the very number that `predict`
returns anywhere in the box, rounding and all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from preimage.core.space import Space
from preimage.support.numba_cache import numba
from preimage.trees.forest import Forest, last_left
from preimage.trees.threads import over

# Columns of Trees.node.
FEATURE, CUT, RIGHT = 0, 1, 2


class Grid(NamedTuple):
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

    Each tree begins where it did in the forest: what it has lost is left as zeros behind it, which nothing reaches.

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
        start: what the sums start from; float64 (channels,).
        single: whether each addition is rounded to float32, as `predict` does it (`added`). One type of array for both
            has the kernels compiled once.
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
    single: bool


NO_TREES = Trees(
    np.empty((0, 4), np.int32), np.empty(0), np.empty(0, np.int32), np.empty((0, 0), np.int32),
    np.empty((0, 0), np.int32), np.empty((1, 0)), np.empty((1, 0, 2)), 0, np.zeros(1), False,
)  # fmt: skip


def build(forest: Forest, space: Space, channels: Channels) -> tuple[Grid, Trees]:
    """Return the grid of a forest inside a space's bounds, and its trees there."""
    grid, (trees,) = build_together([forest], space, [channels])
    return grid, trees


def build_together(forests: Sequence[Forest], space: Space, channels: Sequence[Channels]) -> tuple[Grid, list[Trees]]:
    """Return one grid of the thresholds of all forests, and the trees of each on it."""
    grid, cut, at = _cuts(forests, space)
    kept = [_kept(*of_one, grid.shape) for of_one in zip(forests, channels, cut, at, strict=True)]
    return grid, kept


def build_walked(forest: Forest, space: Space, channels: Channels) -> tuple[Grid, Trees]:
    """Return the grid of a forest and its trees as `build` does, for who only walks them: whole, and without boxes of
    leaves and largest scores."""
    grid, (cut,), (at,) = _cuts([forest], space)
    node, depth, ends = np.empty((len(cut), 4), np.int32), np.empty(len(forest.roots), np.int32), _ends(forest)
    over(_whole, len(depth), forest.feature, cut, forest.right, forest.roots, ends, node, depth)
    score, none = np.ascontiguousarray(channels.score, float), np.empty((0, len(space.inputs)), np.int32)
    most = np.empty((len(score), 0, 2))
    return grid, Trees(node, at, forest.roots, none, none, score, most, int(depth.max()) + 1, *_start(channels))


def _cuts(forests: Sequence[Forest], space: Space) -> tuple[Grid, list[np.ndarray], list[np.ndarray]]:
    """Return one grid of the thresholds of all forests, and of each its nodes' cuts and largest inputs that go left."""
    d = len(space.inputs)
    cut = [np.zeros(len(forest.feature), np.int32) for forest in forests]
    at = [np.zeros(len(forest.feature)) for forest in forests]
    cuts = [np.empty(0)] * d

    def of_inputs(begin: int, stop: int) -> None:
        for j in range(begin, stop):
            cuts[j] = _cuts_of(j, forests, space, cut, at)

    over(of_inputs, d)
    after = [space.above(j, np.nextafter(c, np.inf)) for j, c in enumerate(cuts)]
    start = np.concatenate([np.r_[low, c] for low, c in zip(space.low, after, strict=True)])
    end = np.concatenate([np.r_[c, high] for high, c in zip(space.high, cuts, strict=True)])
    return Grid(np.r_[0, np.cumsum([len(c) + 1 for c in cuts])].astype(np.int32), start, end), cut, at


def _cuts_of(
    j: int, forests: Sequence[Forest], space: Space, cut: Sequence[np.ndarray], at: Sequence[np.ndarray]
) -> np.ndarray:
    """Return the cuts of input j inside the bounds, and fill in those of its nodes and the largest inputs that go left
    there."""
    mine = [np.flatnonzero(forest.feature == j) for forest in forests]
    distinct = [_distinct(forest.threshold[nodes]) for forest, nodes in zip(forests, mine, strict=True)]
    last = [_last_allowed(space, j, last_left(values)) for values, _ in distinct]
    cuts = last[0] if len(last) == 1 else np.concatenate(last)
    cuts = np.unique(cuts[(cuts >= space.low[j]) & (cuts < space.high[j])])
    for k, (nodes, (_, which)) in enumerate(zip(mine, distinct, strict=True)):
        # A cut below the bounds gets 0 and sends all right, one above them the number of cells and sends all left.
        place = np.where(last[k] < space.low[j], 0, np.searchsorted(cuts, last[k]) + 1)
        cut[k][nodes], at[k][nodes] = place[which], last[k][which]
    return cuts


def _last_allowed(space: Space, j: int, v: np.ndarray) -> np.ndarray:
    """Return the largest of each input up to v that input j may be, whatever its bounds where it takes any number."""
    if space.listed[j] or space.gapped[j]:
        return space.below(j, v)
    return np.floor(v) if space.discrete[j] else v


def _kept(forest: Forest, channels: Channels, cut: np.ndarray, at: np.ndarray, shape: np.ndarray) -> Trees:
    """Return the trees without what the grid can't reach; each keeps its place, and what it has lost is unused."""
    n, d, score = len(forest.feature), len(shape), np.ascontiguousarray(channels.score, float)
    kinds, leaves = score.shape
    ends, depth = _ends(forest), np.empty(len(forest.roots), np.int32)
    over(_depths, len(ends), forest.feature, forest.right, forest.roots, ends, depth)
    deepest = int(depth.max()) + 1
    node, kept_at, most = np.zeros((n, 4), np.int32), np.zeros(n), np.zeros((kinds, n, 2))
    low, high, kept_score = np.zeros((leaves, d), np.int32), np.zeros((leaves, d), np.int32), np.zeros((kinds, leaves))
    over(
        _prune, len(ends), forest.feature, cut, at, forest.right, forest.roots, ends, shape, score, deepest,
        node, kept_at, low, high, kept_score, most,
    )  # fmt: skip
    return Trees(node, kept_at, forest.roots, low, high, kept_score, most, deepest, *_start(channels))


def _start(channels: Channels) -> tuple[np.ndarray, bool]:
    """Return what sums start from, and whether they are rounded to float32."""
    return np.ascontiguousarray(channels.start, float), channels.start.dtype == np.float32


@numba.njit(cache=True)
def added(total, value, single):  # type: ignore[no-untyped-def]
    """Return a sum with one more value, rounded as `predict` rounds it."""
    return np.float64(np.float32(total + value)) if single else total + value


def _ends(forest: Forest) -> np.ndarray:
    """Return where each tree's nodes end, int32 (trees,)."""
    return np.r_[forest.roots[1:], len(forest.feature)].astype(np.int32)


def _distinct(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct values in order, and which of them each value is."""
    order = np.argsort(values)
    return _numbered(values, order)


@numba.njit(cache=True, nogil=True)
def _numbered(values, order):  # type: ignore[no-untyped-def]
    distinct, which, n = np.empty_like(values), np.empty(len(values), np.int32), 0
    for k in order:
        if n == 0 or values[k] != distinct[n - 1]:
            distinct[n] = values[k]
            n += 1
        which[k] = n - 1
    return distinct[:n].copy(), which


@numba.njit(cache=True)
def _deepest(begin, end, feature, right, depth):  # type: ignore[no-untyped-def]
    """Return the inner nodes on the longest path of the tree of nodes [begin, end); `depth` is scratch, one a node."""
    depth[0], deepest = 0, 0
    for k in range(begin, end):
        if feature[k] >= 0:
            below = depth[k - begin] + 1
            depth[k + 1 - begin] = depth[right[k] - begin] = below
            deepest = max(deepest, below)
    return deepest


@numba.njit(cache=True, nogil=True)
def _depths(begin, stop, feature, right, roots, ends, depth):  # type: ignore[no-untyped-def]
    scratch = np.empty((ends[begin:stop] - roots[begin:stop]).max(), np.int32)
    for t in range(begin, stop):
        depth[t] = _deepest(roots[t], ends[t], feature, right, scratch)


@numba.njit(cache=True, nogil=True)
def _whole(begin, stop, feature, cut, right, roots, ends, node, depth):  # type: ignore[no-untyped-def]
    _depths(begin, stop, feature, right, roots, ends, depth)
    for k in range(roots[begin], ends[stop - 1]):
        node[k, FEATURE], node[k, CUT], node[k, RIGHT], node[k, 3] = feature[k], cut[k], right[k], 0


@numba.njit(cache=True)
def _equal_below(begin, end, feature, right, score, one, same):  # type: ignore[no-untyped-def]
    """Find whether all leaves below each node of [begin, end) have the same scores, and one of these leaves."""
    for k in range(end - 1, begin - 1, -1):
        here = k - begin
        if feature[k] < 0:
            one[here], same[here] = right[k], True
            continue
        a, b = here + 1, right[k] - begin
        one[here] = one[a]
        equal = same[a] and same[b]
        if equal:
            for c in range(len(score)):
                equal = equal and score[c, one[a]] == score[c, one[b]]
        same[here] = equal


@numba.njit(cache=True, nogil=True)
def _prune(  # type: ignore[no-untyped-def]
    begin, stop, feature, cut, at, right, roots, ends, shape, score, depth,
    node, kept_at, low, high, kept_score, most,
):  # fmt: skip
    """Keep of trees begin to stop what the grid can reach; a node below which all scores are equal becomes a leaf.

    One box follows the walk: an inner node changes one end of it, which is put back on the way up.
    """
    d, channels = len(shape), len(score)
    # Inner nodes that the walk is below: their place here, that in the forest, and the end that they have changed.
    above, origin, before = np.empty(depth, np.int32), np.empty(depth, np.int32), np.empty(depth, np.int32)
    on_right = np.empty(depth, np.bool_)
    largest = 0
    for t in range(begin, stop):
        largest = max(largest, ends[t] - roots[t])
    one, same = np.empty(largest, np.int32), np.empty(largest, np.bool_)
    for t in range(begin, stop):
        root = roots[t]
        _equal_below(root, ends[t], feature, right, score, one, same)
        lo, hi = np.zeros(d, np.int32), shape.astype(np.int32)
        # As many nodes of an earlier tree are inner as leaves, but for one: so many leaves there have been.
        k, size, nodes, found = root, 0, root, (root + t) // 2
        while True:
            while feature[k] >= 0 and not same[k - root]:
                f = feature[k]
                if hi[f] <= cut[k]:
                    k += 1
                elif lo[f] >= cut[k]:
                    k = right[k]
                else:
                    node[nodes, FEATURE], node[nodes, CUT], kept_at[nodes] = f, cut[k], at[k]
                    above[size], origin[size], before[size], on_right[size] = nodes, k, hi[f], False
                    hi[f] = cut[k]
                    size += 1
                    nodes += 1
                    k += 1
            node[nodes, FEATURE], node[nodes, RIGHT] = -1, found
            for j in range(d):
                low[found, j], high[found, j] = lo[j], hi[j]
            for c in range(channels):
                kept_score[c, found] = score[c, one[k - root]]
            found += 1
            nodes += 1
            while size > 0 and on_right[size - 1]:
                size -= 1
                lo[node[above[size], FEATURE]] = before[size]
            if size == 0:
                break
            parent = above[size - 1]
            f = node[parent, FEATURE]
            hi[f], before[size - 1], on_right[size - 1] = before[size - 1], lo[f], True
            lo[f] = node[parent, CUT]
            node[parent, RIGHT] = nodes
            k = right[origin[size - 1]]
        _largest_below(root, nodes, node, kept_score, most)


@numba.njit(cache=True)
def _largest_below(begin, end, node, score, most):  # type: ignore[no-untyped-def]
    """Fill in `Trees.most` of the nodes [begin, end)."""
    for c in range(len(score)):
        for k in range(end - 1, begin - 1, -1):
            right = node[k, RIGHT]
            if node[k, FEATURE] < 0:
                most[c, k, 0] = most[c, k, 1] = score[c, right]
            else:
                most[c, k, 0] = max(most[c, k + 1, 0], most[c, k + 1, 1])
                most[c, k, 1] = max(most[c, right, 0], most[c, right, 1])


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
