"""Values that an input may take, and conditions on several inputs: what settings make, what is refused, and pieces."""

import json

import numpy as np
import pytest

from preimage.core.building import build
from preimage.core.conditions import Condition, Count, Exclusion
from preimage.core.space import Input, Space

from ..conftest import refusal

BOUNDS = {
    "temperature": (0.0, 200.0), "resin": (1.0, 60.0), "oil": (0.0, 5.0), "speed": (0.0, 1.0), "solvent": (0.0, 0.0),
    "water": (100.0, 200.0), "cement": (200.0, 400.0),
}  # fmt: skip
SOLVENT = {"solvent": {"categories": ["acetone", "water", "none"]}}


def made(settings, *constraints):
    return build({**SOLVENT, **settings}, constraints, BOUNDS)


def one(name, **settings):
    space = made({name: settings})
    return space.inputs[space.names.index(name)]


# -- values ------------------------------------------------------------------------------------------------------------


def test_steps_are_as_their_decimals_say():
    assert one("oil", low=0.1, high=0.72, step=0.1).values == (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
    assert one("oil", low=40, high=120, step=5).values == tuple(range(40, 125, 5))
    assert one("resin", high=3, zero_or=2, step=0.5).values == (0, 2, 2.5, 3)


def test_listed_values_bound_an_input():
    speed = one("speed", values=[400, 100, 250])
    assert (speed.low, speed.high, speed.values) == (100, 400, (100, 250, 400))
    assert one("speed", values=[100, 1, 0, 3], zero_or=2).values == (0, 3, 100)


def test_what_may_be_0_or_some_amount_begins_at_0():
    assert (one("resin", zero_or=2).low, one("resin", zero_or=2).zero_or) == (0, 2)
    assert one("resin", low=0, high=9, zero_or=2.5, integer=True).least == 3


@pytest.mark.parametrize(
    ("i", "v", "below", "above", "nearest"),
    [
        (Input("x", 0, 9), [-1, 3.3, 9.5], [-np.inf, 3.3, 9], [0, 3.3, np.inf], [0, 3.3, 9]),
        (Input("x", 0, 9, integer=True), [3.3, 3.6, 4], [3, 3, 4], [4, 4, 4], [3, 4, 4]),
        (Input("x", 0, 9, zero_or=2), [0, 0.9, 1.1, 2, 5], [0, 0, 0, 2, 5], [0, 2, 2, 2, 5], [0, 0, 2, 2, 5]),
        (Input("x", 0, 9, integer=True, zero_or=3), [1, 1.6, 3.2], [0, 0, 3], [3, 3, 4], [0, 3, 3]),
        (Input("x", 0, 9, values=(0, 2, 9)), [-1, 1, 1.1, 9], [-np.inf, 0, 0, 9], [0, 2, 2, 9], [0, 0, 2, 9]),
        (Input("x", 0, 9, values=(0, 2, 9), fixed=2), [1, 3], [-np.inf, 2], [2, np.inf], [2, 2]),
    ],
)
def test_the_allowed_values_around_a_number(i, v, below, above, nearest):
    space = Space((i,))
    assert space.below(0, np.array(v)).tolist() == below and space.above(0, np.array(v)).tolist() == above
    assert i.nearest(np.array(v)).tolist() == nearest
    assert space.contains(np.array(nearest)[:, None]).all()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"resin": {"zero_or": 61}}, "input 'resin': zero_or: found 61, expected at most high, 60"),
        ({"resin": {"zero_or": 2, "low": 1}}, "the input is 0 or at least 2, but low is 1; expected low 0, or none"),
        ({"resin": {"zero_or": 2, "fixed": 1}}, "input 'resin': found 1, expected 0 or at least 2"),
        ({"oil": {"low": 0, "step": 6}}, "input 'oil': step: found 6, more than its bounds [0, 5] are apart"),
        ({"oil": {"low": 0, "step": 1e-4}}, "0.0001 makes 50000 values, expected at most 10000"),
        ({"oil": {"low": 0, "step": 2, "fixed": 3}}, "input 'oil': found 3, expected one of its values; nearest: 2"),
        ({"oil": {"low": 0, "step": 0.5, "integer": True}}, "it takes whole numbers, found the value 0.5"),
    ],
)
def test_values_that_contradict_are_refused(settings, said):
    assert said in refusal(made, settings)


