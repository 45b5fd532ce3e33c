"""scikit-learn's regressors that are made of trees, as one set of arrays with their own bits.

Each adds up in its own way: a forest takes the mean; gradient boosting starts from a constant and adds each tree times
the learning rate; histogram boosting compares float64 and has the rate in its leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from preimage.support.errors import StudyError
from preimage.trees.forest import Forest, Nodes, assemble, float32_floor, nodes_of
from preimage.trees.links import IDENTITY, LINKED

# By the class of a loss's link.
LINKS = {"IdentityLink": IDENTITY, "LogLink": "exp"}


class Splits(NamedTuple):
    """A tree, and which values of their columns go left at some of its nodes, each given by its number (n,): (n,).

    `by_set` says which nodes split by sets of values, whose thresholds mean nothing (nodes,).
    """

    nodes: Nodes
    goes_left: Callable[[np.ndarray, np.ndarray], np.ndarray]
    by_set: np.ndarray


class Ensemble(NamedTuple):
    """Trees in their order, with what sums start from and are divided by (see `Forest`), and what is made of the sum at
    last (`trees.links`)."""

    trees: Sequence[Splits]
    start: np.ndarray
    divisor: float = 1.0
    link: str = IDENTITY


def from_estimator(model: Any) -> Forest:
    """Return the arrays of a fitted regressor. Raises StudyError, by name, for what arrays can't represent, and where
    their sum is not the output."""
    own = splits(model)
    if own.link != IDENTITY:
        raise StudyError(LINKED.format(own.link))
    return assembled(own, type(model).__name__)


def assembled(own: Ensemble, name: str) -> Forest:
    """Return trees of plain columns as arrays. Raises StudyError where some split by sets of values."""
    if any(tree.by_set.any() for tree in own.trees):
        raise StudyError(f"{name} has categorical splits, which are no thresholds")
    return assemble([tree.nodes for tree in own.trees], own.start, own.divisor)


def splits(model: Any) -> Ensemble:
    """Return the trees of a fitted regressor. Raises StudyError, by name, for one that is not made of trees."""
    name = type(model).__name__
    if name not in TREES:
        raise StudyError(f"{name} is not made of trees that can be searched; expected one of {', '.join(TREES)}")
    return TREES[name](model)


def _forest(model: Any) -> Ensemble:
    nodes = nodes_of(model)
    return Ensemble(_by_threshold(nodes), np.zeros(nodes[0].value.shape[1]), float(len(nodes)))


def _bagged(model: Any) -> Ensemble:
    """Return the trees of a bagging, each of which may see some of the columns."""
    trees = []
    for estimator, columns in zip(model.estimators_, model.estimators_features_, strict=True):
        if not hasattr(estimator, "tree_"):
            raise StudyError(f"BaggingRegressor of {type(estimator).__name__}, expected trees")
        nodes = _nodes(estimator.tree_, 1.0)
        inner = nodes.left >= 0
        trees.append(nodes._replace(feature=np.where(inner, np.asarray(columns)[np.maximum(nodes.feature, 0)], -1)))
    return Ensemble(_by_threshold(trees), np.zeros(trees[0].value.shape[1]), float(len(trees)))


def _single(model: Any) -> Ensemble:
    nodes = _nodes(model.tree_, 1.0)
    return Ensemble(_by_threshold([nodes]), np.zeros(nodes.value.shape[1]))


def _boosted(model: Any) -> Ensemble:
    first = model.init_
    if isinstance(first, str):  # "zero"
        start = np.zeros(1)
    elif hasattr(first, "constant_"):
        start = np.asarray(first.constant_, float).ravel()
    else:
        raise StudyError(f"GradientBoostingRegressor starts from a {type(first).__name__}, expected a constant")
    return Ensemble(_by_threshold([_nodes(tree.tree_, model.learning_rate) for tree in model.estimators_[:, 0]]), start)


def _nodes(tree: Any, rate: float) -> Nodes:
    value = rate * tree.value[:, :, 0]
    return Nodes(tree.children_left, tree.children_right, tree.feature, float32_floor(tree.threshold), value)


def _by_threshold(trees: Sequence[Nodes]) -> list[Splits]:
    def splits(tree: Nodes) -> Splits:
        def goes_left(nodes: np.ndarray, values: np.ndarray) -> np.ndarray:
            with np.errstate(over="ignore"):
                return np.asarray(values.astype(tree.threshold.dtype) <= tree.threshold[nodes])

        return Splits(tree, goes_left, np.zeros(len(tree.left), bool))

    return [splits(tree) for tree in trees]


def _histogram_boosted(model: Any) -> Ensemble:
    link = type(model._loss.link).__name__
    if link not in LINKS:
        raise StudyError(f"HistGradientBoostingRegressor with loss '{model.loss}': {link} can't be searched exactly")
    start = np.asarray(model._baseline_prediction, float).ravel()
    known = None if model.is_categorical_ is None else model._bin_mapper.make_known_categories_bitsets()
    return Ensemble([_of_records(stage[0], known) for stage in model._predictors], start, link=LINKS[link])


def _of_records(tree: Any, known: Any) -> Splits:
    """Return a tree of histogram boosting.

    Args:
        known: the categories of each column that has any, as bits, and the row that is a column's; None without.
    """
    nodes = tree.nodes
    leaf = nodes["is_leaf"].astype(bool)
    left, right = (np.where(leaf, -1, nodes[side].astype(np.int64)) for side in ("left", "right"))
    threshold, by_set = nodes["num_threshold"].copy(), nodes["is_categorical"].astype(bool) & ~leaf
    missing = nodes["missing_go_to_left"].astype(bool)

    def goes_left(at: np.ndarray, values: np.ndarray) -> np.ndarray:
        low, away = values <= threshold[at], np.isnan(values)
        for k in np.flatnonzero(by_set[at] & ~away):
            node, code = nodes[at[k]], int(values[k])
            low[k] = _holds(tree.raw_left_cat_bitsets[node["bitset_idx"]], code)
            away[k] = not low[k] and not _holds(known[0][known[1][node["feature_idx"]]], code)
        return np.where(away, missing[at], low)

    return Splits(Nodes(left, right, nodes["feature_idx"], threshold, nodes["value"][:, None]), goes_left, by_set)


def _holds(bits: np.ndarray, code: int) -> bool:
    return bool(int(bits[code // 32]) >> (code % 32) & 1)


TREES: Mapping[str, Callable[[Any], Ensemble]] = {
    "DecisionTreeRegressor": _single,
    "ExtraTreeRegressor": _single,
    "RandomForestRegressor": _forest,
    "ExtraTreesRegressor": _forest,
    "BaggingRegressor": _bagged,
    "GradientBoostingRegressor": _boosted,
    "HistGradientBoostingRegressor": _histogram_boosted,
}
