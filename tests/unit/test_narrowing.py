"""Boxes narrowed to where an expression takes values that are allowed: no point that has one is cut off."""

import numpy as np
import pytest

from preimage.core.expressions import Expression
from preimage.exact.narrowing import narrowed

TEXTS = ("a ** 2 + b ** 2", "a ** 3 - b", "a ** -2 * b", "abs(a) ** 0.5 + b", "exp(a) - b", "log(a + 6) * b",
         "sqrt(a + 5) / (b + 7)", "min(a, b) + max(a, 2 * b)", "a * a - b * a")  # fmt: skip


def boxes(n, seed=0):
    rng = np.random.default_rng(seed)
    ends = np.sort(rng.uniform(-5, 5, (2, n, 2)), axis=0)
    low, high = (dict(zip("ab", end.T, strict=True)) for end in ends)
    at = ends[0] + rng.random((n, 2)) * (ends[1] - ends[0])
    return low, high, dict(zip("ab", at.T, strict=True))


@pytest.mark.parametrize("text", TEXTS)
def test_no_point_with_an_allowed_value_is_cut_off(text):
    expression = Expression.parse(text, ["a", "b"])
    low, high, point = boxes(2000)
    with np.errstate(all="ignore"):
        value = expression.evaluate(point)
    known = np.isfinite(value)
    # The value itself is the only one allowed: the narrowest that there is.
    found, left = narrowed(expression, low, high, (np.where(known, value, 0.0), np.where(known, value, 0.0)))
    assert left[known].all()
    for name, (start, end) in found.items():
        assert ((start <= point[name]) & (point[name] <= end))[known].all()


@pytest.mark.parametrize("text", TEXTS)
def test_something_is_cut_off_and_of_no_boxes_nothing(text):
    expression = Expression.parse(text, ["a", "b"])
    low, high, _ = boxes(500)
    everything = expression.bounds(low, high)
    top = np.where(np.isfinite(everything[0]), everything[0], 0.0)
    found, left = narrowed(expression, low, high, (-np.inf, top))
    assert not left.all() or any((found[n][0] > low[n]).any() or (found[n][1] < high[n]).any() for n in found)
    none = {name: np.empty(0) for name in "ab"}
    found, left = narrowed(expression, none, none, (0.0, 1.0))
    assert left.shape == (0,) and all(end.shape == (0,) for ends in found.values() for end in ends)
