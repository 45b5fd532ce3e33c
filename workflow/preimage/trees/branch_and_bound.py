"""Best-first branch and bound over boxes of a forest's cells: the smallest loss, proven.

Boxes (their bounds and splits: `forest_bounds`) are expanded in batches of a fixed size and merged in a fixed order, so
that the answer depends on the number of boxes allowed and on nothing of the machine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from preimage.core.open_boxes import Entry, Queue, Slots
from preimage.core.space import Space
from preimage.support import npz
from preimage.support.checkpoints import Pace
from preimage.support.errors import StudyError
from preimage.support.files import replacing
from preimage.trees.bounds import ATTAINED, bound, expand
from preimage.trees.boxes import Grid, Trees
from preimage.trees.constraints import ConstraintRows, rows
from preimage.trees.cutting import Box, around, halves
from preimage.trees.domain import Domain
from preimage.trees.nearest import near_point, valid_point
from preimage.trees.objective import Wanted
from preimage.trees.priced import PricedBoxes
from preimage.trees.threads import over
from preimage.trees.tightening import AFTER, Tightening, can_tighten
from preimage.trees.tightening import BATCH as TIGHT_BATCH

BATCH = 128
# Open boxes a job has to start with, at least, where several share a search: enough that their work is alike.
BOXES_A_PART = 64
# Bytes of an open box beside its arrays: the place in the queue.
OF_AN_ENTRY = 200
# Boxes that a search for a point that is not isolated may take, where a bound is attained.
MOST_FOR_A_POINT = 20_000


class Search:
    """A branch and bound that can be stopped, saved and taken up again, with the same end.

    Args:
        evaluate: the loss (n,) that the model itself gives at points (n, d).
        most_open: open boxes beyond which the search goes depth-first.
        box: cells [low, high) to search; all of them by default.
        domain: where inputs must lie; anywhere by default.

    Attributes:
        loss, x: the best point found (inf and NaN before there is one).
        boxes: number expanded.
        queue, slots: open boxes; cells and best leaves by slot.
        attained: least bound that a point of its box is known to have, up to rounding.
        in_hand: least bound of the boxes that are being expanded.
        unsure: least bound of cells that were left without a valid point and without a proof that they have none.
        may_tighten: whether it may go over to bounds by multipliers, once.
        priced: open boxes with their multipliers, where it has gone over. A step that improves them counts as a box.
    """

    def __init__(
        self,
        space: Space,
        grid: Grid,
        trees: Trees,
        wanted: Wanted,
        evaluate: Callable[[np.ndarray], np.ndarray],
        most_open: int = 1_000_000,
        box: tuple[np.ndarray, np.ndarray] | None = None,
        domain: Domain | None = None,
    ) -> None:
        self.space, self.grid, self.trees, self.wanted, self.evaluate = space, grid, trees, wanted, evaluate
        self.domain = domain
        self.rows: ConstraintRows = rows(space, grid, domain)
        self.loss, self.x = np.inf, np.full(len(space.inputs), np.nan)
        self.boxes = self.batches = 0
        self.attained = self.unsure = self.in_hand = np.inf
        self.queue = Queue(most_open)
        lo, hi = (np.zeros(len(space.inputs)), grid.shape) if box is None else box
        self.whole = lo[None].astype(np.int32), hi[None].astype(np.int32)
        self.leaves = np.full((1, len(trees.score), len(trees.roots)), -1, np.int32)  # none known
        self.slots = Slots(lo=self.whole[0], hi=self.whole[1], leaves=self.leaves)
        self.may_tighten = can_tighten(trees, wanted)
        self.priced: PricedBoxes | None = None
        self._push(*self.whole, False)

    def offer(self, X: np.ndarray) -> None:
        """Take the best of the points (n, d) that are valid, where it is better than what there is."""
        X = X[self.space.contains(X)]
        if self.domain is not None:
            X = X[self.domain.holds(X)]
        if len(X):
            loss = self.evaluate(X)
            k = int(np.argmin(loss))
            if loss[k] < self.loss:
                self._check(float(loss[k]), self.bound)
                self.loss, self.x = float(loss[k]), X[k].copy()

    @staticmethod
    def _check(loss: float, bound: float) -> None:
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
    def eager(self) -> bool:
        """Whether points are to be tried after each batch, as its boxes are costly beside that."""
        return self.priced is not None

    @property
    def rounding(self) -> float:
        """What a bound may be below the best point's loss by though nothing is better but for rounding: its margin
        twice, for what is computed in another order may be off to either side."""
        relative = self.wanted.share * self.loss if np.isfinite(self.loss) else 0.0
        return 2 * (self.wanted.margin + relative)

    def keep_share(self, part: int, parts: int) -> None:
        """Keep every `parts`-th open box from the `part`-th on, by bound: one of the jobs that share this search.

        The box is split first, the same way in every job, until each has a number of boxes with bounds alike.
        """
        if parts == 1:
            return
        self.may_tighten = False  # the search would begin again from the whole
        while 0 < self.open < BOXES_A_PART * parts and self.step():
            pass
        entries = sorted(self.queue.entries)
        self.slots.free += [entry[2] for k, entry in enumerate(entries) if k % parts != part]
        self.queue.keep(entries[part::parts])
        self.batches = 0
        if part:
            self.boxes = 0  # those so far are counted by the first

    def step(self) -> bool:
        """Expand one batch of boxes; return False where none is left."""
        if self.may_tighten and self.boxes >= AFTER and np.isfinite(self.loss):
            self._try_multipliers()
        deep = self.queue.deep
        batch, dropped = self.queue.take(BATCH if self.priced is None else TIGHT_BATCH, self.loss)
        self.slots.free += dropped
        if not batch:
            return False
        self.in_hand = min(entry[0] for entry in batch)
        prices: list[np.ndarray] = []
        if self.priced is not None:
            batch, prices, steps = self.priced.tightened(batch, self.slots, self.loss)
            self.boxes += steps
        self._expand(batch, prices, deep)
        self.batches += 1
        self.in_hand = np.inf
        return True

    def _try_multipliers(self) -> None:
        """Bound the whole by multipliers; where that is better than what is proven so far, begin again from there."""
        self.may_tighten = False
        tightening = Tightening(self.trees, self.grid, self.wanted)
        prices = tightening.none[None]
        (loss,), (hint,) = tightening.losses(*self.whole, prices, self.loss, first=True)
        self.boxes += tightening.steps
        if loss <= self.bound:
            return
        self.priced = PricedBoxes(tightening, hint)
        # A set of multipliers is shared by two halves.
        size = sum(array[0].nbytes for array in (*self.whole, self.leaves)) + OF_AN_ENTRY
        self.queue.most = max(int(self.queue.most * size / (size + prices.nbytes / 2)), 1)
        self.slots.free += [entry[2] for entry in self.queue.entries]
        self.queue.keep([])
        self._push(*self.whole, False, float(loss))
        for _, _, slot in self.queue.entries:
            self.priced.give(slot, prices[0])

    def _expand(self, batch: list[Entry], prices: list[np.ndarray], deep: bool) -> None:
        """Split boxes, or take the point where the bound of one is attained."""
        n = len(batch)
        lo, hi, leaves = self.slots.take([slot for _, _, slot in batch]).values()
        state, loss = np.zeros(n, np.int8), np.full((n, 2), np.inf)
        child_lo, child_hi, child_leaves = (np.empty((n, 2, *p.shape[1:]), np.int32) for p in (lo, hi, leaves))
        over(
            expand, n, self.trees, self.wanted, self.rows, self.loss, lo, hi, leaves,
            state, child_lo, child_hi, child_leaves, loss,
        )  # fmt: skip
        self.boxes += n
        for i in np.flatnonzero(state == ATTAINED):
            self._attained(batch[i][0], (lo[i], hi[i]), (child_lo[i, 0], child_hi[i, 0]), deep)
        still = (loss < self.loss) & (state != ATTAINED)[:, None]
        slots = self.slots.put(lo=child_lo[still], hi=child_hi[still], leaves=child_leaves[still])
        parent = np.nonzero(still)[0]
        self.queue.add([max(float(own), batch[i][0]) for own, i in zip(loss[still], parent, strict=True)], slots, deep)
        if prices:
            assert self.priced is not None
            for i, slot in zip(parent, slots, strict=True):
                self.priced.give(slot, prices[i])

    def middle(self) -> np.ndarray | None:
        """Return a point (d,) where many best leaves of the next box meet, where it is a valid one."""
        if not self.open:
            return None
        if self.priced is not None:
            return self._inside(self.priced.hint)
        _, _, slot = self.queue.stack[-1] if self.queue.stack else self.queue.heap[0]
        box = {name: array[slot] for name, array in self.slots.arrays.items()}
        leaves = box["leaves"].reshape(-1)
        lo, hi = np.maximum(self.trees.low[leaves], box["lo"]), np.minimum(self.trees.high[leaves], box["hi"])
        return self._inside(np.floor((np.median(lo, axis=0) + np.median(hi - 1, axis=0)) / 2).astype(np.int32))

    def _inside(self, cell: np.ndarray) -> np.ndarray | None:
        """Return a point (d,) of a cell, or near it where constraints say so; None where it isn't valid."""
        start, end = self.grid.ends(cell, cell + 1)
        x = np.clip(np.where(self.space.discrete, end, start / 2 + end / 2), start, end)
        if self.space.constraints:
            from preimage.core.polytope import polish

            x = polish(self.space, x)
        return x if self.space.contains(x)[0] else None

    def _attained(self, bound: float, box: Box, inner: Box, deep: bool) -> None:
        """Take the point where a bound is attained; where nothing valid is there, go on with the rest."""
        pieces = []
        try:
            x = self._valid_point(*inner)
        except StudyError:  # too much for one look: halves, down to a cell
            x, pieces = None, halves(*inner)
            if not pieces:
                self.unsure = min(self.unsure, bound)
        if x is not None:
            self._check(float(self.evaluate(x[None])[0]), bound)
            self.offer(x[None])
            self.attained = min(self.attained, bound)
            return
        pieces += around(box, inner)
        if pieces:
            self._push(np.array([a for a, _ in pieces]), np.array([b for _, b in pieces]), deep)

    def _valid_point(self, lo: np.ndarray, hi: np.ndarray) -> np.ndarray | None:
        """Return a point (d,) of a box [lo, hi) that is valid and in the domain; None where it is proven to hold none.

        Raises StudyError where neither is certain.
        """
        start, end = self.grid.ends(lo, hi)
        if self.domain is None or self.domain.common is None:
            near = self.domain.near if self.domain else None
            return near_point(self.space, near, start, end) if near else valid_point(self.space, start, end)
        # The input of the box whose paths are longest, by a search of its own: the first that is long enough will do.
        common, paths = self.domain.common, self.domain.paths
        assert paths is not None
        one = np.ones(1)
        longest = Wanted(1.0, -1.0, 1.0, one, one, one, 0.0, 0.0)
        inner = Search(
            self.space, self.grid, paths, longest, lambda X: -common.paths.predict(X)[:, 0],
            box=(lo, hi), domain=replace(self.domain, common=None, paths=None) if self.domain.near else None,
        )  # fmt: skip
        inner.loss, inner.may_tighten = float(np.nextafter(-common.least, np.inf)), False
        while np.isnan(inner.x).any() and inner.boxes < MOST_FOR_A_POINT and inner.step():
            pass
        if not np.isnan(inner.x).any():
            return inner.x
        if inner.closed:
            return None
        raise StudyError("an input that is not isolated can't be told from none")

    def _push(self, lo: np.ndarray, hi: np.ndarray, deep: bool, known: float = -np.inf) -> None:
        """Bound boxes [lo, hi), each (n, d), afresh and keep those that may hold a better point.

        Args:
            known: what their bounds are at least.
        """
        leaves, loss = np.repeat(self.leaves, len(lo), axis=0), np.empty(len(lo))
        over(bound, len(lo), self.trees, self.wanted, self.rows, lo, hi, leaves, loss)
        still = loss < self.loss
        slots = self.slots.put(lo=lo[still], hi=hi[still], leaves=leaves[still])
        self.queue.add(np.maximum(loss[still], known).tolist(), slots, deep)

    # -- state ---------------------------------------------------------------------------------------------------------

    def save(self, path: Path) -> None:
        """Write all that the search needs to go on."""
        entries = self.queue.entries
        slots = [slot for _, _, slot in entries]
        arrays: dict[str, Any] = {name: array[slots] for name, array in self.slots.arrays.items()}
        arrays |= self.priced.state(slots) if self.priced else {}
        with replacing(path) as temporary, temporary.open("wb") as stream:
            np.savez(
                stream,
                entry=np.array([e[0] for e in entries]),
                order=np.array([e[1] for e in entries], np.int64),
                counts=np.array([len(self.queue.heap), self.boxes, self.batches, self.queue.order]),
                best=np.array([self.loss, self.attained, self.unsure]),
                x=self.x,
                may_tighten=np.array(self.may_tighten),
                most=np.array(self.queue.most),
                **arrays,
            )

    def resume(self, path: Path) -> bool:
        """Go on from what `save` wrote."""
        parts = npz.read(path)
        heap, self.boxes, self.batches, self.queue.order = (int(v) for v in parts["counts"])
        self.loss, self.attained, self.unsure = (float(v) for v in parts["best"])
        self.x, self.may_tighten, self.queue.most = parts["x"], bool(parts["may_tighten"]), int(parts["most"])
        arrays = {name: parts[name] for name in self.slots.arrays}
        self.slots = Slots(**arrays)
        slots = self.slots.put(**arrays)
        entries = list(zip(parts["entry"].tolist(), parts["order"].tolist(), slots, strict=True))
        self.queue.keep(entries[:heap])
        self.queue.stack = entries[heap:]
        if "prices" in parts:
            self.priced = PricedBoxes(Tightening(self.trees, self.grid, self.wanted), parts["hint"])
            self.priced.restore(parts, slots)
        return True


