"""Studies of steps, gaps, counts, exclusions and curves: what is refused or warned of, and how searches go."""

import itertools

import numpy as np
import pytest
from scipy.optimize import minimize

from preimage.core import objective, polytope
from preimage.core.conditions import Condition, Count, Curved, Exclusion, Linear
from preimage.core.expressions import Expression
from preimage.core.inputs import Input
from preimage.core.space import Space
from preimage.evidence import answer_findings
from preimage.inversion import asking, hyperopt
from preimage.inversion.multistart import startpoints
from preimage.inversion.question import Question

from ..conftest import inverter, refusal
from ..spaces import valid
from .test_checks import STUDY, check, mixes  # noqa: F401  (the fixture)

# -- checks ------------------------------------------------------------------------------------------------------------


def test_rows_that_conditions_exclude_are_counted_once_each(check):  # noqa: F811
    said = check(
        "{cement: {low: 100, high: 195, step: 10}, water: {high: 390, zero_or: 250}}",
        "[{expression: water * cement, at_most: 60000}, {exclude: {cement: {at_least: 150, at_most: 160}}}]",
    )
    assert "8 of 20 rows violate the constraints; they still train" in said
    assert "input 'cement': 10 of 20 rows have values it may not take; they still train" in said
    assert "input 'water': 5 of 20 rows have values it may not take; they still train" in said
    assert any(s.startswith("of random points that satisfy the other constraints, ") for s in said)


@pytest.mark.parametrize(
    ("inputs", "constraints", "more"),
    [
        ("{cement: {low: 100, high: 195, step: 10}}", "[]", "step or values"),
        ("{water: {high: 390, zero_or: 250}}", "[]", "zero_or"),
        ("{}", "[{exclude: {cement: {at_least: 150}}}]", "exclude"),
        ("{}", "[{expression: water * cement, at_most: 60000}]", "a constraint on an expression that is not linear"),
    ],
)
def test_coordinate_refuses_what_it_does_not_know(check, inputs, constraints, more):  # noqa: F811
    text = STUDY + "inverters: {lines: {kind: coordinate}}\n"
    assert f"key 'inverters.lines': coordinate does not support {more} yet; use another inverter" in refusal(
        check, inputs, constraints, text=text
    )


def test_a_ratio_is_linear_for_exact_searches(check):  # noqa: F811
    text = STUDY + "inverters: {lines: {kind: coordinate}}\n"
    assert check("{}", "[{expression: water / cement, at_most: 2}]", text=text) == []


def test_an_equality_that_a_count_cannot_meet_is_refused(check):  # noqa: F811
    table = mixes(sand=0.0, lime=np.arange(20.0))
    inputs = "{cement: {low: 0, high: 40}, water: {low: 0, high: 40}, sand: {low: 0, high: 40}}"
    rows = "[{linear: {cement: 1, water: 1, sand: 1}, equals: 100}, {of: [cement, water, sand], at_most_nonzero: 2}]"
    said = refusal(check, inputs, rows, table=table)
    assert "1 cement + 1 water + 1 sand = 100; at most 2 of cement, water, sand not 0 (proved by a mixed" in said


def test_a_space_that_may_be_empty_is_warned_of(check):  # noqa: F811
    """The product is 38,000 at most, though each factor alone might make it 74,100."""
    said = check("{}", "[{expression: water * (390 - water), at_least: 39000}]")
    assert any("whether any does is unknown" in s for s in said)


# -- searches ----------------------------------------------------------------------------------------------------------

NAMES = [f"i{j}" for j in range(6)]
MIXTURE = Space(
    tuple(Input(n, 0.0, 0.6, zero_or=0.05) for n in NAMES),
    (Linear(tuple((n, 1.0) for n in NAMES), 1.0, 1.0),),
    (Count(tuple(NAMES), 0, 3, (0.0,) * 6),),
)


def convex(seed):
    """Return a convex function of mixtures, its derivative, and a question that is to make it small."""
    rng = np.random.default_rng(seed)
    A, t = rng.normal(size=(6, 6)), rng.dirichlet(np.ones(6))
    Q = A @ A.T

    def f(X):
        return np.einsum("ij,jk,ik->i", X - t, Q, X - t)[:, None]

    def slope(X):
        return f(X), (2 * (X - t) @ Q)[:, None, :]

    X = rng.dirichlet(np.ones(6), 40)
    wanted = objective.build("o", {"minimize": "y"}, ["y"], [1.0], [1.0])
    return f, slope, Question(MIXTURE, wanted, f, X, f(X), np.arange(40), gradient=slope)


def least_of_all_pieces(f, slope):
    found = []
    for few in itertools.combinations(range(6), 3):
        for some in (few, few[:2], few[1:], few[::2]):
            at = list(some)

            def whole(z, at=at):
                x = np.zeros(6)
                x[at] = z
                return x[None]

            solved = minimize(
                lambda z, w=whole: f(w(z))[0, 0], np.full(len(at), 1 / len(at)), method="SLSQP",
                jac=lambda z, w=whole, at=at: slope(w(z))[1][0, 0][at], bounds=[(0.05, 0.6)] * len(at),
                constraints={"type": "eq", "fun": lambda z: z.sum() - 1}, options={"ftol": 1e-12},
            )  # fmt: skip
            found.append(solved.fun)
    return min(found)


