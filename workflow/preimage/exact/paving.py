"""A paving of what meets limits: boxes proven inside, boxes proven outside, and those still to be looked at.

As on cells alone (`trees.paving`), in any space and for formulas too: a box is inside where the model's bounds prove
every limit and no condition of the space cuts it; else it is split where the model, a count, a gap, an exclusion, a row
or a curve tells, the largest first.
"""

from __future__ import annotations

import heapq
import math
from pathlib import Path
from typing import Any

import numpy as np

from preimage.core.open_boxes import Slots
from preimage.exact import region
from preimage.exact.problem import Boxes, Problem
from preimage.support import npz
from preimage.support.files import replacing
from preimage.trees import trimming
from preimage.trees.shares import shares

BATCH = 64
# A box whose sides are all shorter than this share of the ranges stays undecided.
FINEST = 1e-9
# Ends of a box, its share of the space, and whether it is inside.
Box = tuple[np.ndarray, np.ndarray, float, bool]


class Paving:
    """A set inversion that can be stopped, saved and taken up again, with the same end.

    Args:
        problem: limits to be met, and a space; its points are inside where their loss is finite.

    Attributes:
        found: boxes proven inside.
        small: boxes that are too small to be cut any more, undecided.
        heap: open boxes: minus their share, their number, and their slot.
        examined: number of boxes looked at.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem, self.space = problem, problem.space
        self.exact = trimming.rows(problem.space)
        self.found: list[Box] = []
        self.small: list[Box] = []
        self.heap: list[tuple[float, int, int]] = []
        self.order = self.examined = 0
        whole = problem.whole()
        self.slots = Slots(**whole._asdict())
        self._push(whole)

    @property
    def undecided(self) -> float:
        """Share of the space in open boxes."""
        return math.fsum([*(-entry[0] for entry in self.heap), *(box[2] for box in self.small)])

    @property
    def inside(self) -> float:
        """Share of the space in boxes proven inside."""
        return math.fsum(box[2] for box in self.found)

    def boxes(self) -> list[Box]:
        """Return all boxes that are not outside: those inside in the order in which they were found, then the open
        ones, largest first."""
        left = []
        for share, _, slot in sorted(self.heap):
            start, end = (self.slots.arrays[name][slot] for name in ("start", "end"))
            left.append((start.copy(), end.copy(), -share, False))
        return [*self.found, *left, *self.small]

    def step(self) -> None:
        """Look at a batch of the largest open boxes, and split those that are neither inside nor outside."""
        batch = [heapq.heappop(self.heap) for _ in range(min(BATCH, len(self.heap)))]
        boxes = Boxes(**self.slots.take([slot for _, _, slot in batch]))
        self.examined += len(batch)
        points = (boxes.start == boxes.end).all(axis=1)
        inside = self._inside(boxes) & ~points
        if points.any():
            valid = self.space.contains(boxes.start[points])
            valid[valid] = np.isfinite(self.problem.evaluate(boxes.start[points][valid]))
            inside[np.flatnonzero(points)[valid]] = True
        self._keep(boxes.take(inside))
        self._split(boxes.take(~inside & ~points))

    def _inside(self, boxes: Boxes) -> np.ndarray:
        """Return which boxes hold nothing but what is valid and keeps the limits (n,)."""
        problem = self.problem
        inside = problem.goal.must_hold(problem.everywhere(boxes)) & (self._cuts(boxes)[0] < 0)
        for r, row in enumerate(self.exact.matrix):
            ends = boxes.start * row, boxes.end * row
            least, most = np.minimum(*ends).sum(axis=1), np.maximum(*ends).sum(axis=1)
            inside &= (least >= self.exact.inner_least[r]) & (most <= self.exact.inner_most[r])
        return inside & problem.curves.settled(boxes.parts)

    def _cuts(self, boxes: Boxes) -> tuple[np.ndarray, np.ndarray]:
        """Return where counts, gaps and exclusions cut boxes: input (n,), -1 for none, and last value on the left."""
        input_, at = np.empty(len(boxes.least), np.int32), np.empty(len(boxes.least))
        region.cuts(0, len(at), self.problem.region, boxes.start, boxes.end, input_, at)
        return input_, at

    def _split(self, boxes: Boxes) -> None:
        problem = self.problem
        order = problem.goal.order(problem.everywhere(boxes), boxes.least, np.inf)
        input_, at = problem.model.split(boxes.start, boxes.end, boxes.state, order)
        other = self._cuts(boxes)
        input_, at = (np.where(input_ < 0, b, a) for a, b in zip((input_, at), other, strict=True))
        for i in np.flatnonzero(input_ < 0):
            input_[i], at[i] = self._border(boxes.take(np.array([i])))
        done = input_ < 0
        rest = boxes.take(done)
        taken = shares(self.space, rest.start, rest.end)
        self.small += [(a, b, float(s), False) for a, b, s in zip(rest.start, rest.end, taken, strict=True)]
        self._push(problem.bounded(boxes.take(~done).halves(input_[~done], at[~done])))

    def _border(self, box: Boxes) -> tuple[int, float]:
        """Return where to split a box that rows or curves cut: the input that bears most on them, and the last value on
        the left; -1 where it is too small."""
        start, end, problem = box.start[0], box.end[0], self.problem
        worth = problem.curves.influence(box.parts, problem.model.predict((box.start + box.end) / 2))
        for row, least, most in zip(problem.matrix, *self._inner_ends(box), strict=True):
            ends = start * row, end * row
            if np.minimum(*ends).sum() < least or np.maximum(*ends).sum() > most:
                part = np.abs(ends[1] - ends[0])
                worth = np.maximum(worth, part / (part.sum() or 1.0))
        width = (end - start) / self.space.width
        worth = np.where(width > FINEST, worth, 0.0)
        j = int(np.argmax(worth if worth.any() else width))
        at = float(self.space.below(j, start[j] / 2 + end[j] / 2))
        return (j, at) if width[j] > FINEST and start[j] <= at < end[j] else (-1, 0.0)

    def _inner_ends(self, box: Boxes) -> tuple[np.ndarray, np.ndarray]:
        """Return between which ends all rows (m,) of one box are surely met."""
        goal = self.problem.goal
        low, high = (ends[0] for ends in goal.rows(box.parts))
        off = 4 * goal.margins
        return np.r_[self.exact.inner_least, low + off], np.r_[self.exact.inner_most, high - off]

    def _keep(self, boxes: Boxes) -> None:
        taken = shares(self.space, boxes.start, boxes.end)
        self.found += [(a, b, float(s), True) for a, b, s in zip(boxes.start, boxes.end, taken, strict=True)]

    def _push(self, boxes: Boxes) -> None:
        if not len(boxes.least):
            return
        taken = shares(self.space, boxes.start, boxes.end)
        for share, slot in zip(taken.tolist(), self.slots.put(**boxes._asdict()), strict=True):
            self.order += 1
            heapq.heappush(self.heap, (-share, self.order, slot))

    # -- state ---------------------------------------------------------------------------------------------------------

    def save(self, path: Path) -> None:
        """Write all that the paving needs to go on."""
        slots = [slot for _, _, slot in self.heap]
        arrays: dict[str, Any] = {name: array[slots] for name, array in self.slots.arrays.items()}
        for name, boxes in (("found", self.found), ("small", self.small)):
            for k, part in enumerate(("start", "end", "share")):
                shape = (len(boxes),) if part == "share" else (len(boxes), len(self.space.inputs))
                arrays[f"{name}_{part}"] = np.array([box[k] for box in boxes], float).reshape(shape)
        with replacing(path) as temporary, temporary.open("wb") as stream:
            np.savez(
                stream,
                counts=np.array([self.order, self.examined]),
                entries=np.array([(e[0], e[1]) for e in self.heap], float).reshape(-1, 2),
                **arrays,
            )

    def resume(self, path: Path) -> bool:
        """Go on from what `save` wrote."""
        parts = npz.read(path)
        self.order, self.examined = (int(v) for v in parts["counts"])
        boxes = Boxes(*(parts[name] for name in Boxes._fields))
        self.slots = Slots(**boxes._asdict())
        slots = self.slots.put(**boxes._asdict()) if len(boxes.least) else []
        self.heap = [(float(s), int(n), k) for (s, n), k in zip(parts["entries"], slots, strict=True)]
        heapq.heapify(self.heap)
        self.found, self.small = (
            [
                (a, b, float(s), name == "found")
                for a, b, s in zip(parts[f"{name}_start"], parts[f"{name}_end"], parts[f"{name}_share"], strict=True)
            ]
            for name in ("found", "small")
        )
        return True
