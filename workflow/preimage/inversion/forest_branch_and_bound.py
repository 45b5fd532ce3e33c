"""Best-first branch and bound over boxes of a forest's cells: the smallest loss, proven.

A box's bound is the least loss that the trees' best leaves on it allow, each tree by itself. Where these leaves have a
cell in common the bound is attained there; where they have not, the box is split at the cut that takes its best leaf
away from most trees on both sides. (Bounds of the kind: Chen et al. 2019, "Robustness verification of tree-based
models", NeurIPS; the branching is ours.)

Boxes are expanded in batches of a fixed size and merged in a fixed order, so that the answer depends on the number of
boxes allowed and on nothing of the machine.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from preimage import stopping
from preimage.compiled import numba
from preimage.errors import StudyError
from preimage.files import replacing
from preimage.inversion.forest_boxes import Grid, Trees, best_leaf
from preimage.inversion.forest_constraints import Near, Rows, near_point, propagate, rows, valid_point
from preimage.inversion.forest_objective import Wanted, hardest, least_loss
from preimage.inversion.forest_threads import over
from preimage.space import Space

BATCH = 32
# Open boxes a job has to start with, at least, where several share a search: enough that their work is alike.
BOXES_A_PART = 64
# What comes of a box: it is split in two, or its bound is attained in a part of it.
SPLIT, ATTAINED = 1, 2


# -- kernels -----------------------------------------------------------------------------------------------------------


@numba.njit(cache=True)
def best_split(low, high, leaves, lo, hi):  # type: ignore[no-untyped-def]
    """Return the input and cut at which most leaves are lost on both sides of the box, (-1, 0) where none is.

    Args:
        leaves: one leaf a tree (n,), each of which the box [lo, hi) meets.
    """
    n = len(leaves)
    best, at, input_ = 0.0, 0, -1
    begins, ends = np.empty(n, np.int32), np.empty(n, np.int32)
    for j in range(len(lo)):
        a = b = 0
        for i in range(n):
            # Written whether kept or not: no branch to guess.
            begins[a], ends[b] = low[leaves[i], j], high[leaves[i], j]
            a += begins[a] > lo[j]
            b += ends[b] < hi[j]
        if min(a, b) + 0.1 * max(a, b) <= best or a == 0 or b == 0:
            continue  # no cut of this input can be better
        first, last = np.sort(begins[:a]), np.sort(ends[:b])
        # At a cut, leaves that begin there or later are lost on the left, leaves that end by there on the right.
        p = 0
        for q in range(b):
            if q + 1 < b and last[q + 1] == last[q]:
                continue
            while p < a and first[p] < last[q]:
                p += 1
            left, right = a - p, q + 1
            score = min(left, right) + 0.1 * max(left, right) if left > 0 else 0.0
            if score > best:
                best, at, input_ = score, last[q], j
    return input_, at


@numba.njit(cache=True)
def total_of(trees, leaves):  # type: ignore[no-untyped-def]
    """Return the sum of each channel's leaves, (channels,), in the order and dtype of `predict`."""
    score, total = trees.score, trees.start.copy()
    for c in range(len(leaves)):
        for t in range(leaves.shape[1]):
            total[c] += score[c, leaves[c, t]]
    return total


@numba.njit(cache=True)
def meets(low, high, leaf, lo, hi):  # type: ignore[no-untyped-def]
    for j in range(len(lo)):  # noqa: SIM110 (a generator is slow to compile here)
        if low[leaf, j] >= hi[j] or high[leaf, j] <= lo[j]:
            return False
    return True


@numba.njit(cache=True)
def update(trees, lo, hi, leaves, narrowed):  # type: ignore[no-untyped-def]
    """Replace, in place, each best leaf (channels, trees) that the box has lost; -1 counts as lost.

    Args:
        narrowed: the one input in which the box is narrower than it was; -1 where it may be more.
    """
    low, high = trees.low, trees.high
    stack, value = np.empty(trees.depth + 1, np.int32), np.empty(trees.depth + 1)
    for c in range(len(leaves)):
        for t in range(leaves.shape[1]):
            leaf = leaves[c, t]
            if leaf < 0:
                kept = False
            elif narrowed >= 0:
                kept = low[leaf, narrowed] < hi[narrowed] and high[leaf, narrowed] > lo[narrowed]
            else:
                kept = meets(low, high, leaf, lo, hi)
            if not kept:
                leaves[c, t] = best_leaf(trees.node, trees.most[c], trees.roots[t], lo, hi, stack, value)


