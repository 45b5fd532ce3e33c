"""How much of a space boxes take: lengths of inputs that take any number, counts of those that take separate values.

A gap counts to the 0 before it: of an input that is 0 or at least 2 up to 10, the 0 alone takes a fifth.
"""

from __future__ import annotations

import numpy as np

from preimage.core.space import Space


def sizes(space: Space, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return the size of boxes in each input (n, d): its length, or the number of values; 1 where it is fixed."""
    size = end - start + space.discrete
    for j, i in enumerate(space.inputs):
        if space.listed[j]:
            allowed = i.allowed
            size[:, j] = np.searchsorted(allowed, end[:, j], "right") - np.searchsorted(allowed, start[:, j])
        elif space.gapped[j]:
            size[:, j] = _without_gap(start[:, j], end[:, j], float(i.zero_or or 0.0), bool(space.discrete[j]))
    return np.where(space.free, size, 1.0)


def _without_gap(start: np.ndarray, end: np.ndarray, least: float, whole: bool) -> np.ndarray:
    above = np.where(end >= least, end - np.maximum(start, least) + whole, 0.0)
    return above + np.where(start <= 0, 1.0 if whole else least, 0.0)


def widths(space: Space, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return the sizes of boxes in each input as shares of the space's (n, d)."""
    whole = sizes(space, space.low[None], space.high[None])
    return sizes(space, start, end) / np.where(whole > 0, whole, 1.0)


def shares(space: Space, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return which share of the space boxes take (n,)."""
    return np.asarray(widths(space, start, end).prod(axis=1))
