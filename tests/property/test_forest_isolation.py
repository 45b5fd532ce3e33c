"""The exact search kept to where an isolation forest's score is low, against scikit-learn over every cell."""

import itertools
import types
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import IsolationForest, RandomForestRegressor

from preimage.core.space import Input, Linear, Space
from preimage.inversion import certified, ordered
from preimage.trees import domain

from ..conftest import examples
from .test_forest import on_thresholds
from .test_forest_certificates import ask, own_cells, random_entry, small_forest, small_space


def small_isolation(X, rng):
    trees, rows = int(rng.integers(1, 8)), min(len(X), int(rng.integers(2, 17)))
    return IsolationForest(n_estimators=trees, max_samples=rows, random_state=0, n_jobs=1).fit(X)


def scores(model, X):
    """Return scikit-learn's anomaly scores."""
    return -model.score_samples(X)


@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
@examples(60)
def test_scores_are_scikit_learns_to_the_bit(seed, d):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(int(rng.integers(2, 200)), d)) * 10.0 ** rng.integers(-3, 4)
    if rng.random() < 0.4:
        X = np.round(X, 1)  # rows that no cut parts: leaves of several
    model = small_isolation(X, rng)
    points = np.concatenate([X, rng.uniform(X.min() - 1, X.max() + 1, (200, d)), on_thresholds(model, X, rng)])
    expected = scores(model, points)
    most = float(rng.choice(expected))
    found = domain.from_sklearn(model, most)
    assert np.array_equal(found.score(points), expected)
    assert np.array_equal(found.holds(points), expected <= most)


def with_isolation(monkeypatch, model):
    """Let searches take a fitted forest for theirs, and so the inputs in its order."""
    monkeypatch.setattr(ordered, "of", lambda question: np.arange(len(question.space.inputs)))
    monkeypatch.setattr(certified, "isolation", lambda X, most, seed, levels: domain.from_sklearn(model, most))


@given(st.integers(0, 2**32 - 1), st.integers(1, 2), st.integers(1, 2), st.booleans())
@examples(120)
def test_the_optimum_where_rows_are_ordinary_is_that_of_brute_force(seed, d, m, row):
    rng = np.random.default_rng(seed)
    model, X, Y = small_forest(rng, d, m)
    space = small_space(rng, d, X)
    if row and not any(i.categories for i in space.inputs):
        middle = float(((space.low + space.high) / 2).sum() + abs(rng.normal()))
        space = Space(space.inputs, (Linear(tuple((n, 1.0) for n in space.names), high=middle),))
    rare = small_isolation(X, rng)
    both = types.SimpleNamespace(estimators_=[*model.estimators_, *rare.estimators_])
    points = np.array(list(itertools.product(*own_cells(both, space))))
    score = scores(rare, points)
    most = float(rng.choice(score))
    with pytest.MonkeyPatch.context() as patch:
        with_isolation(patch, rare)
        wanted, answer, predicted = ask("certified", model, space, random_entry(rng, Y), X, Y, isolation=most)
    held = (score <= most) & space.contains(points)
    proof = answer.certificate
    if answer.status == ["no_answer"]:
        assert not held.any() and "proven that no input" in answer.message[0]
        return
    assert proof["closed"] and proof["limited"]
    assert (scores(rare, answer.X) <= most).all() and space.contains(answer.X).all()
    values = model.predict(points)
    loss = wanted.loss(values[:, None] if values.ndim == 1 else values)
    found = wanted.loss(predicted)[0]
    scale = max(abs(found), np.abs(values).max() ** (2 if wanted.bounded else 1))
    if held.any():
        # Ends of cells lie on no constraint, so with one the search may find what they miss, and no worse.
        assert found <= loss[held].min() + 1e-9 * scale
    if not space.constraints:
        assert found == pytest.approx(loss[held].min(), rel=1e-9, abs=1e-12 * scale)
        assert proof["bound"] <= loss[held].min()


def cloud():
    """Rows in the middle of a space whose corner promises most."""
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(5, 1, (300, 2)), [[10.0, 10.0]]]).clip(0, 10)
    model = RandomForestRegressor(20, random_state=0, n_jobs=1).fit(X, X.sum(axis=1))
    return model, Space((Input("x0", 0, 10), Input("x1", 0, 10))), X, X.sum(axis=1, keepdims=True)


def test_an_ordinary_answer_is_less_than_the_best_and_says_so():
    model, space, X, Y = cloud()
    _, _, best = ask("certified", model, space, {"maximize": "y0"}, X, Y)
    _, answer, less = ask("certified", model, space, {"maximize": "y0"}, X, Y, isolation=0.5)
    assert less[0, 0] < best[0, 0] and answer.certificate["closed"]
    assert "has an anomaly score of at most 0.5 by an isolation forest" in answer.message[0]
    seed = certified._seed(np.random.default_rng(0))
    rare = IsolationForest(random_state=seed, n_jobs=1).fit(X)
    assert scores(rare, answer.X)[0] <= 0.5
    points = np.random.default_rng(1).uniform(0, 10, (100_000, 2))
    points = points[scores(rare, points) <= 0.5]
    assert len(points) and model.predict(points).max() <= -answer.certificate["bound"]
    _, both, _ = ask("certified", model, space, {"maximize": "y0"}, X, Y, isolation=0.5, distance=0.02)
    assert both.certificate["loss"] >= answer.certificate["loss"] and " and has an anomaly" in both.message[0]


def test_where_nothing_is_ordinary_there_is_no_answer():
    model, space, X, Y = cloud()
    _, answer, _ = ask("certified", model, space, {"minimize": "y0"}, X, Y, isolation=0.3)
    assert answer.status == ["no_answer"] and "proven that no input" in answer.message[0]
    assert answer.certificate is None


def test_of_one_row_all_are_alike():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = IsolationForest(n_estimators=3, random_state=0, n_jobs=1).fit(np.zeros((1, 2)))
    X = np.ones((2, 2))
    some, none = (domain.from_sklearn(model, most) for most in (0.5, 0.4))
    assert np.array_equal(some.score(X), scores(model, X))
    assert some.holds(X).all() and not none.holds(X).any()


def test_trees_that_are_not_scikit_learns_are_found_out(monkeypatch):
    model, space, X, Y = cloud()
    fit = certified.isolation
    monkeypatch.setattr(
        certified, "isolation", lambda *asked: fit(*asked)._replace(said=lambda points: np.zeros(len(points)))
    )
    with pytest.raises(RuntimeError, match="are not those of the trees"):
        ask("certified", model, space, {"maximize": "y0"}, X, Y, isolation=0.5)


def test_a_target_of_several_outputs_is_asked_of_one_domain():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    Y = np.column_stack([X.sum(axis=1), X[:, 0]])
    model = RandomForestRegressor(10, random_state=0, n_jobs=1).fit(X, Y)
    space = Space((Input("x0", -4, 4), Input("x1", -4, 4)))
    entry = {"target": {"y0": 0.5, "y1": 3.0}, "tolerance": 0.9}
    fits = []
    fit = certified.isolation
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certified, "isolation", lambda *asked: fits.append(asked[2]) or fit(*asked))
        _, answer, _ = ask("certified", model, space, entry, X, Y, isolation=0.5)
    rare = IsolationForest(random_state=fits[0], n_jobs=1).fit(X)
    assert len(fits) == 1 and (scores(rare, answer.X) <= 0.5).all()
