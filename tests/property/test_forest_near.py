"""The exact search kept to where data is, against brute force over every cell and its distance to every row."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestRegressor

from preimage.core.space import Input, Linear, Space

from ..conftest import examples
from .test_forest_certificates import ask, last_going_left, random_entry, small_forest


def cells(model, space):
    """Return smallest and largest input (n, d) of every cell."""
    axes = []
    for j, i in enumerate(space.inputs):
        if space.discrete[j]:
            axes.append([(v, v) for v in np.arange(i.lower, i.upper + 1)])
            continue
        trees = [e.tree_ for e in model.estimators_]
        cuts = sorted({last_going_left(float(c)) for t in trees for c in t.threshold[t.feature == j]})
        cuts = [c for c in cuts if i.lower <= c < i.upper]
        axes.append(list(zip([i.lower, *(np.nextafter(c, np.inf) for c in cuts)], [*cuts, i.upper], strict=True)))
    boxes = np.array(list(itertools.product(*axes)))
    return boxes[:, :, 0], boxes[:, :, 1]


def distance(space, X, points):
    """Return how far each point is from the nearest row, inputs scaled to [0, 1]."""
    scaled = (points[:, None] - X) / np.array([i.high - i.low or 1 for i in space.inputs])
    return np.sqrt((scaled**2).sum(axis=2)).min(axis=1)


def nearest(space, X, low, high):
    """Return the distance of each box from the nearest row, by the row's own nearest input in the box."""
    moved = np.clip(X, low[:, None], high[:, None])
    scaled = (moved - X) / np.array([i.high - i.low or 1 for i in space.inputs])
    return np.sqrt((scaled**2).sum(axis=2)).min(axis=1)


@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(1, 2))
@examples(120)
def test_the_optimum_near_the_data_is_that_of_brute_force(seed, d, m):
    rng = np.random.default_rng(seed)
    model, X, Y = small_forest(rng, d, m)
    inputs = []
    for j in range(d):
        if rng.random() < 0.3 and np.ptp(X) > 1:
            X[:, j] = np.round(X[:, j])
            inputs.append(Input(f"x{j}", -4, 4, integer=True))
        else:
            low, high = np.sort(rng.uniform(X.min() - 1, X.max() + 1, 2))
            fixed = float(rng.uniform(low, high)) if rng.random() < 0.15 else None
            inputs.append(Input(f"x{j}", float(low), float(high), fixed=fixed))
    space = Space(tuple(inputs))
    most = float(10.0 ** rng.uniform(-3, 0.5))
    wanted, answer, predicted = ask("certified", model, space, random_entry(rng, Y), X, Y, distance=most)
    low, high = cells(model, space)
    away = nearest(space, X, low, high)
    reached = away <= most
    if not reached.any():
        assert answer.status == ["no_answer"] and "proven that no input within the bounds" in answer.message[0]
        return
    values = model.predict(low[reached])
    loss = wanted.loss(values[:, None] if values.ndim == 1 else values)
    proof, found = answer.certificate, wanted.loss(predicted)[0]
    assert proof["closed"] and proof["limited"]
    assert distance(space, X, answer.X).max() <= most * (1 + 1e-12) and space.contains(answer.X).all()
    scale = max(abs(found), np.abs(values).max() ** (2 if wanted.bounded else 1))
    assert found == pytest.approx(loss.min(), rel=1e-9, abs=1e-12 * scale) and proof["bound"] <= loss.min()
    assert np.array_equal(predicted[0], np.atleast_1d(model.predict(answer.X[:1])[0]))


def corner():
    """Rows in one corner of the space, of a model that promises most in the other."""
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.uniform(0, 4, (200, 2)), [[10.0, 10.0]]])
    Y = X.sum(axis=1, keepdims=True)
    model = RandomForestRegressor(20, random_state=0, n_jobs=1).fit(X, Y[:, 0])
    return model, Space((Input("x0", 0, 10), Input("x1", 0, 10))), X[:-1], Y[:-1]


def test_an_answer_near_the_data_is_less_than_the_best_and_says_so():
    model, space, X, Y = corner()
    entry = {"maximize": "y0"}
    _, far, best = ask("certified", model, space, entry, X, Y)
    _, near, less = ask("certified", model, space, entry, X, Y, distance=0.05)
    assert far.X.max() > 4.6 and near.X.max() <= 4.51 and less[0, 0] < best[0, 0]
    assert "where an input lies within 0.05 of a training row" in near.message[0]
    assert not far.certificate["limited"] and near.certificate["limited"]
    points = np.random.default_rng(1).uniform(0, 10, (20_000, 2))
    points = points[distance(space, X, points) <= 0.05]
    assert model.predict(points).max() <= -near.certificate["bound"] + 1e-12


def test_where_no_data_is_near_there_is_no_answer():
    model, _, X, Y = corner()
    space = Space((Input("x0", 8, 10), Input("x1", 0, 10)))
    _, answer, predicted = ask("certified", model, space, {"minimize": "y0"}, X, Y, distance=0.1)
    assert answer.status == ["no_answer"] and answer.certificate is None and np.isnan(predicted).all()


def test_near_the_data_and_on_a_plane_no_wrong_proof_is_given():
    model, space, X, Y = corner()
    plane = Space(space.inputs, (Linear((("x0", 1.0), ("x1", 1.0)), 5.0, 5.0),))
    _, answer, _ = ask("certified", model, plane, {"maximize": "y0"}, X, Y, distance=0.05)
    t = np.linspace(0, 5, 20_001)
    points = np.column_stack([t, 5 - t])
    points = points[distance(plane, X, points) <= 0.05]
    assert -answer.certificate["bound"] >= model.predict(points).max() - 1e-12
    assert answer.status != ["ok"] or distance(plane, X, answer.X)[0] <= 0.05
