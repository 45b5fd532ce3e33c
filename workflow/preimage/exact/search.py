"""Best-first branch and bound over boxes of inputs: the smallest loss under every condition, proven.

A box is cut to what may be valid, bounded by the model, and dropped where it can't hold a better point; where the ends
of the model's outputs that matter are attained at once, what is left is a question of inputs alone, which `Settling`
answers. Boxes are expanded in batches of a fixed size and merged in a fixed order, so that the answer depends on the
number of boxes allowed and on nothing of the machine.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from preimage.core.open_boxes import Queue, Slots
from preimage.exact.problem import Boxes, Problem
from preimage.exact.settling import Settling
from preimage.support import npz
from preimage.support.files import replacing

BATCH = 128
# Open boxes a job has to start with, at least, where several share a search: enough that their work is alike.
BOXES_A_PART = 64


class Search:
    """A branch and bound that can be stopped, saved and taken up again, with the same end.

    Args:
        most_open: open boxes beyond which the search goes depth-first.

    Attributes:
        boxes: number expanded.
        in_hand: least bound of the boxes that are being expanded.
    """

    eager = False

    def __init__(self, problem: Problem, most_open: int = 1_000_000) -> None:
        self.problem, self.settling, self.queue = problem, Settling(problem), Queue(most_open)
        self.boxes = self.batches = 0
        self.in_hand = np.inf
        whole = problem.whole()
        self.slots = Slots(**whole._asdict())
        self._add(whole, False)

    @property
    def loss(self) -> float:
        """The loss of the best point found; infinite before there is one."""
        return self.problem.loss

    @property
    def x(self) -> np.ndarray:
        """The best point found (d,)."""
        return self.problem.x

    @property
    def open(self) -> int:
        return len(self.queue)

    @property
    def bound(self) -> float:
        """A proven lower bound of the loss of every valid point."""
        return min(self.loss, self.settling.attained, self.settling.unsure, self.in_hand, self.queue.least)

    @property
    def closed(self) -> bool:
        """Whether no box is left that may hold a better point."""
        return min(self.settling.unsure, self.queue.least) >= self.loss

    @property
    def rounding(self) -> float:
        """What a bound may be below the best point's loss by though nothing is better but for rounding; where the
        model's bounds are attained nowhere, though nothing is better by more than a millionth of what the training rows
        span, unless that decides whether values can be met."""
        objective, bound = self.problem.goal.objective, self.bound
        if self.problem.model.attained or not np.isfinite(bound):
            return self.settling.rounding
        if objective.bounded and not objective.near and bound <= objective.enough < self.loss:
            return self.settling.rounding
        return max(self.settling.rounding, objective.equal_to(bound) - bound)

    def open_boxes(self) -> Boxes:
        """Return all open boxes."""
        slots = [slot for _, _, slot in self.queue.entries]
        return Boxes(**{name: array[slots] for name, array in self.slots.arrays.items()})

    def offer(self, X: np.ndarray) -> None:
        """Take the best of the points (n, d) that are valid, where it is better than what there is."""
        self.problem.offer(X)

    def middle(self) -> np.ndarray | None:
        """Return the allowed values (d,) nearest to the middle of the next box; None where none is open."""
        if not self.open:
            return None
        _, _, slot = self.queue.stack[-1] if self.queue.stack else self.queue.heap[0]
        start, end = (self.slots.arrays[name][slot] for name in ("start", "end"))
        return np.asarray(self.problem.space.rounded((start / 2 + end / 2)[None])[0])

    def step(self) -> bool:
        """Expand one batch of boxes; return False where none is left."""
        problem, deep = self.problem, self.queue.deep
        problem.proven = self.bound
        entries, dropped = self.queue.take(BATCH, self.loss)
        self.slots.free += dropped
        if not entries:
            return False
        self.in_hand = min(entry[0] for entry in entries)
        boxes = Boxes(**self.slots.take([slot for _, _, slot in entries]))
        boxes = boxes.take(problem.still(boxes))
        self.boxes += len(entries)
        self.batches += 1
        order = problem.goal.order(boxes.parts, boxes.least, self.loss)
        input_, at = problem.model.split(boxes.start, boxes.end, boxes.state, order)
        split = input_ >= 0
        self._add(problem.bounded(boxes.take(split).halves(input_[split], at[split])), deep)
        for more in self.settling.settle(boxes.take(~split), order[~split]) if not split.all() else ():
            self._add(more, deep)
        self.in_hand = np.inf
        return True

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
        arrays: dict[str, Any] = {name: array[slots] for name, array in self.slots.arrays.items()}
        arrays |= self.problem.saved()
        counts = [len(self.queue.heap), self.boxes, self.batches, self.queue.order, self.settling.settled]
        with replacing(path) as temporary, temporary.open("wb") as stream:
            np.savez(
                stream,
                order=np.array([e[1] for e in entries], np.int64),
                counts=np.array(counts),
                proven=np.array([self.settling.attained, self.settling.unsure]),
                **arrays,
            )

    def resume(self, path: Path) -> bool:
        """Go on from what `save` wrote."""
        parts = npz.read(path)
        heap, self.boxes, self.batches, self.queue.order, self.settling.settled = (int(v) for v in parts["counts"])
        self.settling.attained, self.settling.unsure = (float(v) for v in parts["proven"])
        self.problem.take_up(parts)
        boxes = Boxes(*(parts[name] for name in Boxes._fields))
        self.slots = Slots(**boxes._asdict())
        slots = self.slots.put(**boxes._asdict()) if len(boxes.least) else []
        entries = list(zip(boxes.least.tolist(), parts["order"].tolist(), slots, strict=True))
        self.queue.keep(entries[:heap])
        self.queue.stack = entries[heap:]
        return True
