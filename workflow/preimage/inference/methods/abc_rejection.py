"""Approximate Bayesian computation by rejection: of many sets simulated at parameters from the prior, those nearest.

The draws kept weigh by Epanechnikov's kernel in their distance, and are adjusted by regression (Beaumont, Zhang and
Balding, 2002). The sets are simulated once, for all observations. A set that failed is infinitely far away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from preimage.inference.answer import Estimate, Task, Trained, failed
from preimage.inference.kinds.abc_rejection import AbcRejection as Options
from preimage.inference.methods import budget, statistics
from preimage.support.progress import ALONE, TrainingContext

# Sets: the fewest, the most that are kept in memory, and of them the share that an answer keeps, within limits.
FEWEST, MOST = 200, 1_000_000
SHARE, KEPT = 0.01, (100, 2000)


def check(task: Task, options: Options) -> None:
    """Raise StudyError for a budget below FEWEST sets."""
    _rows(task, options)


def train(task: Task, options: Options, rng: np.random.Generator, context: TrainingContext = ALONE) -> Trained:
    """Simulate the sets, or take those of the bank. Raises StudyError for a budget below FEWEST sets."""
    rows = _rows(task, options)
    simulated = statistics.Simulated(task)
    if task.bank is not None:
        theta, found = task.bank.theta[:rows], simulated.of(task.bank.x[:rows])
    else:
        theta = task.simulator.prior.sample(rng, rows)
        found = simulated(rng, theta)
    return restored(task, options, {"theta": theta, "statistics": found})


def _rows(task: Task, options: Options) -> int:
    batches = budget.batches(options.simulations, FEWEST * task.size, f"{FEWEST} sets of {task.size}")
    return min(MOST, batches * FEWEST)


def restored(task: Task, options: Options, arrays: Mapping[str, np.ndarray]) -> Trained:
    return Nearest(task, arrays["theta"], arrays["statistics"])


@dataclass(frozen=True)
class Nearest:
    """Simulated sets: parameters (k, d) and statistics (k, p)."""

    task: Task
    theta: np.ndarray
    statistics: np.ndarray
    history: Mapping[str, list[tuple[int, float]]] = field(default_factory=dict)

    @property
    def simulations(self) -> int:
        return len(self.theta) * self.task.size

    def arrays(self) -> dict[str, np.ndarray]:
        return {"theta": self.theta, "statistics": self.statistics}

    def infer(self, x: np.ndarray, rng: np.random.Generator) -> list[Estimate]:
        observed = statistics.Simulated(self.task).of(x)
        scale = statistics.scales(self.statistics)
        return [self._ask(one, scale) for one in observed]

    def _ask(self, observed: np.ndarray, scale: np.ndarray) -> Estimate:
        prior = self.task.simulator.prior
        if np.isnan(observed).any():
            return failed(len(prior.names), "the set has samples that failed (NaN): its statistics are not known")
        far = statistics.distances(self.statistics, observed, scale)
        keep = int(np.clip(SHARE * len(far), *KEPT))
        nearest = np.argsort(far, kind="stable")[: keep + 1]
        reach = far[nearest[-1]]
        kept = nearest[:-1]
        if not np.isfinite(reach):
            return failed(len(prior.names), f"fewer than {keep + 1} of {len(far):,} simulated sets did not fail")
        weights = 1 - (far[kept] / max(reach, 1e-300)) ** 2
        weights = weights / weights.sum() if weights.sum() > 0 else np.full(keep, 1 / keep)
        off = (self.statistics[kept] - observed) / scale
        return Estimate(statistics.adjusted(prior, self.theta[kept], weights, off), weights, 0)
