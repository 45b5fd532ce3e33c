"""Certified inversion of Gaussian processes, against brute force on dense grids: optimum, verdicts, and every
condition."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from preimage.core import formulas, objective
from preimage.core.objective import reference
from preimage.core.space import Input, Linear, Space
from preimage.data.rows import Rows
from preimage.exact import preimage
from preimage.inversion import asking
from preimage.inversion.extended import with_formulas
from preimage.inversion.question import Question, SearchContext
from preimage.support import checkpoints
from preimage.surrogates.kinds.gaussian_process import GaussianProcess

from ..conftest import inverter, refusal

LABELS = ("red", "green", "blue")
SPEC = {"rows": 100, "hyperparameter_rows": 60, "restarts": 1, "folds": 2}
GRID = 201


@cache
def model(kernel="rbf", category=False, seed=0):
    """Return a process of two wavy outputs of two numbers, and a category where that is asked for, with its rows."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (70, 2))
    X = np.column_stack([X, rng.integers(0, 3, 70)]) if category else X
    shift = X[:, 2] if category else 0.0
    a, b = rng.uniform(1.5, 4, 2)
    Y = 0.01 * rng.normal(size=(70, 2)) + np.column_stack(
        [np.sin(a * X[:, 0] + shift) * np.cos(b * X[:, 1]), X[:, 0] + X[:, 1] ** 2 - 0.2 * shift]
    )
    levels = np.array([0, 0, 3][: X.shape[1]])
    names = ["x0", "x1", "x2"][: X.shape[1]]
    rows = Rows(X, Y, np.arange(70), names, ["y", "z"], levels, ((), (), LABELS)[: X.shape[1]])
    return GaussianProcess(**{"kernel": kernel, **SPEC}).train(rows, rng).surrogate, X, Y


def space_of(*conditions, whole=False, category=False):
    inputs = (Input("x0", -1.0, 1.0), Input("x1", -1.0, 1.0, integer=whole))
    return Space((*inputs, *((Input("x2", 0, 2, categories=LABELS),) if category else ())), conditions)


def question(entry, space=None, found=formulas.NONE, **which):
    fitted, X, Y = model(**which)
    space = space or space_of()
    names = ["y", "z", *found.names]
    values = found.extended(X, Y) if found else Y
    wanted = objective.build("o", entry, names, values.std(axis=0), np.ptp(values, axis=0), values)
    plain = Question(
        space, wanted, fitted.predict, X, values, np.arange(len(X)), gradient=fitted.gradient, form=fitted.exact_form()
    )
    return with_formulas(plain, found)


def ask(q, **options):
    ((answer, Y),) = asking.ask(inverter("certified", {"starts": 2, **options}), [q], np.random.default_rng(0))
    return answer, Y


def grid(space):
    """Return every point of a dense grid that is valid (n, d)."""
    axes = [
        np.arange(i.low, i.high + 1) if i.integer or i.categories else np.linspace(i.low, i.high, GRID)
        for i in space.inputs
    ]
    X = np.stack([a.ravel() for a in np.meshgrid(*axes, indexing="ij")], axis=1)
    return X[space.contains(X)]


def check(q, **options):
    """Return the certificate of a question, which no point of a grid contradicts and some point of it comes near."""
    answer, _ = ask(q, **options)
    proof, X = answer.certificate, grid(q.space)
    Y = q.predict(X)
    kept = q.objective.violation(Y) == 0
    loss = q.objective.loss(Y)
    assert proof["closed"] and (loss[kept] >= proof["bound"]).all()
    if np.isfinite(proof["loss"]):
        unit = q.objective.loss_unit
        assert proof["loss"] <= loss[kept].min(initial=np.inf) and proof["loss"] - proof["bound"] <= 3e-6 * unit
        assert q.space.contains(answer.X).all()
    return proof, bool((q.objective.met(Y) & kept).any()) if q.objective.bounded else None


@pytest.mark.parametrize("kernel", ["rbf", "matern52"])
@pytest.mark.parametrize("kind", ["minimize", "maximize"])
def test_the_optimum_is_that_of_a_dense_grid(kind, kernel):
    proof, _ = check(question({kind: "y"}, kernel=kernel))
    assert proof["stopped"] == "closed"


