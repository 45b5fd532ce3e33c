"""Forests that learn from standardised columns: one model in any unit, and scikit-learn's own at every float64."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor

from preimage.data.rows import Rows
from preimage.support.errors import StudyError
from preimage.surrogates import protocol, random_forest
from preimage.surrogates.kinds.random_forest import RandomForest
from preimage.trees import domain, standardised

SPEC = {"trees": 20, "folds": 3}


def plane(n=120, seed=0):
    """y = 3a - b, noise-free, and points around the rows."""
    rng = np.random.default_rng(seed)
    X = rng.random((n, 2))
    return X, 3 * X[:, :1] - X[:, 1:], rng.random((500, 2))


def trained(X, Y, levels=None, **spec):
    rows = Rows.plain(X, Y)
    if levels is not None:
        rows = Rows(X, Y, rows.numbers, rows.inputs, rows.outputs, np.array(levels))
    return RandomForest(**(SPEC | spec)).train(rows, np.random.default_rng(0))


def forest(X, Y, levels=None, **settings):
    model = RandomForestRegressor(20, random_state=0, **settings)
    return standardised.fit(model, X, Y, np.zeros(X.shape[1], int) if levels is None else levels).forest


def mixed(n=300, seed=0):
    """Two numbers and categories of 5 and 3 values; two outputs of very different size."""
    rng = np.random.default_rng(seed)
    X = np.c_[rng.random(n), rng.integers(5, size=n), rng.random(n), rng.integers(3, size=n)].astype(float)
    level = np.array([3.0, 1.0, 2.0, 0.0, 7.0])[X[:, 1].astype(int)]
    return X, np.c_[X[:, 0] + level, 1e-6 * X[:, 2] * (X[:, 3] == 1)], np.array([0, 5, 0, 3])


# -- units -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("times", [2.0**-30, 2.0**30])
def test_powers_of_two_change_no_bit(times):
    X, Y, points = plane()
    plain, ours = forest(X, Y), forest(X * times, Y / times)
    assert np.array_equal(ours.predict(points * times), plain.predict(points) / times)
    assert np.array_equal(ours.spread(points * times), plain.spread(points) / times)
    assert np.array_equal(ours.threshold, plain.threshold * times)
    assert np.array_equal(ours.values, plain.values / times)


@pytest.mark.some(3)
@pytest.mark.parametrize(
    ("times", "plus"),
    [(1e-9, 0.0), (1e-6, 0.0), (1e9, 0.0), (1.0, 1e6), (1.0, -1e6), (1.0, 1e7), (1.0, 1.6e9), (3e-7, 0.3)],
)
@pytest.mark.parametrize(("y_times", "y_plus"), [(1.0, 0.0), (1e-12, 0.0), (1e12, 0.0), (1.0, 1e6), (1.0, 1e8)])
def test_a_forest_is_the_same_in_any_unit_from_any_origin(times, plus, y_times, y_plus):
    X, Y, points = plane()
    plain = forest(X, Y).predict(points)
    ours = forest(X * times + plus, Y * y_times + y_plus).predict(points * times + plus)
    off = np.abs((ours - y_plus) / y_times - plain)
    # Points beside a threshold may fall on its other side, where the place of both is rounded.
    size = np.abs(plus) / times * np.finfo(float).eps + np.abs(y_plus) / y_times * np.finfo(float).eps
    assert (off <= 1e-9 + 100 * size).mean() > 0.98
    assert off.mean() < 1e-3 * Y.std()


@pytest.mark.parametrize(("wild", "column"), [(1e12, "y"), (-1e12, "y"), (1e12, "x"), (-1e12, "x")])
def test_one_wild_row_leaves_the_others_as_they_are(wild, column):
    X, Y, _ = plane()
    (X if column == "x" else Y)[0, 0] = wild
    # Without its wild row a tree has a leaf for each of the others.
    found = forest(X, Y, min_samples_leaf=1).predict(X[1:])
    trees = forest(X, Y).values
    assert len(np.unique(trees)) > 100
    if column == "x":
        assert np.abs(found - Y[1:]).mean() < 0.1 * Y[1:].std()


def test_outputs_over_many_decades_keep_their_small_values():
    rng = np.random.default_rng(0)
    X = rng.random((300, 2))
    Y = np.exp(25 * X[:, :1]) * (1 + X[:, 1:])
    low = Y[:, 0] < 1000
    found = forest(X, Y, max_features=1.0).values
    assert np.log(np.unique(found[found < 1000])).std() > 1 and low.sum() > 20


def test_equal_outputs_end_a_branch_in_any_unit():
    X, Y, _ = plane(400)
    steps = np.round(Y, 0)
    sizes = [len(forest(X, steps * times + plus).feature) for times, plus in ((1, 0), (0.1, 0), (1e-9, 0), (0.3, 1e5))]
    assert max(sizes) < 1.1 * min(sizes) and max(sizes) < 0.5 * len(forest(X, Y).feature)


# -- thresholds --------------------------------------------------------------------------------------------------------


def around_thresholds(ours, X, rng):
    """Points of the rows with one input on and beside a threshold."""
    parts = [X]
    for j in np.unique(ours.feature[ours.feature >= 0]):
        at = np.unique(ours.threshold[ours.feature == j])
        for value in (at, np.nextafter(at, np.inf), np.nextafter(at, -np.inf)):
            moved = X[rng.integers(len(X), size=len(at))].copy()
            moved[:, j] = value
            parts.append(moved)
    return np.concatenate(parts)


@pytest.mark.parametrize("kind", [RandomForestRegressor, ExtraTreesRegressor])
@pytest.mark.parametrize(
    ("times", "plus"), [(1, 0), (1e-6, 0), (1e-9, 0), (1, 1e7), (1, 1.6e9), (1, -0.5), (1e9, -5e8), (1e-300, 0)]
)
def test_every_float_beside_a_threshold_reaches_the_leaf_that_scikit_learn_sends_it_to(kind, times, plus):
    X, Y, _ = plane()
    X = X * times + plus
    fitted = standardised.fit(kind(8, random_state=0), X, Y, np.zeros(2, int))
    points = around_thresholds(fitted.forest, X, np.random.default_rng(1))
    theirs = fitted.model.apply(fitted.inputs(points))
    for t, tree in enumerate(fitted.model.estimators_):
        expected = fitted.outputs.back(tree.tree_.value[theirs[:, t], :, 0])
        assert np.array_equal(fitted.forest.values[fitted.forest.leaves(points)[:, t]], expected)
    # A threshold is the last float that goes left: the next one makes a difference to its tree.
    node = np.flatnonzero(fitted.forest.feature >= 0)
    column, at = np.argsort(fitted.inputs.source)[fitted.forest.feature[node]], fitted.forest.threshold[node]
    shift, unit = fitted.inputs.shift[column], fitted.inputs.unit[column]
    left, right = (((v - shift) / unit).astype(np.float32) for v in (at, np.nextafter(at, np.inf)))
    assert (left < right).all()


# -- categories --------------------------------------------------------------------------------------------------------


def every_category(X, rng, n=3000):
    points = np.c_[rng.random(n), rng.integers(5, size=n), rng.random(n), rng.integers(3, size=n)].astype(float)
    return np.concatenate([X, points])


@pytest.mark.parametrize("kind", [RandomForestRegressor, ExtraTreesRegressor])
@pytest.mark.parametrize("options", [{}, {"max_depth": 4}, {"max_features": 0.3}, {"max_leaf_nodes": 20}])
def test_trees_on_categories_say_what_scikit_learn_says_of_their_columns(kind, options):
    X, Y, levels = mixed()
    fitted = standardised.fit(kind(10, random_state=0, **options), X, Y, levels)
    points = every_category(X, np.random.default_rng(1))
    expected = fitted.outputs.back(fitted.model.predict(fitted.inputs(points)))
    assert np.allclose(fitted.forest.predict(points), expected, rtol=0, atol=1e-11 * Y.std(axis=0))
    assert set(np.unique(fitted.forest.feature)) <= {-1, 0, 1, 2, 3}


def test_no_path_asks_what_it_knows():
    """On each path through a tree the values still possible shrink at every question."""
    X, Y, levels = mixed()
    ours = forest(X, Y, levels)
    end = np.r_[ours.roots[1:], len(ours.feature)]

    def walk(k, low, high):
        j = ours.feature[k]
        if j < 0:
            return 1
        assert low[j] < ours.threshold[k] < high[j]
        left_high, right_low = high.copy(), low.copy()
        left_high[j] = right_low[j] = ours.threshold[k]
        return 1 + walk(k + 1, low, left_high) + walk(ours.right[k], right_low, high)

    whole = np.array([-np.inf, 0.0, -np.inf, 0.0]), np.array([np.inf, 4.0, np.inf, 2.0])
    for root, stop in zip(ours.roots, end, strict=True):
        assert walk(root, *whole) == stop - root


def test_the_order_of_a_list_changes_nothing():
    X, Y, levels = mixed()
    points = every_category(X, np.random.default_rng(1))
    plain = trained(X, Y, levels)
    for seed in range(5):
        rng = np.random.default_rng(seed)
        places = {1: rng.permutation(5), 3: rng.permutation(3)}

        def turned(P, places=places):
            P = P.copy()
            for j, place in places.items():
                P[:, j] = place[P[:, j].astype(int)]
            return P

        other = trained(turned(X), Y, levels)
        assert np.array_equal(other.surrogate.predict(turned(points)), plain.surrogate.predict(points))
        assert np.array_equal(other.surrogate.spread(turned(points)), plain.surrogate.spread(points))
        for ours, theirs in zip(other.out_of_fold, plain.out_of_fold, strict=True):
            assert np.array_equal(ours, theirs)


def test_a_value_without_rows_goes_with_the_others():
    X, Y, levels = mixed()
    known = X[:, 1] != 2
    fitted = standardised.fit(RandomForestRegressor(10, random_state=0), X[known], Y[known], levels)
    points = every_category(X, np.random.default_rng(1))
    expected = fitted.outputs.back(fitted.model.predict(fitted.inputs(points)))
    assert np.allclose(fitted.forest.predict(points), expected, rtol=0, atol=1e-11 * Y.std(axis=0))


# -- the saved model, isolation ----------------------------------------------------------------------------------------


@pytest.mark.some(3)
@pytest.mark.parametrize("levels", [[0, 5, 0, 3], [0, 0, 0, 0], [0, 5, 0, 0]])
@pytest.mark.parametrize("m", [1, 2])
@pytest.mark.parametrize("plus", [0.0, 1e7])
def test_the_saved_estimator_predicts_in_the_users_units(tmp_path, levels, m, plus):
    import skops.io

    X, Y, _ = mixed()
    X[:, 0] = 1e-6 * X[:, 0]
    Y = Y[:, :m] + plus
    found = trained(X, Y, levels)
    found.save(tmp_path)
    said = random_forest.logged(tmp_path)
    loaded = skops.io.load(said["path"], trusted=said["trusted"])
    points = every_category(X, np.random.default_rng(1))
    points[:, 0] *= 1e-6
    frame = pd.DataFrame(points, columns=["x0", "x1", "x2", "x3"])
    expected = random_forest.load(tmp_path).predict(points)
    assert loaded.predict(frame).shape == ((len(points),) if m == 1 else (len(points), 2))
    assert np.allclose(loaded.predict(frame).reshape(len(points), -1), expected, rtol=0, atol=1e-11 * (1 + plus))
    assert list(loaded.feature_names_in_) == list(frame)


def test_isolation_is_the_same_in_any_unit_and_order_and_says_what_scikit_learn_says():
    X, _, levels = mixed()
    points = every_category(X, np.random.default_rng(1))
    plain = domain.isolation(X, 0.53, 0, levels)
    plain.check(points)
    assert 0.1 < plain.holds(points).mean() < 0.9

    def elsewhere(P):
        P = P * [1e-9, 1, 1e9, 1] + [0, 0, 1e15, 0]
        P[:, 1] = np.array([4, 2, 0, 1, 3])[P[:, 1].astype(int)]
        return P

    other = domain.isolation(elsewhere(X), 0.53, 0, levels)
    other.check(elsewhere(points))
    assert (np.abs(other.score(elsewhere(points)) - plain.score(points)) < 1e-12).mean() > 0.98


# -- models that say nothing -------------------------------------------------------------------------------------------


def test_a_constant_model_of_rows_that_vary_is_refused_in_any_unit():
    X, Y, _ = plane()
    for times, plus in ((1, 0), (1e-12, 0), (1e12, 0), (1, 1e8)):
        rows = Rows.plain(X, Y * times + plus)
        dull = RandomForest(**(SPEC | {"min_samples_leaf": 100})).train(rows, np.random.default_rng(0))
        with pytest.raises(StudyError, match=r"surrogate 'dull', output 'y0': found the constant .* at all 120"):
            protocol.refuse_constant("dull", dull.surrogate, rows)
        sound = RandomForest(**SPEC).train(rows, np.random.default_rng(0))
        protocol.refuse_constant("sound", sound.surrogate, rows)


def test_a_constant_model_of_a_constant_output_is_what_it_should_be():
    X, Y, _ = plane()
    rows = Rows.plain(X, np.c_[Y, np.full(len(Y), 0.1), 1e8 + 1e-9 * Y])
    found = RandomForest(**SPEC).train(rows, np.random.default_rng(0))
    protocol.refuse_constant("forest", found.surrogate, rows)
    assert np.allclose(found.surrogate.predict(X)[:, 1], 0.1, rtol=1e-14, atol=0)
