"""A scikit-learn model that varies smoothly as arrays that exact searches bound: linear models, MLPRegressor and
GaussianProcessRegressor, behind scalers and encoders, with an affine transform of the target, and means of several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from preimage.exact.forms import Columns, Form, Total
from preimage.support.errors import StudyError
from preimage.surrogates.brought import joined, skops_processes
from preimage.surrogates.brought.categories import Column
from preimage.surrogates.brought.layered import Layered, Neurons, Term
from preimage.surrogates.brought.skops_forest import ENCODERS, changes_nothing
from preimage.surrogates.brought.skops_members import Member, Some, members
from preimage.surrogates.brought.skops_scalers import scaling
from preimage.surrogates.brought.supported import NETWORK, SKLEARN_FORMS, TARGETS


def form(model: Any, columns: Sequence[Column], table: Callable[[np.ndarray], Any]) -> Form:
    """Return the arrays of a fitted model.

    Args:
        columns: the model's inputs as the study has them.
        table: what the model is given for points (n, d).

    Raises StudyError, by name, for what has no bounds.
    """
    levels = np.array([len(column.categories) for column in columns], np.int64)
    encoded = Columns(np.arange(len(levels)), levels, np.zeros(len(levels)), np.ones(len(levels)))
    inputs = Neurons(int(np.maximum(levels, 1).sum()))
    each = list[tuple[Member, Layered]]()
    for member in members(model):
        kind = type(member.model).__name__
        if kind not in SKLEARN_FORMS:
            raise StudyError(f"{kind} has no proven bounds; expected trees or one of {', '.join(SKLEARN_FORMS)}")
        each.append((member, _front(member.steps, levels, table, inputs)))
    processes = [pair for pair in each if SKLEARN_FORMS[type(pair[0].model).__name__] == "process"]
    networks = [pair for pair in each if SKLEARN_FORMS[type(pair[0].model).__name__] != "process"]
    found = list[Form]()
    if networks:
        shares = [member.share for member, _ in networks]
        found.append(joined.form([_network(*pair) for pair in networks], shares, inputs, encoded, False))
    if processes:
        found.append(skops_processes.form(processes, encoded))
    return found[0] if len(found) == 1 else Total(encoded, tuple(found))


def _network(member: Member, before: Layered) -> Layered:
    model, found = member.model, before
    if type(model).__name__ == NETWORK:
        for kernel, bias in zip(model.coefs_[:-1], model.intercepts_[:-1], strict=True):
            found = found.then(kernel, bias).activated(model.activation)
        found = found.then(model.coefs_[-1], model.intercepts_[-1]).activated(model.out_activation_)
    else:
        slopes = np.atleast_2d(np.asarray(model.coef_, float)).T
        found = found.then(slopes, np.broadcast_to(np.asarray(model.intercept_, float).ravel(), slopes.shape[1]))
    return found.scaled(member.factor, member.shift)


# -- what stands before ------------------------------------------------------------------------------------------------


class _Made(NamedTuple):
    """A column that steps make: the input that it comes from; of a number, its factor and shift."""

    source: int
    factor: float = 1.0
    shift: float = 0.0


def _front(steps: Sequence[Any], levels: np.ndarray, table: Callable[[np.ndarray], Any], inputs: Neurons) -> Layered:
    """Return what steps make of columns, a category being one column of 0 and 1 for each of its values: of a category
    every value is tried."""
    made = [_Made(j) for j in range(len(levels))]
    for step in steps:
        made = _columns(step, made, levels > 0)
    width = np.maximum(levels, 1)
    first = np.cumsum(width) - width
    weights, offset = np.zeros((int(width.sum()), len(made))), np.zeros(len(made))
    for j in np.flatnonzero(levels):
        X = np.zeros((levels[j], len(levels)))
        X[:, j] = np.arange(levels[j])
        found = table(X)
        for step in steps:
            found = found if step in (None, "passthrough") else step.transform(found)
        values = np.asarray(found.toarray() if hasattr(found, "toarray") else found, float)
        own = [k for k, column in enumerate(made) if column.source == j]
        weights[first[j] : first[j] + levels[j], own] = values[:, own]
    for k, (source, factor, shift) in enumerate(made):
        if not levels[source]:
            weights[first[source], k], offset[k] = factor, shift
    return Layered({inputs: Term(weights, np.abs(weights))}, offset, np.abs(offset), 4.0 * (len(steps) + 1))


def _columns(step: Any, given: list[_Made], category: np.ndarray) -> list[_Made]:
    """Return the columns that a step makes of those that it is given. Raises StudyError for one that mixes them, or
    makes of a number what is not affine."""
    name = type(step).__name__
    if step is None or isinstance(step, str) or (name == "FunctionTransformer" and changes_nothing(step)):
        return given
    if name == "Pipeline":
        for _, inner in step.steps:
            given = _columns(inner, given, category)
        return given
    if name == "ColumnTransformer":
        return [
            column
            for part, inner, _ in step.transformers_
            if not (isinstance(inner, str) and inner == "drop")
            for column in _columns(inner, [given[k] for k in step._transformer_to_input_indices[part]], category)
        ]
    if name == "SimpleImputer" and len(step.get_feature_names_out()) == len(given):
        return given
    if isinstance(step, Some):
        return [given[k] for k in step.columns]
    if name in TARGETS:
        return [
            _Made(source, own * factor, own * shift + more)
            for (source, factor, shift), own, more in zip(given, *scaling(step), strict=True)
        ]
    if name in ENCODERS and all(category[column.source] for column in given):
        many = step._n_features_outs if name == "OneHotEncoder" else [1] * len(given)
        return [column for column, count in zip(given, many, strict=True) for _ in range(count)]
    known = ", ".join(("ColumnTransformer", "Pipeline", "SimpleImputer", *TARGETS, *ENCODERS))
    raise StudyError(f"{name} before the model has no proven bounds; expected {known} (encoders of categories alone)")
