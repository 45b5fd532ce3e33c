"""Formulas that a study writes: a small arithmetic with exact derivatives and sound bounds, never evaluated by Python.

    0.04*resin + 0.3*additive
    water / (cement + `fly ash (kg)`)
    min(a, b, 5) * exp(-temperature / 80) ** 2

Numbers, names of columns (between backquotes where they have other characters than letters, digits and '_'),
+ - * / ** and parentheses as in Python, and the functions abs, exp, log, max, min and sqrt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from preimage.core.expressions import intervals
from preimage.core.expressions.affine import Ratio, ratio_of
from preimage.core.expressions.intervals import Interval
from preimage.core.expressions.operations import FUNCTIONS, OPERATIONS
from preimage.core.expressions.parsing import Parser, shown
from preimage.core.expressions.steps import NAME, NUMBER, Step
from preimage.support import digits
from preimage.support.errors import StudyError

__all__ = ["FUNCTIONS", "Expression"]

# What to do where an operation is undefined.
GUARD = "narrow the bounds, or guard it with max(..., a smallest value)"


@dataclass(frozen=True)
class Expression:
    """A function of named columns.

    Attributes:
        text: as it was written; `parse(text, names)` reads it back.
        steps: the calculation; the last step is the value.
    """

    text: str
    steps: tuple[Step, ...]

    @classmethod
    def parse(cls, text: str, names: Collection[str], where: str = "expression") -> Expression:
        """Read an expression of these names.

        Args:
            where: the study's key, which begins each message.

        Raises:
            StudyError: for an unknown name or function, what is no arithmetic, a number without a name, or a text
                that is too long or nested too deep.
        """
        expression = cls(text, Parser(text, names, where).read())
        if not expression.names:
            raise StudyError(f"{where}: '{shown(text)}' is a number; expected a function of at least one name")
        return expression

    def __str__(self) -> str:
        return self.text

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The columns that it takes, in order of appearance."""
        return tuple(step.name for step in self.steps if step.operation == NAME)

    # -- values ------------------------------------------------------------------------------------------------------

    def evaluate(self, columns: Mapping[str, Any], xp: Any = np) -> Any:
        """Return its value for each row of the columns.

        Args:
            columns: arrays of one shape by name, of float or (for a complex step) complex numbers.
            xp: numpy, or jax.numpy where JAX traces it.

        Returns:
            Values of that shape; not finite where it is undefined.
        """
        with np.errstate(all="ignore"):
            return self._results(columns, xp)[-1]

    def derivatives(self, columns: Mapping[str, Any], xp: Any = np) -> dict[str, Any]:
        """Return its exact derivative by each of its names, at each row of the columns (reverse accumulation).

        Where there is none (the tip of abs, a tie of min or max), it is one of those of either side, or 0.
        """
        with np.errstate(all="ignore"):
            results = self._results(columns, xp)
            weights: list[Any] = [0.0] * len(self.steps)
            weights[-1] = xp.ones_like(results[-1])
            for k in range(len(self.steps) - 1, -1, -1):
                step = self.steps[k]
                if not step.arguments:
                    continue
                partials = OPERATIONS[step.operation].partials(xp, results[k], *(results[a] for a in step.arguments))
                for argument, partial in zip(step.arguments, partials, strict=True):
                    # A branch that isn't taken has no part, even where its own derivative is infinite.
                    part = xp.where(weights[k] == 0, 0.0, weights[k] * partial)
                    weights[argument] = weights[argument] + part
        return {s.name: xp.ones_like(results[-1]) * w for s, w in zip(self.steps, weights, strict=True) if s.name}

    def _results(self, columns: Mapping[str, Any], xp: Any) -> list[Any]:
        results: list[Any] = []
        for step in self.steps:
            if step.operation == NUMBER:
                results.append(step.number)
            elif step.operation == NAME:
                column = columns[step.name]
                results.append(np.asarray(column, np.result_type(column, float)) if xp is np else column)
            else:
                results.append(OPERATIONS[step.operation].value(xp, *(results[a] for a in step.arguments)))
        return results

    # -- bounds ------------------------------------------------------------------------------------------------------

    def bounds(self, low: Mapping[str, Any], high: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        """Return what it can reach over boxes: ends that no value inside is beyond.

        The ends are rounded outward and hold exact values as well as those of `evaluate`. They are the range itself
        (but for rounding) where each name stands once, or the expression is linear; else they may be wider.

        Args:
            low, high: ends of each name's interval, arrays of shape (n,) or numbers.

        Returns:
            (low, high) of shape (n,), infinite where a divisor's interval holds 0 or a number is too large.
        """
        ends = self.step_bounds(low, high)[-1]
        if self.repeats and self._ratio is not None and self._ratio.is_linear:
            form = self._ratio.above
            least, most = ({n: np.asarray(side[n], float) for n in form.coefficients} for side in (low, high))
            tighter = form.bounds(least, most, len(self.steps))
            ends = np.maximum(ends[0], tighter[0]), np.minimum(ends[1], tighter[1])
        return np.asarray(ends[0], float), np.asarray(ends[1], float)

    def step_bounds(self, low: Mapping[str, Any], high: Mapping[str, Any]) -> list[Interval]:
        """Return what each step can reach over boxes: ends of shape (n,), or a number."""
        shape = np.broadcast_shapes(*(np.shape(side[name]) for name in self.names for side in (low, high)))
        ends: list[Interval] = []
        for step in self.steps:
            if step.operation == NUMBER:
                ends.append((np.float64(step.number), np.float64(step.number)))
            elif step.operation == NAME:
                a, b = (np.broadcast_to(np.asarray(side[step.name], float), shape) for side in (low, high))
                ends.append((a, b))
            else:
                same = step.operation == "*" and step.arguments[0] == step.arguments[1]
                operation = intervals.square if same else OPERATIONS[step.operation].bounds
                arguments = step.arguments[:1] if same else step.arguments
                ends.append(intervals.apply(operation, *(ends[a] for a in arguments)))
        return ends

    @cached_property
    def repeats(self) -> bool:
        """Whether a name stands more than once."""
        uses = Counter(a for step in self.steps for a in step.arguments)
        return any(uses[k] > 1 for k, step in enumerate(self.steps) if step.operation == NAME)

    # -- forms -------------------------------------------------------------------------------------------------------

    @cached_property
    def _ratio(self) -> Ratio | None:
        return ratio_of(self.steps)

    def linear(self) -> tuple[dict[str, float], float] | None:
        """Return its coefficients by name and its constant; None where it is not linear."""
        found = self._ratio
        return (dict(found.above.coefficients), found.above.constant) if found is not None and found.is_linear else None

    def ratio(self) -> Ratio | None:
        """Return it as one linear function over another (over 1 where it is linear itself); None where it is none."""
        return self._ratio

    # -- checks ------------------------------------------------------------------------------------------------------

    def check(self, low: Mapping[str, float], high: Mapping[str, float], where: str) -> None:
        """Raise StudyError where it is undefined somewhere within these bounds: a divisor that can be 0, the logarithm
        or root of what can be negative, or a number too large. What takes a name without bounds is not checked."""
        unknown = {name: np.nan for name in self.names if name not in low}
        ends = self.step_bounds({**low, **unknown}, {**high, **unknown})
        open_ended = set[int]()
        for k, step in enumerate(self.steps):
            if step.name in unknown or open_ended.intersection(step.arguments):
                open_ended.add(k)
            # Of a quotient only the divisor must be known.
            needed = step.arguments[1:] if step.operation == "/" else step.arguments
            if not open_ended.intersection(needed) and (problem := _undefined(step, [ends[a] for a in step.arguments])):
                at = needed[0]
                a, b = (digits.number(float(end)) for end in ends[at])
                said = problem.format(shown(self.text, *self.steps[at].span))
                raise StudyError(f"{where}: {said} within the bounds (it is between {a} and {b}); {GUARD}")
        if len(self.steps) - 1 not in open_ended and not np.isfinite(ends[-1]).all():
            raise StudyError(f"{where}: '{shown(self.text)}' can exceed the largest number within the bounds")


def _undefined(step: Step, arguments: list[Interval]) -> str:
    """Return what is wrong with a step for its arguments' ranges: words with a place for the argument's text."""
    match step.operation, arguments:
        case "/", [_, (low, high)] if low <= 0 <= high:
            return "divides by '{}', which can be 0"
        case "log", [(low, _)] if low <= 0:
            return "takes the log of '{}', which can be 0 or less"
        case "sqrt", [(low, high)] if _below_zero(low, high):
            return "takes the square root of '{}', which can be negative"
        case "**", [(low, high), (least, most)]:
            whole = least == most == np.round(least)
            if not whole and _below_zero(low, high):
                return "takes a fractional power of '{}', which can be negative"
            if least < 0 and low <= 0 <= high:
                return "takes a negative power of '{}', which can be 0"
    return ""


def _below_zero(low: float, high: float) -> bool:
    """Return whether an interval reaches below 0 by more than rounding."""
    return low < -1e-9 * max(abs(low), abs(high)) if high > 0 else low < 0
