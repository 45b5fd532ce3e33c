"""What a point may do for an objective, given draws of what is true: the logarithm of its expected improvement.

Of a direction in closed form, times the probability that the limits hold (Schonlau, Welch and Jones 1998, "Global
versus local search in constrained optimization of computer models"). Of values to meet, of limits on an output that is
itself made large, and of a trade-off by common draws: the mean reduction of the distance, a little smoothed, so that
it falls on where there is none. A trade-off is a different compromise at each pick (Knowles 2006, "ParEGO").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from preimage.acquisition.improvement import log_between, log_mean, log_ramp, log_softplus
from preimage.acquisition.process import Normal
from preimage.core.objective import Direction, Objective, Pareto, Values

# Improvements are smoothed over this share of the known losses' standard deviation.
SMOOTH = 1e-3


@dataclass(frozen=True)
class Aim:
    """One objective at one pick of a batch.

    Attributes:
        objective: of a single point.
        incumbent: the smallest loss among the known points that count, of each draw (s,).
        unit: standard deviation of the known losses.
        normals: standard normal numbers, the same for every point (m, s).
    """

    objective: Objective
    incumbent: np.ndarray
    unit: float
    normals: np.ndarray

    @classmethod
    def of(cls, objective: Objective, true: np.ndarray, counts: np.ndarray, rng: np.random.Generator) -> Aim:
        """Take the incumbents from what is true at the known points (n, m, s), of which some count (n,)."""
        objective = _compromise(objective.nominal, rng)
        n, m, s = true.shape
        Y = np.moveaxis(true, 2, 1).reshape(n * s, m)
        loss = _distance(objective, Y).reshape(n, s)
        kept = counts[:, None] & (objective.violation(Y).reshape(n, s) == 0)
        # Where no known point will do, whatever keeps the limits is better than the worst one.
        worst = loss.max(axis=0)
        incumbent = np.where(kept.any(axis=0), np.where(kept, loss, np.inf).min(axis=0, initial=np.inf), worst)
        return cls(objective, incumbent, float(loss.std()) or 1.0, rng.standard_normal((m, s)))

    def score(self, at: Mapping[int, Normal]) -> np.ndarray:
        """Return the logarithm of the expected improvement (n,) at n points, in any unit.

        Args:
            at: what is true of each involved output there, by its column.
        """
        if isinstance(self.objective, Direction) and not self._tangled:
            return log_mean(self._direction(at) + self._kept(at))
        return log_mean(self._by_draws(at) + (0.0 if self._tangled else self._kept(at)))

    @property
    def columns(self) -> tuple[int, ...]:
        """The outputs that it takes, as positions."""
        return tuple(dict.fromkeys([*self.objective.columns, *(limit.column for limit in self.objective.limits)]))

    @property
    def _tangled(self) -> bool:
        """Whether an output has a limit and counts in the loss: then the two are not independent."""
        return bool({limit.column for limit in self.objective.limits} & set(self.objective.columns))

    def _direction(self, at: Mapping[int, Normal]) -> np.ndarray:
        weights = self.objective.sign * self.objective.goal.low
        parts = [at[c] for c in self.objective.columns]
        mean = sum(w * p.mean for w, p in zip(weights, parts, strict=True))
        deviation = np.sqrt(sum((w * p.deviation) ** 2 for w, p in zip(weights, parts, strict=True)))
        return np.asarray(log_ramp((self.incumbent - mean) / deviation) + np.log(deviation / self.unit))

    def _kept(self, at: Mapping[int, Normal]) -> np.ndarray | float:
        """Return the logarithm of the probability that the limits hold (n, s)."""
        return sum(log_between(limit.low, limit.high, *at[limit.column]) for limit in self.objective.limits)

    def _by_draws(self, at: Mapping[int, Normal]) -> np.ndarray:
        some = next(iter(at.values()))
        n, s = some.mean.shape
        Y = np.full((n, s, len(self.normals)), np.nan)
        for column, normal in at.items():
            Y[..., column] = normal.mean + normal.deviation * self.normals[column]
        flat = Y.reshape(n * s, -1)
        better = (self.incumbent - _distance(self.objective, flat).reshape(n, s)) / (SMOOTH * self.unit)
        if self._tangled:
            better = better - self.objective.violation(flat).reshape(n, s) / SMOOTH
        return log_softplus(better)


def columns_of(objectives: Sequence[Objective]) -> list[int]:
    """Return the positions of all outputs that objectives take."""
    return sorted({c for o in objectives for c in [*o.columns, *(limit.column for limit in o.limits)]})


def _distance(objective: Objective, Y: np.ndarray) -> np.ndarray:
    """Return the loss of outputs (n, m), a squared distance as the distance that it is of."""
    loss = np.asarray(objective.loss(Y))
    return np.sqrt(loss) if isinstance(objective, Values) else loss


def _compromise(objective: Objective, rng: np.random.Generator) -> Objective:
    """Return an objective with one compromise of many where it is a trade-off."""
    if not isinstance(objective, Pareto):
        return objective
    weights = rng.dirichlet(np.ones(len(objective.scale)))
    return replace(objective, scale=tuple((np.array(objective.scale) / np.maximum(weights, 1e-3)).tolist()))
