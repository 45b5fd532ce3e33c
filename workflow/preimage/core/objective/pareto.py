"""Two or three outputs, each to be made small or large: the answer is a front rather than a point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from preimage.core import fronts
from preimage.core.objective.base import (
    DEFAULT_TOLERANCE,
    SAME,
    Goal,
    Known,
    Objective,
    columns_of,
    where,
)
from preimage.support.errors import StudyError

FEWEST, MOST = 2, 3
# So many ranks span a front; nobody looks at more of them.
MOST_SPREAD = 1000
# What the mean over outputs adds to the worst of them: enough that nothing dominated has the smallest loss.
AUGMENTED = 0.01
SIGNS = {"maximize": -1.0, "minimize": 1.0}
# Keys of other kinds that say nothing of a front.
NEEDLESS = ("committee", "scaled")


@dataclass(frozen=True)
class Pareto(Objective):
    """A trade-off. `low` holds each output's sign (-1 where it is made large), `high` its best value among the training
    rows times that sign, `scale` the rows' range.

    Outputs count as shares of that range, from 0 (the rows' best) to 1 (their worst). The loss is that of a compromise:
    the worst share, and a hundredth of their mean (the augmented Chebyshev norm: Steuer and Choo 1983, Mathematical
    Programming 26). It serves where one number is needed; it does not say what the front is.
    """

    kind: ClassVar[str] = "pareto"
    front: ClassVar[bool] = True

    @classmethod
    def build(cls, name: str, spec: Mapping[str, Any], outputs: Sequence[str], known: Known) -> Self:
        """Build it from the outputs to maximise and to minimise. Raises StudyError for an unknown output, one that is
        named both ways, and for fewer than two or more than three."""
        named = spec[cls.kind]
        _check(name, spec)
        signs = {output: sign for key, sign in SIGNS.items() for output in named.get(key) or ()}
        columns = columns_of(name, cls.kind, signs, outputs)
        low = tuple(signs.values())
        best, reach = (np.zeros(len(low)), np.zeros(len(low)))
        if known.rows is not None and len(known.rows):
            F = known.rows[:, list(columns)] * low
            best, reach = F.min(axis=0), np.ptp(F, axis=0)
        scale = tuple(np.where(reach > 0, reach, np.where(best != 0, np.abs(best), 1.0)).tolist())
        tolerance = spec.get("tolerance", DEFAULT_TOLERANCE)
        return cls(
            name, tuple(signs), columns, low, tuple(best.tolist()), (float(tolerance),), scale,
            dict(spec.get("fixed") or {}),
        )  # fmt: skip

    @staticmethod
    def loss_of(Y: Any, goal: Goal, xp: Any = np) -> Any:
        """Return the compromise's loss of named outputs (..., k), shape (...,)."""
        # In an order of their own, as a sum's last digit depends on it.
        shares = xp.sort((Y * goal.low - goal.high) / goal.scale, axis=-1)
        return shares[..., -1] + AUGMENTED * shares.mean(axis=-1)

    def shares(self, Y: np.ndarray) -> np.ndarray:
        """Return the named outputs of (n, m) as shares of the training rows' range, (n, k): 0 their best, 1 their
        worst."""
        return self.shares_of(Y[:, np.array(self.columns)])

    def shares_of(self, values: np.ndarray) -> np.ndarray:
        """Return values of the named outputs (n, k) as such shares (n, k)."""
        low, best, scale = self.goal
        return np.asarray((values.reshape(-1, len(low)) * low - best) / scale)

    def outputs_at(self, shares: np.ndarray) -> np.ndarray:
        """Return the named outputs (n, k) that have these shares (n, k)."""
        low, best, scale = self.goal
        return np.asarray((shares * scale + best) * low)

    def best(self, Y: np.ndarray) -> np.ndarray:
        """Return which outputs (n, m) keep the limits and are not dominated by others that do, (n,)."""
        return fronts.undominated(np.where(self.violation(Y)[:, None] == 0, self.shares(Y), np.nan))

    def ranking(self, Y: np.ndarray) -> np.ndarray:
        """Return numbers in whose order outputs (n, m) rank, (n,); NaN where there are none.

        The undominated come first: of these the compromise, then each time the one that lies farthest along the front
        from those before, so that the first few always span it. The others follow by loss, those that miss a limit
        last.
        """
        loss, front = self.loss(Y), np.flatnonzero(self.best(Y))
        order = np.lexsort((loss, self.violation(Y)))
        if len(front):
            spread = front[fronts.spread_order(self.shares(Y[front]), int(np.argmin(loss[front])), MOST_SPREAD)]
            others = front[np.argsort(loss[front], kind="stable")]
            order = np.array(list(dict.fromkeys(np.concatenate([spread, others, order]).tolist())))
        out = np.empty(len(Y))
        out[order] = np.arange(len(Y))
        return np.where(np.isnan(loss), np.nan, out)

    def slope(self, Y: np.ndarray) -> np.ndarray:
        """Return the derivative of the loss by the outputs, (n, m), at outputs (n, m)."""
        shares, k = self.shares(Y), len(self.columns)
        each = AUGMENTED / k + (np.arange(k) == shares.argmax(axis=1)[:, None])
        out = np.zeros_like(Y)
        out[:, np.array(self.columns)] = each * self.goal.low / self.goal.scale
        return out

    def met(self, Y: np.ndarray, best: float | None = None) -> np.ndarray:
        """Return which outputs (n, m) are as good a compromise as that of loss `best`, or as the best of them, (n,)."""
        loss, kept = self.loss(Y), self.violation(Y) == 0
        least = np.nanmin(loss[kept], initial=np.inf) if best is None else best
        return np.asarray(kept & (loss <= self.as_good_as(least)))

    def achieved(self, Y: np.ndarray, known: np.ndarray) -> np.ndarray:
        """Return which outputs (n, m) keep the limits and are dominated by none of those known (k, m), (n,)."""
        front = self.shares(known)[fronts.undominated(self.shares(known))] if len(known) else self.shares(known)
        shares = self.shares(Y)
        kept = (self.violation(Y) == 0) & np.isfinite(shares).all(axis=1)
        return np.asarray(kept & ~fronts.dominated_by(shares, front))

    def equal_to(self, loss: float) -> float:
        """Return the largest loss that is equal to one but for a millionth of what the training rows span."""
        return loss + SAME

    def words(self, units: Mapping[str, str] | None = None) -> str:
        """Return the objective as a person would say it."""
        adjectives = ["largest" if sign < 0 else "smallest" for sign in self.low]
        parts = [f"{a} {o.replace('_', ' ')}" for a, o in zip(adjectives, self.outputs, strict=True)]
        return self.completed(f"trade-off of {', '.join(parts[:-1])} and {parts[-1]}", units)


def _check(name: str, spec: Mapping[str, Any]) -> None:
    """Raise StudyError for what is wrong with an entry whatever the outputs are."""
    named, key = spec[Pareto.kind], f"{where(name)}.{Pareto.kind}"
    large, small = (named.get(way) or [] for way in SIGNS)
    if twice := [output for output in large if output in small]:
        raise StudyError(f"{key}: '{twice[0]}' is under maximize and under minimize; expected it under one of them")
    if not FEWEST <= (count := len(large) + len(small)) <= MOST:
        hint = "; for one output use maximize or minimize" if count == 1 else ""
        raise StudyError(f"{key}: found {count} output{'s' * (count != 1)}, expected {FEWEST} or {MOST}{hint}")
    if isinstance(spec.get("tolerance"), Mapping):
        raise StudyError(
            f"{where(name)}.tolerance: found one by output, expected a number: a share of the outputs' ranges"
        )
    if needless := [key for key in NEEDLESS if spec.get(key)]:
        raise StudyError(f"{where(name)}.{needless[0]}: not supported for a trade-off; leave it out")
