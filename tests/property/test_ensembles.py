"""Every ensemble of trees, as arrays, predicts as its library does: to the last bit, on thresholds too."""

import json

import lightgbm
import numpy as np
import pytest
import xgboost
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import (
    BaggingRegressor,
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeRegressor, ExtraTreeRegressor
from threadpoolctl import threadpool_limits

from preimage.core import objective
from preimage.inversion import asking
from preimage.inversion.question import Question
from preimage.surrogates import ensembles
from preimage.surrogates.brought import lightgbm_file, supported, ubjson, xgboost_file
from preimage.surrogates.ensembles import from_estimator

from ..conftest import examples, inverter, refusal
from .test_forest import around
from .test_forest_certificates import CERTIFIED, random_entry, small_space


def rows(rng, m=1):
    n, d = int(rng.integers(2, 80)), int(rng.integers(1, 4))
    X = rng.normal(size=(n, d)) * 10.0 ** rng.integers(-4, 5, d)
    kind = rng.random()
    if kind < 0.3:
        X = np.round(rng.normal(size=(n, d)) * 2)  # ties, and thresholds next to 0
    elif kind < 0.5:
        X = 1 + float(np.spacing(np.float32(1))) * rng.integers(0, 9, (n, d))  # neighbouring float32
    elif kind < 0.6:
        X = np.sign(X) * 10.0 ** rng.uniform(-40, -30, (n, d))  # next to what LightGBM takes for 0
    return X, rng.normal(size=(n, m)) * 10.0 ** rng.integers(-2, 4) + 10.0 ** rng.integers(-2, 4)


def points(forest, X, rng):
    """Points of the rows, elsewhere, and with one input on and around a threshold of the arrays or 0."""
    made = [X, X + rng.normal(size=X.shape), 1e3 * rng.normal(size=(20, X.shape[1])), np.zeros((1, X.shape[1]))]
    inner = np.flatnonzero(forest.feature >= 0)
    for k in rng.permutation(inner)[:40]:
        j, t = forest.feature[k], float(forest.threshold[k])
        for value in (*around(t), *around(float(np.nextafter(np.float32(t), np.float32(np.inf))))):
            x = X[rng.integers(len(X))].copy()
            x[j] = value
            made.append(x[None])
    return np.concatenate(made)


def sklearn_model(rng, kind, X, y):
    seed, leaves = int(rng.integers(1000)), int(rng.integers(2, 12))
    trees = int(rng.integers(1, 9))
    if kind is HistGradientBoostingRegressor:
        loss = str(rng.choice(["squared_error", "absolute_error"]))
        model = kind(max_iter=trees, max_leaf_nodes=leaves, min_samples_leaf=1, loss=loss, random_state=seed)
    elif kind is GradientBoostingRegressor:
        loss = str(rng.choice(["squared_error", "absolute_error", "huber", "quantile"]))
        first = None if rng.random() < 0.7 else "zero"
        model = kind(n_estimators=trees, max_depth=3, loss=loss, init=first, random_state=seed)
    elif kind is BaggingRegressor:
        inner = DecisionTreeRegressor(max_leaf_nodes=leaves) if rng.random() < 0.7 else None
        features = float(rng.uniform(0.5, 1))
        model = kind(inner, trees, max_features=features, random_state=seed, bootstrap_features=rng.random() < 0.3)
    elif kind in (DecisionTreeRegressor, ExtraTreeRegressor):
        model = kind(max_leaf_nodes=leaves, random_state=seed)
    else:
        model = kind(trees, max_leaf_nodes=leaves, random_state=seed, n_jobs=1)
    with threadpool_limits(1):
        return model.fit(X, y)


def xgboost_model(rng, X, Y):
    several = Y.shape[1] > 1
    settings_ = {
        "max_depth": int(rng.integers(1, 5)),
        "eta": float(rng.uniform(0.05, 1)),
        "objective": str(rng.choice(["reg:squarederror", "reg:absoluteerror", "reg:pseudohubererror"])),
        "tree_method": str(rng.choice(["hist", "exact"])),
        "num_parallel_tree": int(rng.integers(1, 3)),
        "subsample": 0.8,
        "nthread": 1,
        "seed": int(rng.integers(1000)),
        "verbosity": 0,
    }
    if rng.random() < 0.3 and not several:
        settings_ |= {"booster": "dart", "rate_drop": 0.5, "num_parallel_tree": 1}
    if several:
        settings_ |= {"tree_method": "hist", "objective": "reg:squarederror"}
        settings_ |= {"multi_strategy": str(rng.choice(["one_output_per_tree", "multi_output_tree"]))}
    data = xgboost.DMatrix(X, Y if several else Y[:, 0], feature_names=[f"x{j}" for j in range(X.shape[1])])
    return xgboost.train(settings_, data, int(rng.integers(1, 9)))


def lightgbm_model(rng, X, y, **more):
    settings_ = {
        "num_leaves": int(rng.integers(2, 9)), "min_data_in_leaf": 1, "min_data_in_bin": 1, "verbosity": -1,
        "objective": str(rng.choice(["regression", "regression_l1", "huber"])), "num_threads": 1,
        "learning_rate": float(rng.uniform(0.05, 1)), "seed": int(rng.integers(1000)), **more,
    }  # fmt: skip
    if rng.random() < 0.3 and not more:
        settings_ |= {"boosting": "rf", "bagging_fraction": 0.6, "bagging_freq": 1}
    return lightgbm.train(settings_, lightgbm.Dataset(X, y), int(rng.integers(1, 9)))


def brought(rng, library, tmp_path, m=1):
    """Return a model of some library: its arrays, its own predict (n, m), and its rows."""
    X, Y = rows(rng, m)
    return *fitted(rng, library, tmp_path, X, Y), X, Y


def fitted(rng, library, tmp_path, X, Y):
    """Return a model of some library of rows: its arrays, and its own predict (n, m)."""
    if library == "xgboost":
        model = xgboost_model(rng, X, Y)
        model.save_model(path := tmp_path / f"model.{rng.choice(['json', 'ubj'])}")
        read = xgboost_file.read(path).trees
        names = model.feature_names

        def own(P):
            return model.predict(xgboost.DMatrix(P, feature_names=names)).reshape(len(P), -1).astype(float)
    elif library == "lightgbm":
        model = lightgbm_model(rng, X, Y[:, 0])
        model.save_model(path := tmp_path / "model.txt")
        read = lightgbm_file.read(path).trees
        again = lightgbm.Booster(model_file=str(path))

        def own(P):
            return again.predict(P).reshape(len(P), -1)
    else:
        model = sklearn_model(rng, library, X, Y if Y.shape[1] > 1 else Y[:, 0])
        read = from_estimator(model)

        def own(P):
            with threadpool_limits(1):
                return model.predict(P).reshape(len(P), -1)

    return read, own


SINGLE = [GradientBoostingRegressor, HistGradientBoostingRegressor, "lightgbm"]
SEVERAL = [DecisionTreeRegressor, ExtraTreeRegressor, RandomForestRegressor, ExtraTreesRegressor, "xgboost"]
SEVERAL += [BaggingRegressor]


@pytest.mark.some(2)
@pytest.mark.parametrize("library", SINGLE + SEVERAL, ids=str)
@given(st.integers(0, 2**32 - 1))
@examples(30)
def test_the_arrays_predict_what_the_library_predicts(library, tmp_path, seed):
    rng = np.random.default_rng(seed)
    m = int(rng.integers(1, 3)) if library in SEVERAL else 1
    forest, own, X, _ = brought(rng, library, tmp_path, m)
    P = points(forest, X, rng)
    P = P[np.abs(P).max(axis=1) < 3e38]
    assert np.array_equal(forest.predict(P), own(P))


@pytest.mark.some(2)
@pytest.mark.parametrize("library", [*SINGLE, "xgboost", ExtraTreesRegressor], ids=str)
@given(st.integers(0, 2**32 - 1))
@examples(20)
def test_what_is_proven_is_what_every_cell_says(library, tmp_path, seed):
    """The optimum, and whether a band can be met, against the library's own word on both sides of every threshold."""
    rng = np.random.default_rng(seed)
    m = int(rng.integers(1, 3)) if library == "xgboost" else 1
    forest, own, X, Y = brought(rng, library, tmp_path, m)
    space = small_space(rng, X.shape[1], X)
    entry = random_entry(rng, Y)
    wanted = objective.build("o", entry, [f"y{k}" for k in range(m)], Y.std(axis=0), np.ptp(Y, axis=0))
    question = Question(space, wanted, forest.predict, X, Y, np.arange(len(X)), trees=forest)
    ((answer, predicted),) = asking.ask(inverter("certified", CERTIFIED), [question], np.random.default_rng(0))
    ((descents, reached),) = asking.ask(inverter("coordinate", {"starts": 6}), [question], np.random.default_rng(0))
    values = own(all_cells(forest, space))
    loss = wanted.loss(values)
    proof, found = answer.certificate, wanted.loss(predicted)[0]
    assert proof["closed"] and np.array_equal(predicted, own(answer.X)) and np.array_equal(reached, own(descents.X))
    assert (wanted.loss(reached) >= proof["bound"]).all()
    if len(wanted.columns) == 1:
        assert found == loss.min() == proof["bound"]
    else:
        scale = max(found, np.abs(values).max() ** (2 if wanted.bounded else 1))
        unit = 1e-9 if forest.start.dtype == np.float64 else 1e-5
        assert found == pytest.approx(loss.min(), rel=unit, abs=unit * scale) and proof["bound"] <= loss.min()
    assert proof["feasible"] == ("yes" if wanted.met(values, loss.min()).any() else "no")


def all_cells(forest, space):
    """Points on both sides of every threshold, found by bisection on what the arrays' comparison does."""
    axes = []
    for j, i in enumerate(space.inputs):
        if space.discrete[j]:
            axes.append(np.arange(space.low[j], space.high[j] + 1))
            continue
        values = {i.lower, i.upper}
        for t in np.unique(forest.threshold[forest.feature == j]):
            a, b = -3e38, 3e38
            while a < (middle := a / 2 + b / 2) < b:
                a, b = (middle, b) if forest.threshold.dtype.type(middle) <= t else (a, middle)
            values |= {v for v in (a, b) if i.lower <= v <= i.upper}
        axes.append(np.array(sorted(values)))
    return np.stack([g.ravel() for g in np.meshgrid(*axes)], axis=1)


# -- what is refused ---------------------------------------------------------------------------------------------------


def data(n=200):
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(0, 6, n), rng.normal(size=n)]).astype(float)
    return X, np.where(np.isin(X[:, 0], [1, 4]), 5.0, 0.0) + X[:, 1] ** 2


