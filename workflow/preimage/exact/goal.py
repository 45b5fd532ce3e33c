"""What is asked of an exact search: limits of outputs, and an objective whose loss is bounded on boxes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from preimage.core.formulas import Formulas
from preimage.core.objective import Direction, Objective
from preimage.core.space import Space
from preimage.exact import affine
from preimage.exact.affine import Terms
from preimage.exact.kernels import over
from preimage.exact.values import Parts, Value, Values

# Until there is something to beat, limits come before the objective.
LATER = 1e6
# Bounds and losses of formulas that agree to this share of what they span are the same: rounding, and the tolerance of
# rows, may leave such a gap.
GAP = 1e-8


class LinearRows(NamedTuple):
    """Linear rows that valid points keep to (m, d), with their ends for each box (n, m)."""

    matrix: np.ndarray
    low: np.ndarray
    high: np.ndarray


class Goal(ABC):
    """What is to be made small within limits, over boxes.

    Args:
        formulas: the outputs behind the model's own.
        reach: how large each of the model's outputs may be, (m,).

    Attributes:
        programs: sums over inputs that are parts of the loss: what is left where the model's outputs are constant.
        ruled: the limits that are linear in the inputs.
        matrix: the inputs' part of these, (r, d).
        margins: what rounding may make of these values, (r,).
    """

    def __init__(self, space: Space, objective: Objective, formulas: Formulas, reach: np.ndarray) -> None:
        self.space, self.objective, self.limits = space, objective, objective.limits
        columns = [*objective.columns, *(limit.column for limit in self.limits)]
        self.values = Values(space, formulas, columns, reach)
        self.programs: tuple[Terms, ...] = ()
        self._note_aims()
        for limit in self.limits:
            self.values.ask(self.values[limit.column], (-1.0, 1.0))
        self.sides = self.values.sides
        self.ruled = [limit for limit in self.limits if self.values[limit.column].slope.any()]
        self.matrix = np.array([self.values[limit.column].slope for limit in self.ruled]).reshape(-1, len(space.inputs))
        self.margins = np.array([self.values[limit.column].margin for limit in self.ruled])

    # -- what each kind knows ------------------------------------------------------------------------------------------

    @abstractmethod
    def _note_aims(self) -> None:
        """Note what the loss is made of, and ask for the ends of the model's outputs that it takes."""

    @property
    @abstractmethod
    def curved(self) -> list[str]:
        """The formulas that the loss takes which are not linear."""

    @property
    @abstractmethod
    def cutting(self) -> Terms:
        """A sum over inputs that a smaller loss keeps small."""

    @abstractmethod
    def most(self, loss: float, parts: Parts) -> np.ndarray:
        """Return what that sum may be at most on boxes for a smaller loss than one (n,)."""

    @abstractmethod
    def least(self, parts: Parts, rows: LinearRows, first: np.ndarray) -> np.ndarray:
        """Return a lower bound of the loss on boxes (n,).

        Args:
            first: multipliers of the rows to begin with, of each program (p, m).
        """

    @abstractmethod
    def _urge(self, score: np.ndarray, parts: Parts, least: np.ndarray, best: float) -> None:
        """Note at the sides (n, k) how near the objective is to ruling boxes out by them: less is nearer."""

    @abstractmethod
    def rounding(self, margin: np.ndarray) -> float:
        """Return what rounding may make of the loss, at most, given that of the ends of the model's outputs (k,)."""

    def blur(self, margin: np.ndarray, loss: float) -> float:
        """Return by how much a loss may be above its bound, at most, where values are to be met and the ends of the
        model's outputs are attained but for what rounding makes of them (k,)."""
        return 0.0

    def points(self, parts: Parts) -> np.ndarray:
        """Return points of boxes (k, d) that are likely to be good: none that are known."""
        return np.empty((0, parts.start.shape[1]))

    # -- limits --------------------------------------------------------------------------------------------------------

    def rows(self, parts: Parts) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends of `matrix` that limits leave on boxes, (n, r) each."""
        low, high = np.empty((len(parts.start), len(self.ruled))), np.empty((len(parts.start), len(self.ruled)))
        for k, limit in enumerate(self.ruled):
            value = self.values[limit.column]
            low[:, k] = limit.low - self.values.rest(value, 1.0, parts)
            high[:, k] = limit.high - self.values.rest(value, -1.0, parts)
        return low, high

    def may_hold(self, parts: Parts) -> np.ndarray:
        """Return on which boxes limits may hold (n,)."""
        possible = np.ones(len(parts.start), bool)
        for limit in self.limits:
            low, high = self.values.interval(self.values[limit.column], parts)
            possible &= (high >= limit.low) & (low <= limit.high)
        return possible

    def must_hold(self, parts: Parts) -> np.ndarray:
        """Return on which boxes all limits hold everywhere (n,)."""
        everywhere = np.ones(len(parts.start), bool)
        for limit in self.limits:
            low, high = self.values.interval(self.values[limit.column], parts)
            everywhere &= (low >= limit.low) & (high <= limit.high)
        return everywhere

    # -- splitting -----------------------------------------------------------------------------------------------------

    def order(self, parts: Parts, least: np.ndarray, best: float) -> np.ndarray:
        """Return the sides that decide over boxes (n, k), first those that are nearest to ruling a box out; -1 behind
        the last.

        Args:
            least: bounds of their loss (n,).
            best: the loss to beat.
        """
        score = np.full((len(parts.start), len(self.sides)), np.inf)
        self._urge(score, parts, least, best)
        for limit in self.limits:
            self._open(score, self.values[limit.column], limit.low, limit.high, limit.scale, parts)
        order = np.argsort(score, axis=1, kind="stable")
        return np.where(np.isfinite(np.take_along_axis(score, order, axis=1)), order, -1).astype(np.int32)

    def _open(self, score: np.ndarray, value: Value, low: float, high: float, scale: float, parts: Parts) -> None:
        """Note how near a value is to leaving the interval that it must lie in, at the sides by which it may."""
        least, most = self.values.interval(value, parts)
        below = np.where(least < low, (most - low) / scale, np.inf)
        above = np.where(most > high, (high - least) / scale, np.inf)
        if not value.linear:
            self._note(score, value, (-1.0, 1.0), np.minimum(below, above))
            return
        self._note(score, value, (1.0,), below)
        self._note(score, value, (-1.0,), above)

    def _note(self, score: np.ndarray, value: Value, signs: Sequence[float], by: np.ndarray) -> None:
        for place, _ in self.values.ask(value, signs):
            score[:, place] = np.minimum(score[:, place], by)

    # -- sums over inputs ----------------------------------------------------------------------------------------------

    def nothing(self) -> Terms:
        """Return the sum over inputs that is 0."""
        zero = np.zeros(len(self.space.inputs))
        return Terms(zero, zero, zero, self.space.categorical)

    def _least_sum(self, terms: Terms, parts: Parts, rows: LinearRows, first: np.ndarray) -> np.ndarray:
        """Return a lower bound of a sum over inputs on boxes (n,)."""
        least = np.empty(len(parts.start))
        over(affine.bound, len(least), terms, *rows, parts.start, parts.end, first, least)
        return least


class Least(Goal):
    """One loss of outputs and formulas. Of values to meet, it is least where each output is as near to what is wanted
    as its interval allows: `Objective.loss` itself is asked there, so that its rounding is that of the answer. A
    direction whose values are linear is one sum of inputs and outputs."""

    def _note_aims(self) -> None:
        objective = self.objective
        self.named = [self.values[c] for c in objective.columns]
        self.sum: Value | None = None
        if isinstance(objective, Direction):
            self.sum = self.values.sum(objective.columns, [w * objective.sign for w in objective.low])
        if self.sum is None:
            for value in self.named:
                self.values.ask(value, (-1.0, 1.0))
            return
        self.values.ask(self.sum, (-1.0,))
        if self.sum.slope.any():
            self.programs = (self.nothing()._replace(slope=self.sum.slope),)

    @property
    def curved(self) -> list[str]:
        """The formulas that the loss takes which are not linear."""
        return [self.values.names[v.column] for v in self.named if not v.linear]

    @property
    def cutting(self) -> Terms:
        """A sum over inputs that a smaller loss keeps small."""
        return self.programs[0] if self.programs else self.nothing()

    def most(self, loss: float, parts: Parts) -> np.ndarray:
        """Return what that sum may be at most on boxes for a smaller loss than one (n,)."""
        if self.sum is None or not self.programs:
            return np.full(len(parts.start), np.inf)
        return loss - self.values.rest(self.sum, -1.0, parts)

    def least(self, parts: Parts, rows: LinearRows, first: np.ndarray) -> np.ndarray:
        """Return a lower bound of the loss on boxes (n,)."""
        if self.sum is not None and not self.sum.plain:
            rest = self.values.rest(self.sum, -1.0, parts)
            return rest + self._least_sum(self.cutting, parts, rows, first[0]) if self.programs else rest
        Y = np.zeros((len(parts.start), max(self.objective.columns) + 1))
        for k, value in enumerate(self.named):
            Y[:, value.column] = self._best(k, value, parts)
        return np.asarray(self.objective.loss(Y))

    def _best(self, k: int, value: Value, parts: Parts) -> np.ndarray:
        """Return what the k-th value is on boxes where its loss is least (n,)."""
        factor = self.objective.low[k] * self.objective.sign
        if not factor and isinstance(self.objective, Direction):
            return np.zeros(len(parts.start))
        if self.sum is not None:
            return self.values.outputs(value, -float(np.sign(factor)), parts)
        low, high = self.values.interval(value, parts)
        if isinstance(self.objective, Direction):
            return low if factor > 0 else high
        return np.minimum(np.maximum(low, self.objective.low[k]), high)

    def _urge(self, score: np.ndarray, parts: Parts, least: np.ndarray, best: float) -> None:
        objective = self.objective
        if isinstance(objective, Direction):
            far = (best - least) / (objective.unit or 1.0) if np.isfinite(best) else np.full(len(least), LATER)
            for value in self.named if self.sum is None else [self.sum]:
                self._note(score, value, (-1.0,) if value is self.sum else (-1.0, 1.0), far)
            return
        ends = zip(objective.low, objective.high, objective.scale, strict=True)
        for value, (low, high, scale) in zip(self.named, ends, strict=True):
            self._open(score, value, low, high, scale, parts)

    def rounding(self, margin: np.ndarray) -> float:
        """Return what rounding may make of the loss, at most, given that of the ends of the model's outputs (k,)."""
        if self.sum is None:
            return 0.0 if all(value.plain for value in self.named) else GAP * self.objective.loss_unit
        of_model = sum(abs(factor) * float(margin[place]) for place, factor in self.values.ask(self.sum, (-1.0,)))
        return 2 * (self.sum.margin + of_model) + sum(GAP * span(terms, self.space) for terms in self.programs)

    def blur(self, margin: np.ndarray, loss: float) -> float:
        """Return by how much a loss may be above its bound, at most: that of distances that much shorter."""
        objective = self.objective
        if isinstance(objective, Direction) or not margin.any() or not np.isfinite(loss):
            return 0.0
        ends = [self.values.ask(value, (-1.0, 1.0)) for value in self.named]
        off = [max(abs(factor) * float(margin[place]) for place, factor in own) for own in ends]
        shorter = 2 * float(np.sqrt(np.mean((np.array(off) / np.array(objective.scale)) ** 2)))
        return loss - max(np.sqrt(loss) - shorter, 0.0) ** 2


