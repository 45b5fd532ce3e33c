"""Constraints that compare are those with ends, and what can't be read says so."""

import pytest

from preimage.core import building
from preimage.core.inputs import Input
from preimage.study.comparisons import without_comparison
from preimage.study.problem import Constraint


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("water / cement <= 0.6", {"expression": "water / cement", "at_most": 0.6}),
        ("0.3 <= water / cement <= 0.6", {"expression": "water / cement", "at_least": 0.3, "at_most": 0.6}),
        ("0.6 >= water / cement >= 0.3", {"expression": "water / cement", "at_least": 0.3, "at_most": 0.6}),
        ("5 <= water", {"expression": "water", "at_least": 5.0}),
        ("water + cement == 100", {"expression": "water + cement", "equals": 100.0}),
        ("water >= 2 * cement", {"expression": "(water) - (2 * cement)", "at_least": 0}),
        ("`a <= b` = 1e2", {"expression": "`a <= b`", "equals": 100.0}),
    ],
)
def test_a_comparison_is_its_ends(text, right):
    assert without_comparison({"expression": text}) == right
    assert Constraint.model_validate({"expression": text}).model_dump(exclude_unset=True) == right


def test_rows_that_do_not_compare_are_left_alone():
    for row in ({"expression": "a * b", "at_most": 2}, {"linear": {"a": 1}, "equals": 1}, {"expression": 3}):
        assert without_comparison(row) is row


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"expression": "a < b"}, "found '<' in the expression, expected '<='"),
        ({"expression": "a <= b", "at_most": 1}, "found at_most and '<=' in the expression, expected one of them"),
        ({"expression": "a <="}, "nothing stands beside a comparison in 'a <='"),
        ({"expression": "a <= b <= c"}, "can't read 'a <= b <= c'; expected 'a <= b'"),
        ({"expression": "1 <= b >= 2"}, "can't read '1 <= b >= 2'"),
    ],
)
def test_what_is_no_comparison_is_refused(row, said):
    with pytest.raises(ValueError, match="comparison") as found:
        Constraint.model_validate(row)
    assert said in str(found.value)


def test_a_comparison_of_sums_is_a_linear_row():
    """Two sides that are linear keep proofs exact: the row is the same as one written by hand."""
    inputs = {name: Input(name, 0.0, 10.0) for name in ("a", "b")}
    (row,) = building._conditions(without_comparison({"expression": "a + 1 >= 2 * b"}), "constraints", inputs)
    assert dict(row.coefficients) == {"a": 1.0, "b": -2.0} and (row.low, row.high) == (-1.0, float("inf"))
