"""Open boxes of a search: kept in arrays that grow, taken best first, and depth-first where there are too many."""

from __future__ import annotations

import heapq

import numpy as np

Entry = tuple[float, int, int]  # bound, order, slot


class Slots:
    """Arrays of one shape per box, which grow; a slot is used again when its box has been taken."""

    def __init__(self, **like: np.ndarray) -> None:
        """Begin with none; `like` gives each array's name, and an array whose rows are of its shape and dtype."""
        self.arrays = {name: np.empty((0, *a.shape[1:]), a.dtype) for name, a in like.items()}
        self.free: list[int] = []
        self.used = 0

    def put(self, **rows: np.ndarray) -> list[int]:
        """Keep rows (n, ...) of each array; return their slots."""
        n = len(next(iter(rows.values())))
        taken = [self.free.pop() for _ in range(min(n, len(self.free)))]
        more = n - len(taken)
        taken += range(self.used, self.used + more)
        self.used += more
        self._grow()
        for name, array in self.arrays.items():
            array[taken] = rows[name]
        return taken

    def take(self, slots: list[int]) -> dict[str, np.ndarray]:
        """Return the rows of some slots, which are free from here on."""
        self.free += slots
        return {name: array[slots] for name, array in self.arrays.items()}

    def _grow(self) -> None:
        size = len(next(iter(self.arrays.values())))
        if self.used <= size:
            return
        for name, old in self.arrays.items():
            grown = np.empty((max(self.used, size + max(1024, size // 4)), *old.shape[1:]), old.dtype)
            grown[:size] = old
            self.arrays[name] = grown


class Queue:
    """Entries of open boxes, the least bound first.

    Attributes:
        most: entries beyond which new ones go on a stack, that are taken first and the last one first: depth-first
            search keeps their number down.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.heap: list[Entry] = []
        self.stack: list[Entry] = []
        self.order = 0

    def __len__(self) -> int:
        return len(self.heap) + len(self.stack)

    @property
    def entries(self) -> list[Entry]:
        return [*self.heap, *self.stack]

    @property
    def deep(self) -> bool:
        """Whether the search goes depth-first."""
        return bool(self.stack) or len(self.heap) >= self.most

    @property
    def least(self) -> float:
        """The least bound of all; inf where there are none."""
        return min([np.inf, *(e[0] for e in self.stack), *(e[0] for e in self.heap[:1])])

    def add(self, bounds: list[float], slots: list[int], deep: bool) -> None:
        """Add boxes; of equal bounds the newest is taken first: down to a point."""
        new = []
        for bound, slot in zip(bounds, slots, strict=True):
            self.order -= 1
            new.append((bound, self.order, slot))
        if deep:
            self.stack += sorted(new, key=lambda entry: (-entry[0], entry[1]))
        else:
            for entry in new:
                heapq.heappush(self.heap, entry)

    def take(self, most: int, limit: float) -> tuple[list[Entry], list[int]]:
        """Remove and return the next entries, `most` of them with a bound below the limit; and the slots of others
        that are of no use any more."""
        batch: list[Entry] = []
        dropped: list[int] = []
        while self.stack and len(batch) < most:
            entry = self.stack.pop()
            if entry[0] < limit:
                batch.append(entry)
            else:
                dropped.append(entry[2])
        while not batch and self.heap:
            if self.heap[0][0] >= limit:  # and so are all the others
                dropped += [entry[2] for entry in self.heap]
                self.heap = []
                break
            while self.heap and len(batch) < most and self.heap[0][0] < limit:
                batch.append(heapq.heappop(self.heap))
        return batch, dropped

    def keep(self, entries: list[Entry]) -> None:
        """Go on with these alone."""
        self.heap, self.stack = sorted(entries), []  # sorted, so a heap
