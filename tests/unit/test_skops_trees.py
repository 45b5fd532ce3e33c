"""Trees of a brought model that point out of their arrays are refused; every honest one passes."""

import numpy as np
import pytest
from sklearn.ensemble import (
    BaggingRegressor,
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
    VotingRegressor,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures
from sklearn.tree import DecisionTreeRegressor

from preimage.surrogates.brought import skops_trees

from ..conftest import refusal

X = np.random.default_rng(0).uniform(-1, 1, (120, 3))
Y = X[:, 0] - X[:, 1] ** 2
# Of more columns than are brought, and of fewer.
MADE = make_pipeline(PolynomialFeatures(2), RandomForestRegressor(2, random_state=0))
HONEST = [
    DecisionTreeRegressor(max_leaf_nodes=9),
    DecisionTreeRegressor(ccp_alpha=0.001),
    RandomForestRegressor(3, random_state=0),
    ExtraTreesRegressor(3, random_state=0),
    GradientBoostingRegressor(n_estimators=3),
    HistGradientBoostingRegressor(max_iter=3),
    BaggingRegressor(n_estimators=3, max_features=0.5, random_state=0),
    VotingRegressor([("a", MADE), ("b", DecisionTreeRegressor())]),
]


@pytest.mark.parametrize("model", HONEST, ids=lambda m: type(m).__name__)
def test_honest_trees_pass(model):
    model.fit(X, Y)
    assert list(skops_trees._trees(model))
    skops_trees.check(model)


@pytest.mark.parametrize(
    ("field", "value"), [("left_child", 0), ("right_child", 10**6), ("feature", 3), ("feature", -1)]
)
def test_a_tree_that_points_elsewhere_is_refused(field, value):
    model = RandomForestRegressor(2, random_state=0).fit(X, Y)
    tree = model.estimators_[1].tree_
    state = tree.__getstate__()
    state["nodes"] = state["nodes"].copy()
    state["nodes"][field][0] = value
    tree.__setstate__(state)
    assert "a tree points at" in refusal(skops_trees.check, model)


def test_a_tree_that_says_it_is_longer_than_it_is_is_refused():
    model = DecisionTreeRegressor().fit(X, Y)
    state = model.tree_.__getstate__()
    model.tree_.__setstate__({**state, "node_count": 10**6})
    assert "a tree points at" in refusal(skops_trees.check, model)


def test_a_tree_of_more_columns_than_its_forest_is_refused():
    model = RandomForestRegressor(2, random_state=0).fit(X, Y)
    model.n_features_in_ = 1
    assert "a tree points at" in refusal(skops_trees.check, model)


@pytest.mark.parametrize(("field", "value"), [("left", 0), ("right", 10**6), ("feature_idx", 3)])
def test_a_record_that_points_elsewhere_is_refused(field, value):
    model = HistGradientBoostingRegressor(max_iter=2).fit(X, Y)
    model._predictors[1][0].nodes[field][0] = value
    assert "a tree points at" in refusal(skops_trees.check, model)
