"""Constraints that are written as an expression and are linear in truth: a sum, or a ratio such as water / cement."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from preimage.core.expressions import Expression
from preimage.core.expressions.affine import Affine
from preimage.core.space import Linear


def as_linear(
    expression: Expression, low: float, high: float, bounds: Mapping[str, tuple[float, float]]
) -> list[Linear] | None:
    """Return low <= expression <= high as linear rows that hold for the same points within the bounds.

    A ratio of linear functions is such a constraint where its divisor has one sign: water / cement <= 0.6 is
    water - 0.6 cement <= 0.

    Args:
        low, high: ends of what is allowed; either may be infinite.
        bounds: ends of each name that the expression takes.

    Returns:
        One row, or two; None where the constraint is not linear.
    """
    ratio = expression.ratio()
    if ratio is None:
        return None
    if ratio.is_linear:
        return [_row(ratio.above, low, high)]
    least, most = ({name: np.asarray(ends[k], float) for name, ends in bounds.items()} for k in (0, 1))
    a, b = ratio.below.bounds(least, most, len(expression.steps))
    if a <= 0 <= b:
        return None
    sign = 1.0 if a > 0 else -1.0
    above, below = ratio.above.times(sign), ratio.below.times(sign)
    if low == high:
        return [_row(above.plus(below.times(low), -1.0), 0.0, 0.0)]
    rows = []
    if np.isfinite(low):
        rows.append(_row(above.plus(below.times(low), -1.0), 0.0, np.inf))
    if np.isfinite(high):
        rows.append(_row(above.plus(below.times(high), -1.0), -np.inf, 0.0))
    return rows


def _row(form: Affine, low: float, high: float) -> Linear:
    coefficients = tuple((name, c) for name, c in form.coefficients.items() if c)
    return Linear(coefficients, low - form.constant, high - form.constant)