def test_scikit_learns_that_no_arrays_represent_are_refused_by_name():
    X, y = data()
    made = HistGradientBoostingRegressor(categorical_features=[0], max_iter=3).fit(X, y)
    assert "categorical" in refusal(from_estimator, made)
    made = HistGradientBoostingRegressor(loss="poisson", max_iter=3).fit(X, y)
    assert "the output is exp of the sum of trees" in refusal(from_estimator, made)
    made = GradientBoostingRegressor(init=RandomForestRegressor(2), n_estimators=2).fit(X, y)
    assert "starts from a RandomForestRegressor, expected a constant" in refusal(from_estimator, made)
    from sklearn.linear_model import Ridge

    assert "Ridge is not made of trees" in refusal(from_estimator, Ridge().fit(X, y))
    assert set(ensembles.TREES) == supported.SKLEARN_TREES


@pytest.mark.parametrize(
    ("settings_", "said"),
    [
        ({"objective": "rank:pairwise"}, "objective 'rank:pairwise': no sum of trees"),
        ({"booster": "gblinear"}, "booster 'gblinear', expected gbtree or dart"),
    ],
)
def test_xgboost_models_that_are_no_sums_of_thresholds_are_refused_by_name(settings_, said, tmp_path):
    X, y = data()
    xgboost.train({**settings_, "verbosity": 0}, xgboost.DMatrix(X, y + 1), 3).save_model(path := tmp_path / "m.json")
    assert said in refusal(xgboost_file.read, path)