@numba.njit(cache=True)
def _common(trees, leaves, lo, hi):  # type: ignore[no-untyped-def]
    """Shrink the box, in place, to what all leaves have of it."""
    for j in range(len(lo)):
        for i in range(len(leaves)):
            lo[j] = max(lo[j], trees.low[leaves[i], j])
            hi[j] = min(hi[j], trees.high[leaves[i], j])


@numba.njit(cache=True)
def _expand_one(  # type: ignore[no-untyped-def]
    trees, wanted, rows, limit, lo, hi, leaves, child_lo, child_hi, child_leaves, child_loss
):
    linear = not np.isnan(wanted.slope)
    total = total_of(trees, leaves)
    bounding = 0 if linear else hardest(wanted, total)
    conflict = leaves[bounding].copy()
    j, cut = best_split(trees.low, trees.high, conflict, lo, hi)
    if j < 0 and not linear and (len(wanted.low) > 1 or least_loss(wanted, total) <= 0):
        # This channel's bound is attained, but others bear on the loss: split until all of them are.
        conflict = leaves.copy().reshape(leaves.size)
        j, cut = best_split(trees.low, trees.high, conflict, lo, hi)
    child_lo[0, :], child_hi[0, :] = lo, hi
    if j < 0:
        _common(trees, conflict, child_lo[0], child_hi[0])
        return ATTAINED
    child_lo[1, :], child_hi[1, :] = lo, hi
    child_hi[0, j] = cut
    child_lo[1, j] = cut
    for side in range(2):
        child_leaves[side] = leaves
        child_loss[side] = np.inf
        if propagate(rows, child_lo[side], child_hi[side]):
            narrowed = j if len(rows.matrix) == 0 else -1
            update(trees, child_lo[side], child_hi[side], child_leaves[side], narrowed)
            loss = least_loss(wanted, total_of(trees, child_leaves[side]))
            if loss < limit:
                child_loss[side] = loss
    return SPLIT


@numba.njit(cache=True, nogil=True)
def expand(  # type: ignore[no-untyped-def]
    begin, stop, trees, wanted, rows, limit, lo, hi, leaves, state, child_lo, child_hi, child_leaves, child_loss
):
    """Expand boxes begin to stop of (n, d): state (n,), and for a split the children (n, 2, ...).

    `limit` is the loss to beat: a child that can't has loss inf. A box of state ATTAINED is shrunk, in its first child,
    to where the bound is attained.
    """
    for i in range(begin, stop):
        state[i] = _expand_one(
            trees, wanted, rows, limit, lo[i], hi[i], leaves[i],
            child_lo[i], child_hi[i], child_leaves[i], child_loss[i],
        )  # fmt: skip


@numba.njit(cache=True)
def _bound_one(trees, wanted, rows, lo, hi, leaves):  # type: ignore[no-untyped-def]
    if not propagate(rows, lo, hi):
        return np.inf
    update(trees, lo, hi, leaves, -1)
    return least_loss(wanted, total_of(trees, leaves))


@numba.njit(cache=True, nogil=True)
def bound(begin, stop, trees, wanted, rows, lo, hi, leaves, loss):  # type: ignore[no-untyped-def]
    """Bound boxes begin to stop of (n, d): cut them to the constraints, find best leaves; loss inf where empty."""
    for i in range(begin, stop):
        loss[i] = _bound_one(trees, wanted, rows, lo[i], hi[i], leaves[i])


# -- search ------------------------------------------------------------------------------------------------------------


