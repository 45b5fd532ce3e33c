"""scikit-learn models of trees whose output is no sum of theirs to the bit: with a logarithm for a link, of a
transformed target, or the mean of several (VotingRegressor)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from preimage.exact.linked_trees import LinkedTrees
from preimage.support.errors import StudyError
from preimage.surrogates.brought import skops_forest
from preimage.surrogates.brought.categories import Column
from preimage.surrogates.brought.skops_scalers import inverse
from preimage.surrogates.brought.supported import BAGGING, INVERSES, VOTING, WITHIN
from preimage.surrogates.ensembles import TREES
from preimage.trees.forest import Forest, last_left
from preimage.trees.links import IDENTITY

Table = Callable[[np.ndarray], Any]


class _Mean(NamedTuple):
    """Forests with the weight of each, what is added to their sum, and the link of that."""

    forests: list[tuple[Forest, float]]
    shift: float
    link: str


def form(model: Any, columns: Sequence[Column], table: Table) -> LinkedTrees | None:
    """Return the arrays of a fitted model; None where it is not made of trees.

    Raises StudyError, by name, for trees that arrays can't represent.
    """
    if not _of_trees(model):
        return None
    found = _mean(model, columns, table)
    if len(found.forests) == 1 and found.forests[0][1] == 1.0 and not found.shift:
        ((own, _),) = found.forests
        return LinkedTrees.of(own, (found.link,) * len(own.start), len(columns))
    joined = _joined(found)
    count = len(joined.roots) + len(found.forests)
    return LinkedTrees.of(joined, (found.link,) * len(joined.start), len(columns), 2.0 * (count + 8))


def _of_trees(model: Any) -> bool:
    """Whether a model is made of trees alone."""
    name = type(model).__name__
    if name in WITHIN:
        return _of_trees(_within(model))
    if name in (VOTING, BAGGING):
        return all(_of_trees(own) for own in model.estimators_)
    return name in TREES


def _within(model: Any) -> Any:
    return model.steps[-1][1] if type(model).__name__ == "Pipeline" else model.regressor_


def _mean(model: Any, columns: Sequence[Column], table: Table) -> _Mean:
    """Return the forests of a model, each behind the steps that stand before it."""
    from sklearn.pipeline import Pipeline

    steps, last = [], model
    while isinstance(last, Pipeline):
        steps += last.steps[:-1]
        last = last.steps[-1][1]

    def behind(own: Any) -> Any:
        return Pipeline([*steps, ("own", own)]) if steps else own

    name = type(last).__name__
    if name == VOTING:
        members = [_mean(behind(own), columns, table) for own in last.estimators_]
        weights = np.ones(len(members)) if last.weights is None else np.asarray(last._weights_not_none, float)
        return _voted(members, weights / weights.sum())
    if name == "TransformedTargetRegressor":
        return _transformed(_mean(behind(last.regressor_), columns, table), last.transformer_)
    own = skops_forest.forest(model, columns, table)
    return _Mean([(own.forest, 1.0)], 0.0, own.link)


def _voted(members: Sequence[_Mean], weights: np.ndarray) -> _Mean:
    if any(own.link != IDENTITY for own in members):
        raise StudyError("VotingRegressor of models with a link of their own has no proven bounds")
    forests = [(forest, w * of) for own, w in zip(members, weights.tolist(), strict=True) for forest, of in own.forests]
    return _Mean(forests, float(sum(w * own.shift for own, w in zip(members, weights, strict=True))), IDENTITY)


def _transformed(own: _Mean, transformer: Any) -> _Mean:
    """Return what undoing a transform of the target makes of forests."""
    if own.link != IDENTITY:
        raise StudyError("a transformed target of a model with a link of its own has no proven bounds")
    function = getattr(transformer, "inverse_func", None)
    if function is not None:
        name = getattr(function, "__name__", "")
        if name not in INVERSES:
            known = " or ".join(INVERSES)
            raise StudyError(f"a target transformed back by '{name}' has no proven bounds; expected numpy's {known}")
        return own._replace(link=name)
    factor, shift = inverse(transformer)
    if len(factor) > 1:
        raise StudyError("a transformed target of several outputs has no proven bounds on trees")
    forests = [(forest, weight * float(factor[0])) for forest, weight in own.forests]
    return _Mean(forests, own.shift * float(factor[0]) + float(shift[0]), IDENTITY)


def _joined(mean: _Mean) -> Forest:
    """Return forests as one: thresholds in float64, leaves with their weights."""
    parts, start = [], np.full(len(mean.forests[0][0].start), mean.shift)
    for forest, weight in mean.forests:
        share = weight / forest.divisor
        start = start + share * forest.start
        parts.append(replace(forest, threshold=last_left(forest.threshold), values=share * forest.values))
    nodes = np.cumsum([0, *(len(part.feature) for part in parts)])
    leaves = np.cumsum([0, *(len(part.values) for part in parts)])
    right = [
        np.where(part.feature < 0, part.right + leaf, part.right + node)
        for part, node, leaf in zip(parts, nodes, leaves, strict=False)
    ]
    return Forest(
        np.concatenate([part.feature for part in parts]),
        np.concatenate([part.threshold for part in parts]),
        np.concatenate(right).astype(np.int32),
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.roots + node for part, node in zip(parts, nodes, strict=False)]).astype(np.int32),
        start,
        1.0,
    )