CASES = {
    "a row": ({"maximize": "y"}, space_of(Linear((("x0", 1.0), ("x1", 2.0)), -np.inf, -0.5)), {}),
    "an equality": ({"minimize": "z"}, space_of(Linear((("x0", 1.0), ("x1", -1.0)), 0.25, 0.25)), {}),
    "a whole number": ({"minimize": "y"}, space_of(whole=True), {}),
    "a category": ({"maximize": "y"}, space_of(category=True), {"category": True}),
    "a sum of outputs": ({"minimize": {"y": 1.0, "z": -0.5}}, None, {}),
    "a limit": ({"maximize": "y", "subject_to": {"z": {"at_most": -0.3}}}, None, {}),
    "a value held": ({"minimize": "y", "fixed": {"x0": 0.3}}, None, {}),
    "several targets": ({"target": {"y": 0.4, "z": 0.1}, "tolerance": 0.2}, None, {}),
}


@pytest.mark.parametrize("case", CASES)
def test_conditions_are_kept_and_the_optimum_is_that_of_a_grid(case):
    entry, space, which = CASES[case]
    asked = question(entry, space, **which)
    check(replace(asked, space=asked.objective.allowed(asked.space)))


def test_an_optimum_on_a_limit_is_found_as_near_to_it_as_a_proof_needs():
    # Local searches keep off limits by what rounding may make of them: here three times what the proof may leave open.
    entry, space, which = CASES["a limit"]
    asked = question(entry, space, **which)
    proof, _ = check(replace(asked, space=asked.objective.allowed(asked.space)), boxes=500)
    assert proof["stopped"] == "closed"


def test_a_formula_is_bounded_with_the_outputs_it_takes():
    found = formulas.build({"ratio": {"expression": "y / (x0 + 3)"}}, space_of(), ["y", "z"])
    check(question({"minimize": "ratio"}, found=found))


@pytest.mark.parametrize("seed", range(3))
def test_bands_are_met_or_proven_empty(seed):
    verdicts = set()
    for low in (-2.0, -1.3, -0.5, 0.4, 1.2, 1.6):
        proof, met = check(question({"within": {"y": [low, low + 0.1]}}, seed=seed))
        assert proof["feasible"] == ("yes" if met else "no")
        verdicts.add(proof["feasible"])
    assert verdicts == {"yes", "no"}


@pytest.mark.long
def test_no_verdict_of_many_models_is_contradicted_by_a_grid():
    rng = np.random.default_rng(0)
    for seed in range(300):
        low = rng.uniform(-1.6, 1.6)
        kernel = ("rbf", "matern52")[seed % 2]
        proof, met = check(question({"within": {"y": [low, low + 0.05]}}, seed=seed, kernel=kernel))
        assert proof["feasible"] != "no" or not met


def test_a_reference_is_changed_no_more_than_needed():
    wish = {"within": {"y": [0.6, 2.0]}, "closest_to": {"row": 1}}
    asked = question(wish)
    near = reference.build("o", wish, asked.space, {"1": {"x0": -0.2, "x1": 0.9}})
    asked = asked.wanting(asked.objective.nearest_to(near, np.ptp(asked.Y, axis=0)))
    answer, Y = ask(asked)
    X = grid(asked.space)
    away = near.distance(X[asked.objective.violation(asked.predict(X)) == 0])
    proof = answer.certificate
    assert proof["closed"] and proof["bound"] <= away.min() and proof["loss"] <= away.min()
    assert proof["loss"] - proof["bound"] < 1e-5 and asked.objective.met(Y)[0]


def test_its_limit_of_boxes_and_what_is_left_open():
    answer, _ = ask(question({"minimize": "y"}, kernel="matern52"), boxes=1)
    proof = answer.certificate
    assert proof["stopped"] == "boxes" and proof["bound"] < proof["loss"]
    assert answer.message[0].startswith("stopped at its limit of boxes: loss at least")


