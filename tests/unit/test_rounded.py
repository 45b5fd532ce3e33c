"""Rounded ends of what is proven stay on the side on which it holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preimage.reporting import rounded


def value(text):
    return float(text.replace(",", ""))


@given(st.floats(-1e6, 1e6).filter(lambda v: v == 0 or abs(v) > 1e-6))
def test_down_is_below_and_up_above_by_little(v):
    low, high = value(rounded.down(v)), value(rounded.up(v))
    assert low <= v <= high and high - low <= 2.1e-3 * abs(v) + 1e-12


@given(st.floats(-1e4, 1e4), st.floats(1e-6, 1e4))
def test_inside_is_inside_and_gives_little_away(low, width):
    high = low + width
    a, b = (value(t) for t in rounded.inside(low, high))
    assert low <= a <= b <= high and b - a >= 0.75 * (high - low)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (395.24, 395.81, ("395.24", "395.81")), (3.0, 5.0, ("3", "5")), (28.0, 28.0, ("28", "28")),
        (-0.00001, 12.251, ("0", "12.25")), (179.13, 1189.68, ("180", "1,189")),
    ],
)  # fmt: skip
def test_inside_as_text(low, high, said):
    assert rounded.inside(low, high) == said
