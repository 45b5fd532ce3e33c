"""Points where an interpolation of the losses measured so far is small, away from what is known.

CORS-RBF (Regis and Shoemaker 2005, "Constrained global optimization of expensive black box functions using radial
basis functions", J. Global Optimization 31): a cubic interpolation with a linear tail has nothing to fit, so it is of
use from the first few rows on and where a surrogate of the outputs is still wrong. Losses count by their rank alone,
as normal quantiles: a steep wall far off would otherwise bend the interpolation where it matters.
"""

from __future__ import annotations

import numpy as np
from scipy.interpolate import RBFInterpolator
from scipy.special import ndtri
from scipy.stats import rankdata

from preimage.core.neighbours import Tree
from preimage.core.space import Space
from preimage.data.split import group_rows
from preimage.relearning import pool

# Of more rows, those with the smallest losses are interpolated: the cost is their number cubed.
MOST_ROWS = 1000
# Against rows that all but coincide.
SMOOTHING = 1e-9
DECIMALS = 7
GENERATIONS, DRAWS, BEST = 6, 250, 20


class Interpolation:
    """Ranks of the losses (n,) at points (n, d) of a space, as a smooth function over it."""

    def __init__(self, space: Space, X: np.ndarray, loss: np.ndarray) -> None:
        """Take rows with finite losses; repeats of one input count once, by their mean."""
        self.space = space
        group = group_rows(X)
        mean = np.bincount(group, loss) / np.bincount(group)
        kept = np.argsort(mean, kind="stable")[:MOST_ROWS]
        scaled = space.coordinates(X[np.unique(group, return_index=True)[1][kept]])
        self.centre = scaled.mean(axis=0)
        # Along directions in which the rows don't vary (fixed inputs, equalities) nothing can be said.
        _, size, axes = np.linalg.svd(scaled - self.centre, full_matrices=False)
        self.axes = axes[size > 1e-9 * max(size.max(), 1e-300)].T
        values = ndtri((rankdata(mean[kept]) - 0.5) / len(kept))
        points = (scaled - self.centre) @ self.axes
        self.predict = _constant if len(kept) < 2 + points.shape[1] or not points.shape[1] else _cubic(points, values)

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """Return interpolated ranks (k,) at points (k, d), to a number of decimals that rounding has no part in: where
        nothing is known to tell two points apart, they are equal."""
        return np.round(self.predict((self.space.coordinates(X) - self.centre) @ self.axes), DECIMALS)


def _cubic(points: np.ndarray, values: np.ndarray) -> RBFInterpolator:
    return RBFInterpolator(points, values, kernel="cubic", degree=1, smoothing=SMOOTHING)


def _constant(points: np.ndarray) -> np.ndarray:
    return np.zeros(len(points))


def smallest(
    interpolation: Interpolation, start: np.ndarray, known: np.ndarray, apart: float, rng: np.random.Generator
) -> np.ndarray | None:
    """Return the point (d,) where the interpolation is smallest, at least `apart` from what is known.

    Args:
        start: points (k, d) to begin from.
        known: points (n, d) to stay away from, at a distance in the space's coordinates.

    None where no such point was drawn.
    """
    space = interpolation.space
    tree = Tree(space.coordinates(known), space.one_hot)
    best = start
    found: np.ndarray | None = None
    least = np.inf
    for _ in range(GENERATIONS):
        X = np.concatenate([best, pool.around(space, best, DRAWS, rng), pool.between(space, best, 2 * DRAWS, rng)])
        value = interpolation(X)
        far = tree.query(space.coordinates(X), 1)[0][:, 0] >= apart
        order = np.argsort(np.where(far, value, np.inf), kind="stable")
        best = X[order[:BEST]]
        if far[order[0]] and value[order[0]] < least:
            found, least = best[0], value[order[0]]
    return found
