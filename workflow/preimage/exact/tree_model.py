"""Trees as a model of boxes: what sums of their outputs can be on a box, and where to split it (`exact.model`).

The state of a box is the best leaf of each tree for each sum and side; a box inside another takes over its leaves, and
only those that it has lost are looked for anew. For one output the ends are the very numbers that `predict` can return
there; of several outputs the sum is added in another order, which a margin covers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from preimage.core.space import Space
from preimage.exact.kernels import over
from preimage.exact.model import Side
from preimage.support.numba_cache import numba
from preimage.trees.bounds import best_split, total_of, update
from preimage.trees.boxes import Channels, build
from preimage.trees.forest import Forest
from preimage.trees.objective import largest_terms


class TreeModel:
    """A forest on boxes of a space.

    Args:
        sides: the sums of outputs that are asked for, and which end of each.
    """

    attained: ClassVar[bool] = True

    def __init__(self, forest: Forest, space: Space, sides: Sequence[Side]) -> None:
        self.forest, self.sides = forest, tuple(sides)
        made = [_channel(forest, side) for side in sides]
        score = np.array([values for values, _, _ in made]).reshape(len(made), len(forest.values))
        channels = Channels(score, _starts(forest, [start for _, start, _ in made]))
        self.grid, self.trees = build(forest, space, channels)
        self.margin = np.array([margin for _, _, margin in made], float)
        self.size = len(made) * len(forest.roots)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the outputs (n, m) at points (n, d)."""
        return self.forest.predict(X)

    def fresh(self, n: int) -> np.ndarray:
        """Return the state of n boxes of which nothing is known, (n, size)."""
        return np.full((n, self.size), -1, np.int32)

    def bound(self, start: np.ndarray, end: np.ndarray, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends of the sums on boxes (n, d), in the order of `sides` (n, k), and that all of these boxes are
        possible (n,); their state is brought up to date in place."""
        ends = np.empty((len(start), len(self.sides)))
        over(_bound, len(start), self.trees, self.grid, start, end, self._leaves(state), ends)
        sign = np.array([side.sign for side in self.sides], float)
        return sign * (ends / self.forest.divisor + self.margin), np.ones(len(start), bool)

    def split(
        self, start: np.ndarray, end: np.ndarray, state: np.ndarray, order: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return where boxes (n, d) are best split: the input (n,), -1 where the model gains nothing, and the last
        value on the left (n,).

        Args:
            order: which ends matter, by their place in `sides`, the first most; -1 behind the last. The first that a
                split improves decides, and where none is all together do.
        """
        input_, at = np.empty(len(start), np.int32), np.empty(len(start))
        over(_split, len(start), self.trees, self.grid, start, end, self._leaves(state), order, input_, at)
        return input_, at

    def common(self, start: np.ndarray, end: np.ndarray, state: np.ndarray, order: np.ndarray) -> None:
        """Shrink boxes (n, d), in place, to where all ends that matter are attained at once; for boxes that none of
        these splits."""
        over(_common, len(start), self.trees, self.grid, start, end, self._leaves(state), order)

    def points(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Return points of one box (k, d) that are likely to be such as trees are asked about: any are."""
        return np.empty((0, len(start)))

    def _leaves(self, state: np.ndarray) -> np.ndarray:
        return state.reshape(len(state), len(self.sides), len(self.forest.roots))


def _channel(forest: Forest, side: Side) -> tuple[np.ndarray, float, float]:
    """Return what is to be made large of each leaf (leaves,), what its sums start from, and their margin."""
    weights = np.array(side.weights)
    used = np.flatnonzero(weights)
    if len(used) == 1 and weights[used[0]] == 1.0:
        k = used[0]
        return side.sign * forest.values[:, k], side.sign * float(forest.start[k]), 0.0
    # Rounding of a sum of n terms is at most n units of the sum of their sizes, on either side.
    size = largest_terms(forest, np.abs(forest.values) @ np.abs(weights)) + float(
        np.abs(forest.start) @ np.abs(weights)
    )
    unit = float(np.finfo(forest.start.dtype).eps) / 2
    margin = 4 * (len(forest.roots) + len(used) + 5) * unit * size / forest.divisor
    return side.sign * (forest.values @ weights), side.sign * float(forest.start @ weights), margin


def _starts(forest: Forest, starts: Sequence[float]) -> np.ndarray:
    """Return what sums start from, in the dtype in which `predict` adds."""
    return np.array(starts, forest.start.dtype)


@numba.njit(cache=True)
def _cells(grid, start, end, lo, hi):  # type: ignore[no-untyped-def]
    """Fill in the cells [lo, hi) that a box of inputs meets."""
    for j in range(len(start)):
        a, b = grid.first[j], grid.first[j + 1]
        lo[j] = np.searchsorted(grid.end[a:b], start[j])
        hi[j] = np.searchsorted(grid.start[a:b], end[j], "right")


@numba.njit(cache=True, nogil=True)
def _bound(begin, stop, trees, grid, start, end, leaves, ends):  # type: ignore[no-untyped-def]
    lo, hi = np.empty(start.shape[1], np.int32), np.empty(start.shape[1], np.int32)
    for i in range(begin, stop):
        _cells(grid, start[i], end[i], lo, hi)
        update(trees, lo, hi, leaves[i], -1)
        ends[i] = total_of(trees, leaves[i])


@numba.njit(cache=True, nogil=True)
def _split(begin, stop, trees, grid, start, end, leaves, order, input_, at):  # type: ignore[no-untyped-def]
    d, n = start.shape[1], leaves.shape[2]
    lo, hi, together = np.empty(d, np.int32), np.empty(d, np.int32), np.empty(leaves.shape[1] * n, np.int32)
    for i in range(begin, stop):
        _cells(grid, start[i], end[i], lo, hi)
        j, cut, size = -1, 0, 0
        for c in order[i]:
            if c < 0 or j >= 0:
                break
            j, cut = best_split(trees.low, trees.high, leaves[i, c], lo, hi)
            together[size : size + n] = leaves[i, c]
            size += n
        if j < 0 and size > n:
            j, cut = best_split(trees.low, trees.high, together[:size], lo, hi)
        input_[i] = j
        at[i] = grid.end[grid.first[j] + cut - 1] if j >= 0 else 0.0


@numba.njit(cache=True, nogil=True)
def _common(begin, stop, trees, grid, start, end, leaves, order):  # type: ignore[no-untyped-def]
    for i in range(begin, stop):
        for c in order[i]:
            if c < 0:
                break
            for j in range(start.shape[1]):
                first = grid.first[j]
                for leaf in leaves[i, c]:
                    start[i, j] = max(start[i, j], grid.start[first + trees.low[leaf, j]])
                    end[i, j] = min(end[i, j], grid.end[first + trees.high[leaf, j] - 1])
