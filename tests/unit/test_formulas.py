"""Formulas: exact functions of inputs and outputs, which everything after training sees as further outputs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from preimage.core import formulas
from preimage.core.space import Input, Space
from preimage.support.errors import StudyError

SPACE = Space((Input("a", 1.0, 3.0), Input("kind", 0, 1, categories=("x", "y")), Input("b", 0.0, 2.0)))
ENTRIES = {
    "cost": {"expression": "2*a + b", "unit": "EUR"},
    "value": {"expression": "cost / y"},
    "both": {"expression": "value * z + exp(-b)", "unit": "m"},
}
OUTPUTS = ["y", "z"]


@pytest.fixture
def found():
    return formulas.build(ENTRIES, SPACE, OUTPUTS)


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.uniform(1, 3, 20), rng.integers(0, 2, 20), rng.uniform(0, 2, 20)])
    return X, rng.uniform(1, 2, (20, 2))


def by_hand(X, Y):
    cost = 2 * X[:, 0] + X[:, 2]
    value = cost / Y[:, 0]
    return np.column_stack([Y, cost, value, value * Y[:, 1] + np.exp(-X[:, 2])])


def test_values(found, rows):
    np.testing.assert_allclose(found.extended(*rows), by_hand(*rows), rtol=1e-14)
    assert found.units == {"cost": "EUR", "both": "m"}
    assert found.of_inputs == {"cost"}


def test_values_traced_by_jax(found, rows):
    with jax.enable_x64(True):
        one = jax.jit(lambda x, y: found.extended(x, y, jnp))(rows[0][0], rows[1][0])
        np.testing.assert_allclose(one, by_hand(*rows)[0], rtol=1e-12)


def test_gradient_is_the_chain_rule(found, rows):
    X, _ = rows

    def outputs(X):
        return np.column_stack([X[:, 0] ** 2 + X[:, 2], 1 + X[:, 0] * X[:, 2]])

    slopes = np.zeros((20, 2, 3))
    slopes[:, 0, 0], slopes[:, 0, 2], slopes[:, 1, 0], slopes[:, 1, 2] = 2 * X[:, 0], 1, X[:, 2], X[:, 0]
    Y, J = found.extended_gradient(X, outputs(X), slopes)
    np.testing.assert_allclose(Y, by_hand(X, outputs(X)))
    for j in (0, 2):
        stepped = X + 1e-30j * np.eye(3)[j]
        np.testing.assert_allclose(J[:, :, j], by_hand(stepped, outputs(stepped)).imag * 1e30, rtol=1e-12)
    assert (J[:, :, 1] == 0).all()


def test_intervals_hold_what_outputs_within_theirs_give(found, rows):
    X, Y = rows
    low, high = Y - 0.3, Y + 0.4
    least, most = found.intervals(X, low, high)
    np.testing.assert_array_equal(least[:, :2], low)
    np.testing.assert_array_equal(most[:, :2], high)
    # A formula of inputs alone is exact, for its interval as for its value.
    value = found.extended(X, Y)[:, 2]
    np.testing.assert_array_equal(least[:, 2], value)
    np.testing.assert_array_equal(most[:, 2], value)
    rng = np.random.default_rng(1)
    for _ in range(200):
        drawn = found.extended(X, rng.uniform(low, high))
        assert ((least <= drawn) & (drawn <= most)).all()
    # The ends are reached where each name stands once.
    np.testing.assert_allclose(least[:, 3], value / high[:, 0], rtol=1e-14)
    np.testing.assert_allclose(most[:, 3], value / low[:, 0], rtol=1e-14)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"a": "b"}, "problem.formulas.a: an input has this name; use another for the formula"),
        ({"y": "b"}, "problem.formulas.y: an output has this name"),
        ({" ": "a"}, "problem.formulas: found the name ' ', expected 1 to 100 characters"),
        ({"f" * 101: "a"}, "expected 1 to 100 characters"),
        ({"f": "kind * 2"}, "problem.formulas.f.expression: 'kind' is a category, which has no place in an expression"),
        ({"f": "f + 1"}, "problem.formulas.f.expression: found itself; name inputs, outputs and formulas before it"),
        ({"f": "g", "g": "a"}, "found 'g', which is defined after it; put 'g' before it"),
        ({"f": "g + a", "g": "f"}, "found 'g', which is defined after it"),
        ({"f": "yy"}, "problem.formulas.f.expression: unknown name 'yy' in 'yy'; did you mean 'y'?"),
    ],
)
def test_refused(entries, message):
    with pytest.raises(StudyError) as error:
        formulas.build({name: {"expression": text} for name, text in entries.items()}, SPACE, OUTPUTS)
    assert message in str(error.value)


def test_a_formula_is_checked_over_the_ranges_that_are_known(found):
    ranges = {"a": (1.0, 3.0), "b": (0.0, 2.0)}
    found.check(ranges)
    found.check({**ranges, "y": (1.0, 2.0)})
    with pytest.raises(StudyError, match=r"problem.formulas.value.expression: divides by 'y', which can be 0"):
        found.check({**ranges, "y": (-1.0, 2.0)})
    nested = formulas.build({"f": {"expression": "a - 2"}, "g": {"expression": "log(f)"}}, SPACE, OUTPUTS)
    with pytest.raises(StudyError, match=r"g.expression: takes the log of 'f', which can be 0 or less"):
        nested.check(ranges)
