"""What is asked of an exact search: an objective of outputs and its limits, bounded on boxes.

Outputs are those of the model, and behind them formulas of inputs and outputs. On a box each is an interval: a model's
output by the model, a formula by interval arithmetic, which is exact where it is linear. Of values to meet, the loss is
least where each output is as near to what is wanted as its interval allows: `Objective.loss` itself is asked there, so
that its rounding is that of the answer. A direction whose values are linear is one sum of inputs and outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from preimage.core.expressions import Expression
from preimage.core.objective import Direction, Objective
from preimage.core.space import Space
from preimage.exact import affine
from preimage.exact.affine import UNIT, Terms
from preimage.exact.model import Side
from preimage.trees.threads import over

# Until there is something to beat, limits come before the objective.
LATER = 1e6


@dataclass(frozen=True)
class Value:
    """An output that matters: an output of the model, a formula, or a sum of such.

    Attributes:
        column: its place among all outputs; -1 for a sum.
        expression: the formula, where it is not linear.
        slope, weights, constant: of inputs (d,) and of the model's outputs (m,), where it is linear.
        margin: what rounding may make of its value then, at most.
        low, high: the place of the ends of its outputs' part among the sides, -1 where it has none; and a factor.
    """

    column: int
    slope: np.ndarray
    weights: np.ndarray
    constant: float = 0.0
    margin: float = 0.0
    expression: Expression | None = None

    @property
    def plain(self) -> bool:
        """Whether it is an output of the model, or a multiple of one."""
        return self.expression is None and not self.slope.any() and not self.constant and not self.margin


class Parts(NamedTuple):
    """What boxes are made of: their ends (n, d), and those of the sides (n, k)."""

    start: np.ndarray
    end: np.ndarray
    ends: np.ndarray


class Goal:
    """An objective with its limits, over boxes.

    Args:
        outputs: names of all outputs: the model's, then those of the formulas.
        formulas: expressions of inputs and of the model's outputs.
        reach: how large each of the model's outputs may be, (m,).
        distance: a distance of the inputs that is the loss, where the objective is one.

    Attributes:
        sides: the ends of the model's outputs that matter.
        terms: the part of the loss that is a sum over inputs.
        matrix: the inputs' part of limits that are linear, (r, d).
    """

    def __init__(
        self,
        space: Space,
        objective: Objective,
        outputs: Sequence[str],
        formulas: Mapping[str, Expression],
        reach: np.ndarray,
        distance: Terms | None = None,
    ) -> None:
        self.space, self.objective, self.outputs, self.reach = space, objective, list(outputs), reach
        d = len(space.inputs)
        self.terms = distance or Terms(np.zeros(d), np.zeros(d), np.zeros(d), space.categorical)
        self._places: dict[Side, int] = {}
        columns = [*objective.columns, *(limit.column for limit in objective.limits)]
        self.values = {c: self._value(c, formulas) for c in dict.fromkeys(columns)}
        self.named = [self.values[c] for c in objective.columns]
        self.sum = self._sum() if isinstance(objective, Direction) and distance is None else None
        if self.sum is None:
            for value in self.named:
                self._ask(value, (-1.0, 1.0))
        else:
            self.terms = self.terms._replace(slope=self.sum.slope)
            self._ask(self.sum, (-1.0,))
        for limit in objective.limits:
            self._ask(self.values[limit.column], (-1.0, 1.0))
        self.sides = tuple(self._places)
        self.ruled = [limit for limit in objective.limits if self.values[limit.column].slope.any()]
        self.matrix = np.array([self.values[limit.column].slope for limit in self.ruled]).reshape(-1, d)

    # -- what is asked -------------------------------------------------------------------------------------------------

    def _value(self, column: int, formulas: Mapping[str, Expression]) -> Value:
        d, m = len(self.space.inputs), len(self.reach)
        slope, weights = np.zeros(d), np.zeros(m)
        if column < m:
            weights[column] = 1.0
            return Value(column, slope, weights)
        expression = formulas[self.outputs[column]]
        ratio = expression.ratio()
        if ratio is None or not ratio.is_linear:
            return Value(column, slope, weights, expression=expression)
        largest = np.maximum(np.abs(self.space.low), np.abs(self.space.high))
        size = ratio.above.size
        for name, c in ratio.above.coefficients.items():
            of, at, reach = self._place(name, slope, weights, largest)
            of[at] += c
            size += ratio.above.sizes[name] * reach
        margin = 8 * (len(expression.steps) + d + m) * UNIT * size
        return Value(column, slope, weights, ratio.above.constant, margin)

    def _place(
        self, name: str, slope: np.ndarray, weights: np.ndarray, largest: np.ndarray
    ) -> tuple[np.ndarray, int, float]:
        if name in self.space.names:
            at = self.space.names.index(name)
            return slope, at, float(largest[at])
        at = self.outputs.index(name)
        return weights, at, float(self.reach[at])

    def _sum(self) -> Value | None:
        """Return what a direction makes small as one sum; None where a value is not linear."""
        objective, d, m = self.objective, len(self.space.inputs), len(self.reach)
        if any(v.expression is not None for v in self.named):
            return None
        parts = [w * objective.sign for w in objective.low]
        if len(parts) == 1 and self.named[0].plain:
            return Value(-1, self.named[0].slope, parts[0] * self.named[0].weights)
        largest = np.maximum(np.abs(self.space.low), np.abs(self.space.high))
        slope, weights, constant, margin, size = np.zeros(d), np.zeros(m), 0.0, 0.0, 0.0
        for w, v in zip(parts, self.named, strict=True):
            slope, weights, constant = slope + w * v.slope, weights + w * v.weights, constant + w * v.constant
            margin += abs(w) * v.margin
            size += abs(w) * (np.abs(v.slope) @ largest + np.abs(v.weights) @ self.reach + abs(v.constant))
        return Value(-1, slope, weights, constant, margin + 8 * (d + m + len(parts)) * UNIT * size)

    def _ask(self, value: Value, signs: Sequence[float]) -> None:
        """Note which ends of the model's outputs a value takes."""
        if value.expression is None:
            for sign in signs:
                self._side(value.weights, sign)
            return
        for name in value.expression.names:
            if name not in self.space.names:
                weights = np.zeros(len(self.reach))
                weights[self.outputs.index(name)] = 1.0
                self._side(weights, 1.0)
                self._side(weights, -1.0)

    def _side(self, weights: np.ndarray, sign: float) -> tuple[int, float]:
        """Return the place of one end of a sum of the model's outputs, and what to multiply it with; (-1, 0) where the
        sum is none. One output is asked for by itself, so that its ends are numbers that are predicted."""
        used = np.flatnonzero(weights)
        if not len(used):
            return -1, 0.0
        factor = float(weights[used[0]]) if len(used) == 1 else 1.0
        side = Side(tuple((weights / factor).tolist()), float(sign * np.sign(factor)))
        return self._places.setdefault(side, len(self._places)), factor

    # -- bounds --------------------------------------------------------------------------------------------------------

    def _outputs(self, value: Value, sign: float, parts: Parts) -> np.ndarray | float:
        """Return one end of the outputs' part of a linear value on boxes (n,)."""
        place, factor = self._side(value.weights, sign)
        return factor * parts.ends[:, place] if place >= 0 else 0.0

    def interval(self, value: Value, parts: Parts) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends of a value on boxes (n,)."""
        if value.expression is not None:
            return self._of_formula(value.expression, parts)
        low, high = (self._outputs(value, sign, parts) for sign in (-1.0, 1.0))
        if value.plain:
            return np.asarray(low), np.asarray(high)
        at_start, at_end = parts.start * value.slope, parts.end * value.slope
        less, more = np.minimum(at_start, at_end).sum(axis=1), np.maximum(at_start, at_end).sum(axis=1)
        return less + low + value.constant - value.margin, more + high + value.constant + value.margin

    def _of_formula(self, expression: Expression, parts: Parts) -> tuple[np.ndarray, np.ndarray]:
        low, high = {}, {}
        for name in expression.names:
            if name in self.space.names:
                j = self.space.names.index(name)
                low[name], high[name] = parts.start[:, j], parts.end[:, j]
                continue
            weights = np.zeros(len(self.reach))
            weights[self.outputs.index(name)] = 1.0
            low[name], high[name] = (parts.ends[:, self._side(weights, sign)[0]] for sign in (-1.0, 1.0))
        return expression.bounds(low, high)

    def rows(self, parts: Parts) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends of `matrix` that limits leave on boxes, (n, r) each."""
        low, high = np.empty((len(parts.start), len(self.ruled))), np.empty((len(parts.start), len(self.ruled)))
        for k, limit in enumerate(self.ruled):
            value = self.values[limit.column]
            low[:, k] = limit.low - value.constant - value.margin - self._outputs(value, 1.0, parts)
            high[:, k] = limit.high - value.constant + value.margin - self._outputs(value, -1.0, parts)
        return low, high

    def left(self, loss: float, parts: Parts) -> np.ndarray:
        """Return what the sum over inputs may be at most on boxes for a smaller loss than one (n,)."""
        if self.sum is None:
            return np.full(len(parts.start), loss if self.terms.weight.any() else np.inf)
        rest = self.sum.constant - self.sum.margin + self._outputs(self.sum, -1.0, parts)
        return np.broadcast_to(loss - rest, len(parts.start))

    def least(self, parts: Parts, rows: tuple[np.ndarray, np.ndarray, np.ndarray], first: np.ndarray) -> np.ndarray:
        """Return a lower bound of the loss on boxes (n,).

        Args:
            rows: matrix (m, d) that valid points keep to, with its ends for each box (n, m).
            first: multipliers of the rows to begin with, (m,).
        """
        if self.sum is not None and not self.sum.plain:
            rest = self.sum.constant - self.sum.margin + self._outputs(self.sum, -1.0, parts)
            return np.asarray(self._terms(parts, rows, first) + rest)
        if self.terms.weight.any():
            return self._terms(parts, rows, first)
        Y = np.zeros((len(parts.start), len(self.outputs)))
        for value in self.named:
            Y[:, value.column] = self._wanted(value, parts)
        return np.asarray(self.objective.loss(Y))

    def _wanted(self, value: Value, parts: Parts) -> np.ndarray:
        """Return what a value is on boxes where its loss is least (n,)."""
        k = self.objective.columns.index(value.column)
        if self.sum is not None:
            place, _ = self._side(self.sum.weights, -1.0)
            return parts.ends[:, place]
        low, high = self.interval(value, parts)
        if isinstance(self.objective, Direction):
            return low if self.objective.low[k] * self.objective.sign > 0 else high
        return np.minimum(np.maximum(low, self.objective.low[k]), high)

    def _terms(
        self, parts: Parts, rows: tuple[np.ndarray, np.ndarray, np.ndarray], first: np.ndarray
    ) -> np.ndarray:
        least = np.empty(len(parts.start))
        over(affine.bound, len(least), self.terms, *rows, parts.start, parts.end, first, least)
        return least

    def met(self, parts: Parts) -> tuple[np.ndarray, np.ndarray]:
        """Return on which boxes limits may hold, and on which all of them do everywhere, (n,) each."""
        possible, everywhere = np.ones(len(parts.start), bool), np.ones(len(parts.start), bool)
        for limit in self.objective.limits:
            low, high = self.interval(self.values[limit.column], parts)
            possible &= (high >= limit.low) & (low <= limit.high)
            everywhere &= (low >= limit.low) & (high <= limit.high)
        return possible, everywhere

    # -- splitting -----------------------------------------------------------------------------------------------------

    def order(self, parts: Parts, least: np.ndarray, best: float) -> np.ndarray:
        """Return the sides that decide over boxes (n, k), first those that are nearest to ruling a box out; -1 behind
        the last.

        Args:
            least: bounds of their loss (n,).
            best: the loss to beat.
        """
        score = np.full((len(parts.start), len(self.sides)), np.inf)
        objective = self.objective
        if self.sum is not None:
            far = (best - least) / (objective.unit or 1.0) if np.isfinite(best) else np.full(len(least), LATER)
            self._lower(score, self.sum, (-1.0,), far)
        elif isinstance(objective, Direction):
            for value in self.named:
                self._lower(score, value, (-1.0, 1.0), np.full(len(least), LATER))
        else:
            ends = zip(objective.low, objective.high, objective.scale, strict=True)
            for value, (low, high, scale) in zip(self.named, ends, strict=True):
                self._open(score, value, low, high, scale, parts)
        for limit in objective.limits:
            self._open(score, self.values[limit.column], limit.low, limit.high, limit.scale, parts)
        order = np.argsort(score, axis=1, kind="stable")
        return np.where(np.isfinite(np.take_along_axis(score, order, axis=1)), order, -1).astype(np.int32)

    def _open(
        self, score: np.ndarray, value: Value, low: float, high: float, scale: float, parts: Parts
    ) -> None:
        """Note how near the sides of a value are to leaving the interval that it must lie in, where they may."""
        least, most = self.interval(value, parts)
        below = np.where(least < low, (most - low) / scale, np.inf)
        above = np.where(most > high, (high - least) / scale, np.inf)
        if value.expression is not None:
            self._lower(score, value, (-1.0, 1.0), np.minimum(below, above))
            return
        self._lower(score, value, (1.0,), below)
        self._lower(score, value, (-1.0,), above)

    def _lower(self, score: np.ndarray, value: Value, signs: Sequence[float], by: np.ndarray) -> None:
        for place in self._of(value, signs):
            score[:, place] = np.minimum(score[:, place], by)

    def _of(self, value: Value, signs: Sequence[float]) -> list[int]:
        """Return the sides that a value takes."""
        if value.expression is None:
            places = [self._side(value.weights, sign)[0] for sign in signs]
            return [p for p in places if p >= 0]
        found = []
        for name in value.expression.names:
            if name not in self.space.names:
                weights = np.zeros(len(self.reach))
                weights[self.outputs.index(name)] = 1.0
                found += [self._side(weights, 1.0)[0], self._side(weights, -1.0)[0]]
        return found
