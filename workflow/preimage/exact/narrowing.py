"""Boxes cut down to where an expression may take certain values: forward and back through its steps.

From the values allowed, each step tells what its arguments can be at most (HC4-revise: Benhamou et al. 1999, "Revising
hull and box consistency", ICLP). Ends are rounded outward by more than evaluation may be off, so that no point is cut
off whose computed value is allowed.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from preimage.core.expressions import Expression, intervals
from preimage.core.expressions.intervals import Interval
from preimage.core.expressions.steps import NAME, NUMBER, Step

NEIGHBOURS = 8


def narrowed(
    expression: Expression, low: Mapping[str, np.ndarray], high: Mapping[str, np.ndarray], allowed: Interval
) -> tuple[dict[str, Interval], np.ndarray]:
    """Return what each name can be where the expression's value is allowed, and whether it can be at all (n,).

    Args:
        low, high: ends of each name's interval, arrays (n,).
        allowed: ends of the values allowed, (n,) or numbers.
    """
    ends = list(expression.step_bounds(low, high))
    shape = np.shape(ends[-1][0])
    ends = [(np.broadcast_to(a, shape), np.broadcast_to(b, shape)) for a, b in ends]
    ends[-1] = _meet(ends[-1], allowed)
    for k in range(len(expression.steps) - 1, -1, -1):
        step = expression.steps[k]
        if step.operation in (NUMBER, NAME):
            continue
        value, arguments = _wider(ends[k]), [ends[a] for a in step.arguments]
        with np.errstate(all="ignore"):
            for place, (argument, back) in enumerate(zip(step.arguments, _back(step, value, arguments), strict=True)):
                if back is not None:
                    ends[argument] = _meet(ends[argument], back)
                arguments[place] = ends[argument]
    left = np.all([a <= b for a, b in ends], axis=0)
    return {s.name: ends[k] for k, s in enumerate(expression.steps) if s.operation == NAME}, left


def _meet(a: Interval, b: Interval) -> Interval:
    """Return what two intervals have in common; an end that can't be told cuts nothing off."""
    low, high = np.where(np.isnan(b[0]), -np.inf, b[0]), np.where(np.isnan(b[1]), np.inf, b[1])
    return np.maximum(a[0], low), np.minimum(a[1], high)


def _wider(a: Interval) -> Interval:
    low, high = a
    for _ in range(NEIGHBOURS):
        low, high = np.nextafter(low, -np.inf), np.nextafter(high, np.inf)
    return low, high


def _back(step: Step, z: Interval, arguments: list[Interval]) -> list[Interval | None]:
    """Return what each argument can be, given what the value can; None where that says nothing."""
    match step.operation, arguments:
        case "+", [a, b]:
            return [intervals.subtract(z, b), intervals.subtract(z, a)]
        case "-", [a, b]:
            return [intervals.add(z, b), intervals.subtract(a, z)]
        case "*", [a, b]:
            if step.arguments[0] == step.arguments[1]:
                reach = np.sqrt(np.maximum(z[1], 0.0))
                return [_wider((-reach, reach)), None]
            return [intervals.divide(z, b), intervals.divide(z, a)]
        case "/", [a, b]:
            return [intervals.multiply(z, b), intervals.divide(a, z)]
        case "negative", [_]:
            return [intervals.negative(z)]
        case "min", [a, b]:
            return [(z[0], np.where(b[0] > z[1], z[1], np.inf)), (z[0], np.where(a[0] > z[1], z[1], np.inf))]
        case "max", [a, b]:
            return [(np.where(b[1] < z[0], z[0], -np.inf), z[1]), (np.where(a[1] < z[0], z[0], -np.inf), z[1])]
        case "abs", [_]:
            return [(-z[1], z[1])]
        case "exp", [_]:
            return [_wider((np.where(z[0] > 0, np.log(z[0]), -np.inf), np.log(np.maximum(z[1], 0.0))))]
        case "log", [_]:
            return [_wider((np.exp(z[0]), np.exp(z[1])))]
        case "sqrt", [_]:
            return [_wider((np.where(z[0] > 0, z[0] ** 2, -np.inf), z[1] ** 2))]
        case "**", [a, b]:
            return [_base(z, a, b), None]
    return [None] * len(arguments)


def _base(z: Interval, a: Interval, b: Interval) -> Interval | None:
    """Return what the base of a power can be, for a constant exponent."""
    n = float(np.ravel(b[0])[0]) if np.size(b[0]) else 0.0
    if n == 0 or not (np.all(b[0] == n) and np.all(b[1] == n)):
        return None
    low, high = (np.power(np.maximum(end, 0.0), 1 / n) for end in z)
    low, high = (low, high) if n > 0 else (high, low)
    # The n-th root is off by more than its neighbours where n is large.
    low, high = low * (1 - 1e-14), high * (1 + 1e-14)
    positive = a[0] >= 0
    even = n == int(n) and n % 2 == 0
    other = (-high, high) if even else (np.full_like(high, -np.inf), np.full_like(high, np.inf))
    return np.where(positive, low, other[0]), np.where(positive, high, other[1])
