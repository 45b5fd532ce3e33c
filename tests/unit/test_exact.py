"""Exact searches over boxes: planted faults are seen, searches go on after a kill, parts make the whole, and what
excludes each other is named."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor

from preimage.core import formulas, objective
from preimage.core.conditions import Count
from preimage.core.space import Input, Linear, Space
from preimage.exact import paving as exact_paving
from preimage.exact import search as exact_search
from preimage.exact import settling, trade_off, tree_model
from preimage.exact.preimage import preimage
from preimage.inversion import asking
from preimage.inversion.question import Question, SearchContext
from preimage.support import checkpoints
from preimage.trees.forest import from_sklearn

from ..conftest import inverter
from ..property import test_exact as against


def mixture(entry, rows=300, trees=10):
    """Return a question on a mixture of five: at most three parts, each 0 or at least 2 of 100, with a price."""
    rng = np.random.default_rng(0)
    X = rng.dirichlet(np.ones(5), rows) * 100 * (rng.random((rows, 5)) < 0.7)
    X = X / X.sum(axis=1, keepdims=True) * 100
    Y = np.stack([(X[:, 0] * X[:, 1] + X[:, 2] * X[:, 3]) / 500, X @ [1.0, 2, 3, 4, 5] / 100], axis=1)
    names = [f"x{j}" for j in range(5)]
    space = Space(
        tuple(Input(n, 0.0, 100.0, zero_or=2.0) for n in names),
        (Linear(tuple((n, 1.0) for n in names), 100.0, 100.0),),
        (Count(tuple(names), 0, 3, (0.0,) * 5),),
    )
    forest = from_sklearn(RandomForestRegressor(trees, random_state=0, n_jobs=1).fit(X, Y))
    price = {"price": {"expression": "0.05*x0 + 0.02*x1 + 0.01*x2 + 0.03*x3 + 0.04*x4"}}
    found = formulas.build(price, space, ["gain", "load"])

    def predict(X):
        return found.extended(X, forest.predict(X))

    values = predict(X)
    outputs = ["gain", "load", "price"]
    wanted = objective.build("o", entry, outputs, values.std(axis=0), np.ptp(values, axis=0), values)
    return Question(space, wanted, predict, X, values, np.arange(rows), trees=forest, formulas=found)


BEST = {"maximize": "gain", "subject_to": {"load": {"at_least": 2, "at_most": 3}, "price": {"at_most": 3}}}
FRONT = {"pareto": {"maximize": ["gain"], "minimize": ["price"]}, "tolerance": 0.0}


def ask(question, **options):
    given = {"boxes": 100_000, "starts": 2, **options}
    return asking.ask(inverter("certified", given), [question], np.random.default_rng(0))[0]


def tight_outputs(model, start, end, state):
    ends, possible = BOUND(model, start, end, state)
    sign = np.array([side.sign for side in model.sides])
    return ends - 0.02 * sign * np.abs(ends), possible


def without_the_rest(boxes, inner):
    return AROUND(boxes, inner).take(np.empty(0, int))


def every_other_slice(goal, box):
    boxes = SLICED(goal, box)
    return boxes.take(np.arange(0, len(boxes.least), 2)) if len(boxes.least) > 1 else boxes


def low_levels(goal, weight):
    return LEVEL(goal, weight) - 0.05


BOUND = tree_model.TreeModel.bound
AROUND = settling._around
SLICED = trade_off.TradeOff.sliced
LEVEL = trade_off.TradeOff._level
FAULTS = {
    "outputs' bounds 2 % too tight": (tree_model.TreeModel, "bound", tight_outputs, against.check_against_brute_force),
    "the rest of a box forgotten": (settling, "_around", without_the_rest, against.check_against_programs),
    "every other slice forgotten": (trade_off.TradeOff, "sliced", every_other_slice, against.check_front),
    "boxes beyond the front dropped": (trade_off.TradeOff, "_level", low_levels, against.check_front),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_does_not_pass(fault, monkeypatch):
    place, name, change, check = FAULTS[fault]
    monkeypatch.setattr(place, name, change)
    caught = False
    for seed in range(60):
        try:
            check(seed, 2)
        except (AssertionError, RuntimeError):  # the search itself sees that a point contradicts a bound
            caught = True
            break
    assert caught


class Killed(BaseException):
    pass


@pytest.mark.parametrize("entry", [BEST, FRONT])
def test_a_search_that_is_killed_again_and_again_ends_the_same(entry, tmp_path, monkeypatch):
    question, rng, kills = mixture(entry), np.random.default_rng(1), 0
    options = inverter("certified", {"boxes": 2000, "starts": 2})
    whole = options.invert(question, SearchContext(np.random.default_rng(0)))
    monkeypatch.setattr(checkpoints, "SAVE_EVERY_SECONDS", -1.0)
    step = exact_search.Search.step

    def dying(search):
        nonlocal kills
        if rng.random() < 0.3 and kills < 6:
            kills += 1
            raise Killed
        return step(search)

    monkeypatch.setattr(exact_search.Search, "step", dying)
    while True:
        try:
            found = options.invert(question, SearchContext(np.random.default_rng(0), tmp_path / "state"))
            break
        except Killed:
            pass
    assert kills > 2 and np.array_equal(found.X, whole.X) and found.certificate == whole.certificate


@pytest.mark.parametrize("entry", [BEST, FRONT])
def test_parts_prove_what_the_whole_does(entry):
    question, options = mixture(entry), inverter("certified", {"boxes": 100_000, "starts": 2, "scatter": 3})
    whole, _ = ask(question)
    parts = [options.invert(question, SearchContext(np.random.default_rng(0), part=(k, 3))) for k in range(3)]
    found = options.together(question, parts)
    assert whole.certificate["closed"] and found.certificate["closed"]
    assert found.certificate["bound"] == pytest.approx(whole.certificate["bound"], rel=1e-7)
    assert found.certificate["loss"] == pytest.approx(whole.certificate["loss"], rel=1e-7)
    if question.objective.front:
        shares = [question.objective.shares(question.predict(a.X)) for a in (whole, found)]
        assert all(len(s) == len(np.unique(s, axis=0)) for s in shares) and shares[0].shape == shares[1].shape


def test_a_paving_that_is_killed_again_and_again_ends_the_same(tmp_path, monkeypatch):
    question = mixture({"within": {"gain": [1, 2]}, "subject_to": {"price": {"at_most": 3}}})
    free = Space(question.space.inputs, (), question.space.counts)
    asked = (question.trees, free, question.objective, 2000)
    whole, rng, kills = preimage(*asked, formulas=question.formulas), np.random.default_rng(1), 0
    monkeypatch.setattr(checkpoints, "SAVE_EVERY_SECONDS", -1.0)
    step = exact_paving.Paving.step

    def dying(paving):
        nonlocal kills
        if rng.random() < 0.2 and kills < 6:
            kills += 1
            raise Killed
        step(paving)

    monkeypatch.setattr(exact_paving.Paving, "step", dying)
    while True:
        try:
            found = preimage(*asked, state=tmp_path / "state", formulas=question.formulas)
            break
        except Killed:
            pass
    assert kills > 2 and found.table().equals(whole.table()) and found.examined == whole.examined
    X = np.random.default_rng(2).choice([0.0, 5.0, 20.0, 50.0, 80.0, 100.0], (4000, 5))
    belongs = free.contains(X) & question.objective.met(question.predict(X))
    inside = ((X[:, None] >= found.low) & (X[:, None] <= found.high)).all(axis=2)
    assert inside[belongs].any(axis=1).all() and not inside[:, found.certain][~belongs].any() and belongs.any()


def test_conditions_that_exclude_each_other_are_named_and_no_others():
    high = float(mixture(BEST).trees.predict(mixture(BEST).X)[:, 0].max())
    entry = {
        "maximize": "load",
        "subject_to": {"gain": {"at_least": high}, "price": {"at_most": 1.2}, "load": {"at_least": 0}},
    }
    answer, _ = ask(mixture(entry))
    (said,) = answer.message
    assert answer.status == ["no_answer"] and answer.certificate["feasible"] == "no"
    assert "proven that no input" in said and "exclude each other" in said
    named = said.partition("exclude each other: ")[2]
    assert f"gain at least {high:.6g}"[:14] in named and "price at most 1.2" in named and "load" not in named