class Nearest(Goal):
    """A distance of the inputs from a reference: the loss. What outputs must be is in the limits."""

    def __init__(
        self, space: Space, objective: Objective, formulas: Formulas, reach: np.ndarray, distance: Terms
    ) -> None:
        self.distance = distance
        super().__init__(space, objective, formulas, reach)

    def _note_aims(self) -> None:
        self.programs = (self.distance,)

    @property
    def curved(self) -> list[str]:
        """The formulas that the loss takes which are not linear: none."""
        return []

    @property
    def cutting(self) -> Terms:
        """The distance."""
        return self.distance

    def most(self, loss: float, parts: Parts) -> np.ndarray:
        """Return what the distance may be at most (n,)."""
        return np.full(len(parts.start), loss)

    def least(self, parts: Parts, rows: LinearRows, first: np.ndarray) -> np.ndarray:
        """Return a lower bound of the distance on boxes (n,)."""
        return self._least_sum(self.distance, parts, rows, first[0])

    def points(self, parts: Parts) -> np.ndarray:
        """Return the point of each box (n, d) that is nearest to the reference."""
        return np.clip(self.distance.reference, parts.start, parts.end)

    def _urge(self, score: np.ndarray, parts: Parts, least: np.ndarray, best: float) -> None:
        pass

    def rounding(self, margin: np.ndarray) -> float:
        """Return what rounding may make of the distance, at most."""
        return GAP * span(self.distance, self.space)


def span(terms: Terms, space: Space) -> float:
    """Return how much a sum over inputs may vary in a space, at most."""
    width = np.where(terms.category, 1.0, space.high - space.low)
    return float(((np.abs(terms.slope) + terms.weight) * width).sum())
