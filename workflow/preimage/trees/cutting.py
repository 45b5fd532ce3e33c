"""Parts of a box of cells: its halves, and what it has beside another."""

from __future__ import annotations

import numpy as np

# Cells [low, high), each (d,).
Box = tuple[np.ndarray, np.ndarray]


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
