"""Best-first branch and bound over boxes of inputs: the smallest loss under every condition, proven.

A box is cut to what may be valid, bounded by the model, and dropped where it can't hold a better point; where the ends
of the model's outputs that matter are attained at once, what is left is a question of inputs alone, which `Settling`
answers. Boxes are expanded in batches of a fixed size and merged in a fixed order, so that the answer depends on the
number of boxes allowed and on nothing of the machine.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from preimage.core.space import Space
from preimage.exact import region
from preimage.exact.curves import Curves
from preimage.exact.goal import Goal, Parts
from preimage.exact.model import BoxModel
from preimage.exact.open_boxes import Queue, Slots
from preimage.exact.settling import Settling
from preimage.support import npz
from preimage.support.files import replacing
from preimage.trees.threads import over

BATCH = 128
# Open boxes a job has to start with, at least, where several share a search: enough that their work is alike.
BOXES_A_PART = 64


class Boxes(NamedTuple):
    """Boxes of a search: their ends (n, d), what the model knows of them, the ends of its outputs that matter, and the
    bound of their loss (n,)."""

    start: np.ndarray
    end: np.ndarray
    state: np.ndarray
    ends: np.ndarray
    least: np.ndarray

    @property
    def parts(self) -> Parts:
        return Parts(self.start, self.end, self.ends)

    def take(self, which: np.ndarray) -> Boxes:
        return Boxes(*(a[which] for a in self))


class Search:
    """A branch and bound that can be stopped, saved and taken up again, with the same end.

    Args:
        evaluate: the loss (n,) at points (n, d), infinite where a limit is missed.
        most_open: open boxes beyond which the search goes depth-first.

    Attributes:
        loss, x: the best point found (inf and NaN before there is one).
        boxes: number expanded.
        attained: least bound that a point of its box is known to have, up to rounding.
        unsure: least bound of boxes that were left without a valid point and without a proof that they have none.
        in_hand: least bound of the boxes that are being expanded.
    """

    def __init__(
        self,
        space: Space,
        model: BoxModel,
        goal: Goal,
        evaluate: Callable[[np.ndarray], np.ndarray],
        most_open: int = 1_000_000,
    ) -> None:
        self.space, self.model, self.goal, self.evaluate = space, model, goal, evaluate
        self.region = region.region(space)
        self.matrix, self.row_low, self.row_high = region.rows(space)
        self.matrix = np.vstack([self.matrix, goal.matrix])
        self.multipliers = np.zeros(len(self.matrix))
        self.loss, self.x = np.inf, np.full(len(space.inputs), np.nan)
        self.boxes = self.batches = 0
        self.attained = self.unsure = self.in_hand = np.inf
        self.queue = Queue(most_open)
        self.curves = Curves(space, goal)
        self.settling = Settling(self)
        whole = self.bounded(space.low[None].copy(), space.high[None].copy(), model.fresh(1), self._no_ends(1))
        self.slots = Slots(**whole._asdict())
        self._add(whole, False)

    # -- bounds --------------------------------------------------------------------------------------------------------

    def _no_ends(self, n: int) -> np.ndarray:
        """Return ends of the model's outputs (n, k) of which nothing is known."""
        return np.tile(np.array([side.sign * np.inf for side in self.goal.sides]), (n, 1))

    def ends_of_rows(self, parts: Parts) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends of all rows of boxes, (n, m) each."""
        n, (low, high) = len(parts.start), self.goal.rows(parts)
        return np.hstack([np.tile(self.row_low, (n, 1)), low]), np.hstack([np.tile(self.row_high, (n, 1)), high])

    def tightened(self, parts: Parts) -> np.ndarray:
        """Cut boxes (n, d), in place, to what may be valid and better than what there is; return which may be (n,)."""
        left = np.ones(len(parts.start), bool)
        over(
            region.tighten, len(left), self.region, self.goal.terms, np.array(self.goal.left(self.loss, parts)),
            self.matrix, *self.ends_of_rows(parts), parts.start, parts.end, left,
        )  # fmt: skip
        return left

    def bounded(self, start: np.ndarray, end: np.ndarray, state: np.ndarray, ends: np.ndarray) -> Boxes:
        """Return what may hold a better point of boxes (n, d), cut and bounded.

        Args:
            state, ends: what is known from a box around each.
        """
        start, end, state, ends = self._cut(start, end, state, ends)
        parts = Parts(start, end, self.model.bound(start, end, state))
        possible, _ = self.goal.met(parts)
        least = self.goal.least(parts, (self.matrix, *self.ends_of_rows(parts)), self.multipliers)
        boxes = Boxes(start, end, state, parts.ends, least)
        return boxes.take(possible & (least < self.loss))

    def _cut(self, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return start, end, state and ends of boxes that may hold a better point, cut to where that may be."""
        arrays = _where(self.tightened(Parts(arrays[0], arrays[1], arrays[3])), arrays)
        if self.curves:
            arrays = _where(self.curves.narrow(Parts(arrays[0], arrays[1], arrays[3])), arrays)
            arrays = _where(self.tightened(Parts(arrays[0], arrays[1], arrays[3])), arrays)
        return arrays

    # -- searching -----------------------------------------------------------------------------------------------------

    def offer(self, X: np.ndarray) -> None:
        """Take the best of the points (n, d) that are valid, where it is better than what there is."""
        X = X[self.space.contains(X)]
        if len(X):
            loss = self.evaluate(X)
            k = int(np.argmin(loss))
            if loss[k] < self.loss:
                self.check(float(loss[k]), self.bound)
                self.loss, self.x = float(loss[k]), X[k].copy()

    @staticmethod
    def check(loss: float, bound: float) -> None:
        """Raise RuntimeError where a point contradicts a bound: a fault of ours, and no certificate may hide it."""
        if loss < bound:
            raise RuntimeError(f"a point of loss {loss!r} contradicts the proven bound {bound!r}")

    @property
    def open(self) -> int:
        return len(self.queue)

    @property
    def bound(self) -> float:
        """A proven lower bound of the loss of every valid point."""
        return min(self.loss, self.attained, self.unsure, self.in_hand, self.queue.least)

    @property
    def closed(self) -> bool:
        """Whether no box is left that may hold a better point."""
        return min(self.unsure, self.queue.least) >= self.loss

    @property
    def rounding(self) -> float:
        """What a bound may be below the best point's loss by though nothing is better but for rounding."""
        return self.settling.rounding

    def middle(self) -> np.ndarray | None:
        """Return the allowed values (d,) nearest to the middle of the next box; None where none is open."""
        if not self.open:
            return None
        _, _, slot = self.queue.stack[-1] if self.queue.stack else self.queue.heap[0]
        start, end = (self.slots.arrays[name][slot] for name in ("start", "end"))
        return self.space.rounded((start / 2 + end / 2)[None])[0]

    def step(self) -> bool:
        """Expand one batch of boxes; return False where none is left."""
        deep = self.queue.deep
        entries, dropped = self.queue.take(BATCH, self.loss)
        self.slots.free += dropped
        if not entries:
            return False
        self.in_hand = min(entry[0] for entry in entries)
        boxes = Boxes(**self.slots.take([slot for _, _, slot in entries]))
        self.boxes += len(entries)
        self.batches += 1
        order = self.goal.order(boxes.parts, boxes.least, self.loss)
        input_, at = self.model.split(boxes.start, boxes.end, boxes.state, order)
        split = input_ >= 0
        self._add(self._halves(boxes.take(split), input_[split], at[split]), deep)
        for i in np.flatnonzero(~split):
            for more in self.settling.settle(boxes.take(np.array([i])), order[i : i + 1]):
                self._add(more, deep)
        self.in_hand = np.inf
        return True

    def _halves(self, boxes: Boxes, input_: np.ndarray, at: np.ndarray) -> Boxes:
        """Return the two halves of boxes, cut and bounded; `at` is the last value on the left."""
        n, i = len(at), np.arange(len(at))
        start, end, state, ends = (np.concatenate([a, a]) for a in boxes[:4])
        end[i, input_] = at
        start[n + i, input_] = np.nextafter(at, np.inf)
        return self.bounded(start, end, state, ends)

    def halves(self, box: Boxes, input_: int, at: float) -> Boxes:
        """Return the two halves of one box, cut and bounded."""
        return self._halves(box, np.array([input_]), np.array([at]))

    def _add(self, boxes: Boxes, deep: bool) -> None:
        if len(boxes.least):
            self.queue.add(boxes.least.tolist(), self.slots.put(**boxes._asdict()), deep)

    def keep_share(self, part: int, parts: int) -> None:
        """Keep every `parts`-th open box from the `part`-th on, by bound: one of the jobs that share this search.

        The box is split first, the same way in every job, until each has a number of boxes with bounds alike.
        """
        if parts == 1:
            return
        while 0 < self.open < BOXES_A_PART * parts and self.step():
            pass
        entries = sorted(self.queue.entries)
        self.slots.free += [entry[2] for k, entry in enumerate(entries) if k % parts != part]
        self.queue.keep(entries[part::parts])
        self.batches = 0
        if part:
            self.boxes = 0  # those so far are counted by the first

    # -- state ---------------------------------------------------------------------------------------------------------

    def save(self, path: Path) -> None:
        """Write all that the search needs to go on."""
        entries = self.queue.entries
        slots = [slot for _, _, slot in entries]
        with replacing(path) as temporary, temporary.open("wb") as stream:
            np.savez(
                stream,
                order=np.array([e[1] for e in entries], np.int64),
                counts=np.array([len(self.queue.heap), self.boxes, self.batches, self.queue.order]),
                best=np.array([self.loss, self.attained, self.unsure]),
                x=self.x,
                multipliers=self.multipliers,
                **{name: array[slots] for name, array in self.slots.arrays.items()},
            )

    def resume(self, path: Path) -> bool:
        """Go on from what `save` wrote."""
        parts = npz.read(path)
        heap, self.boxes, self.batches, self.queue.order = (int(v) for v in parts["counts"])
        self.loss, self.attained, self.unsure = (float(v) for v in parts["best"])
        self.x, self.multipliers = parts["x"], parts["multipliers"]
        boxes = Boxes(*(parts[name] for name in Boxes._fields))
        self.slots = Slots(**boxes._asdict())
        slots = self.slots.put(**boxes._asdict()) if len(boxes.least) else []
        entries = list(zip(boxes.least.tolist(), parts["order"].tolist(), slots, strict=True))
        self.queue.keep(entries[:heap])
        self.queue.stack = entries[heap:]
        return True


def _where(left: np.ndarray, arrays: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    return arrays if left.all() else tuple(a[left] for a in arrays)
