"""A paving of a forest's preimage: boxes proven inside, boxes proven outside, and those still to be looked at.

A box whose outputs are proven inside belongs to the preimage, one where some output is proven outside does not, any
other is split (Jaulin and Walter 1993, "Set inversion via interval analysis", Automatica 29). Boxes are of whole cells
until the forest has nothing more to say of them: its own part ends, with the exact set. Linear constraints cut what is
left of a box smaller and smaller (`forest_trimming`), which ends only where all inputs are whole numbers. The largest
open box is looked at first, in batches of a fixed size.
"""

from __future__ import annotations

import heapq
import math
from pathlib import Path
from typing import Any

import numpy as np

from preimage.core.open_boxes import Slots
from preimage.core.space import Space
from preimage.support import npz
from preimage.support.files import replacing
from preimage.support.numba_cache import numba
from preimage.trees import trimming
from preimage.trees.bounds import best_split, total_of, update
from preimage.trees.boxes import Grid, Trees
from preimage.trees.constraints import propagate, rows
from preimage.trees.objective import Wanted
from preimage.trees.shares import shares
from preimage.trees.threads import over

BATCH = 32
OUTSIDE, INSIDE, OPEN = 0, 1, 2
# Ends of a box, its share of the space, and whether it is inside.
Box = tuple[np.ndarray, np.ndarray, float, bool]


