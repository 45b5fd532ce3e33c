"""Expected coverage: how often does the region that should hold 90 % of the posterior hold the true parameters?

Hermans et al., "A trust crisis in simulation-based inference? Your posterior approximations can be unfaithful" (2022).
A level is the mass of the smallest region of a nested family that holds the truth: uniform over sets of samples where
the answers are exact. The family is that of highest density where the answer has a density (`by_density`), and of
ellipsoids around the draws where it has not (`by_draws`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from preimage.inference.checks.weighted import effective, moments, resampled, same_length, share_below

# Draws of an answer at which its density is asked: the truth's place among these is as uniform as among more, and a
# flow's density may take a millisecond a draw.
ENOUGH = 100


class Coverage(NamedTuple):
    """The share of truths within regions of mass `nominal`, with its 95 % interval (Clopper and Pearson 1934)."""

    nominal: float
    found: float
    low: float
    high: float

    @property
    def error(self) -> float:
        """How far the share is off, signed: negative is overconfident."""
        return self.found - self.nominal


def by_density(
    truths: np.ndarray,
    log_densities: Sequence[Callable[[np.ndarray], np.ndarray]],
    draws: Sequence[np.ndarray],
    weights: Sequence[np.ndarray],
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the level (sets,) of each truth (sets, d): the mass of its answer where the density is higher.

    Args:
        log_densities: of each answer, parameters (m, d) to (m,).
        draws, weights: of each answer, (k, d) and (k,): these estimate the mass, `ENOUGH` of them.
    """
    same_length(truths, draws, weights)
    found = []
    for truth, density, all_draws, all_weights in zip(truths, log_densities, draws, weights, strict=True):
        mine, share = all_draws, all_weights
        if len(mine) > ENOUGH:
            mine, share = resampled(mine, share, ENOUGH, rng), np.full(ENOUGH, 1 / ENOUGH)
        depth = -density(np.vstack([truth, mine]))[:, None]
        found.append(share_below(depth[0], depth[1:], share, rng)[0])
    return np.array(found)


def by_draws(
    truths: np.ndarray, draws: Sequence[np.ndarray], weights: Sequence[np.ndarray], rng: np.random.Generator
) -> np.ndarray:
    """Return the level (sets,) of each truth (sets, d): the mass of its answer in the ellipsoid that ends at the truth.

    Centre and shape are those of the draws together with the truth as one of them, so that no place is special: with
    few draws, too, levels are uniform where answers are exact.
    """
    same_length(truths, draws, weights)
    found = []
    for truth, mine, share in zip(truths, draws, weights, strict=True):
        rows = np.vstack([truth, mine])
        mean, covariance = moments(rows, np.append(share.sum() / effective(share), share))
        centred = rows - mean
        distance = np.einsum("ki,ij,kj->k", centred, np.linalg.pinv(covariance, hermitian=True), centred)[:, None]
        found.append(share_below(distance[0], distance[1:], share, rng)[0])
    return np.array(found)


def coverage(levels: np.ndarray, nominal: float = 0.9) -> Coverage:
    """Return how many of the levels (sets,) lie within `nominal`; NaN for no sets."""
    n, hits = len(levels), int((levels <= nominal).sum())
    if n == 0:
        return Coverage(nominal, *[float("nan")] * 3)
    interval = stats.binomtest(hits, n).proportion_ci(0.95, "exact")
    return Coverage(nominal, hits / n, float(interval.low), float(interval.high))


def central(ranks: np.ndarray) -> np.ndarray:
    """Return the levels (sets, q) of truths in central intervals of one quantity, from their ranks (sets, q)."""
    return np.abs(2 * ranks - 1)


def curve(levels: np.ndarray, points: int = 50) -> tuple[np.ndarray, np.ndarray]:
    """Return masses (points,) and the share of truths within the regions of these masses."""
    nominal = np.linspace(0, 1, points)
    return nominal, (levels[:, None] <= nominal).mean(axis=0)