@pytest.mark.parametrize(
    ("settings_", "said"),
    [
        ({"objective": "cross_entropy_lambda"}, "objective 'cross_entropy_lambda': no sum of trees"),
        ({"zero_as_missing": True}, "takes 0 for missing"),
        ({"linear_tree": True, "objective": "regression"}, "linear trees, expected constant leaves"),
    ],
)
def test_lightgbm_models_that_are_no_sums_of_thresholds_are_refused_by_name(settings_, said, tmp_path):
    X, y = data()
    lightgbm_model(np.random.default_rng(1), X, np.clip(y, 0, 1), **settings_).save_model(path := tmp_path / "m.txt")
    assert said in refusal(lightgbm_file.read, path)


@pytest.mark.parametrize("kind", ["json", "ubj", "txt"])
def test_damaged_files_are_one_message(kind, tmp_path):
    X, y = data()
    if kind == "txt":
        lightgbm_model(np.random.default_rng(0), X, y).save_model(path := tmp_path / "m.txt")
        read = lightgbm_file.read
    else:
        xgboost_model(np.random.default_rng(0), X, y[:, None]).save_model(path := tmp_path / f"m.{kind}")
        read = xgboost_file.read
    whole = path.read_bytes()
    rng = np.random.default_rng(2)
    for k in range(150):
        cut = int(rng.integers(0, len(whole) - 1))
        path.write_bytes(whole[:cut] if k % 2 else whole[:cut] + rng.bytes(3) + whole[cut + 20 :])
        try:
            model = read(path)
        except Exception as error:
            assert type(error).__name__ == "StudyError" and "\n" not in str(error)
        else:
            model.trees.predict(X)  # what is read can be asked, and ends
    path.write_bytes(b"")
    assert "no " in refusal(read, path)


