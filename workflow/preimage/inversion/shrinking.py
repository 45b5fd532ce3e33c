"""First points for the proof of a nearest change: what meets the objective somewhere, with each change made smaller.

Where it is known early that something near does, a search over boxes looks at few others.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from preimage.core.objective.reference import Reference
from preimage.core.space import Space
from preimage.trees.boxes import Grid

# Points that are followed, the nearest ones, and the most rounds over all inputs.
FOLLOWED, ROUNDS = 3, 4


def shrunk(
    near: Reference, space: Space, grid: Grid, distance: Callable[[np.ndarray], np.ndarray], X: np.ndarray
) -> np.ndarray:
    """Return the nearest of points (n, d) with their changes made smaller, one input at a time (k, d).

    Args:
        grid: of the model's thresholds.
        distance: to the reference at points (n, d); infinite where the objective is not met.
    """
    far = np.full(len(X), np.inf)
    inside = space.contains(X)
    far[inside] = distance(X[inside])
    chosen = np.argsort(far, kind="stable")[:FOLLOWED]
    return np.array([_shrunk(near, space, grid, distance, X[k]) for k in chosen if np.isfinite(far[k])]).reshape(
        -1, X.shape[1]
    )


def _shrunk(
    near: Reference, space: Space, grid: Grid, distance: Callable[[np.ndarray], np.ndarray], x: np.ndarray
) -> np.ndarray:
    best, before = float(distance(x[None])[0]), np.inf
    for _ in range(ROUNDS):
        if best >= before:
            break
        before = best
        for j in np.argsort(-near.parts(x[None])[0], kind="stable"):
            X = _nearer(near, grid, x, j)
            X = X[space.contains(X)]
            found = distance(X)
            if len(X) and found.min() < best:
                best, x = float(found.min()), X[np.argmin(found)]
    return x


def _nearer(near: Reference, grid: Grid, x: np.ndarray, j: int) -> np.ndarray:
    """Return a point (d,) with its j-th input at the reference, and at each place before where a model may jump."""
    old, cells = near.values[j], slice(grid.first[j], grid.first[j + 1])
    ends = grid.start[cells] if x[j] > old else grid.end[cells]
    between = ends[(ends > min(old, x[j])) & (ends < max(old, x[j]))]
    X = np.tile(x, (len(between) + 1, 1))
    X[:, j] = np.r_[old, between]
    return X
