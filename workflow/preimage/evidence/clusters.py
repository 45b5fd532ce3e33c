"""Distinct solutions: candidates linked where they lie within 0.05 in `Space.coordinates` (single linkage)."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from preimage.core.space import Space

LINK = 0.05
# Linking all pairs of a dense cloud would need their number squared; points in one cell of this share of LINK are
# joined first, by their cell (which can misjudge a distance by that share). Where more than MOST_PAIRS would be left,
# cells grow, up to COARSEST.
CELL = 1e-3
COARSEST = 0.25
MOST_PAIRS = 20_000_000


def places(space: Space, X: np.ndarray, without_influence: Collection[str] = ()) -> np.ndarray:
    """Return where points (n, d) lie for a model (n, D), to which those are one that differ only in inputs without
    influence on it."""
    held = np.isin(space.names, list(without_influence))
    return space.coordinates(np.where(held, space.low, X))


def clusters(points: np.ndarray) -> np.ndarray:
    """Return a cluster number (n,) for points (n, d), numbered by first appearance."""
    if not len(points):
        return np.empty(0, int)
    share = CELL
    first, member = _cells(points, share)
    tree = cKDTree(points[first])
    while share < COARSEST and len(first) ** 2 > MOST_PAIRS and tree.count_neighbors(tree, LINK) > 2 * MOST_PAIRS:
        share *= 4
        first, member = _cells(points, share)
        tree = cKDTree(points[first])
    pairs = tree.query_pairs(LINK, output_type="ndarray")
    graph = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(len(first), len(first)))
    label = connected_components(graph, directed=False)[1][member]
    _, start, inverse = np.unique(label, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(start))[inverse]


def _cells(points: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the position of the first point of each cell, and the cell of each point (n,)."""
    size = LINK * share / np.sqrt(points.shape[1])
    _, first, member = np.unique(np.round(points / size), axis=0, return_index=True, return_inverse=True)
    return first, member.ravel()
