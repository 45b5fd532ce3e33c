"""Where the searches of a fit start, where a study does not say.

Half of the points are spread evenly over the box and half over its orders of magnitude: a wide box is mostly large
values. The engine `batched` draws several points a start and searches on from the one that some iterations bring
furthest: the best of many points as they are would be the flattest, not the nearest to a fit. Of an equation even a few
iterations tell little: of 1,000 searches of Boehm_JProteomeRes2014, 17 % came to the best optimum, as few of those that
were the best of eight after 5 iterations, and 30 % of those that were the better of two after 100.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from preimage.core import polytope
from preimage.core.space import Space

# Orders of magnitude below the larger bound, where the other is 0.
DECADES = 3
# Points drawn a start, and the iterations that they are tried with: of a curve, which costs little, and of an equation.
TRIALS = {"curve": (32, 10), "equation": (2, 100)}


def design(space: Space, n: int, rng: np.random.Generator, logs: tuple[bool, ...] = ()) -> np.ndarray:
    """Return n starts (n, d), every other one by orders of magnitude.

    Args:
        logs: which parameters are logarithms already (d,); empty where none is.
    """
    even, decades = polytope.sample(space, n, rng, "latin_hypercube"), by_decades(space, n, rng)
    decades = np.where(logs, even, decades) if logs else decades
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


def tried(
    drawn: np.ndarray, keep: np.ndarray, trial: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
) -> np.ndarray:
    """Return of the points drawn (n, k, d) for each start where the one that comes furthest ends (n, d).

    Args:
        keep: starts (n,) that take their first point as it is, whatever the others are.
        trial: where some iterations bring n points (n, d), and the loss there (n,).
    """
    X, loss = zip(*(trial(drawn[:, k]) for k in range(drawn.shape[1])), strict=True)
    best = np.where(np.isfinite(loss), loss, np.inf).argmin(axis=0)
    return np.where(keep[:, None], drawn[:, 0], np.stack(X)[best, np.arange(len(drawn))])
