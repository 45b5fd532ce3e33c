"""Whether the trees of a loaded scikit-learn model point at nodes and columns that are there.

scikit-learn walks through them in compiled code that looks at no bounds: a damaged file, or one of bad will, would read
whatever lies beside the arrays, or end the process.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from preimage.support.errors import StudyError


def check(model: Any) -> None:
    """Raise StudyError where a tree of a fitted estimator, or of any within it, points out of its arrays."""
    for tree, columns in _trees(model):
        if not (_points_inside(tree, columns) if hasattr(tree, "node_count") else _records_inside(tree, columns)):
            raise StudyError("damaged: a tree points at nodes or columns that are not there")


def _trees(model: Any) -> Iterator[tuple[Any, int]]:
    """Yield every tree within a model, and how many columns it is given."""
    from sklearn.ensemble._forest import BaseForest
    from sklearn.ensemble._gb import BaseGradientBoosting
    from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
    from sklearn.tree._tree import Tree

    pending, seen = [(model, 0, False)], set()
    while pending:
        value, columns, held = pending.pop()
        key = (id(value), columns, held)
        if isinstance(value, (Tree, TreePredictor)):
            yield value, columns
        elif key not in seen:
            seen.add(key)
            if isinstance(value, dict):
                parts = list(value.values())
            elif isinstance(value, np.ndarray):
                parts = list(value.flat) if value.dtype == object else []
            elif isinstance(value, (list, tuple)):
                parts = list(value)
            else:
                parts = list(getattr(value, "__dict__", {}).values())
                own = getattr(value, "__dict__", {}).get("n_features_in_", columns)
                # An ensemble hands its own columns to its trees; others may make new ones of them.
                columns = min(own, columns) if held else own
                held = isinstance(value, (BaseForest, BaseGradientBoosting))
            pending += [(part, columns, held) for part in parts]


def _points_inside(tree: Any, columns: int) -> bool:
    if not 0 < tree.node_count <= tree.capacity:
        return False  # before its arrays are looked at, which are views of that length
    nodes = tree.__getstate__()["nodes"]
    return _inside(nodes["left_child"], nodes["right_child"], nodes["feature"], nodes["left_child"] != -1, columns)


def _records_inside(predictor: Any, columns: int) -> bool:
    nodes, sets = predictor.nodes, len(predictor.raw_left_cat_bitsets)
    by_set = nodes["is_categorical"].astype(bool) & ~nodes["is_leaf"].astype(bool)
    return bool(len(nodes) and (nodes["bitset_idx"][by_set] < sets).all()) and _inside(
        nodes["left"], nodes["right"], nodes["feature_idx"], ~nodes["is_leaf"].astype(bool), columns
    )


def _inside(left: np.ndarray, right: np.ndarray, feature: np.ndarray, splits: np.ndarray, columns: int) -> bool:
    """Whether each split leads to later nodes (so that every walk ends), by a column that is there."""
    at, end = np.flatnonzero(splits), len(splits)
    later = [(child[at] > at) & (child[at] < end) for child in (left, right)]
    return bool(np.all(later) and (feature[at] >= 0).all() and (feature[at] < columns).all())
