"""Set inversion of a forest: disjoint boxes that make up all inputs whose outputs lie in given intervals.

A box whose outputs are proven inside belongs to the preimage, one where some output is proven outside does not, any
other is split (Jaulin and Walter 1993, "Set inversion via interval analysis", Automatica 29). On a forest this ends,
with the exact set; stopped before, the boxes proven inside and those still open bracket it.
"""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from preimage.compiled import numba
from preimage.errors import StudyError
from preimage.inversion.forest_boxes import Grid, Trees, build
from preimage.inversion.forest_branch_and_bound import BATCH, SHOW_EVERY_SECONDS, Pool, best_split, total_of, update
from preimage.inversion.forest_objective import Wanted, accepted, reduce
from preimage.inversion.forest_threads import over
from preimage.objective import Objective
from preimage.space import Space
from preimage.surrogates.forest import Forest

OUTSIDE, INSIDE, OPEN = 0, 1, 2
# A box of cells [low, high), its share of the space, and whether it is inside.
Box = tuple[np.ndarray, np.ndarray, float, bool]


@dataclass(frozen=True)
class Preimage:
    """Disjoint boxes; ends are inputs that `predict` sees as belonging to the box.

    Attributes:
        low, high: ends of each box, (n, d).
        volume: product of its widths over the inputs that are free, in their units; whole numbers and categories are
            counted, (n,).
        share: of the space that each box takes, (n,).
        certain: whether the box is proven to belong to the preimage; the others are undecided, (n,).
        stopped: why the search ended: closed (nothing is undecided), boxes or seconds.
        examined: number of boxes looked at.
    """

    space: Space
    low: np.ndarray
    high: np.ndarray
    volume: np.ndarray
    share: np.ndarray
    certain: np.ndarray
    stopped: str
    examined: int

    @property
    def bracket(self) -> tuple[float, float]:
        """What share of the space the preimage takes at least and at most."""
        inner, outer = math.fsum(self.share[self.certain]), math.fsum(self.share)
        return min(inner, 1.0), min(outer, 1.0)

    def table(self) -> pd.DataFrame:
        """Return a row a box: `low.<input>`, `high.<input>`, `volume`, `share`, `certain`, `reproducible`."""
        low, high = self.space.decode(self.low, "low."), self.space.decode(self.high, "high.")
        ends = {key: values[key] for n in self.space.names for values, key in ((low, f"low.{n}"), (high, f"high.{n}"))}
        rest = {"volume": self.volume, "share": self.share, "certain": self.certain}
        return pd.DataFrame({**ends, **rest, "reproducible": self.stopped != "seconds"})


def preimage(
    forest: Forest,
    space: Space,
    objective: Objective,
    boxes: int,
    seconds: float | None = None,
    report: Callable[..., None] | None = None,
) -> Preimage:
    """Return all inputs of the space at which every named output lies in its interval, as boxes.

    Args:
        objective: a `within`, or a `target` whose tolerance makes the intervals.
        boxes: most boxes to examine; at this limit some are undecided. The largest are examined first.
        seconds: most seconds; what this limit ends is not reproducible.
        report: called with boxes examined, the share of the space that is undecided, and that inside by name.

    Raises StudyError for another objective, and where the space has linear constraints (a box cut by a plane is none).
    """
    if not objective.bounded:
        raise StudyError(f"objective '{objective.name}': a preimage needs intervals; use within or target")
    if space.constraints:
        raise StudyError("constraints: a preimage is made of boxes, and linear constraints cut boxes")
    wanted, channels = reduce(objective, forest)
    low, high = accepted(objective)
    wanted = wanted._replace(low=low, high=high)
    grid, trees = build(forest, space, channels)
    found, stopped, examined = _pave(grid, trees, wanted, space, boxes, seconds, report)
    d = len(space.inputs)
    if not found:
        nothing = np.empty((0, d))
        return Preimage(space, nothing, nothing, np.empty(0), np.empty(0), np.empty(0, bool), stopped, examined)
    lo, hi, share, certain = (np.array(part) for part in zip(*found, strict=True))
    ends = grid.ends(lo, hi)
    size = np.where(space.free, ends[1] - ends[0] + space.discrete, 1.0)
    return Preimage(space, *ends, size.prod(axis=1), share, certain, stopped, examined)


def _pave(
    grid: Grid,
    trees: Trees,
    wanted: Wanted,
    space: Space,
    boxes: int,
    seconds: float | None,
    report: Callable[..., None] | None,
) -> tuple[list[Box], str, int]:
    """Return boxes of cells with their share and whether they are inside (the others are open), why this stopped, and
    the number examined."""
    started = shown = time.monotonic()
    d, channels, count = len(grid.shape), len(trees.score), len(trees.roots)
    pool = Pool(d, channels, count)
    lo, hi = np.zeros((1, d), np.int32), grid.shape[None].astype(np.int32)
    leaves = np.full((1, channels, count), -1, np.int32)
    found: list[Box] = []
    heap: list[tuple[float, int, int]] = []
    cuts: dict[int, tuple[int, int]] = {}
    order = examined = 0
    stopped = "closed"
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
        if report and time.monotonic() - shown > SHOW_EVERY_SECONDS:
            shown = time.monotonic()
            report(min(examined, boxes), -sum(e[0] for e in heap), inside=sum(b[2] for b in found), open=len(heap))
        if not heap:
            break
        if examined >= boxes or (seconds is not None and time.monotonic() - started >= seconds):
            stopped = "boxes" if examined >= boxes else "seconds"
            break
        slots = [heapq.heappop(heap)[2] for _ in range(min(BATCH, len(heap)))]
        lo, hi, leaves = (np.repeat(part[slots], 2, axis=0) for part in (pool.lo, pool.hi, pool.leaves))
        for k, slot in enumerate(slots):
            j, at = cuts.pop(slot)
            hi[2 * k, j] = at
            lo[2 * k + 1, j] = at
        pool.free += slots
    left = [(pool.lo[s].copy(), pool.hi[s].copy(), -v, False) for v, _, s in sorted(heap)]
    return found + left, stopped, examined


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
    total = total_of(trees, leaves)
    inside = True
    for k in range(len(wanted.low)):
        least, most = -total[2 * k] / wanted.divisor, total[2 * k + 1] / wanted.divisor
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
