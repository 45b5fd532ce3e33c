"""Where the searches of a fit start, where a study does not say.

Half of the points are spread evenly over the box and half over its orders of magnitude: a wide box is mostly large
values. The engine `batched` draws several points a start and searches on from the one that a few iterations bring
furthest: the best of many points as they are would be the flattest, not the nearest to a fit.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from preimage import polytope
from preimage.space import Space

# Orders of magnitude below the larger bound, where the other is 0.
DECADES = 3
# Points drawn a start, and the iterations that they are tried with.
DRAWN, TRIED = 8, 5


def design(space: Space, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return n starts (n, d), every other one by orders of magnitude."""
    even, decades = polytope.sample(space, n, rng, "latin_hypercube"), by_decades(space, n, rng)
    return np.where((np.arange(n) % 2 == 0)[:, None], even, decades)


def by_decades(space: Space, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return points (n, d) that are spread evenly over the logarithm of each number whose bounds have one sign."""
    X = polytope.sample(space, n, rng, "latin_hypercube")
    if space.constraints:
        return X
    ends = np.abs([space.low, space.high])
    largest = ends.max(axis=0)
    least = np.maximum(ends.min(axis=0), largest * 10.0**-DECADES)
    signed = space.free & ~space.discrete & (space.low * space.high >= 0)
    share = (X - space.low) / space.width
    with np.errstate(all="ignore"):
        spread = np.where(space.high > 0, 1.0, -1.0) * least * (largest / least) ** share
    return np.where(signed, np.clip(spread, space.low, space.high), X)


def tried(drawn: np.ndarray, keep: np.ndarray, loss: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Return of the points drawn (n, k, d) for each start the one with the least loss (n, d).

    Args:
        keep: starts (n,) that take their first point, whatever the others are.
        loss: of n points (n, d), after some iterations.
    """
    found = np.stack([loss(drawn[:, k]) for k in range(drawn.shape[1])], axis=1)
    best = np.where(keep, 0, np.where(np.isfinite(found), found, np.inf).argmin(axis=1))
    return drawn[np.arange(len(drawn)), best]
