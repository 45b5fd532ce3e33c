"""Posterior predictive check: do samples simulated from an answer look like the observed ones?

Gelman, Meng, Stern, "Posterior predictive assessment of model fitness via realized discrepancies" (1996), with the
energy distance (Székely and Rizzo, "Energy statistics", 2013) as discrepancy: it is 0 only for equal distributions, in
any number of coordinates.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.spatial.distance import cdist

from preimage.inference.checks.features import scale

# Samples of a set that are compared, and sets that are the measure of the others: beyond that only time grows.
MOST_SAMPLES = 256
FEWEST_SETS = 4


class Predictive(NamedTuple):
    """How far the observed samples are from those that an answer predicts.

    Attributes:
        distance: energy distance of the observed samples from the pool of simulated ones, on a scale where these have
            width 1.
        replicated: the same of sets simulated from the answer, (r,).
        p_value: share of simulated sets that are as far out. Over problems it lies nearer to a half than a uniform
            value would, as the answer has seen the observed samples: alarms are rarer than the level says, never more
            frequent.
        failed: simulated sets left out since a sample was not finite.
    """

    distance: float
    replicated: np.ndarray
    p_value: float
    failed: int

    @property
    def typical(self) -> float:
        """The distance that half of the simulated sets exceed: what a good answer has."""
        return float(np.median(self.replicated)) if len(self.replicated) else float("nan")


def check(observed: np.ndarray, simulated: np.ndarray, rng: np.random.Generator) -> Predictive:
    """Compare observed samples (n, D) with sets (m, n, D), each simulated at its own draw of the answer.

    Half of the sets make the pool; the others are measured against it exactly as the observed set is.
    """
    fine = np.isfinite(simulated).all(axis=(1, 2))
    sets = simulated[fine][rng.permutation(fine.sum())]
    if len(sets) < FEWEST_SETS:
        return Predictive(float("nan"), np.empty(0), float("nan"), int((~fine).sum()))
    by = scale(sets)
    half = len(sets) // 2
    pool = by(_some(sets[:half].reshape(-1, sets.shape[-1]), rng))
    within = cdist(pool, pool).mean()
    distances = [_distance(by(_some(one, rng)), pool, within) for one in (observed, *sets[half:])]
    replicated = np.array(distances[1:])
    at_least = 1 + (replicated >= distances[0]).sum()
    return Predictive(distances[0], replicated, float(at_least / (1 + len(replicated))), int((~fine).sum()))


def least_p(sets: int) -> float:
    """Return the smallest p-value that `check` can give where `sets` simulated sets did not fail: that of an observed
    set which is farther out than all that are measured. 1 for sets too few to be compared."""
    return 1.0 if sets < FEWEST_SETS else 1 / (1 + sets - sets // 2)


def _some(rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rows if len(rows) <= MOST_SAMPLES else rows[rng.choice(len(rows), MOST_SAMPLES, replace=False)]


def _distance(rows: np.ndarray, pool: np.ndarray, within: float) -> float:
    return float(2 * cdist(rows, pool).mean() - cdist(rows, rows).mean() - within)