def test_ubjson_is_json_with_other_bytes(tmp_path):
    X, y = data()
    model = xgboost_model(np.random.default_rng(3), X, y[:, None])
    for kind in ("json", "ubj"):
        model.save_model(tmp_path / f"m.{kind}")
    a = json.loads((tmp_path / "m.json").read_text())
    b = ubjson.loads((tmp_path / "m.ubj").read_bytes())
    assert a.keys() == b.keys() and a["learner"]["objective"] == b["learner"]["objective"]
    boosters = [v["learner"]["gradient_booster"] for v in (a, b)]
    trees = [booster.get("gbtree", booster)["model"]["trees"] for booster in boosters]
    for one, other in zip(*trees, strict=True):
        assert one.keys() == other.keys()
        for key in ("split_conditions", "left_children", "split_indices"):
            assert np.array_equal(np.asarray(one[key], np.float32), np.asarray(other[key], np.float32))


def test_a_model_that_stopped_early_predicts_up_to_its_best_iteration(tmp_path):
    X, y = data()
    model = xgboost.XGBRegressor(n_estimators=60, early_stopping_rounds=3, learning_rate=0.9, nthread=1)
    noise = np.random.default_rng(5).normal(size=len(y)) * 5
    model.fit(X, y + noise, eval_set=[(X, y - noise)], verbose=False)
    assert model.best_iteration < 59
    model.save_model(path := tmp_path / "m.ubj")
    assert np.array_equal(xgboost_file.read(path).predict(X)[:, 0], model.predict(X).astype(float))
