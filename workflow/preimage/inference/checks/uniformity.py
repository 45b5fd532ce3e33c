"""Are values uniform on [0, 1]? Simultaneous bands of their distribution function, and the p-value of these.

After Säilynoja, Bürkner, Vehtari, "Graphical test for discrete uniformity and its applications in goodness-of-fit
evaluation and multiple sample comparison" (Statistics and Computing 2022): at each of many points the count of values
below is binomial, and one tail probability for all points is chosen so that the whole curve stays within with the
probability wanted. That probability is exact here, not simulated: counts grow as a Poisson process does that is known
to end at n.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy import stats

POINTS = 100
# A tail is not entered by rounding.
SLACK = 1e-9
# Smaller than what sums of probabilities in double precision resolve.
NEVER = 1e-16


class Bands(NamedTuple):
    """Where the distribution function of n uniform values lies: at `points` (m,), between `low` and `high` (m,)."""

    points: np.ndarray
    low: np.ndarray
    high: np.ndarray


@lru_cache
def bands(n: int, level: float = 0.95) -> Bands:
    """Return the bands that the distribution function of n uniform values stays in with probability `level` or more."""
    inside, outside = 0.0, 1.0
    # The tail probability: at 0 the bands hold everything; wanted is the largest that still holds enough.
    for _ in range(40):
        middle = (inside + outside) / 2
        if _probability(n, *_window(n, middle)) >= level:
            inside = middle
        else:
            outside = middle
    low, high = _window(n, inside)
    return Bands(_points(n), low / n, high / n)


def p_value(values: np.ndarray) -> float:
    """Return the probability that as many uniform values (n,) leave some band that these leave; NaN for none."""
    n = len(values)
    if n == 0:
        return float("nan")
    counts = below(values, _points(n)) * n
    tails = np.minimum(stats.binom.cdf(counts, n, _points(n)), stats.binom.sf(counts - 1, n, _points(n)))
    if tails.min() < NEVER:
        return 0.0
    return float(np.clip(1 - _probability(n, *_window(n, 2 * tails.min())), 0, 1))


def below(values: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the share of values (n,) up to each point (m,): their distribution function."""
    return np.searchsorted(np.sort(values), points, side="right") / len(values)


def _points(n: int) -> np.ndarray:
    steps = min(max(n, 2), POINTS)
    return np.arange(1, steps) / steps


def _window(n: int, tail: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and the largest count at each point that lies in neither tail of probability tail / 2."""
    low = np.maximum(stats.binom.ppf(tail / 2 * (1 + SLACK), n, _points(n)), 0).astype(int)
    # The points lie symmetrically.
    return low, n - low[::-1]


def _probability(n: int, low: np.ndarray, high: np.ndarray) -> float:
    """Return the probability that the counts of n uniform values stay between `low` and `high` at all points."""
    step = stats.poisson.pmf(np.arange(n + 1), n / (len(low) + 1))
    first, found = 0, np.ones(1)
    for a, b in zip(low, high, strict=True):
        if a > b:
            return 0.0
        grown = np.convolve(found, step[: b - first + 1])[: b - first + 1]
        first, found = a, grown[a - first :]
    return float(found @ step[n - first - np.arange(len(found))] / stats.poisson.pmf(n, n))
