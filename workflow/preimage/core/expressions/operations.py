"""The operations and functions of expressions: value, partial derivatives and bounds of each, in one table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from preimage.core.expressions import intervals
from preimage.core.expressions.intervals import Interval


@dataclass(frozen=True)
class Operation:
    """One operation.

    Attributes:
        value: (xp, *arguments) -> its value, in numpy's or JAX's arithmetic; complex arguments are ordered by their
            real part, so that a complex step gives the derivative.
        partials: (xp, value, *arguments) -> its derivative by each argument.
        bounds: what it can reach over intervals of the arguments.
    """

    arity: int
    value: Callable[..., Any]
    partials: Callable[..., tuple[Any, ...]]
    bounds: Callable[..., Interval]


def _smaller(xp: Any, a: Any, b: Any) -> Any:
    if xp.iscomplexobj(a) or xp.iscomplexobj(b):
        return xp.where(xp.real(a) <= xp.real(b), a, b)
    return xp.minimum(a, b)


def _larger(xp: Any, a: Any, b: Any) -> Any:
    return -_smaller(xp, -a, -b)


def _size(xp: Any, a: Any) -> Any:
    return xp.where(xp.real(a) < 0, -a, a) if xp.iscomplexobj(a) else xp.abs(a)


def _choice(xp: Any, first: Any) -> tuple[Any, Any]:
    """Return the derivatives of a choice between two arguments, given where it takes the first."""
    return xp.where(first, 1.0, 0.0), xp.where(first, 0.0, 1.0)


def _power_partials(xp: Any, value: Any, a: Any, b: Any) -> tuple[Any, Any]:
    flat = b == 0
    by_base = xp.where(flat, 0.0, b * a ** xp.where(flat, 1.0, b - 1))
    # The derivative by the exponent is 0 at base 0, where it exists.
    by_exponent = xp.where(xp.real(a) > 0, value * xp.log(xp.where(xp.real(a) > 0, a, 1.0)), 0.0)
    return by_base, by_exponent


OPERATIONS = {
    "+": Operation(2, lambda xp, a, b: a + b, lambda xp, v, a, b: (1.0, 1.0), intervals.add),
    "-": Operation(2, lambda xp, a, b: a - b, lambda xp, v, a, b: (1.0, -1.0), intervals.subtract),
    "*": Operation(2, lambda xp, a, b: a * b, lambda xp, v, a, b: (b, a), intervals.multiply),
    "/": Operation(2, lambda xp, a, b: a / b, lambda xp, v, a, b: (1 / b, -v / b), intervals.divide),
    "**": Operation(2, lambda xp, a, b: a**b, _power_partials, intervals.power),
    "negative": Operation(1, lambda xp, a: -a, lambda xp, v, a: (-1.0,), intervals.negative),
    "min": Operation(2, _smaller, lambda xp, v, a, b: _choice(xp, a <= b), intervals.minimum),
    "max": Operation(2, _larger, lambda xp, v, a, b: _choice(xp, a >= b), intervals.maximum),
    "abs": Operation(1, _size, lambda xp, v, a: (xp.sign(a),), intervals.absolute),
    "exp": Operation(1, lambda xp, a: xp.exp(a), lambda xp, v, a: (v,), intervals.exponential),
    "log": Operation(1, lambda xp, a: xp.log(a), lambda xp, v, a: (1 / a,), intervals.logarithm),
    "sqrt": Operation(1, lambda xp, a: xp.sqrt(a), lambda xp, v, a: (0.5 / v,), intervals.root),
}
FUNCTIONS = ("abs", "exp", "log", "max", "min", "sqrt")
# Those that take two arguments or more, one after the other.
OF_MANY = ("max", "min")
