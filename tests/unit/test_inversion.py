"""Every inverter on real questions: what it proposes is valid, as good as it can be, and the same each time."""

import numpy as np
import pytest

from preimage.core import objective
from preimage.core.sentences import UNMOVED
from preimage.core.space import Input, Linear, Space
from preimage.inversion import asking
from preimage.inversion.base import Inverter
from preimage.inversion.question import Answer, Question
from preimage.problems.built_in import paraboloid
from preimage.support.errors import StudyError

from ..conftest import inverter

OPTIONS = {
    "hyperopt": {"evaluations": 60},
    "multistart": {"starts": 6},
    "random": {"evaluations": 60},
    "evolution": {"evaluations": 200},
    "cmaes": {"evaluations": 200},
    "lookup": {},
}
BOX = (Input("a", -10, 10), Input("b", -10, 10))
SPACES = {
    "box": Space(BOX),
    "whole numbers": Space((Input("a", -10, 10, integer=True), Input("b", -10, 10))),
    "category": Space((Input("a", -10, 10), Input("b", 0, 2, categories=("u", "v", "w")))),
    "fixed": Space((Input("a", -10, 10), Input("b", -10, 10, fixed=3.0))),
    "inequality": Space(BOX, (Linear((("a", 1.0), ("b", 1.0)), low=4.0),)),
    "equality": Space(BOX, (Linear((("a", 1.0), ("b", 2.0)), 5.0, 5.0),)),
    "mixed": Space(
        (Input("a", -10, 10, integer=True), Input("b", -10, 10), Input("c", 0, 1, categories=("u", "v"))),
        (Linear((("a", 1.0), ("b", 1.0)), low=4.0),),
    ),
}
OBJECTIVES = {
    "minimize": {"minimize": "y"},
    "maximize": {"maximize": "y"},
    "target": {"target": {"y": 30}, "tolerance": 5},
    "within": {"within": {"y": [20, 40]}},
}


def bowl(X):
    return (X**2).sum(axis=1, keepdims=True)


def question(space, entry=None, predict=bowl, on_simulator=True, rows=40):
    X = np.random.default_rng(0).uniform(-10, 10, (rows, len(space.inputs)))
    X = np.clip(np.where(space.discrete, np.round(X), X), space.low, space.high)
    wanted = objective.build("o", entry or OBJECTIVES["minimize"], ["y"], [1.0], [100.0])
    numbers = np.arange(1, rows + 1)
    return Question(space, wanted, predict, X, bowl(X), numbers, on_simulator=on_simulator)


def ask(kind, q, seed=0, **more):
    return asking.ask(inverter(kind, {**OPTIONS[kind], **more}), [q], np.random.default_rng(seed))[0]


def test_every_kind_is_tried_here():
    elsewhere = {
        "neural_adjoint",
        "coordinate",
        "certified",
        "nsga2",
    }  # need a gradient (test_multistart), trees (test_certified), a front (test_pareto)
    assert set(OPTIONS) | elsewhere == set(Inverter.registry)


@pytest.mark.some(3)
@pytest.mark.parametrize("kind", OPTIONS)
@pytest.mark.parametrize("entry", OBJECTIVES)
@pytest.mark.parametrize("space", SPACES)
def test_every_candidate_is_valid_and_the_same_each_time(kind, entry, space):
    q = question(SPACES[space], OBJECTIVES[entry])
    answer, Y = ask(kind, q)
    valid = ~np.isnan(answer.X).any(axis=1)
    assert q.space.contains(answer.X[valid]).all()
    assert valid.all() or kind == "lookup"
    assert np.array_equal(Y[valid], bowl(answer.X[valid]))
    again, _ = ask(kind, question(SPACES[space], OBJECTIVES[entry]))
    assert np.array_equal(answer.X, again.X, equal_nan=True)
    assert len(answer.X) == len(answer.status) == len(answer.message) == len(answer.evaluations)


