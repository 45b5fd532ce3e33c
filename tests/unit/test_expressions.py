"""Expressions: what can be written, what it comes to, and one message for what can't."""

import numpy as np
import pytest

from preimage.core.expressions import Expression
from preimage.core.ratios import as_linear
from preimage.support.errors import StudyError

NAMES = ["water", "cement", "Flugasche (kg/m³)", "a", "b", "max"]


def parse(text, names=NAMES):
    return Expression.parse(text, names, "problem.formulas.cost")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a + b * a", 2 + 3 * 2),
        ("(a + b) * a", 10),
        ("-a ** 2", -4),
        ("2 ** -a", 0.25),
        ("a ** b ** 2", 2**9),
        ("a - b - a", -3),
        ("a / b / a", 1 / 3),
        ("--a + +b", 5),
        ("1e-3*a + .5*b + 2.", 3.502),
        ("min(a, b, 1.5) + max(a, b)", 4.5),
        ("abs(a - b) + exp(0*a) + log(exp(a)) + sqrt(b * 3)", 1 + 1 + 2 + 3),
        ("`Flugasche (kg/m³)` / a", 7 / 2),
        ("max * 2 + `a`", 22),
    ],
)
def test_value(text, value):
    columns = {"a": np.array([2.0, 2]), "b": 3, "Flugasche (kg/m³)": 7, "max": 10}
    assert parse(text).evaluate(columns) == pytest.approx(np.full(2, value))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (" ", "the expression is empty"),
        ("0.04 * watr", "unknown name 'watr' in '0.04 * watr'; did you mean 'water'?"),
        ("sin(a)", "unknown function 'sin'; expected one of abs, exp, log, max, min, sqrt"),
        ("Flugasche (kg/m³) * 2", "between backquotes: `Flugasche (kg/m³)`"),
        ("Flugasche * 2", "between backquotes: `Flugasche (kg/m³)`"),
        ("a ^ 2", "unexpected '^' in 'a ^ 2'; write '**' for it"),
        ("a +", "found its end after 'a +', expected a number, a name or '('"),
        ("(a", "found its end after '(a', expected ')'"),
        ("a)", "found ')' after 'a', expected an operator or the end"),
        ("2 a", "found 'a' after '2', expected an operator or the end"),
        ("a <= b", "only a constraint compares"),
        ("`a + b", "no '`' at its end"),
        ("max(a)", "'max(a)': max takes two arguments or more, found 1"),
        ("exp(a, b)", "'exp(a, b)': exp takes one argument, found 2"),
        ("1 + 2", "'1 + 2' is a number"),
        ("a / (1 - 1)", "'a / (1 - 1)' divides by 0"),
        ("a + log(-1)", "'log(-1)' has no finite value"),
        ("1e999 * a", "the number '1e999' is too large"),
        ("a" * 10**6, "the expression has 1000000 characters, expected at most 10000"),
        ("(" * 4000 + "a" + ")" * 4000, "nested more than 100 levels deep"),
        ("-" * 4000 + "a", "nested more than 100 levels deep"),
        ("a" + "**a" * 3000, "nested more than 100 levels deep"),
        ("__import__('os').system('true')", "unexpected '''"),
        ("a.real", "unexpected '.'"),
        ("a if b else a", "found 'if' after 'a'"),
        ("water" + " " * 3000 + "; a", "unexpected ';' in 'water ; a'"),
    ],
)
def test_refused_in_one_message(text, message):
    with pytest.raises(StudyError) as error:
        parse(text)
    found = str(error.value)
    assert found.startswith("problem.formulas.cost: ")
    assert message in found
    assert len(found) < 400


def test_a_long_sum_is_no_recursion():
    text = "a" + "+a" * 4999
    assert parse(text).evaluate({"a": np.ones(2)}) == pytest.approx(np.full(2, 5000))
    assert parse(text).linear() == ({"a": 5000.0}, 0.0)
    assert parse(text).derivatives({"a": np.ones(1)})["a"] == pytest.approx([5000])