def test_its_words_say_how_near_the_optimum_it_is():
    answer, _ = ask(question({"minimize": "y"}))
    assert answer.message[0].startswith("proven optimum of the surrogate (within ")
    answer, _ = ask(question({"minimize": "y"}), gap=0.1)
    assert answer.certificate["stopped"] == "gap" and "within the gap asked for" in answer.message[0]


def test_near_the_data_is_a_limit_here_too():
    asked = question({"minimize": "y"})
    free, held = ask(asked)[0], ask(asked, distance=0.05)[0]
    rows = asked.space.scaled(asked.X)
    assert np.sqrt(((asked.space.scaled(held.X) - rows) ** 2).sum(axis=1)).min() <= 0.05 * (1 + 1e-9)
    assert held.certificate["limited"] and held.certificate["loss"] >= free.certificate["loss"]


def test_common_inputs_alone_are_a_limit_here_too():
    asked = question({"minimize": "y"}, space_of(Linear((("x0", 1.0), ("x1", 1.0)), -1.0, 1.0)))
    free, held = ask(asked)[0], ask(asked, isolation=0.5)[0]
    assert held.certificate["closed"] and held.certificate["limited"]
    assert held.certificate["loss"] > free.certificate["loss"]


def test_a_front_lacks_no_more_than_is_said_and_nothing_is_beyond_its_corners():
    wish = {"minimize": ["y"], "maximize": ["z"]}
    asked = question({"pareto": wish, "tolerance": 0.02, "subject_to": {"z": {"at_most": 0.8}}})
    answer, _ = ask(asked, boxes=2000)
    wanted, Y = asked.objective, asked.predict(grid(asked.space)[::7])
    shares = wanted.shares(Y[wanted.violation(Y) == 0])
    corners = wanted.shares_of(np.array(answer.certificate["front"]))
    assert (corners[:, None] <= shares + 1e-9).all(axis=2).any(axis=0).all()
    assert answer.certificate["stopped"] == "gap" and len(answer.X) > 3


def test_neither_a_kill_nor_cores_change_its_answer(tmp_path, monkeypatch):
    q = question({"minimize": "y"}, kernel="matern52")
    options = inverter("certified", {"starts": 2})
    whole = options.invert(q, SearchContext(np.random.default_rng(0)))
    monkeypatch.setattr(checkpoints, "SAVE_EVERY_SECONDS", -1.0)
    state = tmp_path / "state"
    inverter("certified", {"starts": 2, "boxes": 1}).invert(q, SearchContext(np.random.default_rng(0), state))
    again = options.invert(q, SearchContext(np.random.default_rng(0), state))
    assert np.array_equal(whole.X, again.X) and whole.certificate == again.certificate


def test_parts_of_a_search_prove_the_whole():
    q = question({"minimize": "y"}, kernel="matern52")
    options = inverter("certified", {"starts": 2, "scatter": 2})
    parts = [options.invert(q, SearchContext(np.random.default_rng(0), part=(k, 2))) for k in range(2)]
    proof = options.together(q, parts).certificate
    assert proof["closed"] and abs(proof["bound"] - check(q)[0]["bound"]) < 1e-5


def test_weights_that_are_no_numbers_are_refused_by_name():
    asked = question({"minimize": "y"})
    weights = asked.form.weights.copy()
    weights[0, 3] = np.nan
    broken = replace(asked, form=replace(asked.form, weights=weights))
    assert "found nan among the weights of the model" in refusal(ask, broken)


@pytest.mark.parametrize("kernel", ["rbf", "matern52"])
def test_a_whole_preimage_holds_what_meets_its_band_and_its_volume_is_bracketed(kernel):
    asked = question({"within": {"y": [0.1, 0.5]}}, kernel=kernel)
    found = preimage.of_form(asked.form, asked.predict, asked.space, asked.objective, 3000)
    X = grid(asked.space)[::53]
    met = asked.objective.met(asked.predict(X))
    holds = (found.low[:, None] <= X) & (found.high[:, None] >= X)
    held, sure = holds.all(axis=2).any(axis=0), holds[found.certain].all(axis=2).any(axis=0)
    assert held[met].all() and met[sure].all() and sure.sum() > 0.8 * met.sum()
    inner, outer = found.bracket
    assert inner <= outer <= 1.1 * inner
