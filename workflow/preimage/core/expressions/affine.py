"""Expressions that are a linear function of their names, or one linear function divided by another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from preimage.core.expressions.intervals import Interval
from preimage.core.expressions.steps import NAME, NUMBER, Step


@dataclass(frozen=True)
class Affine:
    """A constant and a coefficient by name.

    Attributes:
        sizes, size: the sums of the absolute terms that coefficients and constant were added up from: what rounding is
            measured by.
    """

    coefficients: Mapping[str, float] = field(default_factory=dict)
    constant: float = 0.0
    sizes: Mapping[str, float] = field(default_factory=dict)
    size: float = 0.0

    @classmethod
    def number(cls, value: float) -> Affine:
        return cls(constant=value, size=abs(value))

    @classmethod
    def named(cls, name: str) -> Affine:
        return cls({name: 1.0}, 0.0, {name: 1.0}, 0.0)

    @property
    def is_number(self) -> bool:
        return not any(self.coefficients.values())

    def plus(self, other: Affine, sign: float = 1.0) -> Affine:
        """Return the sum, or with sign -1 the difference."""
        names = [*self.coefficients, *(n for n in other.coefficients if n not in self.coefficients)]
        return Affine(
            {n: self.coefficients.get(n, 0.0) + sign * other.coefficients.get(n, 0.0) for n in names},
            self.constant + sign * other.constant,
            {n: self.sizes.get(n, 0.0) + other.sizes.get(n, 0.0) for n in names},
            self.size + other.size,
        )

    def times(self, factor: float) -> Affine:
        """Return the form multiplied with a number."""
        return Affine(
            {n: factor * c for n, c in self.coefficients.items()},
            factor * self.constant,
            {n: abs(factor) * s for n, s in self.sizes.items()},
            abs(factor) * self.size,
        )

    def over(self, divisor: float) -> Affine:
        """Return the form divided by a number other than 0."""
        return Affine(
            {n: c / divisor for n, c in self.coefficients.items()},
            self.constant / divisor,
            {n: s / abs(divisor) for n, s in self.sizes.items()},
            self.size / abs(divisor),
        )

    def bounds(self, low: Mapping[str, np.ndarray], high: Mapping[str, np.ndarray], steps: int) -> Interval:
        """Return ends that hold the exact values over boxes, and those computed in as many steps (Higham 2002, 3.1)."""
        with np.errstate(all="ignore"):
            least: np.ndarray | float = self.constant
            most: np.ndarray | float = self.constant
            size: np.ndarray | float = self.size
            for name, c in self.coefficients.items():
                ends = (low[name], high[name]) if c >= 0 else (high[name], low[name])
                least = least + (c * ends[0] if c else 0.0)
                most = most + (c * ends[1] if c else 0.0)
                size = size + self.sizes[name] * np.maximum(np.abs(low[name]), np.abs(high[name]))
            margin = 2 * (steps + 2) * np.finfo(float).eps * size
            least, most = least - margin, most + margin
        return np.where(np.isnan(least), -np.inf, least), np.where(np.isnan(most), np.inf, most)


@dataclass(frozen=True)
class Ratio:
    """One linear function above another; the one below is 1 where it is a number."""

    above: Affine
    below: Affine

    @classmethod
    def of(cls, above: Affine, below: Affine) -> Ratio | None:
        if not below.is_number:
            return cls(above, below)
        return cls(above.over(below.constant), Affine.number(1.0)) if below.constant else None

    @property
    def is_linear(self) -> bool:
        return self.below.is_number


def ratio_of(steps: Sequence[Step]) -> Ratio | None:
    """Return the last step's value as a ratio of linear functions; None where it is none, or not seen to be one."""
    found: list[Ratio | None] = []
    for step in steps:
        arguments = [found[a] for a in step.arguments]
        result: Ratio | None = None
        if step.operation == NUMBER:
            result = Ratio.of(Affine.number(step.number), Affine.number(1.0))
        elif step.operation == NAME:
            result = Ratio.of(Affine.named(step.name), Affine.number(1.0))
        elif len(arguments) == 1 and arguments[0] is not None and step.operation == "negative":
            result = Ratio(arguments[0].above.times(-1.0), arguments[0].below)
        elif len(arguments) == 2 and arguments[0] is not None and arguments[1] is not None:
            result = _combined(step.operation, arguments[0], arguments[1])
        found.append(result)
    return found[-1]


def _combined(operation: str, a: Ratio, b: Ratio) -> Ratio | None:
    match operation:
        case "+" | "-":
            return _sum(a, b, 1.0 if operation == "+" else -1.0)
        case "*":
            return _product(a, b.above, b.below)
        case "/":
            return _product(a, b.below, b.above)
    return None


def _sum(a: Ratio, b: Ratio, sign: float) -> Ratio | None:
    if a.below.coefficients == b.below.coefficients and a.below.constant == b.below.constant:
        return Ratio(a.above.plus(b.above, sign), a.below)
    if b.is_linear and b.above.is_number:
        return Ratio(a.above.plus(a.below.times(b.above.constant), sign), a.below)
    if a.is_linear and a.above.is_number:
        return Ratio(b.below.times(a.above.constant).plus(b.above, sign), b.below)
    return None


def _product(a: Ratio, above: Affine, below: Affine) -> Ratio | None:
    top, bottom = _multiplied(a.above, above), _multiplied(a.below, below)
    return None if top is None or bottom is None else Ratio.of(top, bottom)


def _multiplied(a: Affine, b: Affine) -> Affine | None:
    if b.is_number:
        return a.times(b.constant)
    return b.times(a.constant) if a.is_number else None
