"""Set inversion of a forest: disjoint boxes that make up all inputs whose outputs lie in given intervals.

A box whose outputs are proven inside belongs to the preimage, one where some output is proven outside does not, any
other is split (Jaulin and Walter 1993, "Set inversion via interval analysis", Automatica 29). On a forest this ends,
with the exact set; stopped before, the boxes proven inside and those still open bracket it.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np
import pandas as pd

from preimage.errors import StudyError
from preimage.inversion.forest_boxes import Grid, Trees, build
from preimage.inversion.forest_branch_and_bound import BATCH, Pool, best_split, total_of, update
from preimage.inversion.forest_objective import Wanted, reduce
from preimage.inversion.forest_threads import over
from preimage.objective import Objective
from preimage.space import Space
from preimage.surrogates.forest import Forest

OUTSIDE, INSIDE, OPEN = 0, 1, 2


@dataclass(frozen=True)
class Preimage:
    """Disjoint boxes; ends are inputs that `predict` sees as belonging to the box.

    Attributes:
        low, high: ends of each box, (n, d).
        share: of the space that each box takes, (n,): volumes, and counts of whole numbers.
        certain: whether the box is proven to belong to the preimage; the others are undecided, (n,).
    """

    names: Sequence[str]
    low: np.ndarray
    high: np.ndarray
    share: np.ndarray
    certain: np.ndarray

    @property
    def bracket(self) -> tuple[float, float]:
        """What share of the space the preimage takes at least and at most."""
        return float(self.share[self.certain].sum()), float(self.share.sum())

    def table(self) -> pd.DataFrame:
        ends = {f"{end}.{n}": v[:, j] for j, n in enumerate(self.names) for end, v in self._ends()}
        return pd.DataFrame({**ends, "share": self.share, "certain": self.certain})

    def _ends(self) -> tuple[tuple[str, np.ndarray], tuple[str, np.ndarray]]:
        return ("low", self.low), ("high", self.high)


def preimage(forest: Forest, space: Space, objective: Objective, boxes: int) -> Preimage:
    """Return all inputs of the space at which every named output lies in its interval, as boxes.

    Args:
        objective: a `within`, or a `target` whose tolerance makes the intervals.
        boxes: most boxes to examine; at this limit some are undecided. The largest are examined first.

    Raises StudyError for another objective, and where the space has linear constraints (a box cut by a plane is none).
    """
    if not objective.bounded:
        raise StudyError(f"objective '{objective.name}': a preimage needs intervals; use within or target")
    if space.constraints:
        raise StudyError("constraints: a preimage is made of boxes, and linear constraints cut boxes")
    wanted, score = reduce(objective, forest)
    margin = objective.tolerance if objective.kind == "target" else 0.0
    wanted = wanted._replace(low=wanted.low - margin, high=wanted.high + margin)
    grid, trees = build(forest, space, score)
    found = _pave(grid, trees, wanted, space, boxes)
    parts = [np.array(part) for part in zip(*found, strict=True)] if found else []
    if not parts:
        nothing = np.empty((0, len(space.inputs)))
        return Preimage(space.names, nothing, nothing, np.empty(0), np.empty(0, bool))
    lo, hi, share, certain = parts
    return Preimage(space.names, *grid.ends(lo, hi), share, certain)


def _pave(
    grid: Grid, trees: Trees, wanted: Wanted, space: Space, boxes: int
) -> list[tuple[np.ndarray, np.ndarray, float, bool]]:
    """Return boxes of cells with their share and whether they are inside; the others are open."""
    d, channels, count = len(grid.shape), len(trees.score), len(trees.roots)
    pool = Pool(d, channels, count)
    lo, hi = np.zeros((1, d), np.int32), grid.shape[None].astype(np.int32)
    leaves = np.full((1, channels, count), -1, np.int32)
    found: list[tuple[np.ndarray, np.ndarray, float, bool]] = []
    heap: list[tuple[float, int, int]] = []
    cuts: dict[int, tuple[int, int]] = {}
    order = examined = 0
    while True:
        state, cut = np.empty(len(lo), np.int8), np.empty((len(lo), 2), np.int32)
        over(_examine, len(lo), trees, wanted, lo, hi, leaves, state, cut)
        examined += len(lo)
        share = shares(grid, space, lo, hi)
        for i in range(len(lo)):
            if state[i] == INSIDE:
                found.append((lo[i], hi[i], float(share[i]), True))
            elif state[i] == OPEN:
                order += 1
                slot = pool.put(lo[i], hi[i], leaves[i])
                heapq.heappush(heap, (-float(share[i]), order, slot))
                cuts[slot] = (int(cut[i, 0]), int(cut[i, 1]))
        if not heap or examined >= boxes:
            break
        slots = [heapq.heappop(heap)[2] for _ in range(min(BATCH, len(heap)))]
        lo, hi, leaves = (np.repeat(part[slots], 2, axis=0) for part in (pool.lo, pool.hi, pool.leaves))
        for k, slot in enumerate(slots):
            j, at = cuts.pop(slot)
            hi[2 * k, j] = at
            lo[2 * k + 1, j] = at
        pool.free += slots
    return found + [(pool.lo[s].copy(), pool.hi[s].copy(), -v, False) for v, _, s in sorted(heap)]


def shares(grid: Grid, space: Space, lo: np.ndarray, hi: np.ndarray) -> np.ndarray:
    """Return which share of the space boxes of cells (n, d) take, (n,); an input that is fixed does not count."""
    return np.asarray(widths(grid, space, lo, hi).prod(axis=1))


def widths(grid: Grid, space: Space, lo: np.ndarray, hi: np.ndarray) -> np.ndarray:
    """Return the width (n, d) of boxes of cells in units of the space's: counts where only whole numbers count."""
    start, end = grid.ends(lo, hi)
    more = space.discrete.astype(float)
    whole = space.high - space.low + more
    return np.where(space.free, (end - start + more) / np.where(whole > 0, whole, 1.0), 1.0)


@numba.njit(cache=True)
def _examine_one(trees, wanted, lo, hi, leaves, cut):  # type: ignore[no-untyped-def]
    update(trees, lo, hi, leaves, -1)
    total = total_of(trees.score, leaves)
    inside = True
    for k in range(len(wanted.low)):
        least, most = -total[2 * k] / wanted.trees, total[2 * k + 1] / wanted.trees
        if most < wanted.low[k] or least > wanted.high[k]:
            return OUTSIDE
        inside = inside and least >= wanted.low[k] and most <= wanted.high[k]
    if inside:
        return INSIDE
    cut[0], cut[1] = best_split(trees.low, trees.high, leaves.copy().reshape(leaves.size), lo, hi)
    return OPEN


@numba.njit(cache=True, nogil=True)
def _examine(begin, stop, trees, wanted, lo, hi, leaves, state, cut):  # type: ignore[no-untyped-def]
    for i in range(begin, stop):
        state[i] = _examine_one(trees, wanted, lo[i], hi[i], leaves[i], cut[i])
