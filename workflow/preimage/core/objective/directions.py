"""Outputs to make small or large: a direction to go, with no value to meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from preimage.support import digits
from preimage.support.errors import StudyError


@dataclass(frozen=True)
class Direction(Objective):
    """A weighted sum of outputs, to be made small or large; the weights are `low`."""

    adjective: ClassVar[str]

    @classmethod
    def build(cls, name: str, spec: Mapping[str, Any], outputs: Sequence[str], known: Known) -> Self:
        """Build it from an output, or weights by output. Raises StudyError for an unknown output."""
        terms = {spec[cls.kind]: 1.0} if isinstance(spec[cls.kind], str) else spec[cls.kind]
        columns = columns_of(name, cls.kind, terms, outputs)
        weights, _ = ends_of(name, terms)
        tolerance = tolerances_of(name, spec, terms)
        if isinstance(spec.get("tolerance"), Mapping) and len(terms) > 1:
            found = f"found one by output, expected a number: {cls.kind} takes their sum"
            raise StudyError(f"{where(name)}.tolerance: {found}")
        span = _span(np.array(weights), columns, known)
        margin = next(iter(tolerance.values()), DEFAULT_TOLERANCE * (span or 0.0))
        return cls(
            name, tuple(terms), columns, weights, weights, (margin,), (1.0,) * len(columns),
            dict(spec.get("fixed") or {}), committee_of(spec), 1.0 if span is None else span,
        )  # fmt: skip

    @staticmethod
    def loss_of(Y: Any, goal: Goal, xp: Any = np) -> Any:
        """Return the weighted sum of named outputs (..., k), shape (...,)."""
        return (Y * goal.low).sum(axis=-1)

    def slope(self, Y: np.ndarray) -> np.ndarray:
        """Return the derivative of the loss by the outputs, (n, m), at outputs (n, m)."""
        out = np.zeros_like(Y)
        out[:, np.array(self.columns)] = np.array(self.low) * self.sign
        return out

    def met(self, Y: np.ndarray, best: float | None = None) -> np.ndarray:
        """Return which outputs (n, m) have a loss as good as that of `best`, or of the best of them, (n,)."""
        loss, kept = self.loss(Y), self.violation(Y) == 0
        least = np.nanmin(loss[kept], initial=np.inf) if best is None else best
        return np.asarray(kept & (loss <= self.as_good_as(least)))

    def achieved(self, Y: np.ndarray, known: np.ndarray) -> np.ndarray:
        """Return which outputs (n, m) keep the limits and are better than all known ones (k, m), (n,)."""
        least = np.inf if not len(known) else self.loss(known).min()
        return np.asarray((self.violation(Y) == 0) & (self.loss(Y) < least))

    def equal_to(self, loss: float) -> float:
        """Return the largest loss that is equal to one but for a millionth of what the training rows span."""
        return loss + SAME * self.unit

    def words(self, units: Mapping[str, str] | None = None) -> str:
        """Return the objective as a person would say it."""
        labels = [name.replace("_", " ") for name in self.outputs]
        parts = [label if w == 1 else f"{digits.exact(w)} x {label}" for label, w in zip(labels, self.low, strict=True)]
        return self.completed(f"{self.adjective} {' + '.join(parts)}", units)


@dataclass(frozen=True)
class Minimize(Direction):
    """The smallest weighted sum."""

    kind: ClassVar[str] = "minimize"
    adjective: ClassVar[str] = "smallest"


@dataclass(frozen=True)
class Maximize(Direction):
    """The largest weighted sum."""

    kind: ClassVar[str] = "maximize"
    sign: ClassVar[float] = -1.0
    adjective: ClassVar[str] = "largest"

    @staticmethod
    def loss_of(Y: Any, goal: Goal, xp: Any = np) -> Any:
        """Return the negative weighted sum of named outputs (..., k), shape (...,)."""
        return -(Y * goal.low).sum(axis=-1)


def _span(weights: np.ndarray, columns: Sequence[int], known: Known) -> float | None:
    """Return the range of a weighted sum over the training rows; None where it is not known."""
    if known.rows is not None:
        return float(np.ptp(known.rows[:, list(columns)] @ weights))
    if known.reach is not None and len(columns) == 1:
        return float(abs(weights[0]) * known.reach[columns[0]])
    return None