# The line search is asked for a better point after batches 4, 8, ... 256, and every 256 from there on.
FIRST, IMPROVE_EVERY = 4, 256


class Stepwise(Protocol):
    """A search that is run step by step (`Search`, or `exact.search.Search`)."""

    boxes: int
    batches: int

    @property
    def loss(self) -> float: ...
    @property
    def bound(self) -> float: ...
    @property
    def open(self) -> int: ...
    @property
    def closed(self) -> bool: ...
    @property
    def rounding(self) -> float: ...
    @property
    def eager(self) -> bool: ...
    def step(self) -> bool: ...
    def offer(self, X: np.ndarray) -> None: ...
    def save(self, path: Path) -> None: ...


def run(
    search: Stepwise,
    boxes: int,
    gap: float = 0.0,
    rounding: float = 0.0,
    seconds: float | None = None,
    improve: Callable[[Any], np.ndarray] | None = None,
    state: Path | None = None,
    report: Callable[..., None] | None = None,
) -> str:
    """Search until the gap is closed or a limit is reached; return which: "closed", "gap", "boxes" or "seconds".

    Args:
        boxes: most boxes to expand (whole batches).
        gap: loss that the best point may be above the bound.
        rounding: a loss that rounding may make of none: a smaller gap counts as closed, as does `search.rounding`.
        improve: a local search, which returns points (n, d).
        report: called with boxes expanded, best loss, and by name bound, gap and open.
    """

    def tell() -> None:
        assert report is not None
        low = search.bound
        report(min(search.boxes, boxes), search.loss, bound=low, gap=search.loss - low, open=search.open)

    pace = Pace(search.save, state, tell if report else None)
    while True:
        left, none = search.loss - search.bound, max(rounding, search.rounding)
        if search.boxes and left <= max(gap, none) and search.open:
            return "closed" if left <= none else "gap"
        if search.open and search.boxes >= boxes:
            return "boxes"
        if search.open and seconds is not None and pace.seconds >= seconds:
            return "seconds"
        if not search.step():
            return "closed" if search.closed or left <= none else "unsure"
        if improve and search.open and (search.eager or improves_after(search.batches)):
            search.offer(improve(search))
        pace.turn()


def improves_after(batch: int) -> bool:
    return batch % IMPROVE_EVERY == 0 or (FIRST <= batch < IMPROVE_EVERY and batch & (batch - 1) == 0)