@pytest.mark.parametrize("seed", range(3))
def test_multistart_hops_to_the_best_of_all_pieces(seed):
    f, slope, q = convex(seed)
    answer, _ = asking.ask(inverter("multistart", {"starts": 5}), [q], np.random.default_rng(seed))[0]
    least = least_of_all_pieces(f, slope)
    assert q.loss(answer.X).min() == pytest.approx(least, rel=1e-6, abs=1e-9)
    assert any("of the space" in m for m in answer.message)


def test_starts_are_repaired_rows_and_points_of_many_pieces():
    _, _, q = convex(0)
    X = startpoints(q, 12, None, np.random.default_rng(0))
    assert len(X) == 12 and all(valid(MIXTURE, x) for x in X)
    best = q.X[np.argsort(q.loss(q.X))[:12]]
    near = np.abs(X[:6, None] - polytope.near(MIXTURE, best)).sum(axis=2).min(axis=1)
    assert near.max() < 1e-12
    assert len({tuple(x > 0) for x in X[6:]}) >= 4


def test_on_a_curve_a_local_search_follows_it():
    """The point of the circle's arc that is nearest to (1, 0.9), which is outside."""
    curve = Curved(Expression.parse("a ** 2 + b ** 2", ["a", "b"]), high=1.0)
    space = Space((Input("a", 0.0, 2.0), Input("b", 0.0, 2.0)), curved=(curve,))
    t = np.array([1.0, 0.9])
    wanted = objective.build("o", {"minimize": "y"}, ["y"], [1.0], [1.0])
    X = np.random.default_rng(0).uniform(0, 1, (30, 2))

    def f(X):
        return ((X - t) ** 2).sum(axis=1, keepdims=True)

    q = Question(space, wanted, f, X, f(X), np.arange(30), gradient=lambda X: (f(X), 2 * (X - t)[:, None, :]))
    answer, _ = asking.ask(inverter("multistart", {"starts": 4}), [q], np.random.default_rng(0))[0]
    assert set(answer.status) == {"ok"}
    np.testing.assert_allclose(answer.X, np.tile(t / np.linalg.norm(t), (4, 1)), atol=1e-6)


def test_tpe_chooses_whether_an_input_is_0():
    space = Space((Input("a", 0.0, 9.0, zero_or=2.0), Input("s", 1.0, 9.0, values=(1.0, 2.0, 9.0))))
    assert hyperopt._point(space, {"0?": 0.0, "1": 2.0}).tolist() == [0.0, 9.0]
    assert hyperopt._point(space, {"0?": 1.0, "0": 3.5, "1": 1.0}).tolist() == [3.5, 2.0]
    assert set(hyperopt._expressions(space)) == {"0", "1"}


# -- what else draws and moves points ----------------------------------------------------------------------------------


def test_the_window_around_an_answer_stays_in_its_piece():
    space = Space(
        (
            Input("a", 0.0, 10.0, zero_or=2.0),
            Input("t", 0.0, 100.0),
            Input("s", 0.0, 1.0, categories=("acetone", "no")),
        ),
        exclusions=(Exclusion((Condition("t", low=56.0), Condition("s", codes=(0,)))),),
    )
    low, high, proven = answer_findings.window_around({}, np.array([0.0, 55.9, 0.0]), space)
    assert not proven and low.tolist() == [0, 54.9, 0] and high.tolist() == [0, np.nextafter(56, 0), 0]
    low, high, _ = answer_findings.window_around({}, np.array([2.05, 55.9, 1.0]), space)
    assert low[0] == 2.0 and high[:2].tolist() == pytest.approx([2.15, 56.9])
    asked = []

    def simulate(X):
        asked.append(X)
        return X[:, :1]

    wanted = objective.build("o", {"minimize": "y"}, ["y"], [1.0], [1.0])
    ends = answer_findings.window_around({}, np.array([2.05, 55.9, 0.0]), space)
    answer_findings.unstable_answer(
        *ends, np.array([2.05, 55.9, 0.0]), space, simulate, wanted, np.random.default_rng(0)
    )
    assert len(asked[0]) == 257 and space.contains(np.concatenate(asked)).all()


def test_nsga2_keeps_to_pieces():
    _, _, q = convex(1)
    wanted = objective.build("o", {"pareto": {"maximize": ["y", "z"]}}, ["y", "z"], [1.0, 1.0], [1.0, 1.0])

    def both(X):
        return np.sqrt(X[:, :2])

    two = Question(MIXTURE, wanted, both, q.X, both(q.X), q.rows)
    answer, _ = asking.ask(inverter("nsga2", {"evaluations": 120}), [two], np.random.default_rng(0))[0]
    assert len(answer.X) > 1 and all(valid(MIXTURE, x) for x in answer.X)
