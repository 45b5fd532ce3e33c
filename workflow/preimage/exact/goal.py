"""What is asked of an exact search: an objective of outputs and its limits, bounded on boxes.

Outputs are those of the model, and behind them formulas of inputs and outputs. On a box each is an interval: a model's
output by the model, a formula by interval arithmetic, which is exact where it is linear. Of values to meet, the loss is
least where each output is as near to what is wanted as its interval allows: `Objective.loss` itself is asked there, so
that its rounding is that of the answer. A direction whose values are linear is one sum of inputs and outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from preimage.core.formulas import Formulas
from preimage.core.objective import Direction, Objective
from preimage.core.space import Space
from preimage.exact import affine
from preimage.exact.affine import UNIT, Terms
from preimage.exact.model import Side
from preimage.trees.threads import over

# Until there is something to beat, limits come before the objective.
LATER = 1e6
# Bounds and losses of formulas that agree to this share of what they span are the same: rounding, and the tolerance of
# rows, may leave such a gap.
GAP = 1e-8


@dataclass(frozen=True)
class Value:
    """An output that matters: an output of the model, a formula, or a sum of such.

    Attributes:
        column: its place among all outputs; -1 for a sum.
        slope, weights, constant: of inputs (d,) and of the model's outputs (m,), where it is linear.
        margin: what rounding may make of its value then, at most.
        of: the model's outputs that a formula takes which is not linear; None where it is.
    """

    column: int
    slope: np.ndarray
    weights: np.ndarray
    constant: float = 0.0
    margin: float = 0.0
    of: tuple[int, ...] | None = None

    @property
    def linear(self) -> bool:
        return self.of is None

    @property
    def plain(self) -> bool:
        """Whether it is an output of the model, or a multiple of one."""
        return self.linear and not self.slope.any() and not self.constant and not self.margin


class Parts(NamedTuple):
    """What boxes are made of: their ends (n, d), and those of the sides (n, k)."""

    start: np.ndarray
    end: np.ndarray
    ends: np.ndarray


class Goal:
    """An objective with its limits, over boxes.

    Args:
        formulas: the outputs behind the model's own.
        reach: how large each of the model's outputs may be, (m,).
        distance: a distance of the inputs that is the loss, where the objective is one.

    Attributes:
        sides: the ends of the model's outputs that matter.
        terms: the part of the loss that is a sum over inputs.
        matrix: the inputs' part of limits that are linear, (r, d).
    """

    def __init__(
        self, space: Space, objective: Objective, formulas: Formulas, reach: np.ndarray, distance: Terms | None = None
    ) -> None:
        self.space, self.objective, self.reach = space, objective, reach
        d = len(space.inputs)
        self.terms = distance or Terms(np.zeros(d), np.zeros(d), np.zeros(d), space.categorical)
        self._places: dict[Side, int] = {}
        self.all_formulas = formulas
        self.formulas = _needed(formulas, objective, len(reach))
        self.names = dict(enumerate(formulas.names, len(reach)))
        self._of_formula = self._formula_values()
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

    def _value(self, column: int, formulas: Formulas) -> Value:
        m = len(self.reach)
        if column < m:
            return Value(column, np.zeros(len(self.space.inputs)), np.eye(m)[column])
        return replace(self._of_formula[formulas.names[column - m]], column=column)

    def _formula_values(self) -> dict[str, Value]:
        """Return the value of each formula that matters, by name; those of linear formulas are linear."""
        d, m = len(self.space.inputs), len(self.reach)
        largest = np.maximum(np.abs(self.space.low), np.abs(self.space.high))
        found: dict[str, Value] = {}
        sizes: dict[str, float] = dict(zip(self.space.names, largest.tolist(), strict=True))
        sizes |= dict(zip(self.formulas.outputs, self.reach.tolist(), strict=False))
        for formula in self.formulas.each:
            ratio = formula.expression.ratio()
            names = formula.expression.names
            if ratio is None or not ratio.is_linear or any(n in found and not found[n].linear for n in names):
                of = {k for n in names for k in self._outputs_of(n, found)}
                found[formula.name] = Value(-1, np.zeros(d), np.zeros(m), of=tuple(sorted(of)))
                continue
            value = Value(-1, np.zeros(d), np.zeros(m), ratio.above.constant)
            size = ratio.above.size
            for name, c in ratio.above.coefficients.items():
                value = _plus(value, c, self._named(name, found))
                size += ratio.above.sizes[name] * sizes[name]
            margin = value.margin + 8 * (len(formula.expression.steps) + d + m) * UNIT * size
            found[formula.name], sizes[formula.name] = replace(value, margin=margin), size
        return found

    def _named(self, name: str, found: dict[str, Value]) -> Value:
        """Return the value of an input, an output or a formula."""
        d, m = len(self.space.inputs), len(self.reach)
        if name in found:
            return found[name]
        if name in self.space.names:
            return Value(-1, np.eye(d)[self.space.names.index(name)], np.zeros(m))
        return Value(-1, np.zeros(d), np.eye(m)[self.formulas.outputs.index(name)])

    def _outputs_of(self, name: str, found: dict[str, Value]) -> list[int]:
        """Return the model's outputs that an input, an output or a formula takes."""
        value = self._named(name, found)
        return np.flatnonzero(value.weights).tolist() if value.of is None else list(value.of)

    def _sum(self) -> Value | None:
        """Return what a direction makes small as one sum; None where a value is not linear."""
        objective, d, m = self.objective, len(self.space.inputs), len(self.reach)
        if not all(v.linear for v in self.named):
            return None
        parts = [w * objective.sign for w in objective.low]
        if len(parts) == 1 and self.named[0].plain:
            return Value(-1, self.named[0].slope, parts[0] * self.named[0].weights)
        largest = np.maximum(np.abs(self.space.low), np.abs(self.space.high))
        total, size = Value(-1, np.zeros(d), np.zeros(m)), 0.0
        for w, v in zip(parts, self.named, strict=True):
            total = _plus(total, w, v)
            size += abs(w) * (np.abs(v.slope) @ largest + np.abs(v.weights) @ self.reach + abs(v.constant))
        return replace(total, margin=total.margin + 8 * (d + m + len(parts)) * UNIT * size)

    def _ask(self, value: Value, signs: Sequence[float]) -> None:
        """Note which ends of the model's outputs a value takes."""
        for weights, sign in self._ends_of(value, signs):
            self._side(weights, sign)

    def _ends_of(self, value: Value, signs: Sequence[float]) -> list[tuple[np.ndarray, float]]:
        """Return the ends of sums of the model's outputs that ends of a value take."""
        if value.of is None:
            return [(value.weights, sign) for sign in signs if value.weights.any()]
        return [(np.eye(len(self.reach))[k], sign) for k in value.of for sign in (-1.0, 1.0)]

    def _side(self, weights: np.ndarray, sign: float) -> tuple[int, float]:
        """Return the place of one end of a sum of the model's outputs, and what to multiply it with. One output is
        asked for by itself, so that its ends are numbers that are predicted."""
        used = np.flatnonzero(weights)
        factor = float(weights[used[0]]) if len(used) == 1 else 1.0
        side = Side(tuple((weights / factor).tolist()), float(sign * np.sign(factor)))
        return self._places.setdefault(side, len(self._places)), factor

    @property
    def has_terms(self) -> bool:
        """Whether the loss has a part that is a sum over inputs."""
        return bool(self.terms.slope.any() or self.terms.weight.any())

    # -- bounds --------------------------------------------------------------------------------------------------------

    def _outputs(self, value: Value, sign: float, parts: Parts) -> np.ndarray | float:
        """Return one end of the outputs' part of a linear value on boxes (n,)."""
        if not value.weights.any():
            return 0.0
        place, factor = self._side(value.weights, sign)
        return factor * parts.ends[:, place]

    def interval(self, value: Value, parts: Parts) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends of a value on boxes (n,)."""
        if not value.linear:
            return self._curved(value, parts)
        low, high = (self._outputs(value, sign, parts) for sign in (-1.0, 1.0))
        if value.plain:
            return np.asarray(low), np.asarray(high)
        at_start, at_end = parts.start * value.slope, parts.end * value.slope
        less, more = np.minimum(at_start, at_end).sum(axis=1), np.maximum(at_start, at_end).sum(axis=1)
        return less + low + value.constant - value.margin, more + high + value.constant + value.margin

    def _curved(self, value: Value, parts: Parts) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends of a formula that is not linear on boxes (n,), by interval arithmetic."""
        low, high = self.columns(parts)
        name = self.names[value.column]
        return low[name], high[name]

    def columns(self, parts: Parts) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return the ends of inputs, outputs and formulas on boxes (n,), by name; of an output that does not matter
        they are infinite."""
        low, high = (dict(zip(self.space.names, a.T, strict=True)) for a in (parts.start, parts.end))
        for k, name in enumerate(self.formulas.outputs):
            for ends, sign in ((low, -1.0), (high, 1.0)):
                place = self._places.get(Side(tuple(np.eye(len(self.reach))[k].tolist()), sign))
                ends[name] = np.full(len(parts.start), sign * np.inf) if place is None else parts.ends[:, place]
        for formula in self.formulas.each:
            low[formula.name], high[formula.name] = formula.expression.bounds(low, high)
        return low, high

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
        return np.full(len(parts.start), loss - rest)

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
        Y = np.zeros((len(parts.start), max(self.values) + 1))
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

    def _terms(self, parts: Parts, rows: tuple[np.ndarray, np.ndarray, np.ndarray], first: np.ndarray) -> np.ndarray:
        least = np.empty(len(parts.start))
        over(affine.bound, len(least), self.terms, *rows, parts.start, parts.end, first, least)
        return least

    def rounding(self, margin: np.ndarray) -> float:
        """Return what rounding may make of the loss, at most, given that of the ends of the model's outputs (k,)."""
        if self.sum is not None:
            places = [self._side(weights, sign) for weights, sign in self._ends_of(self.sum, (-1.0,))]
            return 2 * (self.sum.margin + sum(abs(factor) * float(margin[place]) for place, factor in places))
        plain = self.terms.weight.any() or all(value.plain for value in self.named)
        return 0.0 if plain else GAP * self.objective.loss_unit

    def may_hold(self, parts: Parts) -> np.ndarray:
        """Return on which boxes limits may hold (n,)."""
        possible = np.ones(len(parts.start), bool)
        for limit in self.objective.limits:
            low, high = self.interval(self.values[limit.column], parts)
            possible &= (high >= limit.low) & (low <= limit.high)
        return possible

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

    def _open(self, score: np.ndarray, value: Value, low: float, high: float, scale: float, parts: Parts) -> None:
        """Note how near the sides of a value are to leaving the interval that it must lie in, where they may."""
        least, most = self.interval(value, parts)
        below = np.where(least < low, (most - low) / scale, np.inf)
        above = np.where(most > high, (high - least) / scale, np.inf)
        if not value.linear:
            self._lower(score, value, (-1.0, 1.0), np.minimum(below, above))
            return
        self._lower(score, value, (1.0,), below)
        self._lower(score, value, (-1.0,), above)

    def _lower(self, score: np.ndarray, value: Value, signs: Sequence[float], by: np.ndarray) -> None:
        """Note how near ends of a value are to ruling a box out at the sides that they take."""
        for weights, sign in self._ends_of(value, signs):
            place, _ = self._side(weights, sign)
            score[:, place] = np.minimum(score[:, place], by)


def _needed(formulas: Formulas, objective: Objective, m: int) -> Formulas:
    """Return the formulas that an objective and its limits take, and those that these take."""
    columns = [*objective.columns, *(limit.column for limit in objective.limits)]
    needed = {formulas.names[c - m] for c in columns if c >= m}
    for formula in reversed(formulas.each):
        if formula.name in needed:
            needed |= set(formula.expression.names)
    return replace(formulas, each=tuple(f for f in formulas.each if f.name in needed))


def _plus(a: Value, factor: float, b: Value) -> Value:
    """Return a + factor * b of linear values."""
    return Value(
        a.column,
        a.slope + factor * b.slope,
        a.weights + factor * b.weights,
        a.constant + factor * b.constant,
        a.margin + abs(factor) * b.margin,
    )
