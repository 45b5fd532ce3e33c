"""A scikit-learn model as arrays of trees in the table's columns: an ensemble, or a pipeline that ends in one.

What stands before the trees must take each column by itself. Of a category every value is tried, so whatever an encoder
makes of it is known exactly, and a split becomes a set of values. Of a number it must never fall as the number rises,
as with a scaler: then a threshold becomes the largest float64 that still goes left, found by bisection on what the
pipeline itself computes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from preimage.support.errors import StudyError
from preimage.surrogates import ensembles
from preimage.surrogates.brought.categories import Column
from preimage.surrogates.ensembles import Splits
from preimage.trees.category_splits import as_thresholds
from preimage.trees.forest import Forest, Nodes, assemble
from preimage.trees.standardised import from_ordered, ordered

# Transformers that make one column of each, rising with it; and those of categories.
RISING = ("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler", "SimpleImputer", "FunctionTransformer")
# Inputs of a study are no larger.
FARTHEST = 1e100
ENCODERS = ("OneHotEncoder", "OrdinalEncoder", "TargetEncoder")


class Summed(NamedTuple):
    """Trees whose sum a link makes the output of (`trees.links`)."""

    forest: Forest
    link: str


def forest(model: Any, columns: Sequence[Column], table: Callable[[np.ndarray], Any]) -> Summed:
    """Return the arrays of a fitted model.

    Args:
        columns: the model's inputs as the study has them.
        table: what the model is given for points (n, d).

    Raises StudyError, by name, for what arrays can't represent.
    """
    steps, last = _parts(model)
    own = ensembles.splits(last)
    if not steps:
        return Summed(ensembles.assembled(own, type(last).__name__), own.link)
    front = _Front(steps, table, columns)
    nodes = map(front.nodes, own.trees, front.thresholds(own.trees))
    return Summed(assemble(list(nodes), own.start, own.divisor), own.link)


def _parts(model: Any) -> tuple[list[Any], Any]:
    """Return the steps before an ensemble, and the ensemble."""
    from sklearn.pipeline import Pipeline

    steps = []
    while isinstance(model, Pipeline):
        steps += [step for _, step in model.steps[:-1] if step not in (None, "passthrough")]
        model = model.steps[-1][1]
    if getattr(model, "_preprocessor", None) is not None:
        steps.append(model._preprocessor)
    return steps, model


class _Front:
    """What stands before the trees.

    Attributes:
        source: the input that each column comes from that the trees see (D,).
    """

    def __init__(self, steps: Sequence[Any], table: Callable[[np.ndarray], Any], columns: Sequence[Column]) -> None:
        self.steps, self.table = steps, table
        self.levels = np.array([len(column.categories) for column in columns])
        self.source = np.arange(len(columns))
        for step in steps:
            made = np.array(list(_sources(step, self.levels[self.source] > 0)), int)
            self.source = self.source[made]
        self.values = {j: self._of_every_value(int(j)) for j in np.flatnonzero(self.levels)}

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """Return the columns (n, D) that the trees see at points (n, d)."""
        found = self.table(X)
        for step in self.steps:
            found = step.transform(found)
        return np.asarray(found.toarray() if hasattr(found, "toarray") else found, float)

    def _of_every_value(self, j: int) -> np.ndarray:
        """Return the columns (levels, D) at each value of a category."""
        X = np.zeros((self.levels[j], len(self.levels)))
        X[:, j] = np.arange(self.levels[j])
        return self(X)

    def nodes(self, tree: Splits, threshold: np.ndarray) -> Nodes:
        """Return a tree that splits the table's columns, those that are numbers at thresholds (nodes,)."""
        inner = np.flatnonzero(tree.nodes.left >= 0)
        feature = np.full(len(tree.nodes.left), -1)
        feature[inner] = self.source[tree.nodes.feature[inner]]
        category = inner[self.levels[feature[inner]] > 0]
        by_set, goes_left = np.full(len(feature), -1), np.zeros((len(category), self.levels.max(initial=0)), bool)
        for row, node in enumerate(category):
            values = self.values[feature[node]][:, tree.nodes.feature[node]]
            goes_left[row, : len(values)] = tree.goes_left(np.full(len(values), node), values)
            by_set[node] = row
        nodes = tree.nodes._replace(feature=feature, threshold=threshold)
        return as_thresholds(nodes, by_set, goes_left, self.levels) if len(goes_left) else nodes

    def thresholds(self, trees: Sequence[Splits]) -> list[np.ndarray]:
        """Return the largest float64 of the inputs that goes left at each node (nodes,) that splits a number, by tree;
        0 at others."""
        out = [np.zeros(len(tree.nodes.left)) for tree in trees]
        numbers = [np.flatnonzero((t.nodes.left >= 0) & ~self._category(t.nodes.feature)) for t in trees]
        column = np.concatenate([t.nodes.feature[at] for t, at in zip(trees, numbers, strict=True)])
        ends = np.cumsum([len(at) for at in numbers])[:-1]
        low, high = ordered(np.full(len(column), -FARTHEST)), ordered(np.full(len(column), FARTHEST))
        while (low + 1 < high).any():
            middle = (low >> 1) + (high >> 1) + (low & high & 1)
            values = np.split(self._at(column, from_ordered(middle)), ends)
            left = [t.goes_left(at, v) for t, at, v in zip(trees, numbers, values, strict=True)]
            low, high = np.where(np.concatenate(left), middle, low), np.where(np.concatenate(left), high, middle)
        for threshold, at, last in zip(out, numbers, np.split(from_ordered(low), ends), strict=True):
            threshold[at] = last
        return out

    def _category(self, column: np.ndarray) -> np.ndarray:
        return np.asarray(self.levels[self.source[np.maximum(column, 0)]] > 0)

    def _at(self, column: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return columns (n,) that the trees see where the input that each comes from is x (n,)."""
        if not len(x):
            return x
        at, X = np.arange(len(x)), np.zeros((len(x), len(self.levels)))
        X[at, self.source[column]] = x
        return self(X)[at, column]


def _sources(step: Any, category: np.ndarray) -> Iterator[int]:
    """Yield the column that each column comes from which a step makes of those that it is given, of which some are
    categories (n,). Raises StudyError for a step that mixes columns."""
    name = type(step).__name__
    if name == "ColumnTransformer":
        for part, inner, _ in step.transformers_:
            given = np.array(step._transformer_to_input_indices[part], int)
            if not (isinstance(inner, str) and inner == "drop"):
                yield from given[list(_sources(inner, category[given]))].tolist()
    elif isinstance(step, str) or name in RISING:
        if name == "SimpleImputer" and len(step.get_feature_names_out()) != len(category):
            raise StudyError("SimpleImputer makes more or fewer columns than it is given, which can't be searched")
        if name == "FunctionTransformer" and not changes_nothing(step):
            raise StudyError("FunctionTransformer computes what can't be searched")
        yield from range(len(category))
    elif name == "Pipeline":
        made = np.arange(len(category))
        for _, inner in step.steps:
            made = made[list(_sources(inner or "passthrough", category[made]))]
        yield from made.tolist()
    elif name in ENCODERS:
        if not category.all():
            raise StudyError(f"{name} encodes an input that is no category in the study, which can't be searched")
        for k in range(len(step.categories_)):
            yield from [k] * (step._n_features_outs[k] if name == "OneHotEncoder" else 1)
    else:
        known = ", ".join(("ColumnTransformer", "Pipeline", *RISING, *ENCODERS))
        raise StudyError(f"{name} before the trees can't be searched; expected {known}")


def changes_nothing(step: Any) -> bool:
    """Whether a function changes nothing: none, or the check of scikit-learn's own histogram boosting."""
    return step.func is None or getattr(getattr(step.func, "func", None), "__name__", "") == "check_array"