@pytest.mark.parametrize(
    ("space", "least"),
    [
        ("box", 0.0),
        ("fixed", 9.0),  # b = 3
        ("inequality", 8.0),  # nearest point of a + b = 4 to the origin
        ("equality", 5.0),  # nearest point of a + 2 b = 5 to the origin: (1, 2)
        ("mixed", 8.0),
    ],
)
def test_multistart_finds_the_constrained_minimum_of_the_bowl(space, least):
    q = question(SPACES[space])
    assert np.nanmin(q.loss(ask("multistart", q)[0].X)) == pytest.approx(least, abs=1e-4)


@pytest.mark.some(3)
@pytest.mark.parametrize(
    ("space", "least"),
    [("box", 0.0), ("whole numbers", 0.0), ("fixed", 9.0), ("inequality", 8.0), ("equality", 5.0), ("mixed", 8.0)],
)
def test_cmaes_finds_the_constrained_minimum_of_the_bowl(space, least):
    q = question(SPACES[space])
    assert q.loss(ask("cmaes", q, evaluations=900)[0].X).min() == pytest.approx(least, abs=1e-6)


def test_cmaes_finds_a_minimum_at_the_bounds():
    """Far outside is better and better, so that draws press against the corner."""
    q = question(SPACES["box"], predict=lambda X: X[:, :1] + 2 * X[:, 1:])
    answer, Y = ask("cmaes", q, evaluations=600)
    assert Y.min() == -30 and np.array_equal(answer.X[Y.argmin()], [-10, -10])


def test_cmaes_restarts_with_doubled_populations_within_its_evaluations():
    spent, heard = [], []

    def counted(X):
        spent.append(len(X))
        return bowl(X)

    q = question(SPACES["box"], predict=counted)
    rng = np.random.default_rng(0)
    ((answer, _),) = asking.ask(
        inverter("cmaes", {"evaluations": 3000}), [q], rng, None, lambda *told: heard.append(told)
    )
    populations = [int(m.split(" of ")[1]) for m in answer.message]
    assert populations == [6 * 2**k for k in range(len(populations))] and len(populations) > 2
    assert sum(answer.evaluations) == sum(spent) - len(answer.X) <= 3000  # `ask` looks at each row once more
    assert set(answer.status[:-1]) == {"ok"}
    assert heard[-1][0] == 3000 and heard[-1][1] == q.loss(answer.X).min()


def test_cmaes_does_as_well_as_the_peer_cma():
    """Rosenbrock's valley in four dimensions, minimum 0 at (1, 1, 1, 1): neither form has a trick of its own here."""
    cma = pytest.importorskip("cma")

    def valley(X):
        return (100 * (X[:, 1:] - X[:, :-1] ** 2) ** 2 + (1 - X[:, :-1]) ** 2).sum(axis=1, keepdims=True)

    q = question(Space(tuple(Input(n, -5, 5) for n in "abcd")), predict=valley)
    q.Y = valley(q.X)
    ours = [ask("cmaes", q, seed, evaluations=5000)[1].min() for seed in range(5)]
    options = {"bounds": [-5, 5], "maxfevals": 5000, "verbose": -9}
    theirs = []
    for seed in range(1, 6):
        start = np.random.default_rng(seed).uniform(-5, 5, 4)
        found = cma.fmin2(lambda x: float(valley(x[None])[0, 0]), start, 3.0, {**options, "seed": seed})
        theirs.append(valley(found[0][None])[0, 0])
    assert np.median(ours) < 1e-9 and np.median(theirs) < 1e-9


def test_tpe_comes_nearer_than_random_search_with_the_same_evaluations():
    q = question(SPACES["box"])
    tpe = [q.loss(ask("hyperopt", q, seed, evaluations=150)[0].X).min() for seed in range(5)]
    plain = [q.loss(ask("random", q, seed, evaluations=150)[0].X).min() for seed in range(5)]
    assert np.median(tpe) < np.median(plain)


def test_on_a_step_function_local_search_stays_where_it_began_and_says_so():
    q = question(SPACES["box"], predict=lambda X: np.floor(bowl(X) / 50) * 50, on_simulator=False)
    answer, _ = ask("multistart", q)
    assert np.array_equal(answer.X, q.X[q.best_rows(6)])
    assert all(m.startswith(UNMOVED) for m in answer.message)


