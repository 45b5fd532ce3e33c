"""Trees whose sum is not the output itself: links of their libraries, transformed targets, means of several models."""

from functools import cache

import lightgbm
import numpy as np
import pandas as pd
import pytest
import skops.io
import xgboost
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
    VotingRegressor,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, QuantileTransformer, StandardScaler

import preimage
from preimage.core.space import Input, Space
from preimage.exact import bounding
from preimage.exact.model import Side
from preimage.study import user_models
from preimage.surrogates.model import Opened

from ..conftest import refusal

SIDE = np.linspace(0, 1, 201)
P = np.stack(np.meshgrid(SIDE, SIDE), axis=-1).reshape(-1, 2)
FRAME = pd.DataFrame(P, columns=["a", "b"])
RNG = np.random.default_rng(0)
# Thresholds lie between these, so that the grid meets every leaf.
X = pd.DataFrame(RNG.integers(0, 21, (250, 2)) / 20.0, columns=["a", "b"])
RATE = np.exp(1.5 * np.sin(6 * X["a"]) + 2 * X["b"])
COUNTS, SHARES = RNG.poisson(RATE), (RATE / RATE.max()).clip(0.01, 0.99)
SMALL = {"n_estimators": 12, "max_depth": 3}
ALONE = {"n_jobs": 1}


def _xgboost(objective, y):
    return xgboost.XGBRegressor(objective=objective, **SMALL, **ALONE).fit(X, y)


def _lightgbm(objective, y, **more):
    return lightgbm.LGBMRegressor(objective=objective, min_child_samples=5, verbose=-1, **SMALL, **ALONE, **more).fit(
        X, y
    )


def _forest():
    return RandomForestRegressor(6, max_depth=4, random_state=0)


MODELS = {
    "xgb poisson": lambda: _xgboost("count:poisson", COUNTS),
    "xgb gamma": lambda: _xgboost("reg:gamma", RATE),
    "xgb tweedie": lambda: _xgboost("reg:tweedie", COUNTS),
    "xgb logistic": lambda: _xgboost("reg:logistic", SHARES),
    "lgbm poisson": lambda: _lightgbm("poisson", COUNTS),
    "lgbm gamma": lambda: _lightgbm("gamma", RATE),
    "lgbm shares": lambda: _lightgbm("cross_entropy", SHARES),
    "lgbm roots": lambda: _lightgbm("regression", RATE - 2, reg_sqrt=True),
    "hist poisson": lambda: HistGradientBoostingRegressor(loss="poisson", max_iter=12, max_depth=3).fit(X, COUNTS),
    "hist gamma": lambda: make_pipeline(
        StandardScaler().set_output(transform="pandas"), HistGradientBoostingRegressor(loss="gamma", max_iter=9)
    ).fit(X, RATE),
    "log target": lambda: TransformedTargetRegressor(_forest(), func=np.log, inverse_func=np.exp).fit(X, RATE),
    "scaled target": lambda: TransformedTargetRegressor(
        make_pipeline(MinMaxScaler(), GradientBoostingRegressor(**SMALL)), transformer=StandardScaler()
    ).fit(X, RATE),
    "votes": lambda: VotingRegressor(
        [("f", _forest()), ("h", HistGradientBoostingRegressor(max_iter=9)), ("g", GradientBoostingRegressor(**SMALL))],
        weights=[1, 2, 0.5],
    ).fit(X, RATE),
}


@cache
def fitted(name):
    """Return a model, and what it predicts all over the grid."""
    model = MODELS[name]()
    return model, np.asarray(model.predict(FRAME), float)


def written(name, folder):
    model, _ = fitted(name)
    path = folder / f"m.{'ubj' if name.startswith('xgb') else 'txt' if name.startswith('lgbm') else 'skops'}"
    if name.startswith("xgb"):
        model.save_model(path)
    elif name.startswith("lgbm"):
        model.booster_.save_model(path)
    else:
        skops.io.dump(model, path)
    return str(path)


@pytest.mark.parametrize("name", MODELS)
def test_optima_and_what_is_out_of_reach_are_proven(name, tmp_path):
    path, (_, y) = written(name, tmp_path), fitted(name)
    entry = user_models.completed({"kind": "model", "path": path})
    assert entry["form"] == "linked" and "made_of_trees" not in entry
    space, near = {"a": (0, 1), "b": (0, 1)}, 2e-6 * np.ptp(y)
    best = preimage.certify(path, space, {"maximize": "y"})
    assert best.status == "proven" and best.value == pytest.approx(y.max(), abs=near) and best.bound >= y.max() - near
    least = preimage.certify(path, space, {"minimize": "y"}, constraints=[{"expression": "a + b >= 1"}])
    kept = y[P.sum(axis=1) >= 1].min()
    assert least.status == "proven" and kept - near - 0.05 * np.ptp(y) <= least.value <= kept + near
    beyond = {"within": {"y": {"at_least": float(y.max() + 1e-3 * np.ptp(y))}}}
    assert preimage.certify(path, space, beyond).status == "infeasible"
    assert preimage.certify(path, space, {"within": {"y": [float(y.max() - near), 1e9]}}).status == "proven"


@pytest.mark.parametrize("name", MODELS)
def test_nothing_that_a_library_predicts_is_beyond_the_bounds(name, tmp_path):
    path, (_, y) = written(name, tmp_path), fitted(name)
    model = Opened(user_models.completed({"kind": "model", "path": path})).of(["a", "b"], ["y"], P[:5])
    assert model.trees is None
    np.testing.assert_allclose(model.predict(P)[:, 0], y, rtol=2e-6)
    space = Space((Input("a", 0.0, 1.0), Input("b", 0.0, 1.0)))
    ends = [Side((1.0,), sign) for sign in (-1.0, 1.0)]
    bounded = bounding.box_model(model.exact_form(), space, ends, model.predict)
    rng = np.random.default_rng(1)
    start = rng.uniform(size=(40, 2))
    end = np.minimum(start + 10.0 ** rng.uniform(-3, 0, (40, 2)), 1.0)
    found, _ = bounded.bound(start, end, bounded.fresh(40))
    for k in range(40):
        inside = ((start[k] <= P) & (end[k] >= P)).all(axis=1)
        assert not inside.any() or (found[k, 0] <= y[inside].min() and y[inside].max() <= found[k, 1])


def test_what_is_not_a_rising_function_that_is_known_is_refused_by_name(tmp_path):
    def words(model):
        skops.io.dump(model.fit(X, RATE), tmp_path / "m.skops")
        return refusal(preimage.certify, tmp_path / "m.skops", {"a": (0, 1), "b": (0, 1)}, {"maximize": "y"})

    ranks = TransformedTargetRegressor(_forest(), transformer=QuantileTransformer(n_quantiles=20))
    assert "a target transformed by QuantileTransformer has no proven bounds" in words(ranks)
    roots = TransformedTargetRegressor(_forest(), func=np.sqrt, inverse_func=np.square, check_inverse=False)
    assert "square" in words(roots)


def test_methods_that_walk_through_trees_refuse_a_link(tmp_path):
    path = written("xgb poisson", tmp_path)
    entry = user_models.completed({"kind": "model", "path": path})
    model = Opened(entry).of(["a", "b"], ["y"], P[:5])
    assert "exp of the sum of trees" in refusal(model.refuse_unsearched, False)
