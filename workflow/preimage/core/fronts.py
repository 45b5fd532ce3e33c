"""Fronts: the points that no other beats in every output at once, how much they dominate, and a few that stand for all.

Points are rows of k outputs (n, k), each to be made small. Nothing here depends on the units of the outputs, except
where a function says that it takes shares of a common range.
"""

from __future__ import annotations

import numpy as np


def undominated(F: np.ndarray) -> np.ndarray:
    """Return which points (n, k) no other dominates, (n,): none is at most as large in every output and smaller in one.

    Equal points do not dominate each other; points with NaN are never among them.
    """
    found = np.isfinite(F).all(axis=1)
    # In lexicographic order a point comes after all that dominate it.
    points, place = np.unique(F[found], axis=0, return_inverse=True)
    if F.shape[1] == 2:
        best = np.minimum.accumulate(points[:, 1])
        alone = np.append(True, points[1:, 1] < best[:-1])[: len(points)]
    else:
        alone, left = np.zeros(len(points), bool), np.arange(len(points))
        while len(left):
            first, left = left[0], left[1:]
            alone[first] = True
            left = left[(points[left] < points[first]).any(axis=1)]
    found[found] = alone[place.ravel()]
    return found


def dominated_by(F: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return which points (n, k) some of others (m, k) dominates, (n,)."""
    found = np.zeros(len(F), bool)
    for other in others:
        found |= (other <= F).all(axis=1) & (other < F).any(axis=1)
    return found


def sorted_fronts(F: np.ndarray) -> np.ndarray:
    """Return the number of each point's front (n,), from 0: 0 for the undominated, 1 for those that are once these are
    left out, and so on (non-dominated sorting); points with NaN come last."""
    number = np.full(len(F), len(F))
    left = np.flatnonzero(np.isfinite(F).all(axis=1))
    front = 0
    while len(left):
        here = undominated(F[left])
        number[left[here]] = front
        left, front = left[~here], front + 1
    return number


def hypervolume(F: np.ndarray) -> float:
    """Return the volume of what points (n, k) dominate within outputs of at most 1, exactly.

    In shares of ranges that run from 0 (best) to 1 (worst), it is a share of the box between these, and above 1 where
    points are better than 0. Points beyond 1 in some output, or with NaN, count nothing.
    """
    F = F[(F < 1).all(axis=1)]
    return _volume(F[undominated(F)]) if len(F) else 0.0


def _volume(F: np.ndarray) -> float:
    """Sum slices along the last output, each as thick as the way to the next point (Fleischer 2003, EMO)."""
    F = F[np.argsort(F[:, -1], kind="stable")]
    thick = np.diff(np.append(F[:, -1], 1.0))
    if F.shape[1] == 1:
        return float(1 - F[0, 0])
    if F.shape[1] == 2:
        return float(thick @ (1 - np.minimum.accumulate(F[:, 0])))
    return float(sum(h * _volume(F[: k + 1, :-1]) for k, h in enumerate(thick) if h > 0))


def spread_order(F: np.ndarray, first: int, most: int | None = None) -> np.ndarray:
    """Return positions of points (n, k) in an order whose beginning always covers them evenly: `first`, then each time
    the point that is farthest from those before (Gonzalez 1985, Theoretical Computer Science 38).

    Args:
        F: shares of common ranges, as distances are taken over all outputs.
        most: how many positions to return; all by default.
    """
    order = [first]
    nearest = np.full(len(F), np.inf)
    while len(order) < min(len(F), most or len(F)):
        nearest = np.minimum(nearest, np.linalg.norm(F - F[order[-1]], axis=1))
        nearest[order[-1]] = -1.0
        order.append(int(np.argmax(nearest)))
    return np.array(order)


def crowding(F: np.ndarray) -> np.ndarray:
    """Return how far apart the neighbours of each point (n, k) are along a front, (n,), in shares of its range, summed
    over outputs; infinite at its ends (Deb et al. 2002, IEEE Transactions on Evolutionary Computation 6)."""
    each = np.zeros(F.shape)
    for k, column in enumerate(F.T):
        order = np.argsort(column, kind="stable")
        ordered = column[order]
        each[order[[0, -1]], k] = np.inf
        if (reach := ordered[-1] - ordered[0]) > 0:
            each[order[1:-1], k] = (ordered[2:] - ordered[:-2]) / reach
    # In an order of their own, as a sum's last digit depends on it.
    return np.asarray(np.sort(each, axis=1).sum(axis=1))
