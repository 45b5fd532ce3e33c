"""Conditions on several inputs at once: linear rows, counted inputs, excluded combinations and curved rows.

Each says in its own words what it asks, and how far a point is from meeting it, as a share of a scale of its own: 0
where it is met, and more than 0 however little is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from preimage.core.expressions import Expression
from preimage.support import digits

# The least violation that is told from none.
LEAST = float(np.finfo(float).tiny)


def shares(excess: np.ndarray, scale: Any) -> np.ndarray:
    """Return excesses as shares of a scale: 0 where there is none, never rounded to 0, NaN where it is unknown."""
    return np.where(excess <= 0, 0.0, np.maximum(excess / scale, LEAST))


@dataclass(frozen=True)
class Linear:
    """A linear constraint low <= sum of coefficient * input <= high; an equality where low equals high.

    `words` say it as the study does, where that is not as a sum.
    """

    coefficients: tuple[tuple[str, float], ...]
    low: float = -np.inf
    high: float = np.inf
    words: str = ""

    def __str__(self) -> str:
        if self.words:
            return self.words
        terms = " + ".join(f"{digits.plain(c)} {name}" for name, c in self.coefficients)
        return between(terms, self.low, self.high)

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.coefficients)

    def to_dict(self) -> dict[str, Any]:
        coefficients = [list(c) for c in self.coefficients]
        return {"coefficients": coefficients, "words": self.words, **_ends(self.low, self.high)}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Linear:
        return cls(tuple((name, float(c)) for name, c in value["coefficients"]), *_ends_of(value), value["words"])


@dataclass(frozen=True)
class Count:
    """At least `least` and at most `most` of some inputs differ from a reference (0 for what is absent of a mixture).

    Different is what is not equal, by however little. A category is referred to by its code.
    """

    inputs: tuple[str, ...]
    least: int
    most: int
    reference: tuple[float, ...]

    def __str__(self) -> str:
        low = f"at least {self.least}" if self.least > 0 else ""
        high = f"at most {self.most}" if self.most < len(self.inputs) else ""
        many = f"exactly {self.least}" if self.least == self.most else " and ".join(filter(None, [low, high])) or "any"
        what = "not 0" if not any(self.reference) else "unlike the reference"
        return f"{many} of {', '.join(self.inputs)} {what}"

    def violation(self, X: np.ndarray, width: np.ndarray, category: np.ndarray) -> np.ndarray:
        """Return, for values (n, k) of its inputs, what the least change that would do is in units of `width` (k,); of
        inputs that are to differ and don't, their number."""
        away = np.abs(X - np.array(self.reference)) / width
        away = np.where(category, np.sign(away), away)
        differ = np.not_equal(X, self.reference)
        number = differ.sum(axis=1)
        # Those that are nearest to the reference would go back to it.
        order = np.sort(np.where(differ, away, np.inf), axis=1)
        extra = np.arange(X.shape[1]) < (number - self.most)[:, None]
        back = np.where(extra, order, 0.0).sum(axis=1)
        far = np.where(number > self.most, np.maximum(back, LEAST), np.maximum(self.least - number, 0.0))
        return np.where(np.isnan(X).any(axis=1), np.nan, far)

    def to_dict(self) -> dict[str, Any]:
        return {**vars(self), "inputs": list(self.inputs), "reference": list(self.reference)}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Count:
        reference = tuple(float(v) for v in value["reference"])
        return cls(tuple(value["inputs"]), int(value["least"]), int(value["most"]), reference)


@dataclass(frozen=True)
class Condition:
    """That an input lies in a closed interval, or that a category is one of some (`codes`; by name, `labels`)."""

    input: str
    low: float = -np.inf
    high: float = np.inf
    codes: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.codes:
            return f"{self.input} = {' or '.join(self.labels or map(str, self.codes))}"
        return between(self.input, self.low, self.high)

    def met(self, x: np.ndarray) -> np.ndarray:
        """Return where values (n,) meet it."""
        return np.isin(x, self.codes) if self.codes else (x >= self.low) & (x <= self.high)

    def depth(self, x: np.ndarray, width: float) -> np.ndarray:
        """Return how far values (n,) are from not meeting it, in units of `width`; 0 where they don't."""
        inside = 1.0 if self.codes else np.minimum(np.minimum(x - self.low, self.high - x) / width, np.inf)
        return np.where(np.isnan(x), np.nan, np.where(self.met(x), np.maximum(inside, LEAST), 0.0))

    def to_dict(self) -> dict[str, Any]:
        return {**vars(self), "codes": list(self.codes), "labels": list(self.labels), **_ends(self.low, self.high)}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Condition:
        return cls(value["input"], *_ends_of(value), tuple(map(int, value["codes"])), tuple(value["labels"]))