class Paving:
    """A set inversion that can be stopped, saved and taken up again, with the same end.

    Attributes:
        found: boxes proven inside.
        heap: open boxes: minus their share, their number, and their slot in `slots`, or -1 for one that constraints
            alone cut: those are in `cut_off` by their number.
        slots: open boxes by slot: cells, best leaves, and where each is to be split (input and cell).
        examined: number of boxes looked at.
    """

    def __init__(self, space: Space, grid: Grid, trees: Trees, wanted: Wanted) -> None:
        self.space, self.grid, self.trees, self.wanted = space, grid, trees, wanted
        self.rows, self.exact = rows(space, grid), trimming.rows(space)
        self.d = len(space.inputs)
        self.found: list[Box] = []
        self.heap: list[tuple[float, int, int]] = []
        self.cut_off: dict[int, tuple[np.ndarray, np.ndarray, int, float]] = {}
        self.order = self.examined = 0
        lo, hi = np.zeros((1, self.d), np.int32), grid.shape[None].astype(np.int32)
        leaves = np.full((1, len(trees.score), len(trees.roots)), -1, np.int32)
        self.slots = Slots(lo=lo, hi=hi, leaves=leaves, split=np.empty((1, 2), np.int32))
        self._of_cells(lo, hi, leaves)

    @property
    def undecided(self) -> float:
        """Share of the space in open boxes."""
        return math.fsum(-entry[0] for entry in self.heap)

    @property
    def inside(self) -> float:
        """Share of the space in boxes proven inside."""
        return math.fsum(box[2] for box in self.found)

    def boxes(self) -> list[Box]:
        """Return all boxes that are not outside: those inside in the order in which they were found, then the open
        ones, largest first."""
        left = []
        for share, number, slot in sorted(self.heap):
            if slot < 0:
                start, end = self.cut_off[number][:2]
            else:
                start, end = (ends[0] for ends in self.grid.ends(*(c[None] for c in self._cells(slot))))
            left.append((start, end, -share, False))
        return self.found + left

    def step(self) -> None:
        """Split and examine a batch of the largest open boxes."""
        batch = [heapq.heappop(self.heap) for _ in range(min(BATCH, len(self.heap)))]
        slots = [slot for _, _, slot in batch if slot >= 0]
        numbers = [number for _, number, slot in batch if slot < 0]
        if slots:
            lo, hi, leaves, split = (np.repeat(part, 2, axis=0) for part in self.slots.take(slots).values())
            first, (j, at) = 2 * np.arange(len(slots)), split[::2].T
            hi[first, j] = lo[first + 1, j] = at
            self._of_cells(lo, hi, leaves)
        if numbers:
            cut = [self.cut_off.pop(number) for number in numbers]
            start, end = (np.repeat(np.array([c[k] for c in cut]), 2, axis=0) for k in (0, 1))
            for k, (_, _, j, last) in enumerate(cut):
                end[2 * k, j] = last
                start[2 * k + 1, j] = last + 1 if self.space.discrete[j] else np.nextafter(last, np.inf)
            self._of_inputs(start, end)

    def _cells(self, slot: int) -> tuple[np.ndarray, np.ndarray]:
        return self.slots.arrays["lo"][slot], self.slots.arrays["hi"][slot]

    def _of_cells(self, lo: np.ndarray, hi: np.ndarray, leaves: np.ndarray) -> None:
        """Examine boxes of cells [lo, hi), each (n, d)."""
        state, cut = np.empty(len(lo), np.int8), np.empty((len(lo), 2), np.int32)
        over(_examine, len(lo), self.trees, self.wanted, self.rows, lo, hi, leaves, state, cut)
        self.examined += len(lo)
        left = state == OPEN
        if left.any():
            taken = shares(self.space, *self.grid.ends(lo[left], hi[left]))
            slots = self.slots.put(lo=lo[left], hi=hi[left], leaves=leaves[left], split=cut[left])
            for share, slot in zip(taken.tolist(), slots, strict=True):
                self._push(share, slot)
        inside = state == INSIDE
        if inside.any():
            start, end = self.grid.ends(lo[inside], hi[inside])
            if len(self.exact.matrix):
                self.examined -= int(inside.sum())
                self._of_inputs(start, end)
            else:
                self._keep(start, end)

    def _of_inputs(self, start: np.ndarray, end: np.ndarray) -> None:
        """Examine boxes of inputs that only constraints cut, [start, end], each (n, d)."""
        state, cut = np.empty(len(start), np.int8), np.empty((len(start), 2))
        over(trimming.examine, len(start), self.exact, start, end, state, cut)
        self.examined += len(start)
        taken = shares(self.space, start, end)
        for i in np.flatnonzero(state == trimming.BORDER):
            self._push(float(taken[i]), -1)
            self.cut_off[self.order] = (start[i], end[i], int(cut[i, 0]), float(cut[i, 1]))
        inside = state == trimming.INSIDE
        points = np.flatnonzero(state == trimming.POINT)
        inside[points] = self.space.contains(start[points]) if len(points) else False
        self._keep(start[inside], end[inside])

    def _keep(self, start: np.ndarray, end: np.ndarray) -> None:
        share = shares(self.space, start, end)
        self.found += [(a, b, float(s), True) for a, b, s in zip(start, end, share, strict=True)]

    def _push(self, share: float, slot: int) -> None:
        self.order += 1
        heapq.heappush(self.heap, (-share, self.order, slot))

    # -- state ---------------------------------------------------------------------------------------------------------

    def save(self, path: Path) -> None:
        """Write all that the paving needs to go on."""
        heap = sorted(self.heap)
        slots, numbers = [e[2] for e in heap if e[2] >= 0], [e[1] for e in heap if e[2] < 0]
        start, end, share, _ = columns(self.found, self.d)
        cut = [self.cut_off[n] for n in numbers]
        arrays: dict[str, Any] = {name: array[slots] for name, array in self.slots.arrays.items()}
        with replacing(path) as temporary, temporary.open("wb") as stream:
            np.savez(
                stream,
                counts=np.array([self.order, self.examined]),
                found_start=start,
                found_end=end,
                found_share=share,
                share=np.array([e[0] for e in heap]),
                number=np.array([e[1] for e in heap], np.int64),
                of_cells=np.array([e[2] >= 0 for e in heap], bool),
                **arrays,
                cut_start=np.array([c[0] for c in cut]).reshape(-1, self.d),
                cut_end=np.array([c[1] for c in cut]).reshape(-1, self.d),
                cut_input=np.array([c[2] for c in cut], np.int64),
                cut_at=np.array([c[3] for c in cut], float),
            )

    def resume(self, path: Path) -> bool:
        """Go on from what `save` wrote."""
        parts = npz.read(path)
        order, examined = (int(v) for v in parts["counts"])
        found = zip(parts["found_start"], parts["found_end"], parts["found_share"], strict=True)
        boxes = [(a, b, float(s), True) for a, b, s in found]
        arrays = {name: parts[name] for name in self.slots.arrays}
        self.slots = Slots(**arrays)
        of_cells = parts["of_cells"]
        numbers = parts["number"][~of_cells].tolist()
        cut = zip(parts["cut_start"], parts["cut_end"], parts["cut_input"], parts["cut_at"], strict=True)
        cut_off = {n: (a, b, int(j), float(at)) for n, (a, b, j, at) in zip(numbers, cut, strict=True)}
        place = np.full(len(of_cells), -1)
        place[of_cells] = self.slots.put(**arrays)
        entries = zip(parts["share"].tolist(), parts["number"].tolist(), place.tolist(), strict=True)
        self.heap, self.order, self.examined, self.found = list(entries), order, examined, boxes
        self.cut_off = cut_off
        heapq.heapify(self.heap)
        return True


def columns(boxes: list[Box], d: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return ends (n, d), shares and whether they are inside (n,) of boxes."""
    start, end, share, certain = zip(*boxes, strict=True) if boxes else ((), (), (), ())
    shape = (len(boxes), d)
    return np.array(start).reshape(shape), np.array(end).reshape(shape), np.array(share, float), np.array(certain, bool)


@numba.njit(cache=True)
def _examine_one(trees, wanted, rows, lo, hi, leaves, cut):  # type: ignore[no-untyped-def]
    if not propagate(rows, lo, hi):
        return OUTSIDE
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
def _examine(begin, stop, trees, wanted, rows, lo, hi, leaves, state, cut):  # type: ignore[no-untyped-def]
    for i in range(begin, stop):
        state[i] = _examine_one(trees, wanted, rows, lo[i], hi[i], leaves[i], cut[i])
