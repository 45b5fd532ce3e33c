"""Values of outputs to meet: a target with a tolerance, or an interval."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from preimage.core.objective.base import (
    DEFAULT_TOLERANCE,
    SAME,
    Goal,
    Known,
    Objective,
    columns_of,
    committee_of,
    ends_of,
    tolerances_of,
    where,
)
from preimage.core.objective.limits import Limit, interval_words
from preimage.core.objective.reference import AS_NEAR, Reference
from preimage.support import digits
from preimage.support.errors import StudyError

# A search counts a target as reached this near to it: shares of the tolerance, and of the output's spread.
CLOSE_TOLERANCE, CLOSE_SPREAD = 1e-4, 1e-6


@dataclass(frozen=True)
class Values(Objective):
    """Values to meet: the loss is the mean squared distance to them, each output in units of its `scale`."""

    bounded: ClassVar[bool] = True

    @classmethod
    def build(cls, name: str, spec: Mapping[str, Any], outputs: Sequence[str], known: Known) -> Self:
        """Build it from values or intervals by output.

        Raises StudyError for an unknown output or an interval with low above high.
        """
        terms = spec[cls.kind]
        columns = columns_of(name, cls.kind, terms, outputs)
        low, high = ends_of(name, terms)
        tolerance = tolerances_of(name, spec, terms)
        sizes = [max(abs(end) for end in ends if np.isfinite(end)) for ends in zip(low, high, strict=True)]
        scale = _scale(spec, columns, sizes, known)
        reach = known.reach
        ranges = np.zeros(len(columns)) if reach is None else np.array([reach[c] for c in columns], float)
        unit = 1.0 if reach is None else float(np.sqrt(((ranges / scale) ** 2).mean()))
        margins = [tolerance.get(o, DEFAULT_TOLERANCE * float(r)) for o, r in zip(terms, ranges, strict=True)]
        fixed = dict(spec.get("fixed") or {})
        return cls(name, tuple(terms), columns, low, high, tuple(margins), scale, fixed, committee_of(spec), unit)

    @staticmethod
    def loss_of(Y: Any, goal: Goal, xp: Any = np) -> Any:
        """Return the mean squared distance of named outputs (..., k) to their intervals, shape (...,)."""
        return ((_distance(Y, goal, xp) / goal.scale) ** 2).mean(axis=-1)

    def slope(self, Y: np.ndarray) -> np.ndarray:
        """Return the derivative of the loss by the outputs, (n, m), at outputs (n, m)."""
        out, columns, scale = np.zeros_like(Y), np.array(self.columns), np.array(self.scale)
        out[:, columns] = -2 * _distance(Y[:, columns], self.goal) / scale**2 / len(columns)
        return out

    def met(self, Y: np.ndarray, best: float | None = None) -> np.ndarray:
        """Return which outputs (n, m) meet every value within its margin, shape (n,)."""
        if self.near:
            return self.violation(Y) == 0
        near = np.abs(_distance(Y[:, np.array(self.columns)], self.goal)) <= self.margin
        return np.all(near, axis=1) & (self.violation(Y) == 0)

    def nearest_to(self, reference: Reference, reach: Sequence[float] | None) -> Self:
        """Return the objective as a change of a reference: its values are limits, and the nearest input is sought.

        Args:
            reach: range of each output in the training rows; None where it is not known.

        Raises StudyError for a target without tolerance, which no search meets exactly.
        """
        margins, known = self.margin, reach if reach is not None else np.zeros(max(self.columns) + 1)
        if (self.goal.high + margins <= self.goal.low - margins).any() and reach is not None:
            raise StudyError(f"{where(self.name)}.tolerance: found 0, expected more: no search meets a value exactly")
        limits = [
            Limit(output, column, low - margin, high + margin, float(known[column]) or 1.0, wanted=True)
            for output, column, low, high, margin in zip(
                self.outputs, self.columns, self.low, self.high, margins, strict=True
            )
        ]
        fixed = {**self.fixed, **reference.kept}
        return replace(self, near=reference, limits=(*limits, *self.limits), fixed=fixed)

    def as_good_as(self, best: float) -> float:
        """Return the largest distance that counts as good as the least one found, where a reference is to be near."""
        return best + AS_NEAR

    def equal_to(self, loss: float) -> float:
        """Return the largest loss that is equal to one but for a millionth of what the training rows span.

        A squared distance is compared as the distance that it is of: only that has the outputs' unit. Distances to a
        reference are in ranges of inputs.
        """
        if self.near:
            return loss + SAME
        return float((np.sqrt(max(loss, 0.0)) + SAME * self.unit) ** 2)

    @property
    def loss_unit(self) -> float:
        """The unit of the loss that `unit` makes: a squared distance."""
        return self.unit**2

    @property
    def enough(self) -> float:
        """The largest loss of outputs that meet the values."""
        return float(((self.margin / np.array(self.scale)) ** 2).mean())

    @abstractmethod
    def reached_within(self, spread: np.ndarray) -> np.ndarray:
        """Return how near to its value each named output (k,) counts as there to a search; `spread` (k,) is of the
        training rows."""

    @abstractmethod
    def value_words(self, k: int) -> str:
        """Return the value of the k-th named output, as a person would say it."""

    @abstractmethod
    def _part(self, k: int, unit: str) -> str:
        """Return the words of the k-th named output."""

    def words(self, units: Mapping[str, str] | None = None) -> str:
        """Return the objective as a person would say it."""
        found = units or {}
        parts = [self._part(k, f" {found[name]}" if found.get(name) else "") for k, name in enumerate(self.outputs)]
        return self.completed(" and ".join(parts), units)

    def _label(self, k: int) -> str:
        return self.outputs[k].replace("_", " ")


@dataclass(frozen=True)
class Target(Values):
    """A value for each named output, within its tolerance."""

    kind: ClassVar[str] = "target"

    @property
    def margin(self) -> np.ndarray:
        """How far each named output may be from its value, (k,)."""
        return np.array(self.tolerance)

    def reached_within(self, spread: np.ndarray) -> np.ndarray:
        """Return how near to its value each named output (k,) counts as there to a search."""
        tolerance = np.broadcast_to(np.asarray(self.tolerance, float), len(spread))
        shares = np.stack([CLOSE_TOLERANCE * tolerance, CLOSE_SPREAD * spread])
        return np.asarray(np.where(shares > 0, shares, np.inf).min(axis=0))

    def as_interval(self, slack: Sequence[float]) -> Within:
        """Return the target as intervals of its tolerance, each wider by `slack` (k,)."""
        around = [t + s for t, s in zip(self.tolerance, slack, strict=True)]
        low = tuple(v - a for v, a in zip(self.low, around, strict=True))
        high = tuple(v + a for v, a in zip(self.high, around, strict=True))
        rest = (self.tolerance, self.scale, self.fixed, self.committee, self.unit, self.limits, self.middle, self.near)
        return Within(self.name, self.outputs, self.columns, low, high, *rest)

    def value_words(self, k: int) -> str:
        """Return the value of the k-th named output, as a person would say it."""
        return digits.exact(self.low[k])

    def _part(self, k: int, unit: str) -> str:
        return f"{self._label(k)} {self.value_words(k)}{unit} within {digits.number(self.tolerance[k])}"


@dataclass(frozen=True)
class Within(Values):
    """An interval for each named output."""

    kind: ClassVar[str] = "within"

    def narrowed(self, spread: np.ndarray) -> Objective:
        """Return intervals narrower by a millionth at each end: a search from outside ends on the edge, where rounding
        decides whether the interval is reached."""
        low, high = np.array(self.low), np.array(self.high)
        margin = CLOSE_SPREAD * np.where(np.isfinite(high - low), high - low, spread[list(self.columns)])
        inner = replace(self, low=tuple((low + margin).tolist()), high=tuple((high - margin).tolist()))
        return Objective.narrowed(inner, spread)

    def reached_within(self, spread: np.ndarray) -> np.ndarray:
        """Return how near to its interval each named output (k,) counts as there: half of what `narrowed` takes."""
        width = self.goal.high - self.goal.low
        return np.asarray(CLOSE_SPREAD / 2 * np.where(np.isfinite(width), width, spread))

    def value_words(self, k: int) -> str:
        """Return the interval of the k-th named output, as a person would say it."""
        return interval_words(self.low[k], self.high[k])

    def _part(self, k: int, unit: str) -> str:
        both = np.isfinite([self.low[k], self.high[k]]).all()
        return f"{self._label(k)} {'from ' if both else ''}{self.value_words(k)}{unit}"


def _distance(Y: Any, goal: Goal, xp: Any = np) -> Any:
    """Return how far outputs are from their interval: what would have to be added to them."""
    return xp.where(Y.real < goal.low, goal.low - Y, xp.where(Y.real > goal.high, goal.high - Y, 0 * Y))


def _scale(spec: Mapping[str, Any], columns: Sequence[int], sizes: Sequence[float], known: Known) -> tuple[float, ...]:
    """Return the unit of each output in the loss: by default its own, which is its standard deviation where several
    are added. Beside others, one that never varies is taken in units of its value's size."""
    if known.spread is None or not spec.get("scaled", len(columns) > 1):
        return (1.0,) * len(columns)
    varies = [known.reach is None or known.reach[c] > 0 for c in columns]
    found = (float(known.spread[c]) if v else 0.0 for c, v in zip(columns, varies, strict=True))
    other = sizes if len(columns) > 1 else [0.0]
    return tuple(own or size or 1.0 for own, size in zip(found, other, strict=True))