def test_names_in_order_of_appearance():
    assert parse("b + a * b").names == ("b", "a")
    assert Expression.parse(str(parse("b + a")), ["a", "b"]) == parse("b + a")


@pytest.mark.parametrize(
    ("text", "low", "high", "message"),
    [
        ("a / b", 0, 1, "divides by 'b', which can be 0 within the bounds (it is between 0 and 1); narrow the bounds"),
        ("a / (b - a)", 1, 2, "divides by 'b - a', which can be 0 within the bounds (it is between -1 and 1)"),
        ("log(a)", 0, 1, "takes the log of 'a', which can be 0 or less"),
        ("sqrt(a - b)", 0, 1, "takes the square root of 'a - b', which can be negative"),
        ("a ** 0.5", -1, 1, "takes a fractional power of 'a', which can be negative"),
        ("a ** -2", -1, 1, "takes a negative power of 'a', which can be 0"),
        ("exp(a)", 0, 1000, "'exp(a)' can exceed the largest number"),
    ],
)
def test_undefined_within_the_bounds(text, low, high, message):
    with pytest.raises(StudyError) as error:
        parse(text).check(dict.fromkeys("ab", low), dict.fromkeys("ab", high), "problem.formulas.cost")
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [("a / b", 1, 2), ("a / max(b, 0.5)", 0, 1), ("sqrt(1 - a**2)", 0, 1), ("sqrt(a * b)", 0, 3), ("a ** 2", -1, 1)],
)
def test_defined_within_the_bounds(text, low, high):
    parse(text).check(dict.fromkeys("ab", low), dict.fromkeys("ab", high), "problem.formulas.cost")


def test_a_branch_not_taken_has_no_derivative():
    found = parse("max(sqrt(a), 1) + b").derivatives({"a": np.array([0.0, 4.0]), "b": np.zeros(2)})
    assert found["a"].tolist() == [0.0, 0.25]
    assert found["b"].tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("text", "linear"),
    [
        ("2*(a - b/4) + 1", ({"a": 2.0, "b": -0.5}, 1.0)),
        ("a - a + b", ({"a": 0.0, "b": 1.0}, 0.0)),
        ("a * b", None),
        ("a / b", None),
        ("abs(a)", None),
        ("a ** 2", None),
    ],
)
def test_linear(text, linear):
    assert parse(text).linear() == linear


def test_a_ratio_with_a_divisor_of_one_sign_is_linear():
    bounds = {"water": (100.0, 200.0), "cement": (100.0, 500.0)}
    rows = as_linear(parse("water / cement"), 0.3, 0.6, bounds)
    assert [str(row) for row in rows] == ["0 <= 1 water + -0.3 cement", "1 water + -0.6 cement <= 0"]
    assert as_linear(parse("water / cement"), 0.3, 0.6, {**bounds, "cement": (0.0, 500.0)}) is None
    assert as_linear(parse("water * cement"), 0.3, 0.6, bounds) is None
    assert [str(row) for row in as_linear(parse("water + cement"), 3, 6, bounds)] == ["3 <= 1 water + 1 cement <= 6"]


def test_a_largest_difference_is_linear():
    rows = as_linear(parse("abs(a - b)"), -np.inf, 3, {"a": (0.0, 9.0), "b": (0.0, 9.0)})
    assert [str(row) for row in rows] == ["-3 <= 1 a + -1 b <= 3"]
    assert as_linear(parse("abs(a - b)"), 1, 3, {"a": (0.0, 9.0), "b": (0.0, 9.0)}) is None
    rows = as_linear(parse("max(a, b, 2)"), -np.inf, 3, {"a": (0.0, 9.0), "b": (0.0, 9.0)})
    assert [str(row) for row in rows] == ["1 a <= 3", "1 b <= 3"]