def test_an_objective_can_fix_an_input_at_its_values_only():
    assert "found 41, expected one of its values; nearest: 40" in refusal(
        made({"temperature": {"low": 40, "high": 120, "step": 5}}).fix, {"temperature": 41}
    )


# -- conditions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("constraint", "said"),
    [
        (
            {"at_most_nonzero": 1, "of": ["resn", "oil"]},
            "constraints.0.of: no such input 'resn'; did you mean 'resin'?",
        ),
        ({"at_most_nonzero": 2, "of": ["resin", "oil"]}, "at_most_nonzero: found 2, expected less than 2, the inputs"),
        ({"at_least_nonzero": 3, "of": ["resin", "oil"]}, "at_least_nonzero: found 3, expected at most 2, the inputs"),
        (
            {"at_least_nonzero": 2, "at_most_nonzero": 1, "of": ["resin", "oil", "temperature"]},
            "least_nonzero 2 is above",
        ),
        (
            {"at_most_nonzero": 1, "of": ["water", "oil"]},
            "'water' can't be 0, which is not within its bounds [100, 200]",
        ),
        ({"at_most_nonzero": 1, "of": ["solvent", "oil"]}, "'solvent' is a category, which has no 0"),
        ({"exclude": {"solvnt": "acetone"}}, "constraints.0.exclude: no such input 'solvnt'; did you mean 'solvent'?"),
        ({"exclude": {"solvent": "aceton"}}, "'aceton' is no category; did you mean 'acetone'?"),
        ({"exclude": {"solvent": {"at_least": 3}}}, "exclude.solvent: found an interval, expected a category"),
        ({"exclude": {"oil": "acetone"}}, "exclude.oil: found 'acetone', but this input is no category"),
        ({"exclude": {"oil": {"at_least": 3, "at_most": 2}}}, "exclude.oil: at_least 3 is above at_most 2"),
        ({"expression": "solvent * oil", "at_most": 1}, "'solvent' is a category, which has no place in an expression"),
        ({"expression": "watr / cement", "at_most": 1}, "constraints.0.expression: unknown name 'watr'"),
        ({"expression": "water / oil", "at_most": 1}, "constraints.0.expression: divides by 'oil', which can be 0"),
        ({"expression": "water", "at_least": 2, "at_most": 1}, "constraints.0: at_least 2 is above at_most 1"),
    ],
)
def test_conditions_that_contradict_are_refused(constraint, said):
    assert said in refusal(made, {"resin": {"zero_or": 2}}, constraint)


def test_a_ratio_is_linear_and_a_product_is_not():
    space = made({}, {"expression": "water / cement", "at_least": 0.3, "at_most": 0.6}, {"expression": "water * cement",
                 "at_most": 60_000})  # fmt: skip
    assert len(space.constraints) == 2 and [str(c) for c in space.curved] == ["water * cement <= 60000"]
    X = np.tile([20.0, 1, 1, 0, 0, 150, 300], (3, 1))
    X[:, 6] = [300, 200, 450]
    space = Space((*space.inputs[:6], Input("cement", 200, 500)), *(getattr(space, k) for k in (
        "constraints", "counts", "exclusions", "curved")))  # fmt: skip
    assert space.contains(X).tolist() == [True, False, False]
    assert space.violation(X)[2] == pytest.approx((67_500 - 60_000) / 60_000)


