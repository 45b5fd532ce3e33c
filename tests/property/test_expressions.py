"""Expressions beside Python's own arithmetic, complex steps, JAX and samples."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from preimage.core.expressions import Expression
from preimage.core.ratios import as_linear

from ..conftest import examples

NAMES = ("a", "b", "c")
PYTHON = {"abs": np.abs, "exp": np.exp, "log": np.log, "sqrt": np.sqrt, "min": np.minimum, "max": np.maximum}
NUMBERS = st.sampled_from(["2.0", "3.", "0.5", "1e-3", "7.25", "40.0", "0.0", "1e6"])


def wider(inner, ties, powers):
    functions = ["abs", "exp", "log", "sqrt"] if ties else ["exp", "log", "sqrt"]
    forms = [
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "/"]), inner),
        st.builds("{} {} {}".format, inner, st.sampled_from(["+", "-", "*", "/"]), inner),
        st.builds("-{}".format, inner),
        st.builds("({}) ** {}".format, inner, st.sampled_from(["2", "3", "-1", "-2", "0.5", "1.7"])),
        st.builds("{}({})".format, st.sampled_from(functions), inner),
    ]
    if ties:
        forms.append(st.builds("{}({}, {})".format, st.sampled_from(["min", "max"]), inner, inner))
    if powers:
        forms.append(st.builds("({}) ** ({})".format, inner, inner))
    return st.one_of(forms)


def texts(ties=True, powers=True):
    """Return texts; on request without abs, min and max, which have no derivative where arguments are equal, or without
    powers to any exponent, which a negative base has for whole numbers alone."""
    leaves = st.sampled_from(NAMES) | NUMBERS
    return st.recursive(leaves, lambda inner: wider(inner, ties, powers), max_leaves=8).filter(
        lambda text: any(name in text.replace("max", "").replace("abs", "") for name in NAMES)
    )


def parsed(text):
    """Return the expression; None where a part of it is a number that is not finite."""
    try:
        return Expression.parse(text, NAMES)
    except ValueError as error:
        assert "no finite value" in str(error) or "divides by 0" in str(error) or "is a number" in str(error)
        return None


def boxes(seed, n=4):
    """Return boxes of some widths and signs, and points inside: low, high (n,), points (n, 50) by name."""
    rng = np.random.default_rng(seed)
    low, high, points = {}, {}, {}
    for name in NAMES:
        middle, half = rng.choice([-3, 0, 1, 2, 50], n), rng.choice([0, 1e-9, 0.5, 2, 100], n)
        low[name], high[name] = middle - half, middle + half
        shares = rng.choice([0, 1, 0.5], (n, 50), p=[0.3, 0.3, 0.4]) * rng.random((n, 50)) ** rng.integers(
            0, 2, (n, 50)
        )
        points[name] = np.clip(low[name][:, None] + shares * 2 * half[:, None], low[name][:, None], high[name][:, None])
    return low, high, points


@given(texts(), st.integers(0, 10**6))
@examples(300)
def test_it_is_python_s_arithmetic_and_its_bounds_hold(text, seed):
    expression = parsed(text)
    if expression is None:
        return
    low, high, points = boxes(seed)
    with np.errstate(all="ignore"):
        numbers = {name: np.asarray(column) for name, column in points.items()}
        expected = np.broadcast_to(eval(text, {"__builtins__": {}}, {**PYTHON, **numbers}), (4, 50))
    found = np.broadcast_to(expression.evaluate(points), (4, 50))
    np.testing.assert_allclose(found, expected, rtol=1e-12)

    ends = (np.broadcast_to(end, 4) for end in expression.bounds(low, high))
    least, most = (end[:, None] for end in ends)
    defined = ~np.isnan(found)
    assert (np.broadcast_to(least, (4, 50)) <= found)[defined].all()
    assert (found <= np.broadcast_to(most, (4, 50)))[defined].all()
    assert not np.isnan(least).any()
    assert not np.isnan(most).any()


@given(texts(powers=False), st.integers(0, 10**6))
@examples(150)
def test_derivatives_are_those_of_a_complex_step(text, seed):
    expression = parsed(text)
    if expression is None:
        return
    point = dict(zip(NAMES, np.random.default_rng(seed).uniform(0.5, 3, (3, 5)), strict=True))
    found = expression.derivatives(point)
    assert set(found) == set(expression.names)
    value = expression.evaluate(point)
    for name in expression.names:
        stepped = expression.evaluate({**point, name: point[name] + 1e-30j}).imag * 1e30
        # At the tip of a root there is none; products of very large and small numbers leave the range of floats.
        good = np.isfinite(value) & (np.abs(stepped) < 1e100) & (np.abs(found[name]) < 1e100)
        np.testing.assert_allclose(found[name][good], stepped[good], rtol=1e-7, atol=1e-9)


@given(texts(ties=False, powers=False), st.integers(0, 10**6))
@examples(40)
def test_derivatives_are_those_of_jax(text, seed):
    expression = parsed(text)
    if expression is None:
        return
    point = dict(zip(NAMES, np.random.default_rng(seed).uniform(0.5, 3, (3, 5)), strict=True))
    with jax.enable_x64(True):
        traced = {name: jnp.asarray(column) for name, column in point.items()}
        value = np.asarray(expression.evaluate(traced, jnp))
        slopes = jax.grad(lambda columns: expression.evaluate(columns, jnp).sum())(traced)
    np.testing.assert_allclose(value, expression.evaluate(point), rtol=1e-9)
    for name, slope in expression.derivatives(point).items():
        good = np.isfinite(value) & np.isfinite(slopes[name]) & np.isfinite(slope) & (np.abs(slope) < 1e100)
        np.testing.assert_allclose(slope[good], slopes[name][good], rtol=1e-6, atol=1e-9)


LINEAR = st.recursive(
    st.sampled_from(NAMES) | NUMBERS,
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-"]), inner),
        st.builds("{} * {}".format, NUMBERS, inner),
        st.builds("{} / {}".format, inner, st.sampled_from(["2", "0.3"])),
        st.builds("-{}".format, inner),
    ),
    max_leaves=8,
).filter(lambda text: any(name in text for name in NAMES))


@given(LINEAR, st.integers(0, 10**6))
@examples(100)
def test_a_linear_form_is_its_expression(text, seed):
    expression = Expression.parse(text, NAMES)
    coefficients, constant = expression.linear()
    low, high, points = boxes(seed)
    found = sum(c * points[name] for name, c in coefficients.items()) + constant
    np.testing.assert_allclose(found, expression.evaluate(points), rtol=1e-9, atol=1e-3)
    # Its bounds are the range: corners by brute force.
    corners = [
        sum(c * (high if k >> j & 1 else low)[name] for j, (name, c) in enumerate(coefficients.items())) + constant
        for k in range(2 ** len(coefficients))
    ]
    least, most = expression.bounds(low, high)
    scale = 1e-9 * (1 + np.abs(corners).max(axis=0)) + 1e-3
    assert (np.abs(np.min(corners, axis=0) - least) <= scale).all()
    assert (np.abs(np.max(corners, axis=0) - most) <= scale).all()


FORMS = [
    "{} / {}",
    "2 * {} / {} + 1",
    "3 - {} / (7 * {})",
    "1 / ({} / {})",
    "max({}, {})",
    "min({}, {})",
    "abs({} - {})",
]


@given(LINEAR, LINEAR, st.sampled_from(FORMS), st.data())
@examples(150)
def test_rows_hold_for_the_same_points_as_the_constraint(above, below, form, data):
    text = form.format(f"({above})", f"({below})")
    try:
        expression = Expression.parse(text, NAMES)
    except ValueError as error:
        assert "no finite value" in str(error) or "divides by 0" in str(error)
        return
    low, high = sorted(data.draw(st.tuples(*[st.sampled_from([-np.inf, -2.0, 0.0, 0.5, 1.0, 4.0, np.inf])] * 2)))
    bounds = {"a": (1.0, 2.0), "b": (0.0, 1.0), "c": (-1.0, 5.0)}
    rows = as_linear(expression, low, high, bounds)
    if rows is None:
        return
    rng = np.random.default_rng(0)
    points = {name: rng.uniform(*bounds[name], 200) for name in NAMES}
    value = expression.evaluate(points)
    clear = np.isfinite(value) & (np.abs(value - low) > 1e-6) & (np.abs(value - high) > 1e-6)
    kept = np.ones(200, bool)
    for row in rows:
        terms = sum((c * points[name] for name, c in row.coefficients), start=np.zeros(200))
        kept &= (row.low <= terms) & (terms <= row.high)
    assert (kept == ((low <= value) & (value <= high)))[clear].all()
