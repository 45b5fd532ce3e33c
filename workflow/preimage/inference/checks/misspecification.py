"""Is the observation something that the simulator can produce at all, under any parameters that the prior allows?

Where it is not, every answer is an extrapolation (Schmitt et al., "Detecting model misspecification in amortized
Bayesian inference with neural networks", 2023). An observation is measured by its distance to the nearest simulated
sets in features of several groups (level, shape, dependence), of which the worst counts, and flagged by rank among
further simulated sets: a conformal test (Bates et al., "Testing for outliers with conformal p-values", 2023), so the
rate of false alarms is the stated one, whatever the simulator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from preimage.inference.checks.features import TINY, Scale, grouped, scale

# Of observations that do come from prior and simulator, at most this share is flagged.
FALSE_ALARMS = 0.01
NEIGHBOURS = 5
# Directions in which features hardly vary count with this share of the largest sd, not with less.
FLOOR = 1e-3
FEWEST_SETS = 40


@dataclass(frozen=True)
class Group:
    """The simulated sets in the features of one group, and how far apart they usually are."""

    mean: np.ndarray
    whiten: np.ndarray
    tree: cKDTree
    usual: float

    def distance(self, seen: np.ndarray) -> np.ndarray:
        """Return the distance (sets,) of features (sets, p) to the nearest simulated ones, in usual distances."""
        found: np.ndarray = self.tree.query((seen - self.mean) @ self.whiten, k=NEIGHBOURS)[0]
        return found.mean(axis=1) / self.usual


@dataclass(frozen=True)
class Novelty:
    """What simulated sets look like by group, and how far out further ones lie (sorted)."""

    by: Scale
    groups: Mapping[str, Group]
    calibration: np.ndarray

    def distances(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Return by group how far (sets,) sets (sets, n, D) lie from simulated ones; infinite where not finite."""
        fine = np.isfinite(x).all(axis=(1, 2))
        seen = grouped(x[fine], self.by)
        found = {name: np.full(len(x), np.inf) for name in self.groups}
        for name, group in self.groups.items():
            if fine.any():
                found[name][fine] = group.distance(seen[name])
        return found

    def p_value(self, x: np.ndarray) -> np.ndarray:
        """Return the p-value (sets,) of each set (sets, n, D) for coming from prior and simulator."""
        worst = np.max(list(self.distances(x).values()), axis=0)
        as_far = len(self.calibration) - np.searchsorted(self.calibration, worst, side="left")
        return np.asarray((1 + as_far) / (1 + len(self.calibration)))

    def flagged(self, x: np.ndarray, false_alarms: float = FALSE_ALARMS) -> np.ndarray:
        """Return which sets (sets, n, D) lie outside of what prior and simulator produce, (sets,).

        With fewer than 1 / `false_alarms` sets for calibration, none can be flagged.
        """
        return np.asarray(self.p_value(x) <= false_alarms)


def learn(simulated: np.ndarray) -> Novelty:
    """Return the measure from sets (m, n, D) simulated at parameters drawn from the prior, in any random order.

    The first half is what observations are compared with, the second calibrates. A set that failed counts as infinitely
    far in calibration: the simulator does produce it. Raises ValueError for too few sets.
    """
    fine = np.isfinite(simulated).all(axis=(1, 2))
    if len(simulated) < FEWEST_SETS or fine[: len(simulated) // 2].sum() < FEWEST_SETS // 4:
        raise ValueError(f"found {fine.sum()} simulated sets, expected {FEWEST_SETS} or more")
    half = len(simulated) // 2
    first = simulated[:half][fine[:half]]
    by = scale(first)
    measure = Novelty(by, {name: _group(seen) for name, seen in grouped(first, by).items()}, np.empty(0))
    worst = np.max(list(measure.distances(simulated[half:]).values()), axis=0)
    return Novelty(by, measure.groups, np.sort(worst))


def _group(seen: np.ndarray) -> Group:
    mean = seen.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov(seen.T).reshape(seen.shape[1], seen.shape[1]))
    sd = np.sqrt(np.maximum(values, 0))
    whiten = vectors / np.maximum(sd, max(FLOOR * sd.max(), TINY))
    inside = (seen - mean) @ whiten
    tree = cKDTree(inside)
    # The nearest of each is itself.
    apart = tree.query(inside, k=NEIGHBOURS + 1)[0][:, 1:].mean(axis=1)
    return Group(mean, whiten, tree, max(float(np.quantile(apart, 0.9)), TINY))
