"""The fast forest answers with scikit-learn's own bits, wherever a point lies."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor

from preimage.trees.forest import Forest, float32_floor, from_sklearn

from ..conftest import examples

KINDS = {"random_forest": RandomForestRegressor, "extra_trees": ExtraTreesRegressor}


@st.composite
def fitted(draw):
    """Return a fitted model of some shape, and its training inputs."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, d, m = draw(st.integers(1, 60)), draw(st.integers(1, 5)), draw(st.integers(1, 3))
    X = rng.standard_normal((n, d)) * 10.0 ** rng.integers(-6, 7, d)
    if draw(st.booleans()):  # few values: ties, repeats, constant inputs
        X = np.round(rng.standard_normal((n, d)))
    Y = rng.standard_normal((n, m)) * 10.0 ** rng.integers(-3, 4, m)
    model = KINDS[draw(st.sampled_from(sorted(KINDS)))](
        draw(st.integers(1, 8)),
        max_depth=draw(st.none() | st.integers(1, 6)),
        min_samples_leaf=draw(st.integers(1, 5)),
        max_leaf_nodes=draw(st.none() | st.integers(2, 20)),
        max_features=draw(st.floats(0.2, 1.0)),
        bootstrap=draw(st.booleans()),
        criterion=draw(st.sampled_from(["squared_error", "absolute_error"])),
        random_state=draw(st.integers(0, 1000)),
        n_jobs=1,
    )
    return model.fit(X, Y if m > 1 else Y[:, 0]), X


def thresholds(model):
    """Return (input, threshold) of every inner node, float64."""
    trees = [e.tree_ for e in model.estimators_]
    inner = [t.children_left >= 0 for t in trees]
    feature = np.concatenate([t.feature[i] for t, i in zip(trees, inner, strict=True)])
    return feature, np.concatenate([t.threshold[i] for t, i in zip(trees, inner, strict=True)])


def around(value):
    """Return a number, its float32 rounding, and the neighbours of both in both precisions."""
    single = np.float32(value)
    near = [value, np.float64(single)]
    near += [np.nextafter(v, end) for v in near for end in (-np.inf, np.inf)]
    near += [np.float64(np.nextafter(single, np.float32(end))) for end in (-np.inf, np.inf)]
    # Halfway between neighbouring float32: where rounding turns.
    near += [(near[1] + v) / 2 for v in near[-2:]]
    return np.array(near)


def on_thresholds(model, X, rng, most=40):
    """Return points of the training rows with one input moved onto and around a threshold."""
    feature, threshold = thresholds(model)
    rows = []
    for k in rng.permutation(len(feature))[:most]:
        for value in around(threshold[k]):
            x = X[rng.integers(len(X))].copy()
            x[feature[k]] = value
            rows.append(x)
    return np.array(rows).reshape(-1, X.shape[1])


def expected(model, X):
    Y = model.predict(X)
    return Y[:, None] if Y.ndim == 1 else Y


@given(fitted(), st.integers(0, 2**32 - 1))
@examples(120)
def test_predict_is_scikit_learns_to_the_last_bit(case, seed):
    model, X = case
    rng = np.random.default_rng(seed)
    forest = from_sklearn(model)
    elsewhere = np.concatenate([X, X + rng.standard_normal(X.shape), 1e3 * rng.standard_normal((20, X.shape[1]))])
    for points in (X, elsewhere, on_thresholds(model, X, rng)):
        if len(points):
            assert np.array_equal(forest.predict(points), expected(model, points))


@given(fitted(), st.integers(0, 2**32 - 1))
def test_leaves_hold_what_each_tree_says_and_spread_is_their_standard_deviation(case, seed):
    model, X = case
    points = np.concatenate([X, on_thresholds(model, X, np.random.default_rng(seed), 5)])
    forest = from_sklearn(model)
    trees = np.stack([expected(e, points.astype(np.float32)) for e in model.estimators_], axis=1)
    assert np.array_equal(forest.values[forest.leaves(points)], trees)
    assert np.array_equal(forest.spread(points), trees.std(axis=1))


@given(fitted())
def test_leaves_tell_apart_what_scikit_learn_tells_apart(case):
    model, X = case
    ours, theirs = from_sklearn(model).leaves(X), model.apply(X)
    for t in range(len(model.estimators_)):
        assert np.array_equal(ours[:, t][:, None] == ours[:, t], theirs[:, t][:, None] == theirs[:, t])
    assert len(np.unique(ours)) == sum(len(np.unique(theirs[:, t])) for t in range(theirs.shape[1]))


@given(fitted())
def test_a_saved_forest_is_the_same_forest(tmp_path, case):
    model, X = case
    forest = from_sklearn(model)
    forest.save(tmp_path / "forest.npz")
    again = Forest.load(tmp_path / "forest.npz")
    for name in ("feature", "threshold", "right", "values", "roots"):
        ours, theirs = getattr(forest, name), getattr(again, name)
        assert ours.dtype == theirs.dtype and ours.tobytes() == theirs.tobytes()
    assert np.array_equal(again.predict(X), expected(model, X))


def test_the_same_forest_is_saved_as_the_same_bytes(tmp_path):
    rng = np.random.default_rng(0)
    model = RandomForestRegressor(5, random_state=0, n_jobs=1).fit(rng.random((50, 2)), rng.random(50))
    for name in ("a", "b"):
        from_sklearn(model).save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("limit", [None, 12])
def test_a_forest_of_ordinary_size_on_all_its_thresholds(limit):
    rng = np.random.default_rng(1)
    X = rng.random((700, 8)) * [540, 360, 200, 247, 32, 1145, 993, 365]
    y = X @ rng.random(8) + rng.standard_normal(700)
    model = RandomForestRegressor(30, max_leaf_nodes=limit, random_state=0, n_jobs=1).fit(X, y)
    points = on_thresholds(model, X, rng, 2000)
    forest = from_sklearn(model)
    assert np.array_equal(forest.predict(points), expected(model, points))
    # Not all the same leaf: the points do turn at the thresholds.
    _, threshold = thresholds(model)
    assert len(np.unique(forest.leaves(points)[:, 0])) > 5 and len(points) == 10 * min(2000, len(threshold))


def test_one_row_is_predicted_as_among_others():
    rng = np.random.default_rng(2)
    X = rng.random((300, 4))
    model = RandomForestRegressor(20, random_state=0, n_jobs=1).fit(X, X @ [1, 2, 3, 4])
    forest = from_sklearn(model)
    whole = forest.predict(X)
    assert np.array_equal(whole, np.concatenate([forest.predict(x[None]) for x in X]))
    assert np.array_equal(whole, forest.predict(np.asfortranarray(X)))
    assert forest.predict(X[:0]).shape == (0, 1) and forest.spread(X[:0]).shape == (0, 1)


@given(st.floats(-3e38, 3e38))
@example(-1e-46)
@example(1e-46)
@example(-0.0)
@example(16777217.0)
@example(0.1)
def test_float32_floor_is_the_largest_float32_not_above(value):
    (floor,) = float32_floor(np.array([value]))
    assert floor.dtype == np.float32
    assert floor <= value < np.nextafter(floor, np.float32(np.inf)).astype(np.float64)