def test_lookup_is_the_training_row_with_the_nearest_measured_output():
    q = question(SPACES["box"], OBJECTIVES["target"])
    answer, _ = ask("lookup", q)
    nearest = np.argmin(np.abs(q.Y[:, 0] - 30))
    assert np.array_equal(answer.X[0], q.X[nearest])
    assert f"row {nearest + 1} of the data" in answer.message[0]


def test_lookup_uses_only_rows_that_satisfy_the_constraints_or_has_no_answer():
    q = question(SPACES["inequality"])
    answer, _ = ask("lookup", q)
    inside = q.X[q.X.sum(axis=1) >= 4]
    assert np.array_equal(answer.X[0], inside[np.argmin(bowl(inside)[:, 0])])
    none, _ = ask("lookup", question(SPACES["equality"]))
    assert none.status == ["no_answer"] and np.isnan(none.X).all()


def test_a_repaired_trial_says_how_far_it_was_moved():
    answer, _ = ask("hyperopt", question(SPACES["inequality"]))
    moved = [m for m in answer.message if m]
    assert moved and all(m.startswith("repaired: moved ") for m in moved)


def test_starts_that_fail_are_rows_with_their_reason_and_the_others_go_on():
    def sometimes(X):
        if (X[:, 0] > 0).any():
            raise ValueError("diverged")
        return bowl(X)

    q = question(SPACES["box"], predict=sometimes)
    answer, Y = ask("random", q)
    failed = answer.X[:, 0] > 0
    assert 0 < failed.sum() < len(failed)
    assert [s == "failed" for s in answer.status] == list(failed)
    assert all("ValueError: diverged" in m for m, f in zip(answer.message, failed, strict=True) if f)
    assert np.isnan(Y[failed]).all() and np.isfinite(Y[~failed]).all()
    assert "failed" in ask("hyperopt", q)[0].status
    far = question(SPACES["box"], predict=lambda X: np.where(X[:, :1] > 1, np.nan, bowl(X)))
    status = ask("multistart", far, starts=20, start_from="uniform")[0].status
    assert "failed" in status and "ok" in status


def test_where_every_start_fails_the_step_fails_with_all_reasons():
    def never(X):
        raise ValueError("odd" if X[0, 1] > 0 else "even")

    with pytest.raises(StudyError, match=r"every start failed: .*odd.* times.*even|.*even.* times.*odd"):
        ask("random", question(SPACES["box"], predict=never))


def test_a_loss_that_is_not_a_number_is_a_failed_row():
    q = question(SPACES["box"], predict=lambda X: np.where(X[:, :1] > 0, np.nan, bowl(X)))
    answer, _ = ask("random", q)
    assert "the model gave [nan]" in answer.message[answer.status.index("failed")]


def test_a_method_that_leaves_the_space_is_a_fault_not_an_answer(monkeypatch):
    from preimage.inversion import random as random_search

    outside = Answer(np.array([[99.0, 0.0]]), [1], ["ok"], [""])
    monkeypatch.setattr(random_search, "invert", lambda *_: outside)
    with pytest.raises(RuntimeError, match="outside the space"):
        ask("random", question(SPACES["box"]))


@pytest.mark.parametrize("kind", ["hyperopt", "random", "evolution", "cmaes"])
def test_every_inverter_nears_the_known_minimum_of_every_built_in_problem(kind):
    problem = paraboloid.build(3)
    space = Space(tuple(Input(n, *b) for n, b in problem.inputs.items()))
    X = np.random.default_rng(0).uniform(space.low, space.high, (50, 3))
    wanted = objective.build("o", {"minimize": "y"}, ["y"])
    q = Question(space, wanted, problem.simulate, X, problem.simulate(X), np.arange(50), on_simulator=True)
    _, Y = ask(kind, q, evaluations=200)
    # Half of all uniform points of this cube lie above 10,000; 200 draws come far below.
    assert Y.min() < 1500
    assert problem.simulate(np.array([problem.minimum["y"].x]))[0, 0] == problem.minimum["y"].y
