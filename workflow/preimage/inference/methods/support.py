"""Where a posterior has its mass, from draws alone: balls around these, and the prior's draws within.

The truncated proposals of Deistler, Goncalves, Macke, "Truncated proposals for scalable and hassle-free
simulation-based inference" (NeurIPS 2022): as long as proposals are the prior, cut to a region that holds the
posterior, networks may be trained on them as they are. There the region is one of highest density; here no density is
needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

# Of draws of the posterior, all but this share lie in the region.
OUTSIDE = 1e-3
NEIGHBOURS = 5
DRAWS = 5000
# Rounds of drawing, each of as many as are wanted: where fewer are found, the region is a sliver of its balls.
MOST_ROUNDS = 1000


@dataclass(frozen=True)
class Support:
    """Points within `radius` of `NEIGHBOURS` draws, on a scale where the prior is standard normal."""

    tree: cKDTree
    radius: float

    def contains(self, w: np.ndarray) -> np.ndarray:
        """Return which points (n, d) lie in the region, (n,)."""
        return np.asarray(self.tree.query(w, k=NEIGHBOURS)[0][:, -1] <= self.radius)

    def sample(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Return draws (count, d) of the prior within the region.

        Uniform in a random ball, kept with one chance for all balls that hold the point: uniform over their union. The
        prior's density then decides. Fewer come back where these are hard to find.
        """
        centres = self.tree.data
        d = centres.shape[1]
        # The density's largest value in the region is not above that at the nearest point to the origin.
        nearest = max(float(np.linalg.norm(centres, axis=1).min()) - self.radius, 0.0)
        found: list[np.ndarray] = []
        for _ in range(MOST_ROUNDS):
            way = rng.standard_normal((count, d))
            way *= self.radius * rng.random((count, 1)) ** (1 / d) / np.linalg.norm(way, axis=1, keepdims=True)
            w = centres[rng.integers(len(centres), size=count)] + way
            holding = self.tree.query_ball_point(w, self.radius, return_length=True)
            chance = np.exp((nearest**2 - np.square(w).sum(axis=1)) / 2) * NEIGHBOURS / np.maximum(holding, NEIGHBOURS)
            found.append(w[(holding >= NEIGHBOURS) & (rng.random(count) < chance)])
            if sum(map(len, found)) >= count:
                break
        return np.concatenate(found)[:count]


def around(w: np.ndarray) -> Support:
    """Return the region of draws (k, d) of a posterior: all but `OUTSIDE` of further draws lie in it."""
    tree = cKDTree(w)
    # The nearest draw to each is itself.
    apart = tree.query(w, k=NEIGHBOURS + 1)[0][:, -1]
    return Support(tree, float(np.quantile(apart, 1 - OUTSIDE)))
