"""Open boxes of a search, kept in arrays, and parts of a box."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

# Cells [low, high), each (d,).
Box = tuple[np.ndarray, np.ndarray]


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

    @property
    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return cells and leaves of all slots."""
        return self.lo, self.hi, self.leaves


def halves(lo: np.ndarray, hi: np.ndarray) -> list[Box]:
    """Return the two halves of a box along its longest side; none of a cell."""
    j = int(np.argmax(hi - lo))
    if hi[j] - lo[j] < 2:
        return []
    left, right = hi.copy(), lo.copy()
    left[j] = right[j] = (lo[j] + hi[j]) // 2
    return [(lo, left), (right, hi)]


def around(box: Box, inner: Box) -> list[Box]:
    """Return disjoint boxes that make up what a box has beside another inside it."""
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
    return pieces
