"""Does a method that simulates for each answer use what it simulates?

The same method answers the same problems twice, once with the features of simulated samples set to zero, in training as
in use: what it then loses is what its simulations were worth.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

REPEATS = 4000
LEVEL = 0.95


class Comparison(NamedTuple):
    """Mean score without simulations less that with them (lower scores are better), and its bootstrap interval."""

    gain: float
    low: float
    high: float
    problems: int

    @property
    def verdict(self) -> str:
        if self.low > 0:
            return "the simulations help"
        return "the simulations harm" if self.high < 0 else "no difference that these problems show"


def compare(with_them: np.ndarray, without: np.ndarray, rng: np.random.Generator) -> Comparison:
    """Compare scores of the same problems, (problems,) each: errors or -log q, lower is better.

    The interval is the percentile bootstrap over problems (Efron 1979). Problems where either score is not finite are
    left out of both; raises ValueError where scores are not pairs.
    """
    if with_them.shape != without.shape:
        raise ValueError(f"found {len(with_them)} and {len(without)} scores, expected pairs")
    gains = (without - with_them)[np.isfinite(with_them) & np.isfinite(without)]
    n = len(gains)
    if n == 0:
        return Comparison(float("nan"), float("nan"), float("nan"), 0)
    means = np.array([gains[rng.integers(n, size=n)].mean() for _ in range(REPEATS)])
    low, high = np.quantile(means, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return Comparison(float(gains.mean()), float(low), float(high), n)
