"""An objective of inputs that vary in production: judged by what comes out of all draws rather than by one point.

Of values to meet, the share of production that meets them (and keeps the limits) is to be made as large as possible:
the loss is the share that does not. What is minimised or maximised is judged by its worse end, the value that a tenth
of production is worse than.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from preimage.core.objective.base import SAME, Goal, Known, Objective
from preimage.core.objective.directions import Minimize
from preimage.core.objective.limits import Limit
from preimage.core.objective.values import Target
from preimage.core.objective.variation import Variation

# Share of production that is worse than the value by which a direction is judged.
WORST = 0.1
# Answers are as good as the best where as much more of production misses the objective.
SHARE_TOLERANCE = 0.01
# Weight of limits in the mean distance of draws, beside losses in units of the training rows' range.
PENALTY = 10.0


@dataclass(frozen=True)
class Varied(Objective):
    """One with variation. Outputs (n, m) are taken as they are, as if nothing varied; those of the draws, (n, q, m),
    are what `judged` is for.

    Attributes:
        base: the objective of a single point.
    """

    base: Objective = field(kw_only=True)
    variation: Variation = field(kw_only=True)

    @classmethod
    def of(cls, base: Objective, variation: Variation) -> Self:
        tolerance, unit = ((SHARE_TOLERANCE,), 1.0) if base.bounded else (base.tolerance, base.unit)
        return cls(
            base.name, base.outputs, base.columns, base.low, base.high, tolerance, base.scale, base.fixed, None, unit,
            base.limits, base.middle, base=base, variation=variation,
        )  # fmt: skip

    @classmethod
    def build(cls, name: str, spec: Mapping[str, Any], outputs: Sequence[str], known: Known) -> Self:
        """Raise TypeError: it is made of the objective of a single point (`of`)."""
        raise TypeError("an objective with variation is made of one without")

    @staticmethod
    def loss_of(Y: Any, goal: Goal, xp: Any = np) -> Any:
        """Raise TypeError: its draws are needed (`judged`)."""
        raise TypeError("the loss of an objective with variation is that of its draws")

    # -- a single point ------------------------------------------------------------------------------------------------

    @property
    def nominal(self) -> Objective:
        return self.base

    def loss(self, Y: Any, xp: Any = np) -> Any:
        """Return the loss of outputs (n, m) as if nothing varied, shape (n,)."""
        return self.base.loss(Y, xp)

    def slope(self, Y: np.ndarray) -> np.ndarray:
        """Return the derivative of that loss by the outputs, (n, m)."""
        return self.base.slope(Y)

    def met(self, Y: np.ndarray, best: float | None = None) -> np.ndarray:
        """Return which outputs (n, m) satisfy the objective as they are, shape (n,)."""
        return self.base.met(Y, best)

    # -- the draws -----------------------------------------------------------------------------------------------------

    @property
    def of_shares(self) -> bool:
        """Whether it is judged by the share of production that meets values."""
        return self.base.bounded

    def judged(self, Y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return loss and violation (n,) of outputs of the draws (n, q, m); of draws without numbers, the worst.

        A violation is 0 where all but a tenth of production keeps the limits; a share counts them already.
        """
        n, q, m = Y.shape
        flat = Y.reshape(n * q, m)
        if self.of_shares:
            return 1.0 - self.base.met(flat).reshape(n, q).mean(axis=1), np.zeros(n)
        losses = np.sort(_worst_if_nan(self.base.loss(flat)).reshape(n, q), axis=1)
        below, above, part = quantile_at(q)
        with np.errstate(invalid="ignore"):
            loss = losses[:, below] + part * (losses[:, above] - losses[:, below])
        missed = np.sort(_worst_if_nan(self.base.violation(flat)).reshape(n, q), axis=1)[:, above]
        return np.where(np.isfinite(loss), loss, np.nan), missed

    @property
    def column(self) -> str:
        """The column of the table of candidates that holds `value`."""
        return "share_met" if self.of_shares else "worst"

    def value(self, loss: Any) -> Any:
        """Return what a loss of `judged` is of: the share that meets the objective, or the value, in its unit, that a
        tenth of production is worse than."""
        return 1.0 - loss if self.of_shares else self.sign * loss

    @property
    def sign(self) -> float:  # type: ignore[override]
        return self.base.sign

    def equal_to(self, loss: float) -> float:
        """Return the largest loss that is equal to one but for a millionth of its unit."""
        return loss + SAME if self.of_shares else self.base.equal_to(loss)

    def words(self, units: Mapping[str, str] | None = None) -> str:
        """Return the objective as a person would say it."""
        return f"{self.base.words(units)}, with {self.variation.words(units)} of variation"

    # -- what searches follow ------------------------------------------------------------------------------------------

    @property
    def bounds_limits(self) -> bool:
        """Whether limits are a second number beside the one that searches minimise; a share counts them already."""
        return bool(self.base.limits) and not self.of_shares

    def searched(self) -> Minimize:
        """Return the objective of a search whose outputs are those of `followed`."""
        unit = self.base.loss_unit if self.of_shares else self.base.unit
        limits = (Limit("limits", 1, -np.inf, 0.0),) if self.bounds_limits else ()
        return Minimize(
            self.name, (self.name,), (0,), (1.0,), (1.0,), self.tolerance, (1.0,), self.fixed, None, unit or 1.0,
            limits, self.base.middle,
        )  # fmt: skip

    def followed(self, Y: np.ndarray, with_slopes: bool) -> np.ndarray:
        """Return what a search minimises, of outputs of the draws (n, q, m), shape (n, 1); with `bounds_limits` and how
        far all but a tenth of the draws are within the limits, in units of their scales and less than 0 inside (n, 2).

        Of a direction, that is the loss of `judged`. Of values, a search with slopes follows the mean squared distance
        by which draws miss them, and their limits; one without the share that does, and where shares are equal that
        distance.
        """
        n, q, m = Y.shape
        flat = Y.reshape(n * q, m)
        losses = _like_the_worst(self.aim.loss(flat).reshape(n, q))
        if not self.of_shares:
            found = [_quantile(losses)]
            if self.bounds_limits:
                excess = _like_the_worst(self._excess(flat).max(axis=1).reshape(n, q))
                found.append(np.sort(excess, axis=1)[:, quantile_at(q)[1]])
            return np.stack(found, axis=1)
        mean = losses.mean(axis=1)
        if self.base.limits:
            over = np.maximum(self._excess(flat), 0.0)
            mean = mean + self.penalty * _like_the_worst((over**2).sum(axis=1).reshape(n, q)).mean(axis=1)
        if with_slopes:
            return mean[:, None]
        return (self.judged(Y)[0] + _squashed(mean / (self.base.loss_unit or 1.0)) / q)[:, None]

    def followed_slope(self, Y: np.ndarray) -> np.ndarray:
        """Return the derivative of `followed`, with slopes, by the outputs of the draws (n, 1 or 2, q, m)."""
        n, q, m = Y.shape
        flat = Y.reshape(n * q, m)
        slopes = self.aim.slope(flat).reshape(n, q, m)
        weights = np.full((n, q), 1 / q) if self.of_shares else _weights(self.aim.loss(flat).reshape(n, q))
        found = [weights[:, :, None] * slopes]
        if not self.base.limits:
            return np.stack(found, axis=1)
        excess, of_excess = self._excess(flat), self._excess_slope(flat)
        if self.of_shares:
            over = 2 * self.penalty / q * np.maximum(excess, 0.0)
            found[0] += np.einsum("pk,pkm->pm", over, of_excess).reshape(n, q, m)
            return np.stack(found, axis=1)
        worst = of_excess[np.arange(n * q), excess.argmax(axis=1)].reshape(n, q, m)
        order = np.argsort(excess.max(axis=1).reshape(n, q), axis=1)[:, quantile_at(q)[1]]
        return np.stack([*found, worst * (np.arange(q) == order[:, None])[:, :, None]], axis=1)

    def _excess(self, Y: np.ndarray) -> np.ndarray:
        """Return how far outputs (p, m) are beyond each limit (p, k), in units of its scale, less than 0 inside."""
        return np.stack(
            [np.maximum(m.low - Y[:, m.column], Y[:, m.column] - m.high) / m.scale for m in self.base.limits], axis=1
        )

    def _excess_slope(self, Y: np.ndarray) -> np.ndarray:
        """Return the derivative of `_excess` by the outputs (p, k, m)."""
        out = np.zeros((len(Y), len(self.base.limits), Y.shape[1]))
        for k, m in enumerate(self.base.limits):
            y = Y[:, m.column]
            out[:, k, m.column] = np.where(m.low - y > y - m.high, -1.0, 1.0) / m.scale
        return out

    @property
    def aim(self) -> Objective:
        """The objective whose loss is 0 for every output that counts as met."""
        return self.base.as_interval([0.0] * len(self.outputs)) if isinstance(self.base, Target) else self.base

    @property
    def penalty(self) -> float:
        """The weight of limits beside squared distances."""
        return PENALTY * (self.base.loss_unit or 1.0)


