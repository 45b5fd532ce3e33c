"""Domain of applicability: is a candidate where the data was?

The score is the distance to the k-th nearest training row as a quantile of that same distance among the training rows
themselves (k-nearest-neighbour domain, Sahigara et al. 2013, J. Cheminformatics 5). Distances are those of
`Space.coordinates`: numbers by their ranges, distinct categories 1 apart. A category's value that no row has is outside
whatever the distance: score 1.
"""

from __future__ import annotations

import numpy as np

from preimage.core.neighbours import SAME, Tree, spread_evenly

NEIGHBOUR = 5
# Distances among training rows are estimated from at most this many of them; where there are so many rows that it takes
# more than `DISTANCES`, from fewer, though not from under `FEWEST` (a share is then off by 1.6 % at most: 1 sd).
REFERENCE_ROWS, FEWEST = 10_000, 1_000
DISTANCES = 1_000_000_000


class Domain:
    """The training rows' own distances, to place others among."""

    def __init__(self, rows: np.ndarray, one_hot: np.ndarray | None = None) -> None:
        """Take the coordinates of training rows (n, D); repeats of one input count once.

        Args:
            one_hot: which of the coordinates stand for a category's value (D,) (`Space.one_hot`); none if left out.
        """
        self.unseen = ~rows.any(axis=0) & (np.zeros(rows.shape[1], bool) if one_hot is None else one_hot)
        rows = np.unique(rows, axis=0)
        self.k = min(NEIGHBOUR, max(1, len(rows) - 1))
        self.tree = Tree(rows, one_hot)
        judges = rows[spread_evenly(rows, int(np.clip(DISTANCES // len(rows), FEWEST, REFERENCE_ROWS)))]
        distance, _ = self.tree.query(judges, min(self.k + 1, len(rows)))
        self.reference = np.sort(distance[:, -1])

    def score(self, points: np.ndarray) -> np.ndarray:
        """Return the score (n,) of coordinates (n, D): the share of training rows that are no lonelier; 0 to 1.

        A point that is itself a training row skips that row, so that the data scores like the data.
        """
        if not len(points):
            return np.empty(0)
        distance, _ = self.tree.query(points, min(self.k + 1, len(self.tree.rows)))
        kth = np.where(distance[:, 0] <= SAME, distance[:, -1], distance[:, self.k - 1])
        score = np.searchsorted(self.reference, kth + SAME, side="right") / len(self.reference)
        return np.where(points[:, self.unseen].any(axis=1), 1.0, score)
