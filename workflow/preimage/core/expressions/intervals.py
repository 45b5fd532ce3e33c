"""Interval arithmetic on arrays of boxes: what an operation can reach, rounded outward.

An interval is a pair of arrays (low, high). Each operation returns ends that hold every value which numpy computes for
numbers inside its arguments, and the exact value (Moore 1966, Interval Analysis). An end may be infinite, as where a
divisor can be 0. Where an operation is undefined (the logarithm of a negative number), the ends hold the values of the
numbers for which it is defined, and are infinite on both sides where there is none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Interval = tuple[Any, Any]

# numpy's exp, log and power are off by less than this many neighbouring numbers.
NEIGHBOURS = 4


def add(a: Interval, b: Interval) -> Interval:
    return _outward(a[0] + b[0], a[1] + b[1])


def subtract(a: Interval, b: Interval) -> Interval:
    return _outward(a[0] - b[1], a[1] - b[0])


def negative(a: Interval) -> Interval:
    return -a[1], -a[0]


def multiply(a: Interval, b: Interval) -> Interval:
    corners = [(x, y) for x in a for y in b]
    zero = [(x == 0) | (y == 0) for x, y in corners]
    products = [x * y for x, y in corners]
    # 0 times anything is 0 exactly; other products may have been rounded to 0.
    low = [np.where(z, 0.0, np.nextafter(p, -np.inf)) for p, z in zip(products, zero, strict=True)]
    high = [np.where(z, 0.0, np.nextafter(p, np.inf)) for p, z in zip(products, zero, strict=True)]
    return np.minimum.reduce(low), np.maximum.reduce(high)


def divide(a: Interval, b: Interval) -> Interval:
    holds_zero = (b[0] <= 0) & (b[1] >= 0)
    quotients = [np.where(x == 0, 0.0, x / y) for x in a for y in b]
    # Infinite by infinite: 0 and infinity are among the other corners.
    quotients = [np.where(np.isnan(q), 0.0, q) for q in quotients]
    low, high = np.minimum.reduce(quotients), np.maximum.reduce(quotients)
    zero = (a[0] == 0) & (a[1] == 0)
    low, high = (np.where(zero, 0.0, np.nextafter(end, away)) for end, away in ((low, -np.inf), (high, np.inf)))
    # A numerator of one sign keeps the sign of the quotient.
    one_sign = ((a[0] >= 0) & (b[0] > 0)) | ((a[1] <= 0) & (b[1] < 0))
    low = np.where(one_sign, np.maximum(low, 0.0), low)
    return np.where(holds_zero, -np.inf, low), np.where(holds_zero, np.inf, high)


def square(a: Interval) -> Interval:
    low, high = absolute(a)
    return np.maximum(0.0, np.nextafter(low * low, -np.inf)), np.nextafter(high * high, np.inf)


def power(a: Interval, b: Interval) -> Interval:
    exponent = float(b[0].flat[0]) if np.size(b[0]) and np.all(b[0] == b[0].flat[0]) and np.all(b[0] == b[1]) else None
    if exponent is not None and exponent == int(exponent):
        return _whole_power(a, exponent)
    # Of a base from 0 on, each argument's slope has one sign for any value of the other: the ends are at corners.
    base = np.maximum(a[0], 0.0), np.maximum(a[1], 0.0)
    corners = [np.power(x, y) for x in base for y in b]
    low, high = _widely(np.minimum.reduce(corners), np.maximum.reduce(corners))
    # A negative base has a power where the exponent happens to be a whole number, and an infinite one where not.
    happens = (np.floor(b[1]) >= b[0]) | (a[0] == -np.inf)
    undefined = (a[1] < 0) | ((a[0] < 0) & happens)
    return np.where(undefined, -np.inf, np.maximum(low, 0.0)), np.where(undefined, np.inf, high)


def _whole_power(a: Interval, exponent: float) -> Interval:
    if exponent == 0:
        return np.ones_like(a[0]), np.ones_like(a[1])
    even = exponent % 2 == 0
    base = absolute(a) if even else a
    ends = np.power(base[0], exponent), np.power(base[1], exponent)
    low, high = _widely(*(ends if exponent > 0 else ends[::-1]))
    if even:
        low = np.maximum(low, 0.0)
    pole = (a[0] <= 0) & (a[1] >= 0) & (exponent < 0)
    at_pole = 0.0 if even else -np.inf
    return np.where(pole, at_pole, low), np.where(pole, np.inf, high)


def minimum(a: Interval, b: Interval) -> Interval:
    return np.minimum(a[0], b[0]), np.minimum(a[1], b[1])


def maximum(a: Interval, b: Interval) -> Interval:
    return np.maximum(a[0], b[0]), np.maximum(a[1], b[1])


def absolute(a: Interval) -> Interval:
    least = np.maximum(0.0, np.maximum(a[0], -a[1]))
    return least, np.maximum(np.abs(a[0]), np.abs(a[1]))


def exponential(a: Interval) -> Interval:
    low, high = _widely(np.exp(a[0]), np.exp(a[1]))
    return np.maximum(low, 0.0), high


def logarithm(a: Interval) -> Interval:
    low, high = _widely(np.log(np.maximum(a[0], 0.0)), np.log(np.maximum(a[1], 0.0)))
    return low, np.where(a[1] < 0, np.inf, high)


def root(a: Interval) -> Interval:
    low, high = _outward(np.sqrt(np.maximum(a[0], 0.0)), np.sqrt(np.maximum(a[1], 0.0)))
    none = a[1] < 0
    return np.where(none, -np.inf, np.maximum(low, 0.0)), np.where(none, np.inf, high)


def apply(operation: Callable[..., Interval], *arguments: Interval) -> Interval:
    """Return the ends of an operation's values, infinite where they can't be told."""
    with np.errstate(all="ignore"):
        low, high = operation(*arguments)
    return np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)


def _outward(low: Any, high: Any) -> Interval:
    """Return the next numbers on the outside; 0 stays, which sums and roots are exactly or not at all."""
    return (
        np.where(low == 0, 0.0, np.nextafter(low, -np.inf)),
        np.where(high == 0, 0.0, np.nextafter(high, np.inf)),
    )


def _widely(low: Any, high: Any) -> Interval:
    for _ in range(NEIGHBOURS):
        low, high = np.nextafter(low, -np.inf), np.nextafter(high, np.inf)
    return low, high
