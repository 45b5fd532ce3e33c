"""The mean of the nearest rows, where rows that are equally near count equally.

Where inputs are categories or whole numbers, many rows are at one distance. Taking some of them, by their places in a
table or a tree, would make the mean depend on the order of rows and of categories.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree

# Distances that differ by less are equal: the rounding of coordinates whose values are 1e6 ranges away from 0.
SAME = 1e-8


class Nearest:
    """Rows (n, D) of `Space.coordinates` with values (n, m), and how many of them make a mean."""

    def __init__(self, rows: np.ndarray, values: np.ndarray, k: int) -> None:
        self.rows, self.values, self.k, self.tree = rows, values, k, cKDTree(rows)

    def mean(self, points: np.ndarray) -> np.ndarray:
        """Return the mean value of the k rows nearest to points (p, D), (p, m)."""
        return self._mean(points, self.k, [-1] * len(points))

    def of_the_others(self) -> np.ndarray:
        """Return the mean value (n, m) of the k rows nearest to each row, itself left out."""
        return self._mean(self.rows, self.k + 1, range(len(self.rows)))

    def _mean(self, points: np.ndarray, reach: int, itself: Sequence[int]) -> np.ndarray:
        """Return the means of the k rows nearest to points among the `reach` nearest, without the row `itself`."""
        radius = self.tree.query(points, k=[min(reach, len(self.rows))])[0][:, 0]
        near = self.tree.query_ball_point(points, radius + SAME, return_sorted=True)
        out = np.empty((len(points), self.values.shape[1]))
        for p, (x, r, own) in enumerate(zip(points, radius, itself, strict=True)):
            found = np.array([j for j in near[p] if j != own])
            nearer = np.sqrt(((self.rows[found] - x) ** 2).sum(axis=1)) < r - SAME
            count = int(nearer.sum())
            tied = self.values[found[~nearer]].mean(axis=0)
            out[p] = (self.values[found[nearer]].sum(axis=0) + (self.k - count) * tied) / self.k
        return out
