"""Nearest rows, by `Space.coordinates`: found fast where some inputs are categories, and averaged fairly where several
rows are equally near.

Rows of other categories are 1 away or more, so a row's neighbours are mostly among those of its own categories: each
such group has a tree of its numbers alone. A tree over columns of 0 and 1 would be as slow as looking at every row.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

# Distances that differ by less are equal: the rounding of coordinates whose values are 1e6 ranges away from 0.
SAME = 1e-8
# Distances that are held at once, in numbers.
BLOCK = 4_000_000
# In so many columns a tree visits most of so many rows, and looking at every row at once is eight times as fast.
WIDE, MANY = 10, 50_000
# Rows whose distances bound those of the nearest, and the rounding of a product of coordinates near 1.
PICKED, ROUNDING = 8192, 1e-9


def spread_evenly(rows: np.ndarray, most: int) -> np.ndarray:
    """Return the positions of at most `most` of the rows (n, D), from near to far from their mean: the same rows
    whatever the order of rows, columns or categories."""
    away = ((rows - rows.mean(axis=0)) ** 2).sum(axis=1)
    return np.argsort(away, kind="stable")[:: max(1, -(-len(rows) // most))]


class Tree:
    """Rows (n, D), to be asked for those nearest to points; `one_hot` says which columns stand for categories (D,)."""

    def __init__(self, rows: np.ndarray, one_hot: np.ndarray | None = None) -> None:
        self.rows = rows
        self.one_hot = np.zeros(rows.shape[1], bool) if one_hot is None else one_hot
        self.groups: dict[bytes, tuple[np.ndarray, cKDTree | EveryRow]] = {}
        for key, positions in self._by_category(rows):
            numbers = rows[np.ix_(positions, ~self.one_hot)]
            wide = numbers.shape[1] >= WIDE and len(numbers) >= MANY
            self.groups[key] = positions, (EveryRow(numbers) if wide else cKDTree(numbers))

    def query(self, points: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the distances (p, k) and positions (p, k) of the k rows nearest to points (p, D), nearest first."""
        distance, index = np.empty((len(points), k)), np.zeros((len(points), k), int)
        left = np.ones(len(points), bool)
        for key, mine in self._by_category(points):
            positions, tree = self.groups.get(key, (np.empty(0, int), None))
            if tree is not None and len(positions) >= k:
                distance[mine], near = tree.query(points[np.ix_(mine, ~self.one_hot)], k=[*range(1, k + 1)])
                index[mine] = positions[near]
                left[mine] = self.one_hot.any() & (distance[mine, -1] >= 1 - SAME)
        rest = np.flatnonzero(left)
        step = max(1, BLOCK // len(self.rows))
        for part in (rest[start : start + step] for start in range(0, len(rest), step)):
            distance[part], index[part] = self._among_all(points[part], k)
        return distance, index

    def within(self, x: np.ndarray, radius: float) -> np.ndarray:
        """Return the positions, in order, of the rows within a distance of a point (D,)."""
        return np.flatnonzero(((self.rows - x) ** 2).sum(axis=1) <= radius**2)

    def _among_all(self, points: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        away = cdist(points, self.rows)
        near = np.argpartition(away, k - 1, axis=1)[:, :k]
        near = np.take_along_axis(near, np.take_along_axis(away, near, axis=1).argsort(axis=1, kind="stable"), axis=1)
        return np.take_along_axis(away, near, axis=1), near

    def _by_category(self, points: np.ndarray) -> list[tuple[bytes, np.ndarray]]:
        """Return what tells each group of points of equal categories, and their positions."""
        if not self.one_hot.any() or not len(points):
            return [(b"", np.arange(len(points)))]
        packed = np.packbits(points[:, self.one_hot] > 0, axis=1)
        keys, group = np.unique(packed, axis=0, return_inverse=True)
        order = np.argsort(group.ravel(), kind="stable")
        parts = np.split(order, np.cumsum(np.bincount(group.ravel()))[:-1])
        return [(key.tobytes(), part) for key, part in zip(keys, parts, strict=True)]


class EveryRow:
    """Rows (n, D), each looked at to find those nearest to points: as a cKDTree answers, and faster where D is large.

    Squared distances come from one matrix product, which rounds; the few that may be among the least are computed
    again, exactly.
    """

    def __init__(self, rows: np.ndarray) -> None:
        self.rows, self.squares = rows, (rows**2).sum(axis=1)
        self.picked = np.arange(0, len(rows), max(1, len(rows) // PICKED))

    def query(self, points: np.ndarray, k: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Return the distances (p, k) and positions (p, k) of the 1st to k-th nearest rows to points (p, D)."""
        count, step = len(k), max(1, BLOCK // len(self.rows))
        distance, index = np.empty((len(points), count)), np.empty((len(points), count), int)
        for start in range(0, len(points), step):
            part = points[start : start + step]
            size = (part**2).sum(axis=1)
            squares = self.squares - 2 * (part @ self.rows.T)
            # The k-th least of some rows is no less than that of all of them.
            bound = np.partition(squares[:, self.picked], count - 1, axis=1)[:, count - 1]
            bound += ROUNDING * (size + np.abs(bound) + self.squares.max())
            for p, x in enumerate(part, start):
                near = np.flatnonzero(squares[p - start] <= bound[p - start])
                away = np.sqrt(((self.rows[near] - x) ** 2).sum(axis=1))
                order = np.argsort(away, kind="stable")[:count]
                distance[p], index[p] = away[order], near[order]
        return distance, index


class Nearest:
    """Rows (n, D) with values (n, m), and how many of them make a mean; rows that are equally near count equally.

    Where inputs are categories or whole numbers, many rows are at one distance: to take some of them, by their places
    in a table or a tree, would make the mean depend on the order of rows and of categories.
    """

    def __init__(self, rows: np.ndarray, values: np.ndarray, k: int, one_hot: np.ndarray | None = None) -> None:
        self.values, self.k, self.tree = values, k, Tree(rows, one_hot)

    def mean(self, points: np.ndarray) -> np.ndarray:
        """Return the mean value (p, m) of the k rows nearest to points (p, D)."""
        return self._mean(points, np.full(len(points), -1))

    def of_the_others(self, which: np.ndarray) -> np.ndarray:
        """Return the mean value (p, m) of the k rows nearest to each of the rows at positions (p,), itself left out."""
        return self._mean(self.tree.rows[which], which)

    def _mean(self, points: np.ndarray, itself: np.ndarray) -> np.ndarray:
        """Return the means of the k rows nearest to points, without the row `itself` (p,) of each; -1 for none."""
        reach = self.k + int((itself >= 0).any())
        distance, index = self.tree.query(points, min(reach + 1, len(self.values)))
        radius, counted = distance[:, reach - 1], index[:, :reach] != itself[:, None]
        out = np.asarray((self.values[index[:, :reach]] * counted[..., None]).sum(axis=1) / self.k)
        if distance.shape[1] > reach:
            for p in np.flatnonzero(distance[:, reach] <= radius + SAME):
                out[p] = self._with_ties(points[p], radius[p], int(itself[p]))
        return out

    def _with_ties(self, x: np.ndarray, radius: float, itself: int) -> np.ndarray:
        near = self.tree.within(x, radius + SAME)
        near = near[near != itself]
        nearer = np.sqrt(((self.tree.rows[near] - x) ** 2).sum(axis=1)) < radius - SAME
        tied = self.values[near[~nearer]].mean(axis=0)
        return np.asarray((self.values[near[nearer]].sum(axis=0) + (self.k - nearer.sum()) * tied) / self.k)
