"""Outputs and formulas on boxes: which ends of the model's outputs they take, and what they can be there.

Outputs are those of the model, and behind them formulas of inputs and outputs. On a box each is an interval: an output
by the model, a linear formula by the ends of its terms, any other by interval arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from preimage.core.formulas import Formulas
from preimage.core.space import Space
from preimage.exact.affine import UNIT
from preimage.exact.model import Side


@dataclass(frozen=True)
class Value:
    """An output of the model, a formula, or a sum of such.

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

    def plus(self, factor: float, other: Value) -> Value:
        """Return the sum with a multiple of another; both are linear."""
        return Value(
            -1,
            self.slope + factor * other.slope,
            self.weights + factor * other.weights,
            self.constant + factor * other.constant,
            self.margin + abs(factor) * other.margin,
        )


class Parts(NamedTuple):
    """What boxes are made of: their ends (n, d), those of the sides (n, k), and where a goal cuts a value in slices, in
    which of these they are (n,)."""

    start: np.ndarray
    end: np.ndarray
    ends: np.ndarray
    slice: np.ndarray


class Values:
    """The values that a search asks for, by column.

    Args:
        formulas: the outputs behind the model's own.
        columns: those that matter.
        reach: how large each of the model's outputs may be, (m,).
    """

    def __init__(self, space: Space, formulas: Formulas, columns: Sequence[int], reach: np.ndarray) -> None:
        self.space, self.reach, self.all_formulas = space, reach, formulas
        self.names = dict(enumerate(formulas.names, len(reach)))
        self.formulas = _needed(formulas, [self.names[c] for c in columns if c >= len(reach)])
        self._largest = np.maximum(np.abs(space.low), np.abs(space.high))
        self._found: dict[str, Value] = {}
        self._note_formulas()
        self._places: dict[Side, int] = {}

    def __getitem__(self, column: int) -> Value:
        if column < len(self.reach):
            return self._output(column)
        return replace(self._found[self.names[column]], column=column)

    def _output(self, k: int) -> Value:
        return Value(k, np.zeros(len(self.space.inputs)), np.eye(len(self.reach))[k])

    def _note_formulas(self) -> None:
        """Note the value of each formula that matters, by name; a linear formula of such is linear."""
        d, m = len(self.space.inputs), len(self.reach)
        sizes = dict(zip(self.space.names, self._largest.tolist(), strict=True))
        sizes |= dict(zip(self.formulas.outputs, self.reach.tolist(), strict=False))
        for formula in self.formulas.each:
            ratio, parts = formula.expression.ratio(), [self._named(n) for n in formula.expression.names]
            if ratio is None or not ratio.is_linear or not all(part.linear for part in parts):
                of = {
                    int(k) for part in parts for k in (np.flatnonzero(part.weights) if part.linear else part.of or ())
                }
                self._found[formula.name] = Value(-1, np.zeros(d), np.zeros(m), of=tuple(sorted(of)))
                continue
            value, size = Value(-1, np.zeros(d), np.zeros(m), ratio.above.constant), ratio.above.size
            for name, c in ratio.above.coefficients.items():
                value = value.plus(c, self._named(name))
                size += ratio.above.sizes[name] * sizes[name]
            margin = value.margin + 8 * (len(formula.expression.steps) + d + m) * UNIT * size
            self._found[formula.name], sizes[formula.name] = replace(value, margin=margin), size

    def _named(self, name: str) -> Value:
        """Return the value of an input, an output or a formula."""
        if name in self._found:
            return self._found[name]
        if name in self.space.names:
            d = len(self.space.inputs)
            return Value(-1, np.eye(d)[self.space.names.index(name)], np.zeros(len(self.reach)))
        return self._output(self.formulas.outputs.index(name))

    def sum(self, columns: Sequence[int], factors: Sequence[float]) -> Value | None:
        """Return a weighted sum of values as one; None where a value is not linear."""
        named = [self[c] for c in columns]
        if not all(v.linear for v in named):
            return None
        if len(named) == 1 and named[0].plain:
            return replace(named[0], column=-1, weights=factors[0] * named[0].weights)
        d, m = len(self.space.inputs), len(self.reach)
        total, size = Value(-1, np.zeros(d), np.zeros(m)), 0.0
        for w, v in zip(factors, named, strict=True):
            total = total.plus(w, v)
            size += abs(w) * (np.abs(v.slope) @ self._largest + np.abs(v.weights) @ self.reach + abs(v.constant))
        return replace(total, margin=total.margin + 8 * (d + m + len(named)) * UNIT * size)

    # -- sides ---------------------------------------------------------------------------------------------------------

    @property
    def sides(self) -> tuple[Side, ...]:
        """The ends of the model's outputs that were asked for."""
        return tuple(self._places)

    def ask(self, value: Value, signs: Sequence[float]) -> list[tuple[int, float]]:
        """Note which ends of the model's outputs a value takes; return their places, and what to multiply them with."""
        if value.linear:
            return [self._side(value.weights, sign) for sign in signs if value.weights.any()]
        return [self._side(np.eye(len(self.reach))[k], sign) for k in value.of or () for sign in (-1.0, 1.0)]

    def _side(self, weights: np.ndarray, sign: float) -> tuple[int, float]:
        """Return the place of one end of a sum of the model's outputs, and what to multiply it with. One output is
        asked for by itself, so that its ends are numbers that are predicted."""
        used = np.flatnonzero(weights)
        factor = float(weights[used[0]]) if len(used) == 1 else 1.0
        side = Side(tuple((weights / factor).tolist()), float(sign * np.sign(factor)))
        return self._places.setdefault(side, len(self._places)), factor

    # -- bounds --------------------------------------------------------------------------------------------------------

    def outputs(self, value: Value, sign: float, parts: Parts) -> np.ndarray:
        """Return one end of the outputs' part of a linear value on boxes (n,)."""
        if not value.weights.any():
            return np.zeros(len(parts.start))
        place, factor = self._side(value.weights, sign)
        return factor * parts.ends[:, place]

    def rest(self, value: Value, sign: float, parts: Parts) -> np.ndarray:
        """Return one end of what a linear value is on boxes beside its sum over inputs (n,)."""
        return self.outputs(value, sign, parts) + value.constant + sign * value.margin

    def interval(self, value: Value, parts: Parts) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends of a value on boxes (n,)."""
        if not value.linear:
            low, high = self.columns(parts)
            name = self.names[value.column]
            return low[name], high[name]
        if value.plain:
            return self.outputs(value, -1.0, parts), self.outputs(value, 1.0, parts)
        at_start, at_end = parts.start * value.slope, parts.end * value.slope
        less, more = np.minimum(at_start, at_end).sum(axis=1), np.maximum(at_start, at_end).sum(axis=1)
        return less + self.rest(value, -1.0, parts), more + self.rest(value, 1.0, parts)

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


def _needed(formulas: Formulas, names: Sequence[str]) -> Formulas:
    """Return the formulas of these names, and those that they take."""
    needed = set(names)
    for formula in reversed(formulas.each):
        if formula.name in needed:
            needed |= set(formula.expression.names)
    return replace(formulas, each=tuple(f for f in formulas.each if f.name in needed))
