"""Spaces of steps, gaps, counts, exclusions and curves: points are drawn, and moved inside to the nearest ones."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from preimage.core import polytope
from preimage.core.building import build
from preimage.core.conditions import Condition, Count, Curved, Exclusion, Linear
from preimage.core.expressions import Expression
from preimage.core.inputs import Input
from preimage.core.space import Space

from ..conftest import examples, refusal
from ..spaces import random_space, times, valid

SEEDS = st.integers(0, 2**32 - 1)
SCALES = st.sampled_from([1.0, 1e-9, 1e-3, 1e6])
SEPARATE = ("steps", "list", "integer", "category")


@given(SEEDS, SCALES)
def test_contains_is_the_definition(seed, scale):
    space, point = random_space(seed, scale)
    rng = np.random.default_rng(seed)
    assert valid(space, point)
    X = space.rounded(rng.uniform(space.low, space.high, (30, len(point))))
    X = np.concatenate([X, np.where(rng.random(X.shape) < 0.5, point, X)])
    assert space.contains(X).tolist() == [valid(space, x) for x in X]


@examples(60)
@given(SEEDS, SCALES, st.sampled_from(["uniform", "latin_hypercube"]))
def test_every_drawn_point_is_valid(seed, scale, scheme):
    space, _ = random_space(seed, scale)
    X = polytope.sample(space, 8, np.random.default_rng(seed), scheme)
    assert X.shape == (8, len(space.inputs)) and all(valid(space, x) for x in X)


@examples(60)
@given(SEEDS, SCALES, st.booleans())
def test_points_outside_become_valid_and_valid_ones_stay(seed, scale, quickly):
    space, point = random_space(seed, scale)
    rng = np.random.default_rng(seed)
    X = np.array([point, *(point + space.width * rng.standard_normal((3, len(point))))])
    repaired, moved = polytope.repair(space, X, quickly)
    assert all(valid(space, x) for x in repaired)
    assert repaired[0].tobytes() == point.tobytes() and moved[0] == 0


def distance(space, x, Y):
    away = np.abs(Y - x) / space.width
    return np.where(space.categorical, np.sign(away), away).sum(axis=-1)


@examples(60)
@given(SEEDS)
def test_of_separate_values_the_nearest_point_is_found(seed):
    space, _ = random_space(seed, kinds=SEPARATE, curved=False, d=3)
    rng = np.random.default_rng(seed)
    every = np.array(list(itertools.product(*(_values(i) for i in space.inputs))))
    inside = every[[valid(space, y) for y in every]]
    X = every[rng.integers(len(every), size=4)]
    repaired, moved = polytope.repair(space, X)
    for x, y, far in zip(X, repaired, moved, strict=True):
        assert valid(space, y)
        assert far == pytest.approx(distance(space, x, inside).min(), abs=1e-6)
        assert far == pytest.approx(distance(space, x, y))


def _values(i):
    return i.values if i.values else np.arange(i.low, i.high + 1)


@examples(24)
@given(SEEDS)
def test_of_numbers_the_nearest_point_is_that_of_the_nearest_piece(seed):
    """Every set of inputs that are 0, and every way round the exclusions, is a linear program of its own."""
    space, point = random_space(seed, kinds=("number", "gap"), curved=False, d=4)
    space = Space(space.inputs, space.constraints, tuple(_without_least(c) for c in space.counts[:1]), space.exclusions)
    rng = np.random.default_rng(seed)
    x = space.rounded(point + space.width * rng.standard_normal(len(point)))
    least = min(_nearest_of_pieces(space, x))
    repaired, moved = polytope.repair(space, x[None])
    assert valid(space, repaired[0])
    assert moved[0] == pytest.approx(least, abs=1e-6)


def _without_least(count):
    return Count(count.inputs, 0, count.most, count.reference)


def _nearest_of_pieces(space, x):
    d = len(x)
    ways = [[(space.names.index(c.input), end) for c in e.conditions for end in _ends(c)] for e in space.exclusions]
    for zeros in itertools.product([False, True], repeat=d):
        if any(sum(not zeros[space.names.index(n)] for n in c.inputs) > c.most for c in space.counts):
            continue
        for chosen in itertools.product(*ways):
            low = [0.0 if z else (i.zero_or or i.low) for z, i in zip(zeros, space.inputs, strict=True)]
            high = [0.0 if z else i.high for z, i in zip(zeros, space.inputs, strict=True)]
            for j, (side, end) in chosen:
                low[j], high[j] = (max(low[j], end), high[j]) if side > 0 else (low[j], min(high[j], end))
            if all(a <= b for a, b in zip(low, high, strict=True)):
                yield from _by_linprog(space, x, low, high)


def _ends(c):
    return [(side, end) for side, end in ((-1, c.low), (1, c.high)) if np.isfinite(end)]


def _by_linprog(space, x, low, high):
    d, (A, bottom, top), w = len(x), space.rows, space.width
    eye, gap = np.eye(d), np.zeros_like(A)
    rows = np.block([[A * w, gap], [-A * w, gap], [eye, -eye], [-eye, -eye]])
    ends = np.concatenate([top, -bottom, x / w, -x / w])
    use = np.isfinite(ends)
    box = [*zip(np.array(low) / w, np.array(high) / w, strict=True), *[(0, None)] * d]
    found = linprog(np.r_[np.zeros(d), np.ones(d)], rows[use], ends[use], bounds=box)
    if found.x is not None:
        yield found.fun


@examples(18)
@given(SEEDS, st.integers(-40, 40))
def test_points_do_not_depend_on_units(seed, power):
    space, point = random_space(seed, curved=False)
    other, factors = times(space, 2.0**power)
    rng = np.random.default_rng(seed)
    X = point + space.width * rng.standard_normal((2, len(point)))
    for quickly in (False, True):
        a, b = (polytope.repair(s, Z, quickly)[0] for s, Z in ((space, X), (other, X * factors)))
        assert (a * factors).tobytes() == b.tobytes()
    a, b = (polytope.sample(s, 5, np.random.default_rng(seed)) for s in (space, other))
    assert (a * factors).tobytes() == b.tobytes()


# -- emptiness ---------------------------------------------------------------------------------------------------------


@examples(60)
@given(SEEDS)
def test_a_space_is_empty_where_no_combination_of_its_values_is_valid(seed):
    space, _ = random_space(seed, kinds=SEPARATE, curved=False, d=3)
    rng = np.random.default_rng(seed)
    others = random_space(seed + 1, kinds=SEPARATE, curved=False, d=3)[0]
    more = tuple(e for e in others.exclusions if all(bool(space.inputs[space.names.index(c.input)].categories)
                 == bool(c.codes) for c in e.conditions))  # fmt: skip
    count = Count(tuple(space.names), 3, 3, tuple(float(rng.choice(_values(i))) for i in space.inputs))
    space = Space(space.inputs, space.constraints, (*space.counts, count), (*space.exclusions, *more))
    every = np.array(list(itertools.product(*(_values(i) for i in space.inputs))))
    empty = not any(valid(space, y) for y in every)
    assert polytope.proven_empty(space) == empty
    if empty:
        said = refusal(polytope.check_feasible, space)
        assert "no point within the bounds satisfies" in said and "proved by a mixed-integer linear program" in said
    else:
        polytope.check_feasible(space)


def mixture(*rows, most=2, **more):
    inputs = tuple(Input(n, 0.0, 60.0, zero_or=2.0) for n in "abcd")
    return Space(inputs, (Linear(tuple((n, 1.0) for n in "abcd"), 100.0, 100.0), *rows), (
        Count(("a", "b", "c", "d"), 0, most, (0.0,) * 4),), **more)  # fmt: skip


def test_a_count_that_an_equality_cannot_meet_is_named_with_it_alone():
    polytope.check_feasible(mixture(Linear((("a", 1.0),), high=50.0)))
    said = refusal(polytope.check_feasible, mixture(Linear((("a", 1.0),), high=50.0), most=1))
    assert "satisfies 1 a + 1 b + 1 c + 1 d = 100; at most 1 of a, b, c, d not 0 (proved" in said


def test_a_gap_that_leaves_nothing_is_named():
    space = Space((Input("a", 0.0, 9.0, zero_or=2.0),), (Linear((("a", 1.0),), 1.0, 1.5),))
    assert "satisfies 1 <= 1 a <= 1.5; a is 0 or at least 2 (proved" in refusal(polytope.check_feasible, space)


def test_steps_that_miss_an_equality_are_named():
    space = Space((Input("a", 0.0, 9.0, values=(0.0, 2.0, 9.0)),), (Linear((("a", 1.0),), 5.0, 5.0),))
    assert "satisfies 1 a = 5; a is one of its values (proved" in refusal(polytope.check_feasible, space)


def test_an_expression_in_conflict_is_said_as_it_was_written():
    inputs = {"water": {"low": 0, "high": 100}, "cement": {"low": 100, "high": 200}}
    rows = [{"expression": "water / cement", "at_least": 0.4, "at_most": 0.6}, {"linear": {"water": 1}, "at_most": 30}]
    said = refusal(polytope.check_feasible, build(inputs, rows, dict.fromkeys(inputs, (0.0, 1.0))))
    assert "satisfies 0.4 <= water / cement <= 0.6; 1 water <= 30 (proved by a linear program)" in said


def curved(text, low=-np.inf, high=np.inf):
    return Curved(Expression.parse(text, ["a", "b", "c", "d"]), low, high)


def test_a_curve_beyond_its_interval_bounds_is_refused():
    said = refusal(polytope.check_feasible, mixture(curved=(curved("a * b", low=4000.0),)))
    assert "satisfies 4000 <= a * b: it is between 0 and 3,600 there (proved by interval arithmetic)" in said
    whole = mixture(Linear((("a", 1.0),), high=45.0), curved=(curved("a * b", low=2800.0),))
    assert "it is between 0 and 2,700" in refusal(polytope.check_feasible, whole)


def test_a_curve_that_nothing_meets_though_nothing_is_proven_is_said_to_be_unknown():
    space = mixture(curved=(curved("a * b + c * d", low=3300.0),))
    polytope.check_feasible(space)
    said = refusal(polytope.sample, space, 5, np.random.default_rng(0))
    assert "random points satisfies 3300 <= a * b + c * d" in said and "whether any does is unknown" in said


# -- sampling ----------------------------------------------------------------------------------------------------------


def test_every_set_of_ingredients_that_can_be_mixed_is_drawn():
    X = polytope.sample(mixture(most=3), 500, np.random.default_rng(0))
    sets = {tuple(x > 0) for x in X}
    assert sets == {s for s in itertools.product([True, False], repeat=4) if 2 <= sum(s) <= 3}


def test_within_a_set_of_ingredients_points_are_uniform():
    X = polytope.sample(mixture(), 3000, np.random.default_rng(0))
    first = np.where(X > 0, X, np.nan)
    a = np.nanmin(first, axis=1)
    from scipy import stats

    assert stats.kstest((np.nanmax(first, axis=1) - 50) / 10, "uniform").pvalue > 1e-3 and (a >= 40).all()


def test_half_of_what_may_be_0_is_and_steps_are_equally_likely():
    space = Space((Input("a", 0.0, 9.0, zero_or=2.0), Input("s", 1.0, 9.0, values=(1.0, 2.0, 9.0))))
    X = polytope.sample(space, 3000, np.random.default_rng(0), "latin_hypercube")
    assert (X[:, 0] == 0).sum() == 1500 and X[X[:, 0] > 0, 0].min() >= 2
    assert np.unique(X[:, 1], return_counts=True)[1].tolist() == [1000] * 3


def test_pieces_that_hardly_ever_hold_a_point_are_found():
    names = [f"x{j}" for j in range(24)]
    inputs = tuple(Input(n, 0.0, 1.0, zero_or=0.5) for n in names)
    least = (
        Linear(tuple((n, 1.0) for n in names[:20]), low=19.9),
        Linear(tuple((n, 1.0) for n in names[20:]), high=0.2),
    )
    X = polytope.sample(Space(inputs, least), 10, np.random.default_rng(0))
    assert (X[:, :20] >= 0.9 - 1e-9).all() and (X[:, 20:] == 0).all()


def test_the_accepted_share_of_curved_constraints_is_that_of_the_area():
    space = Space((Input("a", 0.0, 1.0), Input("b", 0.0, 1.0)), curved=(curved("a ** 2 + b ** 2", high=1.0),))
    assert polytope.acceptance(space, np.random.default_rng(0)) == pytest.approx(np.pi / 4, abs=0.03)


def test_on_a_curve_that_is_an_equality_points_are_valid():
    space = Space((Input("a", 0.0, 1.0), Input("b", 0.0, 1.0)), curved=(curved("a ** 2 + b ** 2", 0.5, 0.5),))
    X = polytope.sample(space, 50, np.random.default_rng(0))
    np.testing.assert_allclose((X**2).sum(axis=1), 0.5, atol=1e-9)
    assert len(np.unique(X[:, 0])) > 40


# -- repair ------------------------------------------------------------------------------------------------------------


def test_a_point_outside_a_disc_goes_straight_to_it():
    space = Space((Input("a", -2.0, 2.0), Input("b", -2.0, 2.0)), curved=(curved("a ** 2 + b ** 2", high=1.0),))
    repaired, _ = polytope.repair(space, np.array([[1.2, 1.2], [2.0, 0.0]]))
    np.testing.assert_allclose(repaired, [[np.sqrt(0.5)] * 2, [1.0, 0.0]], atol=1e-6)


def test_the_edge_of_what_is_excluded_is_left_by_the_least():
    space = Space(
        (Input("t", 0.0, 100.0), Input("s", 0.0, 1.0, categories=("acetone", "water"))),
        exclusions=(Exclusion((Condition("t", low=56.0), Condition("s", codes=(0,)))),),
    )
    repaired, moved = polytope.repair(space, np.array([[70.0, 0.0], [70.0, 1.0]]))
    assert repaired.tolist() == [[np.nextafter(56, 0), 0.0], [70.0, 1.0]] and moved[1] == 0


def test_quickly_the_largest_amounts_stay():
    repaired, _ = polytope.repair(mixture(), np.array([[50.0, 3.0, 40.0, 9.0]]), quickly=True)
    assert (repaired[0] > 0).tolist() == [True, False, True, False]
    assert repaired[0].sum() == pytest.approx(100)
