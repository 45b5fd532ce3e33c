"""Numbers in few digits: told from their neighbours, and of what is proven on the side on which it holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preimage.support import digits


def value(text):
    return float(text.replace(",", ""))


SIZES = st.floats(-300, 300).map(lambda power: 10.0**power)


@given(SIZES, st.floats(-1, 1), st.floats(0, 1e9), st.floats(0, 1))
def test_a_value_is_told_from_those_a_thousandth_of_the_range_away(span, share, moved, other):
    """Whatever unit and offset: what is shown is within a thousandth of the range, and so are two that look alike."""
    low = moved * share * span
    a, b = low + share * span, low + other * span
    step = digits.step(span)
    shown = [digits.number(v, step) for v in (a, b)]
    rounding = 1e-15 * max(abs(a), abs(b))
    for v, text in zip((a, b), shown, strict=True):
        assert abs(value(text) - v) <= step + rounding
    assert shown[0] != shown[1] or abs(a - b) <= step + rounding


@given(SIZES, st.floats(-1, 1), st.floats(0, 1e6))
def test_directed_rounding_keeps_its_side_and_its_step_in_any_unit(span, share, moved):
    v, step = (moved + share) * span, digits.step(span)
    low, high = value(digits.down(v, step)), value(digits.up(v, step))
    assert low <= v <= high and high - low <= 2.1 * step + 4e-16 * abs(v)
    a, b = (value(t) for t in digits.inside(v, v + span, step))
    assert v <= a <= b <= v + span and b - a >= 0.75 * span - 1e-15 * abs(v)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_exact_text_reads_back_as_the_value(v):
    assert value(digits.exact(v)) == v == float(digits.plain(v))


@pytest.mark.parametrize(
    ("v", "span", "text"),
    [
        (1549.8, 0.5, "1,549.8"), (1550.3, 0.5, "1,550.3"), (1550.02, 0.5, "1,550.02"), (3.2e-10, 1e-9, "3.2e-10"),
        (100000000.25, 1.0, "100,000,000.25"), (1234567.25, 1.0, "1,234,567.25"), (0.5, 1e6, "0.5"),
        (523456.0, 1e6, "523,456"), (12345678.0, 1.0, "12,345,678"), (5.0, 0.0, "5"),
    ],
)  # fmt: skip
def test_digits_follow_from_the_range(v, span, text):
    assert digits.number(v, digits.step(span)) == text


def test_the_narrowest_span_counts_and_none_is_no_span():
    assert digits.step(10.0, 0.0, 1.0, float("inf")) == pytest.approx(1e-3) and digits.step(0.0) == 0.0


@given(st.floats(-1e6, 1e6).filter(lambda v: v == 0 or abs(v) > 1e-6))
def test_down_is_below_and_up_above_by_little(v):
    low, high = value(digits.down(v)), value(digits.up(v))
    assert low <= v <= high and high - low <= 2.1e-3 * abs(v) + 1e-12


@given(st.floats(-1e4, 1e4), st.floats(1e-6, 1e4))
def test_inside_is_inside_and_gives_little_away(low, width):
    high = low + width
    a, b = (value(t) for t in digits.inside(low, high))
    assert low <= a <= b <= high and b - a >= 0.75 * (high - low)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (395.24, 395.81, ("395.24", "395.81")), (3.0, 5.0, ("3", "5")), (28.0, 28.0, ("28", "28")),
        (-0.00001, 12.251, ("0", "12.25")), (179.13, 1189.68, ("180", "1,189")),
    ],
)  # fmt: skip
def test_inside_as_text(low, high, said):
    assert digits.inside(low, high) == said
