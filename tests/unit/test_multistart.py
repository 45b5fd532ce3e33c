"""Local search: every scipy method, every kind of gradient, and the batched engine, on functions with known minima."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from preimage import study
from preimage.core import objective
from preimage.core.sentences import UNMOVED
from preimage.core.space import Input, Linear, Space
from preimage.inversion import asking, batched, multistart
from preimage.inversion.gradients import Line
from preimage.inversion.question import Question
from preimage.problems.built_in import robot_arm, sine_wave
from preimage.support.errors import StudyError
from preimage.support.jax_setup import enable_double

from ..conftest import inverter, refusal

enable_double()

ARM = robot_arm.build()
ARM_SPACE = Space(tuple(Input(n, *b) for n, b in ARM.inputs.items()))


def arm_traceable(x):
    a, b, c = x[1], x[2] - x[1], x[3] - x[2] - x[1]
    return jnp.array(
        [
            0.5 * jnp.cos(a) + 0.5 * jnp.cos(b) + jnp.cos(c),
            x[0] + 0.5 * jnp.sin(a) + 0.5 * jnp.sin(b) + jnp.sin(c),
        ]
    )


def arm_at(parameters, x):
    return arm_traceable(x)


@jax.jit
def arm_slopes(X):
    return jax.vmap(arm_traceable)(X), jax.vmap(jax.jacfwd(arm_traceable))(X)


def arm_gradient(X):
    values, slopes = arm_slopes(X)
    return np.asarray(values), np.asarray(slopes)


def question(entry=None, space=ARM_SPACE, exact=True, rows=200):
    X = np.clip(ARM.draw(rows, np.random.default_rng(0)), space.low, space.high)
    wanted = objective.build("o", entry or {"target": {"hand_x": 1.2, "hand_y": 0.7}}, list(ARM.outputs))
    return Question(
        space, wanted, ARM.simulate, X, ARM.simulate(X), np.arange(rows),
        gradient=arm_gradient if exact else None, traceable=(arm_at, ()) if exact else None,
    )  # fmt: skip


def ask(q, **options):
    return asking.ask(inverter("multistart", {"starts": 8, **options}), [q], np.random.default_rng(0))[0]


ENTRIES = [
    {"target": {"hand_x": 1.2, "hand_y": 0.7}},
    {"within": {"hand_x": [1.0, 1.1], "hand_y": [2.5, 3.0]}},
    {"minimize": "hand_x"},
    {"maximize": {"hand_x": 1.0, "hand_y": 0.5}},
]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: next(iter(e)))
def test_every_gradient_equals_a_central_difference_of_the_loss(entry):
    q = question(entry)
    line = Line(q, q.X[3], unit=2.0)
    u, h = line.start, 1e-6
    central = np.array([(line.loss(u + h * e) - line.loss(u - h * e)) / (2 * h) for e in np.eye(len(u))])
    for way in (line.exact, line.complex_step):
        value, slope = way(u)
        assert value == pytest.approx(line.loss(u), rel=1e-12)
        assert slope == pytest.approx(central, rel=1e-6, abs=1e-8)
    assert line.complex_step(u)[1] == pytest.approx(line.exact(u)[1], rel=1e-12)


def test_evaluations_are_counted_by_what_they_cost():
    q = question()
    line = Line(q, q.X[0])
    line.exact(line.start)
    assert line.evaluations == 1
    line.complex_step(line.start)
    assert line.evaluations == 1 + 4


@pytest.mark.parametrize("gradient", ["exact", "cs", "2-point", "3-point"])
def test_a_target_is_reached_by_every_gradient_and_exactly_by_the_exact_ones(gradient):
    q = question()
    answer, Y = ask(q, gradient=gradient)
    error = np.abs(Y - [1.2, 0.7]).max(axis=1).min()
    assert error < (1e-9 if gradient in ("exact", "cs") else 1e-3)
    assert q.space.contains(answer.X).all()


@pytest.mark.some(2)
@pytest.mark.parametrize("method", ["L-BFGS-B", "SLSQP", "trust-constr", "Nelder-Mead", "Powell", "TNC"])
def test_every_method_of_scipy_reaches_the_target(method):
    q = question()
    answer, Y = ask(q, method=method, starts=4)
    assert np.abs(Y - [1.2, 0.7]).max(axis=1).min() < 1e-3
    assert q.space.contains(answer.X).all()
    assert all(e > 1 for e in answer.evaluations)


@pytest.mark.some(2)
@pytest.mark.parametrize("method", ["SLSQP", "trust-constr"])
def test_constraints_hold_during_the_search_where_the_method_can(method):
    space = Space(ARM_SPACE.inputs, (Linear((("angle1", 1.0), ("angle2", 1.0)), high=0.2),))
    answer, Y = ask(question(space=space), method=method)
    assert space.contains(answer.X).all()
    assert np.abs(Y - [1.2, 0.7]).max(axis=1).min() < 1e-3


def test_the_batched_engine_finds_what_scipy_finds():
    q = question()
    _, one = ask(q, gradient="exact")
    answer, many = ask(q, engine="batched")
    assert np.abs(many - [1.2, 0.7]).max(axis=1).min() < 1e-9
    share = [(np.abs(Y - [1.2, 0.7]).max(axis=1) < 1e-6).mean() for Y in (one, many)]
    assert share[1] >= share[0] - 0.25
    assert q.space.contains(answer.X).all() and len(answer.message) == 8


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: next(iter(e)))
def test_the_batched_engine_ends_where_the_projected_gradient_vanishes(entry):
    q = question(entry)
    answer, Y = ask(q, engine="batched", starts=50)
    scaled = q.space.scaled(answer.X)
    _, J = arm_gradient(answer.X)
    slope = np.einsum("nm,nmd->nd", q.objective.slope(Y), J) * q.space.width
    free = ~(((scaled <= 0) & (slope > 0)) | ((scaled >= 1) & (slope < 0)))
    done = np.array([s == "ok" for s in answer.status])
    assert done.mean() > 0.9
    assert np.abs(np.where(free, slope, 0))[done].max() < 1e-4


def test_the_batched_engine_stops_on_bounds_like_scipy():
    space = Space(tuple(Input(i.name, -0.3, 0.4) for i in ARM_SPACE.inputs))
    q = question({"maximize": "hand_y"}, space)
    best = ask(q, engine="batched", starts=20)[1][:, 1].max()
    assert best == pytest.approx(ask(q, gradient="exact", starts=20)[1][:, 1].max(), abs=1e-9)


def test_more_starts_than_a_batch_give_the_same_answers(monkeypatch):
    q = question()
    whole, _ = ask(q, engine="batched", starts=50)
    monkeypatch.setattr(batched, "SLOTS", (16,))
    parts, _ = ask(q, engine="batched", starts=50)
    assert np.abs(whole.X - parts.X).max() < 1e-6


def test_a_fixed_input_and_a_category_stay_where_they_are():
    space = ARM_SPACE.fix({"angle3": 0.25})
    answer, _ = ask(question(space=space), engine="batched")
    assert (answer.X[:, 3] == 0.25).all()


def test_starts_default_to_the_best_rows_on_a_model():
    q = question()
    X0 = multistart.startpoints(q, 5, None, np.random.default_rng(0))
    assert np.array_equal(X0, q.X[np.argsort(q.objective.loss(q.Y), kind="stable")[:5]])


def test_a_start_on_an_optimum_says_that_it_did_not_move():
    q = question({"within": {"hand_x": [-9, 9]}})
    answer, _ = ask(q, gradient="exact")
    assert all(m.startswith(UNMOVED) for m in answer.message)


def test_a_complex_step_is_exact_where_finite_differences_are_not():
    wave = sine_wave.build()
    x = np.array([0.3, -0.2])
    true = np.array([3 * np.pi * np.cos(0.9 * np.pi), -3 * np.pi * np.sin(-0.6 * np.pi)])
    space = Space((Input("x1", 0, 1), Input("x2", -1, 0)))
    wanted = objective.build("o", {"minimize": "y"}, ["y"])
    q = Question(space, wanted, wave.simulate, x[None], wave.simulate(x[None]), np.zeros(1))
    assert Line(q, x).complex_step(Line(q, x).start)[1] == pytest.approx(true, rel=1e-14)


def test_the_neural_adjoint_comes_near_but_less_near_than_exact_descent():
    q = question()
    answer, Y = asking.ask(inverter("neural_adjoint", {"starts": 64}), [q], np.random.default_rng(0))[0]
    assert q.space.contains(answer.X).all() and len(answer.X) == 64
    error = np.abs(Y - [1.2, 0.7]).max(axis=1)
    assert 1e-9 < error.min() < 0.02
    start = np.abs(ARM.simulate(np.random.default_rng(0).uniform(q.space.low, q.space.high, (64, 4))) - [1.2, 0.7])
    assert np.median(error) < 0.2 * np.median(start.max(axis=1))


# -- whole numbers and categories --------------------------------------------------------------------------------------

MIXED = Space((
    Input("a", -1.0, 1.0),
    Input("n", 0.0, 6.0, integer=True),
    Input("kind", 0.0, 2.0, categories=("p", "q", "r")),
))  # fmt: skip


def lattice(X):
    """The best a depends on n, and only kind q at n = 4 gets to 0."""
    a, n, kind = X.T
    return (((a - 0.1 * n) ** 2 + 0.01 * (n - 4.3) ** 2 - 0.0009 + np.abs(kind - 1)) * 1.0)[:, None]


def mixed_question(entry):
    X = np.column_stack([np.linspace(-1, 1, 30), np.arange(30) % 7, np.arange(30) % 3]).astype(float)
    wanted = objective.build("o", entry, ["y"])
    return Question(MIXED, wanted, lattice, X, lattice(X), np.arange(30))


def grid_minimum(q):
    a = np.linspace(-1, 1, 20001)
    return min(
        q.loss(np.column_stack([a, np.full_like(a, n), np.full_like(a, k)])).min() for n in range(7) for k in range(3)
    )


def test_rounded_whole_numbers_are_followed_by_a_search_with_them_held():
    q = mixed_question({"minimize": "y"})
    answer, _Y = ask(q, gradient="3-point", starts=20)
    assert MIXED.contains(answer.X).all()
    # Wherever a start ended, its number fits its whole numbers, which rounding alone would not give.
    assert np.abs(answer.X[:, 0] - 0.1 * answer.X[:, 1]).max() < 1e-5
    assert any("with whole numbers held" in m for m in answer.message)
    kinds = dict(zip(multistart.startpoints(q, 20, None, np.random.default_rng(0))[:, 2], answer.X[:, 2], strict=False))
    assert all(start == end for start, end in kinds.items())


def test_enumeration_finds_the_optimum_over_all_combinations_from_any_start():
    q = mixed_question({"minimize": "y"})
    answer, Y = ask(q, gradient="3-point", starts=3, discrete="enumerate", start_from="uniform")
    assert Y[:, 0] == pytest.approx(grid_minimum(q), abs=1e-7)
    assert (answer.X[:, 1:] == [4.0, 1.0]).all()
    assert all(m.split(" combinations")[0].endswith("best of 21") for m in answer.message)
    assert all(e > 21 for e in answer.evaluations)


def test_enumeration_of_too_many_combinations_is_refused():
    space = Space((Input("a", 0.0, 1.0), Input("m", 0, 40, integer=True), Input("n", 0, 40, integer=True)))
    X = np.zeros((5, 3))
    q = Question(space, objective.build("o", {"minimize": "y"}, ["y"]), lambda X: X[:, :1], X, X[:, :1], X[:, 0])
    with pytest.raises(StudyError, match="found 1681 combinations of m, n, expected at most 1000"):
        ask(q, discrete="enumerate")


@pytest.mark.long
def test_many_questions_at_once_get_the_answers_of_each_alone():
    q = question()
    goals = ARM.simulate(ARM.draw(3, np.random.default_rng(4)))
    asked = [
        q.wanting(objective.build("o", {"target": dict(zip(ARM.outputs, g, strict=False))}, list(ARM.outputs)))
        for g in goals
    ]
    for engine in ("batched", "scipy"):
        together = asking.ask(inverter("multistart", {"starts": 4, "engine": engine}), asked, np.random.default_rng(0))
        for one, (answer, Y) in zip(asked, together, strict=True):
            alone, _ = asking.ask(
                inverter("multistart", {"starts": 4, "engine": engine}), [one], np.random.default_rng(0)
            )[0]
            assert np.abs(alone.X - answer.X).max() < 1e-5
            assert one.objective.loss(Y).min() < 1e-12


def test_searches_of_one_form_share_one_compiled_program():
    before = batched._advance._cache_size()
    for seed, entry in enumerate(({"target": {"hand_x": 1.0}}, {"target": {"hand_x": 0.4}})):
        ask(question(entry, rows=100 + seed), engine="batched")
    assert batched._advance._cache_size() - before <= 1


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("starts: 0", "found 0, expected at least 1"),
        ("gradient: cs", "it may not support complex numbers"),
        ("gradient: exact", "it has no exact gradient; use 2-point or 3-point"),
        ("engine: bached", "did you mean 'batched'"),
        ("discrete: enumerat", "did you mean 'enumerate'"),
    ],
)
def test_settings_that_make_no_search_are_refused(study_file, setting, told):
    text = f"""
study: bowl
problem: {{simulator: paraboloid}}
surrogates: {{forest: {{kind: random_forest}}}}
objectives: {{lowest: {{minimize: y}}}}
inverters: {{s: {{kind: multistart, {setting}, on: [forest]}}}}
"""
    assert told in refusal(study.load, study_file(text))