def test_the_number_of_inputs_that_are_not_0_is_exact():
    space = Space(tuple(Input(n, -1.0, 3.0) for n in "abc"), counts=(Count(("a", "b", "c"), 1, 2, (0, 0, 0)),))
    X = np.array([[0, 0, 0], [0, 0, 1], [1, 1, 0], [1, -1, 1e-300], [2, -0.4, 1], [2, 3, -1.0]])
    assert space.contains(X).tolist() == [False, True, True, False, False, False]
    np.testing.assert_allclose(space.violation(X), [1, 0, 0, 2.5e-301, 0.1, 0.25])


def test_an_excluded_combination_has_its_ends_in_it():
    space = made({}, {"exclude": {"solvent": ["acetone", "none"], "temperature": {"at_least": 56}}})
    X = np.zeros((6, 7))
    X[:, 0], X[:, 1:] = [56, 55, 60, 56, 120, 100], [1, 1, 0, 0, 150, 300]
    X[:, 4] = [0, 0, 1, 2, 2, 1]
    assert space.contains(X).tolist() == [False, True, True, False, False, True]
    assert str(space.exclusions[0]) == "not solvent = acetone or none and 56 <= temperature at once"


def test_nothing_without_a_value_is_inside():
    inputs = Input("a", 0, 9, values=(0, 9)), Input("b", 0, 1, zero_or=0.5)
    counts, exclusions = (Count(("a", "b"), 0, 1, (0, 0)),), (Exclusion((Condition("a", 1, 2),)),)
    space = Space(inputs, counts=counts, exclusions=exclusions)
    for x in ([np.nan, 0], [0, np.nan]):
        assert not space.contains(np.array([x]))[0]


def test_plain_values_give_the_same_space():
    space = made(
        {"resin": {"zero_or": 2}, "speed": {"values": [1, 2.5]}},
        {"at_most_nonzero": 1, "of": ["resin", "oil"]},
        {"expression": "water * cement", "at_most": 60_000},
        {"exclude": {"solvent": "acetone", "temperature": {"at_least": 56}}},
    )
    again = Space.from_dict(json.loads(json.dumps(space.to_dict(), allow_nan=False)))
    assert again == space and hash(again) == hash(space)


# -- pieces ------------------------------------------------------------------------------------------------------------


def random_pieces(rng):
    """Return a space of all kinds of conditions but rows, and valid points of it."""
    inputs = (
        Input("a", 0, 4, zero_or=1),
        Input("b", 0, 3, values=(0, 1, 3)),
        Input("c", -2, 2),
        Input("d", 0, 5, integer=True),
        Input("g", 0, 2, categories=("u", "v", "w")),
    )
    reference = (0.0, 0.0, 0.0, 0.0) if rng.random() < 0.5 else (2.0, 1.0, 0.5, 4.0)
    least = int(rng.integers(0, 3))
    counts = (Count(("a", "b", "c", "d"), least, int(rng.integers(max(1, least), 5)), reference),)
    exclusions = (
        Exclusion((Condition("g", codes=(0, 2)), Condition("c", low=float(rng.normal())))),
        Exclusion((Condition("d", 1.0, 3.0), Condition("c", -1.0, 1.0), Condition("b", low=1.0))),
    )
    space = Space(inputs, counts=counts, exclusions=exclusions)
    X = space.rounded(rng.uniform(space.low - 1, space.high + 1, (400, 5)))
    X[:200, :4] = np.where(rng.random((200, 4)) < 0.5, reference, X[:200, :4])
    return space, X[space.contains(X)]


@pytest.mark.parametrize("seed", range(20))
def test_a_piece_holds_its_point_and_nothing_that_is_outside_the_space(seed):
    rng = np.random.default_rng(seed)
    space, X = random_pieces(rng)
    assert len(X)
    for x in X[:30]:
        piece = space.piece(x)
        assert piece.contains(x[None])[0] and not piece.in_pieces
        inside = piece.rounded(rng.uniform(piece.low, piece.high, (200, 5)))
        assert space.contains(inside).all()
        assert space.contains(np.stack([piece.low, piece.high])).all()