@dataclass(frozen=True)
class Exclusion:
    """Conditions that must not all be met at once."""

    conditions: tuple[Condition, ...]

    def __str__(self) -> str:
        return f"not {' and '.join(map(str, self.conditions))}{' at once' if len(self.conditions) > 1 else ''}"

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(c.input for c in self.conditions)

    def violation(self, X: np.ndarray, width: np.ndarray) -> np.ndarray:
        """Return how far values (n, k) of its inputs are from leaving what is excluded, in units of `width` (k,)."""
        depth = [c.depth(x, w) for c, x, w in zip(self.conditions, X.T, width, strict=True)]
        return np.min(depth, axis=0)

    def to_dict(self) -> dict[str, Any]:
        return {"conditions": [c.to_dict() for c in self.conditions]}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Exclusion:
        return cls(tuple(Condition.from_dict(c) for c in value["conditions"]))


@dataclass(frozen=True)
class Curved:
    """A constraint low <= expression <= high on an expression of inputs that no linear rows can stand for."""

    expression: Expression
    low: float = -np.inf
    high: float = np.inf

    def __str__(self) -> str:
        return between(self.expression.text, self.low, self.high)

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(self.expression.names)

    def excess(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return by how much points, as columns (n,), miss it, in the expression's unit; infinite without a value."""
        with np.errstate(all="ignore"):
            value = np.asarray(self.expression.evaluate(columns), float)
        return np.where(np.isfinite(value), np.maximum(self.low - value, value - self.high), np.inf)

    def scale(self, low: np.ndarray, high: np.ndarray) -> float:
        """Return the scale of its values over a box with ends (k,) in the order of its inputs.

        How much the inputs' ranges change the expression, by its derivatives on the way from one corner to the other
        (whatever the inputs' order, units and origin), or the size of the larger end where that is smaller.
        """
        steps = (np.arange(9) + 0.5) / 9
        columns = {n: a + steps * (b - a) for n, a, b in zip(self.inputs, low, high, strict=True)}
        with np.errstate(all="ignore"):
            slopes = self.expression.derivatives(columns)
            change = sum(np.abs(slopes[n] * (b - a)) for n, a, b in zip(self.inputs, low, high, strict=True))
        change = np.broadcast_to(change, steps.shape)
        change = change[np.isfinite(change) & (change > 0)]
        sizes = [abs(end) for end in (self.low, self.high) if np.isfinite(end) and end != 0]
        found = [*([float(np.median(change))] if len(change) else []), *([max(sizes)] if sizes else [])]
        return min(found, default=1.0)

    def to_dict(self) -> dict[str, Any]:
        return {"expression": self.expression.text, "names": list(self.inputs), **_ends(self.low, self.high)}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Curved:
        return cls(Expression.parse(value["expression"], value["names"], "expression"), *_ends_of(value))


def between(what: str, low: float, high: float) -> str:
    """Say that something is between two ends."""
    if low == high:
        return f"{what} = {digits.plain(low)}"
    left = f"{digits.plain(low)} <= " if np.isfinite(low) else ""
    right = f" <= {digits.plain(high)}" if np.isfinite(high) else ""
    return f"{left}{what}{right}"


def _ends(low: float, high: float) -> dict[str, float | None]:
    """Return an interval as plain values, which have no infinities."""
    return {"low": low if np.isfinite(low) else None, "high": high if np.isfinite(high) else None}


def _ends_of(value: Mapping[str, Any]) -> tuple[float, float]:
    low, high = value["low"], value["high"]
    return -np.inf if low is None else float(low), np.inf if high is None else float(high)
