"""Points are drawn and repaired inside any space, whatever its units; an empty one is refused."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from preimage.core import polytope, walking
from preimage.core.space import Input, Linear, Space
from preimage.support.errors import StudyError

from ..conftest import random_point, random_space, refusal

SEEDS = st.integers(0, 2**32 - 1)
# Solvers have absolute tolerances; inputs have units from nanomoles to pascals.
SCALES = st.sampled_from([1.0, 1e-12, 1e-6, 1e-2, 1e3, 1e9])


def inside(space, X):
    """What a valid point is, said independently of `Space.contains`: bounds, whole numbers, rows to 1e-9 of scale."""
    for j, i in enumerate(space.inputs):
        low, high = (i.low, i.high) if i.fixed is None else (i.fixed, i.fixed)
        assert ((low <= X[:, j]) & (X[:, j] <= high)).all()
        if i.integer or i.categories:
            assert (X[:, j] == np.round(X[:, j])).all()
    for row in space.constraints:
        reach = 0.0
        value = np.zeros(len(X))
        for name, c in row.coefficients:
            i = space.inputs[space.names.index(name)]
            value += c * X[:, space.names.index(name)]
            reach += abs(c) * max(abs(i.low), abs(i.high))
        slack = 1e-9 * (reach or 1.0) * (1 + 1e-6)
        assert (value >= row.low - slack).all() and (value <= row.high + slack).all()
    return True


def box(d, *rows, **more):
    return Space(tuple(Input(f"x{j}", 0.0, 1.0, **more) for j in range(d)), rows)


def row(d, low=-np.inf, high=np.inf):
    """The sum of the first d inputs between low and high."""
    return Linear(tuple((f"x{j}", 1.0) for j in range(d)), low, high)


# -- sampling ----------------------------------------------------------------------------------------------------------


@given(SEEDS, SCALES, st.sampled_from(["uniform", "latin_hypercube"]))
def test_every_drawn_point_is_valid(seed, scale, scheme):
    space, _ = random_space(seed, scale)
    X = polytope.sample(space, 20, np.random.default_rng(seed), scheme)
    assert X.shape == (20, len(space.inputs))
    assert inside(space, X)
    assert space.contains(X).all()


@given(SEEDS, SCALES)
def test_clustered_points_are_valid_or_refused(seed, scale):
    space, _ = random_space(seed, scale)
    try:
        X = polytope.sample(space, 20, np.random.default_rng(seed), "clustered")
    except StudyError as error:
        assert space.constraints and "use uniform" in str(error)
    else:
        assert X.shape == (20, len(space.inputs)) and inside(space, X)


@given(SEEDS, st.sampled_from(["uniform", "latin_hypercube"]))
def test_the_same_generator_gives_the_same_bytes(seed, scheme):
    space, _ = random_space(seed)
    first, second = (polytope.sample(space, 7, np.random.default_rng(seed), scheme) for _ in range(2))
    assert first.tobytes() == second.tobytes()


@given(SEEDS, st.integers(1, 40))
def test_latin_hypercube_has_one_point_in_each_slice(seed, n):
    space, _ = random_space(seed)
    space = Space(space.inputs)
    X = polytope.sample(space, n, np.random.default_rng(seed), "latin_hypercube")
    for j in np.flatnonzero(space.free & ~space.discrete):
        slices = np.floor(n * (X[:, j] - space.low[j]) / (space.high[j] - space.low[j]) * (1 - 1e-12))
        assert sorted(slices) == list(range(n))


def test_latin_hypercube_gives_each_whole_number_its_share():
    space = Space((Input("count", 3, 7, integer=True), Input("grade", 0, 3, categories=tuple("abcd"))))
    X = polytope.sample(space, 40, np.random.default_rng(1), "latin_hypercube")
    assert np.unique(X[:, 0], return_counts=True)[1].tolist() == [8] * 5
    assert np.unique(X[:, 1], return_counts=True)[1].tolist() == [10] * 4


def test_clustered_points_lie_in_few_places():
    rng = np.random.default_rng(3)
    clustered = polytope.sample(box(2), 500, rng, "clustered")
    uniform = polytope.sample(box(2), 500, rng)

    def occupied(X):
        return len(np.unique(np.floor(20 * X), axis=0))

    assert occupied(clustered) < 0.7 * occupied(uniform)


def test_no_points_asked_for_are_no_points():
    for space in (box(2), box(2, row(2, high=1.0)), box(2, row(2, 1.0, 1.0))):
        assert polytope.sample(space, 0, np.random.default_rng(0)).shape == (0, 2)


def test_an_unknown_scheme_is_refused():
    assert "expected uniform, latin_hypercube or clustered" in refusal(
        polytope.sample, box(1), 3, np.random.default_rng(0), "sobol"
    )


@pytest.mark.parametrize("d", [3, 6])
def test_on_a_simplex_the_walk_is_uniform(d):
    """On the simplex each coordinate is Beta(1, d - 1) distributed."""
    X = polytope.sample(box(d, row(d, 1.0, 1.0)), 2000, np.random.default_rng(d))
    for j in range(d):
        assert stats.kstest(X[:, j], stats.beta(1, d - 1).cdf).pvalue > 1e-3


def test_in_a_rare_corner_the_walk_is_uniform():
    """Where the sum of 6 inputs is at most 0.5 (2e-5 of the box), twice each coordinate is Beta(1, 6) distributed."""
    X = polytope.sample(box(6, row(6, high=0.5)), 2000, np.random.default_rng(0))
    for j in range(6):
        assert stats.kstest(2 * X[:, j], stats.beta(1, 6).cdf).pvalue > 1e-3


def test_the_walk_agrees_with_rejection_in_a_skewed_polytope():
    inputs = (Input("a", -3.0, 1.0), Input("b", 0.0, 1e4), Input("c", 0.0, 1e-5))
    rows = (
        Linear((("a", 1.0), ("b", -2e-4)), high=-0.5),
        Linear((("a", 1.0), ("b", 1e-4), ("c", 1e5)), low=-1.0, high=1.5),
    )
    space = Space(inputs, rows)
    rng = np.random.default_rng(5)
    draws = space.low + rng.random((40_000, 3)) * (space.high - space.low)
    kept = draws[space.contains(draws)][:3000]
    walked = walking.walked(space, polytope.sample(Space(space.inputs), 3000, rng), rng)
    assert len(kept) == 3000 and inside(space, walked)
    for direction in [*np.eye(3), *rng.standard_normal((4, 3))]:
        a, b = (space.scaled(X) @ direction for X in (kept, walked))
        assert stats.ks_2samp(a, b).pvalue > 1e-3


def test_whole_numbers_and_categories_on_an_equality_are_equally_likely():
    inputs = (Input("a", 0, 9, True), Input("b", 0, 9, True), Input("g", 0, 2, categories=("u", "v", "w")))
    space = Space(inputs, (Linear((("a", 1.0), ("b", 1.0)), 9.0, 9.0),))
    X = polytope.sample(space, 3000, np.random.default_rng(2))
    assert stats.chisquare(np.bincount(X[:, 0].astype(int), minlength=10)).pvalue > 1e-3
    assert stats.chisquare(np.bincount(X[:, 2].astype(int), minlength=3)).pvalue > 1e-3


def test_constraints_that_leave_one_point_give_that_point():
    X = polytope.sample(box(2, row(2, 2.0, 2.0)), 5, np.random.default_rng(0))
    assert np.abs(X - 1).max() <= 1e-9


def test_inequalities_that_together_are_an_equality_leave_the_other_directions_free():
    flat = box(3, row(2, high=1.0), row(2, low=1.0), Linear((("x1", 1.0), ("x2", 1.0)), high=1.8))
    X = polytope.sample(flat, 500, np.random.default_rng(0))
    assert inside(flat, X)
    assert (X.std(axis=0) > 0.2).all()


def test_bounds_that_pin_an_input_by_way_of_an_equality_leave_the_others_free():
    """x0 + x1 = 0 in [0, 1] leaves only (0, 0), while x2 may be anything that its own row allows."""
    space = box(3, row(2, 0.0, 0.0), Linear((("x0", 1.0), ("x2", 1.0)), high=0.9))
    X = polytope.sample(space, 500, np.random.default_rng(0))
    assert np.abs(X[:, :2]).max() <= 1e-9
    assert stats.kstest(X[:, 2] / 0.9, "uniform").pvalue > 1e-3


# -- repair ------------------------------------------------------------------------------------------------------------


@given(SEEDS, SCALES)
def test_valid_points_come_back_unchanged(seed, scale):
    space, point = random_space(seed, scale)
    X = np.array([point])
    if space.contains(X)[0]:
        repaired, moved = polytope.repair(space, X)
        assert repaired.tobytes() == X.tobytes() and moved.tolist() == [0.0]


@given(SEEDS, SCALES)
def test_points_outside_become_valid_and_say_how_far_they_moved(seed, scale):
    space, point = random_space(seed, scale)
    rng = np.random.default_rng(seed)
    X = point + 3 * space.width * rng.standard_normal((4, len(point)))
    repaired, moved = polytope.repair(space, X)
    assert inside(space, repaired) and space.contains(repaired).all()
    np.testing.assert_allclose(moved, (np.abs(repaired - X) / space.width).sum(axis=1), rtol=1e-12)


@given(SEEDS, SCALES)
def test_no_point_that_chance_finds_is_nearer_than_the_repaired_one(seed, scale):
    space, _ = random_space(seed, scale, equalities=False, largest=3)
    rng = np.random.default_rng(seed)
    draws = np.array([random_point(rng, space) for _ in range(300)])
    valid = draws[space.contains(draws)]
    X = draws[~space.contains(draws)][:4]
    repaired, moved = polytope.repair(space, X)
    assert inside(space, repaired)
    for x, distance in zip(X, moved, strict=True):
        assert (distance <= (np.abs(valid - x) / space.width).sum(axis=1) + 1e-6).all()


@given(SEEDS)
def test_the_repaired_whole_numbers_are_the_nearest_of_all(seed):
    rng = np.random.default_rng(seed)
    inputs = tuple(Input(f"x{j}", 0.0, float(rng.integers(2, 6)), integer=True) for j in range(3))
    weights = rng.integers(-3, 4, (2, 3)).astype(float)
    every = np.array(list(itertools.product(*(range(int(i.high) + 1) for i in inputs))), float)
    chosen = every[rng.integers(len(every))]
    rows = tuple(
        Linear(tuple((f"x{j}", float(w[j])) for j in range(3)), float(w @ chosen), high)
        for w, high in zip(weights, (float(weights[0] @ chosen), np.inf), strict=True)
    )
    space = Space(inputs, rows)
    value = every @ weights.T
    valid = every[(value[:, 0] == rows[0].low) & (value[:, 1] >= rows[1].low)]
    X = rng.uniform(-1, 6, (3, 3))
    repaired, moved = polytope.repair(space, X)
    for x, y, distance in zip(X, repaired, moved, strict=True):
        assert (valid == y).all(axis=1).any()
        assert distance == pytest.approx((np.abs(valid - x) / space.width).sum(axis=1).min(), abs=1e-9)


def test_a_continuous_point_goes_straight_to_the_constraint():
    space = box(2, Linear((("x0", 1.0), ("x1", 2.0)), high=1.0))
    repaired, moved = polytope.repair(space, np.array([[0.5, 1.0]]))
    # Moving x1 pays twice: 0.75 of it does what takes 1.5 of x0, or more than x0 has.
    np.testing.assert_allclose(repaired, [[0.5, 0.25]], atol=1e-9)
    np.testing.assert_allclose(moved, [0.75], atol=1e-9)


# -- emptiness ---------------------------------------------------------------------------------------------------------


@given(SEEDS, SCALES)
def test_a_space_with_a_known_point_is_never_refused(seed, scale):
    space, point = random_space(seed, scale)
    assert inside(space, point[None])
    polytope.check_feasible(space)


@given(SEEDS, SCALES)
def test_a_row_that_no_point_of_the_box_reaches_is_refused_and_named(seed, scale):
    space, _ = random_space(seed, scale)
    numbers = [i for i in space.inputs if not i.categories]
    if numbers:
        width = sum((i.high - i.low) / (i.high - i.low) for i in numbers)
        terms = tuple((i.name, 1 / (i.high - i.low)) for i in numbers)
        most = sum(i.high / (i.high - i.low) for i in numbers)
        beyond = Linear(terms, low=most + 0.01 * width)
        message = refusal(polytope.check_feasible, Space(space.inputs, (*space.constraints, beyond)))
        assert message == f"constraints: no point within the bounds satisfies {beyond} (proved by a linear program)"


def test_only_the_constraints_in_conflict_are_named():
    rows = (row(2, high=0.5), Linear((("x2", 1.0),), high=0.9), row(2, low=1.5))
    message = refusal(polytope.check_feasible, box(3, *rows))
    assert "1 x0 + 1 x1 <= 0.5; 1.5 <= 1 x0 + 1 x1 (" in message and "x2" not in message


def test_an_equality_that_only_fractions_satisfy_is_refused_for_whole_numbers():
    odd = Linear((("x0", 2.0), ("x1", 2.0)), 3.0, 3.0)
    inputs = tuple(Input(f"x{j}", 0.0, 5.0, integer=True) for j in range(2))
    assert "2 x0 + 2 x1 = 3" in refusal(polytope.check_feasible, Space(inputs, (odd,)))
    assert "2 x0 + 2 x1 = 3" in refusal(polytope.sample, Space(inputs, (odd,)), 3, np.random.default_rng(0))
    assert "2 x0 + 2 x1 = 3" in refusal(polytope.repair, Space(inputs, (odd,)), np.zeros((1, 2)))


def test_a_fixed_input_counts_in_the_conflict():
    space = box(2, row(2, low=1.5))
    polytope.check_feasible(space)
    assert "1.5 <= 1 x0 + 1 x1" in refusal(polytope.check_feasible, space.fix({"x0": 0.25}))
