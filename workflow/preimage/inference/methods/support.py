"""Where a posterior has its mass, from draws alone: balls around these, and the prior's draws within.

The truncated proposals of Deistler, Goncalves, Macke, "Truncated proposals for scalable and hassle-free
simulation-based inference" (NeurIPS 2022): as long as proposals are the prior, cut to a region that holds the
posterior, networks may be trained on them as they are. There the region is one of highest density; here no density is
needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial import cKDTree

# Of draws of the posterior, all but this share lie in the region.
OUTSIDE = 1e-3
NEIGHBOURS = 5
DRAWS = 5000
# Of balls from which points are drawn, in radii.
SPACING = 0.5
# Rounds of drawing: where too little is found in these, the region is a sliver of its balls.
MOST_ROUNDS = 100


@dataclass(frozen=True)
class Support:
    """Points within `radius` of `NEIGHBOURS` draws, of a posterior, on the scale of these, and in the region `within`.

    A further round's region lies within those before: outside of these, earlier rounds have simulated nothing, and all
    rounds together would be no draws of the cut prior.
    """

    tree: cKDTree
    radius: float
    within: Support | None = None

    def contains(self, w: np.ndarray) -> np.ndarray:
        """Return which points (n, d) lie in the region, (n,)."""
        near = np.asarray(self.tree.query(w, k=NEIGHBOURS)[0][:, -1] <= self.radius)
        if self.within is not None and near.any():
            near[near] = self.within.contains(w[near])
        return near

    def sample(self, log_prior: Callable[[np.ndarray], np.ndarray], rng: np.random.Generator, count: int) -> np.ndarray:
        """Return draws (count, d) of the prior within the region; fewer where these are hard to find.

        Uniform in a random ball, kept with one chance for all balls that hold the point: uniform over their union, and
        over the region in it. The prior's density then decides, against the largest that was met.
        """
        w, level, chance = np.empty((0, self.tree.m)), np.empty(0), np.empty(0)
        kept = np.zeros(0, dtype=bool)
        for _ in range(MOST_ROUNDS):
            new = self._uniform(rng, count)
            w, level = np.concatenate([w, new]), np.concatenate([level, log_prior(new)])
            chance = np.concatenate([chance, rng.random(len(new))])
            kept = np.log(chance) <= level - level.max(initial=-np.inf)
            if kept.sum() >= count:
                break
        return w[kept][:count]

    def _uniform(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Return those of `count` attempts (n, d) that are uniform over the region."""
        wide, d = self.radius * (1 + SPACING), self.tree.m
        way = rng.standard_normal((count, d))
        way *= wide * rng.random((count, 1)) ** (1 / d) / np.linalg.norm(way, axis=1, keepdims=True)
        w = self._spaced.data[rng.integers(self._spaced.n, size=count)] + way
        holding = self._spaced.query_ball_point(w, wide, return_length=True)
        w = w[rng.random(count) * holding < 1]
        return np.asarray(w[self.contains(w)]) if len(w) else w

    @cached_property
    def _spaced(self) -> cKDTree:
        """Some of the draws, `SPACING` radii apart: where all draws are taken, most of a dense clump's balls overlap.
        Balls around these that are wider by as much hold the region."""
        left, kept = np.asarray(self.tree.data), []
        while len(left):
            kept.append(left[0])
            left = left[np.linalg.norm(left - left[0], axis=1) > SPACING * self.radius]
        return cKDTree(np.array(kept))


def around(w: np.ndarray, within: Support | None = None) -> Support:
    """Return the region of draws (k, d) of a posterior: all but `OUTSIDE` of further draws lie in it, but for those
    outside of the region `within`."""
    tree = cKDTree(w)
    # The nearest draw to each is itself.
    apart = tree.query(w, k=NEIGHBOURS + 1)[0][:, -1]
    return Support(tree, float(np.quantile(apart, 1 - OUTSIDE)), within)