def _worst_if_nan(values: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(values), np.inf, values)


def _like_the_worst(losses: np.ndarray) -> np.ndarray:
    """Return losses of draws (n, q) with the largest of its point where a draw has none."""
    missing = np.isnan(losses)
    return np.where(missing, np.fmax.reduce(losses, axis=1)[:, None], losses) if missing.any() else losses


def _squashed(values: np.ndarray) -> np.ndarray:
    """Return numbers from 0 to infinity as numbers from 0 to 1 in the same order."""
    return values / (1 + values)


def quantile_at(q: int) -> tuple[int, int, float]:
    """Return the two draws in order between which the quantile lies, and where: as Hazen has it, without bias."""
    at = max((1 - WORST) * q - 0.5, 0.0)
    return int(at), min(int(at) + 1, q - 1), at - int(at)


def _weights(losses: np.ndarray) -> np.ndarray:
    """Return the weights (n, q) by which losses of draws (n, q) make the quantile."""
    below, above, part = quantile_at(losses.shape[1])
    order, out, rows = np.argsort(losses.real, axis=1), np.zeros(losses.shape), np.arange(len(losses))
    out[rows, order[:, above]] = part
    out[rows, order[:, below]] += 1 - part
    return out


def _quantile(losses: Any) -> Any:
    return (losses * _weights(losses)).sum(axis=1)
