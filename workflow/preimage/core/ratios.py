"""Constraints that are written as an expression and are linear in truth: a sum, a ratio such as water / cement, or a
largest difference such as abs(a - b) <= 3."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from preimage.core.expressions import Expression
from preimage.core.expressions.affine import Affine
from preimage.core.space import Linear


def as_linear(
    expression: Expression, low: float, high: float, bounds: Mapping[str, tuple[float, float]]
) -> list[Linear] | None:
    """Return low <= expression <= high as linear rows that hold for the same points within the bounds.

    A ratio of linear functions is such a constraint where its divisor has one sign: water / cement <= 0.6 is
    water - 0.6 cement <= 0. So are bounds on the side of max, min and abs where each argument keeps to them:
    abs(a - b) <= 3.

    Args:
        low, high: ends of what is allowed; either may be infinite.
        bounds: ends of each name that the expression takes.

    Returns:
        Rows that hold together; None where the constraint is not linear.
    """
    ratio = expression.ratio()
    if ratio is None:
        return _of_each_argument(expression, low, high, bounds)
    if ratio.is_linear:
        return _rows(ratio.above, low, high)
    least, most = ({name: np.asarray(ends[k], float) for name, ends in bounds.items()} for k in (0, 1))
    a, b = ratio.below.bounds(least, most, len(expression.steps))
    if a <= 0 <= b:
        return None
    sign = 1.0 if a > 0 else -1.0
    above, below = ratio.above.times(sign), ratio.below.times(sign)
    if low == high:
        return _rows(above.plus(below.times(low), -1.0), 0.0, 0.0)
    rows = []
    if np.isfinite(low):
        rows += _rows(above.plus(below.times(low), -1.0), 0.0, np.inf)
    if np.isfinite(high):
        rows += _rows(above.plus(below.times(high), -1.0), -np.inf, 0.0)
    return rows


def _of_each_argument(
    expression: Expression, low: float, high: float, bounds: Mapping[str, tuple[float, float]]
) -> list[Linear] | None:
    """Return the rows of all arguments of max below an end, of min above one, and of abs within both."""
    last = expression.steps[-1]
    match last.operation:
        case "max" if low == -np.inf:
            ends = (low, high)
        case "min" if high == np.inf:
            ends = (low, high)
        case "abs" if low <= 0 <= high:
            ends = (-high, high)
        case _:
            return None
    # An argument's steps are those up to its own.
    parts = [replace(expression, steps=expression.steps[: a + 1]) for a in last.arguments]
    found = [as_linear(part, *ends, bounds) for part in parts]
    return None if any(rows is None for rows in found) else [row for rows in found for row in rows or ()]


def _rows(form: Affine, low: float, high: float) -> list[Linear]:
    """Return low <= form <= high as a row; none where it holds whatever the inputs are."""
    coefficients = tuple((name, c) for name, c in form.coefficients.items() if c)
    low, high = low - form.constant, high - form.constant
    return [Linear(coefficients, low, high)] if coefficients or not low <= 0 <= high else []
