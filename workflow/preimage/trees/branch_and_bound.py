"""Best-first branch and bound over boxes of a forest's cells: the smallest loss, proven.

Boxes (their bounds and splits: `forest_bounds`) are expanded in batches of a fixed size and merged in a fixed order, so
that the answer depends on the number of boxes allowed and on nothing of the machine.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from preimage.core.space import Space
from preimage.support import npz
from preimage.support.checkpoints import Pace
from preimage.support.errors import StudyError
from preimage.support.files import replacing
from preimage.trees.bounds import ATTAINED, bound, expand
from preimage.trees.boxes import Grid, Trees
from preimage.trees.constraints import ConstraintRows, rows
from preimage.trees.domain import Domain
from preimage.trees.nearest import near_point, valid_point
from preimage.trees.objective import Wanted
from preimage.trees.open_boxes import Box, Pool, around, halves
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

Entry = tuple[float, int, int]  # bound, order, slot


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
        heap, stack: open boxes; those of the stack come first, the last one first: it is in use while the heap is full,
            when depth-first search keeps their number down.
        attained: least bound that a point of its box is known to have, up to rounding.
        in_hand: least bound of the boxes that are being expanded.
        unsure: least bound of cells that were left without a valid point and without a proof that they have none.
        may_tighten: whether it may go over to bounds by multipliers, once.
        tightening: bounds by multipliers, where the search has gone over to them; `prices` has those of open boxes, by
            slot. A step that improves them counts as a box.
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
        self.most_open = most_open
        self.loss, self.x = np.inf, np.full(len(space.inputs), np.nan)
        self.boxes = self.batches = self.order = 0
        self.attained = self.unsure = self.in_hand = np.inf
        self.heap: list[Entry] = []
        self.stack: list[Entry] = []
        d, channels = len(space.inputs), len(trees.score)
        self.pool = Pool(d, channels, len(trees.roots))
        lo, hi = (np.zeros(d, np.int32), grid.shape) if box is None else box
        self.tightening: Tightening | None = None
        self.prices: dict[int, np.ndarray] = {}
        self.hint: np.ndarray | None = None
        self.whole = lo.astype(np.int32), hi.astype(np.int32)
        self.may_tighten = can_tighten(trees, wanted)
        self._push(lo[None].astype(np.int32), hi[None].astype(np.int32), False)

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
        return len(self.heap) + len(self.stack)

    @property
    def bound(self) -> float:
        """A proven lower bound of the loss of every valid point."""
        ends = [self.loss, self.attained, self.unsure, self.in_hand, *(entry[0] for entry in self.stack)]
        return min(ends + ([self.heap[0][0]] if self.heap else []))

    @property
    def closed(self) -> bool:
        """Whether no box is left that may hold a better point."""
        least = min([self.unsure, *(e[0] for e in self.stack), *(e[0] for e in self.heap[:1])])
        return least >= self.loss

    @property
    def eager(self) -> bool:
        """Whether points are to be tried after each batch, as its boxes are costly beside that."""
        return self.tightening is not None

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
        entries = sorted([*self.heap, *self.stack])
        kept = entries[part::parts]
        self.pool.free += [entry[2] for k, entry in enumerate(entries) if k % parts != part]
        self.heap, self.stack = kept, []  # sorted, so a heap
        self.batches = 0
        if part:
            self.boxes = 0  # those so far are counted by the first

    def step(self) -> bool:
        """Expand one batch of boxes; return False where none is left."""
        if self.may_tighten and self.boxes >= AFTER and np.isfinite(self.loss):
            self._try_multipliers()
        deep = bool(self.stack) or len(self.heap) >= self.most_open
        batch = self._take()
        if not batch:
            return False
        self.in_hand = min(entry[0] for entry in batch)
        prices: list[np.ndarray] = []
        if self.tightening is not None:
            batch, prices = self._tightened(batch)
        self._expand(batch, prices, deep)
        self.batches += 1
        self.in_hand = np.inf
        return True

    def _try_multipliers(self) -> None:
        """Bound the whole by multipliers; where that is better than what is proven so far, begin again from there."""
        self.may_tighten = False
        tightening = Tightening(self.trees, self.grid, self.wanted)
        lo, hi = (end[None].copy() for end in self.whole)
        prices = tightening.none[None]
        (loss,), (self.hint,) = tightening.losses(lo, hi, prices, self.loss, first=True)
        self.boxes += tightening.steps
        if loss <= self.bound:
            return
        self.tightening = tightening
        # A set of multipliers is shared by two halves.
        size = 8 * self.pool.d + 4 * self.pool.channels * self.pool.trees + OF_AN_ENTRY
        self.most_open = max(int(self.most_open * size / (size + prices.nbytes / 2)), 1)
        self.pool.free += [entry[2] for entry in (*self.heap, *self.stack)]
        self.heap, self.stack = [], []
        self._push(lo, hi, False)
        if self.heap:
            bound, order, slot = self.heap[0]
            self.heap[0] = (max(bound, float(loss)), order, slot)
            self.prices[slot] = prices[0]

    def _tightened(self, batch: list[Entry]) -> tuple[list[Entry], list[np.ndarray]]:
        """Bound boxes by multipliers; return those that may still hold a better point, and their multipliers."""
        assert self.tightening is not None
        if batch[0][0] > self.loss - self.tightening.no_use:
            return batch, [self.prices.pop(slot, self.tightening.none) for _, _, slot in batch]
        slots = [slot for _, _, slot in batch]
        prices = np.stack([self.prices.pop(slot, self.tightening.none) for slot in slots])
        before = self.tightening.steps
        losses, cells = self.tightening.losses(self.pool.lo[slots], self.pool.hi[slots], prices, self.loss)
        self.boxes += self.tightening.steps - before
        self.hint = cells[0]
        kept, sets = [], []
        for k, (inherited, order, slot) in enumerate(batch):
            least = max(inherited, float(losses[k]))
            if least < self.loss:
                kept.append((least, order, slot))
                sets.append(prices[k].copy())
            else:
                self.pool.free.append(slot)
        return kept, sets

    def _expand(self, batch: list[Entry], prices: list[np.ndarray], deep: bool) -> None:
        """Split boxes, or take the point where the bound of one is attained."""
        slots = [slot for _, _, slot in batch]
        n, (d, channels, count) = len(batch), (self.pool.d, self.pool.channels, self.pool.trees)
        lo, hi, leaves = (part[slots] for part in self.pool.arrays)
        state, loss = np.zeros(n, np.int8), np.full((n, 2), np.inf)
        child_lo, child_hi = np.empty((n, 2, d), np.int32), np.empty((n, 2, d), np.int32)
        child_leaves = np.empty((n, 2, channels, count), np.int32)
        over(
            expand, n, self.trees, self.wanted, self.rows, self.loss, lo, hi, leaves,
            state, child_lo, child_hi, child_leaves, loss,
        )  # fmt: skip
        self.pool.free += slots
        self.boxes += n
        new: list[Entry] = []
        for i in range(n):
            if state[i] == ATTAINED:
                self._attained(batch[i][0], (lo[i], hi[i]), (child_lo[i, 0], child_hi[i, 0]), deep)
                continue
            for side in range(2):
                if loss[i, side] < self.loss:
                    self.order -= 1  # of equal bounds the newest first: down to a point
                    slot = self.pool.put(child_lo[i, side], child_hi[i, side], child_leaves[i, side])
                    new.append((max(float(loss[i, side]), batch[i][0]), self.order, slot))
                    if prices:
                        self.prices[slot] = prices[i]
        self._add(new, deep)

    def middle(self) -> np.ndarray | None:
        """Return a point (d,) where many best leaves of the next box meet, where it is a valid one."""
        if not self.open:
            return None
        if self.tightening is not None and self.hint is not None:
            return self._inside(self.hint)
        _, _, slot = self.stack[-1] if self.stack else self.heap[0]
        leaves = self.pool.leaves[slot].reshape(-1)
        lo = np.maximum(self.trees.low[leaves], self.pool.lo[slot])
        hi = np.minimum(self.trees.high[leaves], self.pool.hi[slot])
        return self._inside(np.floor((np.median(lo, axis=0) + np.median(hi - 1, axis=0)) / 2).astype(np.int32))

    def _inside(self, cell: np.ndarray) -> np.ndarray | None:
        """Return a point (d,) of a cell, or near it where constraints say so; None where it isn't valid."""
        start, end = self.grid.ends(cell, cell + 1)
        x = np.clip(np.where(self.space.discrete, end, start / 2 + end / 2), start, end)
        if self.space.constraints:
            from preimage.core.polytope import polish

            x = polish(self.space, x)
        return x if self.space.contains(x)[0] else None

    def _take(self) -> list[Entry]:
        """Remove and return the next boxes that may hold a better point."""
        batch: list[Entry] = []
        most = BATCH if self.tightening is None else TIGHT_BATCH
        if self.stack:
            while self.stack and len(batch) < most:
                entry = self.stack.pop()
                if entry[0] < self.loss:
                    batch.append(entry)
                else:
                    self.pool.free.append(entry[2])
        while not batch and self.heap and not self.stack:
            while self.heap and len(batch) < most:
                entry = heapq.heappop(self.heap)
                if entry[0] >= self.loss:  # and so are all the others
                    self.pool.free += [entry[2], *(e[2] for e in self.heap)]
                    self.heap = []
                else:
                    batch.append(entry)
            break
        return batch

    def _add(self, new: list[Entry], deep: bool) -> None:
        if deep:
            self.stack += sorted(new, key=lambda entry: (-entry[0], entry[1]))
        else:
            for entry in new:
                heapq.heappush(self.heap, entry)

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

    def _push(self, lo: np.ndarray, hi: np.ndarray, deep: bool) -> None:
        """Bound boxes begin to stop of (n, d) afresh and keep those that may hold a better point."""
        leaves = np.full((len(lo), self.pool.channels, self.pool.trees), -1, np.int32)
        loss = np.empty(len(lo))
        over(bound, len(lo), self.trees, self.wanted, self.rows, lo, hi, leaves, loss)
        new = []
        for i in np.flatnonzero(loss < self.loss):
            self.order -= 1
            new.append((float(loss[i]), self.order, self.pool.put(lo[i], hi[i], leaves[i])))
        self._add(new, deep)

    # -- state ---------------------------------------------------------------------------------------------------------

    def save(self, path: Path) -> None:
        """Write all that the search needs to go on."""
        entries = [*self.heap, *self.stack]
        slots = [slot for _, _, slot in entries]
        sets, which = self._sets(slots)
        with replacing(path) as temporary, temporary.open("wb") as stream:
            np.savez(
                stream,
                lo=self.pool.lo[slots],
                hi=self.pool.hi[slots],
                leaves=self.pool.leaves[slots],
                entry=np.array([e[0] for e in entries]),
                order=np.array([e[1] for e in entries], np.int64),
                counts=np.array([len(self.heap), self.boxes, self.batches, self.order]),
                best=np.array([self.loss, self.attained, self.unsure]),
                x=self.x,
                may_tighten=np.array(self.may_tighten),
                hint=np.empty(0, np.int32) if self.hint is None else self.hint,
                prices=sets,
                which=which,
            )

    def _sets(self, slots: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """Return the distinct sets of multipliers of boxes, and which is whose; none before the search has any."""
        if self.tightening is None:
            return np.empty((0, 0), np.float32), np.empty(0, np.int64)
        none = self.tightening.none
        held = [self.prices.get(slot, none) for slot in slots]
        number = {id(prices): k for k, prices in enumerate({id(p): p for p in held}.values())}
        return np.stack([none, *{id(p): p for p in held}.values()]), np.array([1 + number[id(p)] for p in held], int)

    def resume(self, path: Path) -> bool:
        """Go on from what `save` wrote."""
        parts = npz.read(path)
        heap, number, batches, order = (int(v) for v in parts["counts"])
        loss, attained, unsure = (float(v) for v in parts["best"])
        pool = Pool(self.pool.d, self.pool.channels, self.pool.trees)
        boxes = zip(parts["entry"], parts["order"], parts["lo"], parts["hi"], parts["leaves"], strict=True)
        entries = [(float(b), int(o), pool.put(lo, hi, leaves)) for b, o, lo, hi, leaves in boxes]
        self.x, self.pool, self.boxes, self.batches, self.order = parts["x"], pool, number, batches, order
        self.loss, self.attained, self.unsure = loss, attained, unsure
        self.heap, self.stack = entries[:heap], entries[heap:]
        heapq.heapify(self.heap)
        self.may_tighten, self.hint = bool(parts["may_tighten"]), parts["hint"] if len(parts["hint"]) else None
        if len(parts["prices"]):
            self.tightening = Tightening(self.trees, self.grid, self.wanted)
            sets = list(parts["prices"])
            self.prices = {entry[2]: sets[k] for entry, k in zip(entries, parts["which"], strict=True)}
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
