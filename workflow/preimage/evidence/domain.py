"""Domain of applicability: is a candidate where the data was?

The score is the distance to the k-th nearest training row, in inputs scaled to [0, 1], as a quantile of that same
distance among the training rows themselves (k-nearest-neighbour domain, Sahigara et al. 2013, J. Cheminformatics 5).
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

NEIGHBOUR = 5
# Distances among training rows are estimated from at most this many of them.
REFERENCE_ROWS = 10_000


class Domain:
    """The training rows' own distances, to place others among."""

    def __init__(self, scaled_rows: np.ndarray) -> None:
        """Take training rows (n, d) in inputs scaled to [0, 1]; repeats of one input count once."""
        rows = np.unique(scaled_rows, axis=0)
        self.k = min(NEIGHBOUR, max(1, len(rows) - 1))
        self.tree = cKDTree(rows)
        every = max(1, -(-len(rows) // REFERENCE_ROWS))
        distance, _ = self.tree.query(rows[::every], k=[min(self.k + 1, len(rows))])
        self.reference = np.sort(distance[:, 0])

    def score(self, scaled: np.ndarray) -> np.ndarray:
        """Return the score (n,) of points (n, d): the share of training rows that are no lonelier; 0 to 1.

        A point that is itself a training row skips that row, so that the data scores like the data.
        """
        if not len(scaled):
            return np.empty(0)
        distance, _ = self.tree.query(scaled, k=[1, self.k, min(self.k + 1, self.tree.n)])
        kth = np.where(distance[:, 0] == 0, distance[:, 2], distance[:, 1])
        return np.searchsorted(self.reference, kth, side="right") / len(self.reference)
