"""scikit-learn's regressors that are made of trees, as one set of arrays with their own bits.

Each adds up in its own way: a forest takes the mean; gradient boosting starts from a constant and adds each tree times
the learning rate; histogram boosting compares float64 and has the rate in its leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from preimage.support.errors import StudyError
from preimage.trees.forest import Forest, Nodes, assemble, float32_floor, from_sklearn


def from_estimator(model: Any) -> Forest:
    """Return the arrays of a fitted regressor. Raises StudyError, by name, for what arrays can't represent."""
    name = type(model).__name__
    if name not in TREES:
        raise StudyError(f"{name} is not made of trees that can be searched; expected one of {', '.join(TREES)}")
    return TREES[name](model)


def _single(model: Any) -> Forest:
    nodes = _nodes(model.tree_, 1.0)
    return assemble([nodes], np.zeros(nodes.value.shape[1]))


def _boosted(model: Any) -> Forest:
    first = model.init_
    if isinstance(first, str):  # "zero"
        start = np.zeros(1)
    elif hasattr(first, "constant_"):
        start = np.asarray(first.constant_, float).ravel()
    else:
        raise StudyError(f"GradientBoostingRegressor starts from a {type(first).__name__}, expected a constant")
    return assemble([_nodes(tree.tree_, model.learning_rate) for tree in model.estimators_[:, 0]], start)


def _nodes(tree: Any, rate: float) -> Nodes:
    value = rate * tree.value[:, :, 0]
    return Nodes(tree.children_left, tree.children_right, tree.feature, float32_floor(tree.threshold), value)


def _histogram_boosted(model: Any) -> Forest:
    link = type(model._loss.link).__name__
    if link != "IdentityLink":
        raise StudyError(f"HistGradientBoostingRegressor with loss '{model.loss}': its sum of trees is not the output")
    if model.is_categorical_ is not None:
        raise StudyError("HistGradientBoostingRegressor has categorical features: their splits are no thresholds")
    start = np.asarray(model._baseline_prediction, float).ravel()
    return assemble([_of_records(stage[0].nodes) for stage in model._predictors], start)


def _of_records(nodes: np.ndarray) -> Nodes:
    if nodes["is_categorical"].any():
        raise StudyError("HistGradientBoostingRegressor has categorical splits, which are no thresholds")
    leaf = nodes["is_leaf"].astype(bool)
    left, right = (np.where(leaf, -1, nodes[side].astype(np.int64)) for side in ("left", "right"))
    # What is missing has a way of its own, which no input of a study takes.
    return Nodes(left, right, nodes["feature_idx"], nodes["num_threshold"].copy(), nodes["value"][:, None])


TREES: Mapping[str, Callable[[Any], Forest]] = {
    "DecisionTreeRegressor": _single,
    "ExtraTreeRegressor": _single,
    "RandomForestRegressor": from_sklearn,
    "ExtraTreesRegressor": from_sklearn,
    "GradientBoostingRegressor": _boosted,
    "HistGradientBoostingRegressor": _histogram_boosted,
}
