"""Distinct solutions: candidates linked where they lie within 0.05 in inputs scaled to [0, 1] (single linkage)."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

LINK = 0.05
# Linking all pairs of a dense cloud would need their number squared; points in one cell of this share of LINK are
# joined first, by their cell (which can misjudge a distance by that share).
CELL = 1e-3


def clusters(scaled: np.ndarray) -> np.ndarray:
    """Return a cluster number (n,) for points (n, d), numbered by first appearance."""
    if not len(scaled):
        return np.empty(0, int)
    cells, member = np.unique(np.round(scaled / (LINK * CELL / np.sqrt(scaled.shape[1]))), axis=0, return_inverse=True)
    first = np.full(len(cells), len(scaled))
    np.minimum.at(first, member.ravel(), np.arange(len(scaled)))
    pairs = cKDTree(scaled[first]).query_pairs(LINK, output_type="ndarray")
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(first), len(first)))
    label = connected_components(graph, directed=False)[1][member.ravel()]
    _, start, inverse = np.unique(label, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(start))[inverse]