@dataclass
class Pool:
    """Open boxes in arrays that grow; a slot is used again when its box has been expanded."""

    d: int
    channels: int
    trees: int
    free: list[int] = field(default_factory=list)
    used: int = 0

    def __post_init__(self) -> None:
        self.lo, self.hi = (np.empty((0, self.d), np.int32) for _ in range(2))
        self.leaves = np.empty((0, self.channels, self.trees), np.int32)

    def put(self, lo: np.ndarray, hi: np.ndarray, leaves: np.ndarray) -> int:
        if self.free:
            slot = self.free.pop()
        else:
            slot, self.used = self.used, self.used + 1
            if slot == len(self.lo):
                more = max(1024, slot // 4)
                for name in ("lo", "hi", "leaves"):
                    old = getattr(self, name)
                    grown = np.empty((slot + more, *old.shape[1:]), np.int32)
                    grown[:slot] = old
                    setattr(self, name, grown)
        self.lo[slot], self.hi[slot], self.leaves[slot] = lo, hi, leaves
        return slot


Entry = tuple[float, int, int]  # bound, order, slot


class Search:
    """A branch and bound that can be stopped, saved and taken up again, with the same end.

    Args:
        evaluate: the loss (n,) that the model itself gives at points (n, d).
        most_open: open boxes beyond which the search goes depth-first.
        box: cells [low, high) to search; all of them by default.
        near: the data that inputs must be near; anywhere by default.

    Attributes:
        loss, x: the best point found (inf and NaN before there is one).
        boxes: number expanded.
        heap, stack: open boxes; those of the stack come first, the last one first: it is in use while the heap is full,
            when depth-first search keeps their number down.
        attained: least bound that a point of its box is known to have, up to rounding.
        in_hand: least bound of the boxes that are being expanded.
        unsure: least bound of boxes where a solver could not tell whether a valid point is inside.
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
        near: Near | None = None,
    ) -> None:
        self.space, self.grid, self.trees, self.wanted, self.evaluate = space, grid, trees, wanted, evaluate
        self.near = near
        self.rows: Rows = rows(space, grid, near)
        self.most_open = most_open
        self.loss, self.x = np.inf, np.full(len(space.inputs), np.nan)
        self.boxes = self.batches = self.order = 0
        self.attained = self.unsure = self.in_hand = np.inf
        self.heap: list[Entry] = []
        self.stack: list[Entry] = []
        d, channels = len(space.inputs), len(trees.score)
        self.pool = Pool(d, channels, len(trees.roots))
        lo, hi = (np.zeros(d, np.int32), grid.shape) if box is None else box
        self._push(lo[None].astype(np.int32), hi[None].astype(np.int32), False)

    def offer(self, X: np.ndarray) -> None:
        """Take the best of the points (n, d) that are valid, where it is better than what there is."""
        X = X[self.space.contains(X)]
        if self.near is not None:
            X = X[self.near.holds(self.space, X)]
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

    def keep_share(self, part: int, parts: int) -> None:
        """Keep every `parts`-th open box from the `part`-th on, by bound: one of the jobs that share this search.

        The box is split first, the same way in every job, until each has a number of boxes with bounds alike.
        """
        if parts == 1:
            return
        while 0 < self.open < BOXES_A_PART * parts and self.step():
            pass
        entries = sorted([*self.heap, *self.stack])
        kept = entries[part::parts]
        self.pool.free += [entry[2] for k, entry in enumerate(entries) if k % parts != part]
        self.heap, self.stack = kept, []  # sorted, so a heap
        if part:
            self.boxes = 0  # those so far are counted by the first

    def step(self) -> bool:
        """Expand one batch of boxes; return False where none is left."""
        deep = bool(self.stack) or len(self.heap) >= self.most_open
        batch = self._take()
        if not batch:
            return False
        self.in_hand = min(entry[0] for entry in batch)
        slots = [slot for _, _, slot in batch]
        n, (d, channels, count) = len(batch), (self.pool.d, self.pool.channels, self.pool.trees)
        lo, hi, leaves = self.pool.lo[slots], self.pool.hi[slots], self.pool.leaves[slots]
        state, loss = np.zeros(n, np.int8), np.full((n, 2), np.inf)
        child_lo, child_hi = np.empty((n, 2, d), np.int32), np.empty((n, 2, d), np.int32)
        child_leaves = np.empty((n, 2, channels, count), np.int32)
        over(
            expand, n, self.trees, self.wanted, self.rows, self.loss, lo, hi, leaves,
            state, child_lo, child_hi, child_leaves, loss,
        )  # fmt: skip
        self.pool.free += slots
        self.boxes += n
        self.batches += 1
        new: list[Entry] = []
        for i in range(n):
            if state[i] == ATTAINED:
                self._attained(batch[i][0], (lo[i], hi[i]), (child_lo[i, 0], child_hi[i, 0]), deep)
                continue
            for side in range(2):
                if loss[i, side] < self.loss:
                    self.order -= 1  # of equal bounds the newest first: down to a point
                    slot = self.pool.put(child_lo[i, side], child_hi[i, side], child_leaves[i, side])
                    new.append((float(loss[i, side]), self.order, slot))
        self._add(new, deep)
        self.in_hand = np.inf
        return True

    def middle(self) -> np.ndarray | None:
        """Return a point (d,) where many best leaves of the next box meet, where it is a valid one."""
        if not self.open:
            return None
        _, _, slot = self.stack[-1] if self.stack else self.heap[0]
        leaves = self.pool.leaves[slot].reshape(-1)
        lo = np.maximum(self.trees.low[leaves], self.pool.lo[slot])
        hi = np.minimum(self.trees.high[leaves], self.pool.hi[slot])
        cell = np.floor((np.median(lo, axis=0) + np.median(hi - 1, axis=0)) / 2).astype(np.int32)
        start, end = self.grid.ends(cell, cell + 1)
        x = np.clip(np.where(self.space.discrete, end, start / 2 + end / 2), start, end)
        if self.space.constraints:
            from preimage.polytope import polish

            x = polish(self.space, x)
        return x if self.space.contains(x)[0] else None

    def _take(self) -> list[Entry]:
        """Remove and return the next boxes that may hold a better point."""
        batch: list[Entry] = []
        if self.stack:
            while self.stack and len(batch) < BATCH:
                entry = self.stack.pop()
                if entry[0] < self.loss:
                    batch.append(entry)
                else:
                    self.pool.free.append(entry[2])
        while not batch and self.heap and not self.stack:
            while self.heap and len(batch) < BATCH:
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

    def _attained(self, bound: float, box: tuple[np.ndarray, np.ndarray], inner: tuple[Any, Any], deep: bool) -> None:
        """Take the point where a bound is attained; where constraints leave none there, go on with the rest."""
        try:
            ends = self.grid.ends(*inner)
            x = near_point(self.space, self.near, *ends) if self.near else valid_point(self.space, *ends)
        except StudyError:
            self.unsure = min(self.unsure, bound)
            return
        if x is not None:
            self._check(float(self.evaluate(x[None])[0]), bound)
            self.offer(x[None])
            self.attained = min(self.attained, bound)
            return
        lo, hi = (end.copy() for end in box)
        pieces = []
        for j in range(len(lo)):
            for below in (True, False):
                a, b = lo.copy(), hi.copy()
                if below:
                    b[j], lo[j] = inner[0][j], inner[0][j]
                else:
                    a[j], hi[j] = inner[1][j], inner[1][j]
                if a[j] < b[j]:
                    pieces.append((a, b))
        if pieces:
            self._push(np.array([a for a, _ in pieces]), np.array([b for _, b in pieces]), deep)

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
            )

    def resume(self, path: Path) -> None:
        """Go on from what `save` wrote."""
        with np.load(path, allow_pickle=False) as saved:
            parts = {name: saved[name] for name in saved.files}
        heap, self.boxes, self.batches, self.order = (int(v) for v in parts["counts"])
        self.loss, self.attained, self.unsure = (float(v) for v in parts["best"])
        self.x = parts["x"]
        self.pool = Pool(self.pool.d, self.pool.channels, self.pool.trees)
        boxes = zip(parts["entry"], parts["order"], parts["lo"], parts["hi"], parts["leaves"], strict=True)
        entries = [(float(b), int(o), self.pool.put(lo, hi, leaves)) for b, o, lo, hi, leaves in boxes]
        self.heap, self.stack = entries[:heap], entries[heap:]
        heapq.heapify(self.heap)


SAVE_EVERY_SECONDS = 10.0
SHOW_EVERY_SECONDS = 0.2
# The line search starts from the next box's middle after batches 1, 2, 4, ... 256, and every 256 from there on.
IMPROVE_EVERY = 256


def run(
    search: Search,
    boxes: int,
    gap: float = 0.0,
    rounding: float = 0.0,
    seconds: float | None = None,
    improve: Callable[[np.ndarray], np.ndarray] | None = None,
    state: Path | None = None,
    report: Callable[..., None] | None = None,
) -> str:
    """Search until the gap is closed or a limit is reached; return which: "closed", "gap", "boxes" or "seconds".

    Args:
        boxes: most boxes to expand (whole batches).
        gap: loss that the best point may be above the bound.
        rounding: a loss that rounding may make of none: a smaller gap counts as closed.
        improve: a local search, from a point (d,) to one as good or better.
        report: called with boxes expanded, best loss, and by name bound, gap and open.
    """
    started = saved = shown = time.monotonic()
    pause = SAVE_EVERY_SECONDS
    while True:
        if search.boxes and search.loss - search.bound <= max(gap, rounding) and search.open:
            return "closed" if search.loss - search.bound <= rounding else "gap"
        if search.open and search.boxes >= boxes:
            return "boxes"
        if search.open and seconds is not None and time.monotonic() - started >= seconds:
            return "seconds"
        if not search.step():
            return "closed" if search.closed else "unsure"
        batch = search.batches
        if improve and (batch % IMPROVE_EVERY == 0 or (batch < IMPROVE_EVERY and batch & (batch - 1) == 0)):
            middle = search.middle()
            if middle is not None:
                search.offer(improve(middle)[None])
        now = time.monotonic()
        if report and now - shown > SHOW_EVERY_SECONDS:
            shown = now
            low = search.bound
            report(min(search.boxes, boxes), search.loss, bound=low, gap=search.loss - low, open=search.open)
        if state and (stopping.asked() or now - saved > pause):
            search.save(state)
            stopping.end_if_asked()
            saved = time.monotonic()
            pause = max(SAVE_EVERY_SECONDS, 20 * (saved - now))
