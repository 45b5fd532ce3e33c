"""A scikit-learn model that varies smoothly as arrays that exact searches bound: linear models, MLPRegressor and
GaussianProcessRegressor, behind scalers and encoders, with an affine transform of the target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from preimage.exact.forms import Columns, Form, Process
from preimage.support.errors import StudyError
from preimage.surrogates.brought import joined
from preimage.surrogates.brought.categories import Column
from preimage.surrogates.brought.layered import Layered, Neurons, Term
from preimage.surrogates.brought.skops_forest import ENCODERS, changes_nothing
from preimage.surrogates.brought.supported import NETWORK, PROCESS, SKLEARN_FORMS, TARGETS


def form(model: Any, columns: Sequence[Column], table: Callable[[np.ndarray], Any]) -> Form:
    """Return the arrays of a fitted model.

    Args:
        columns: the model's inputs as the study has them.
        table: what the model is given for points (n, d).

    Raises StudyError, by name, for what has no bounds.
    """
    model, after = _target(model)
    steps, last = _steps(model)
    kind = type(last).__name__
    if kind not in SKLEARN_FORMS:
        raise StudyError(f"{kind} has no proven bounds; expected trees or one of {', '.join(SKLEARN_FORMS)}")
    levels = np.array([len(column.categories) for column in columns], np.int64)
    encoded = Columns(np.arange(len(levels)), levels, np.zeros(len(levels)), np.ones(len(levels)))
    inputs = Neurons(int(np.maximum(levels, 1).sum()))
    before = _front(steps, levels, table, inputs)
    if kind == PROCESS:
        return _process(last, before, encoded, after)
    return joined.form([_network(last, before, after)], [1.0], inputs, encoded, False)


# -- models ------------------------------------------------------------------------------------------------------------


def _network(model: Any, before: Layered, after: tuple[np.ndarray, np.ndarray]) -> Layered:
    found = before
    if type(model).__name__ == NETWORK:
        for kernel, bias in zip(model.coefs_[:-1], model.intercepts_[:-1], strict=True):
            found = found.then(kernel, bias).activated(model.activation)
        found = found.then(model.coefs_[-1], model.intercepts_[-1]).activated(model.out_activation_)
    else:
        slopes = np.atleast_2d(np.asarray(model.coef_, float)).T
        found = found.then(slopes, np.broadcast_to(np.asarray(model.intercept_, float).ravel(), slopes.shape[1]))
    return found.scaled(*after)


def _process(model: Any, before: Layered, columns: Columns, after: tuple[np.ndarray, np.ndarray]) -> Form:
    """Return a Gaussian process: a constant times one RBF or Matern 5/2, with noise and constants added."""
    amplitude, constant, shape = _kernel(model.kernel_)
    rows = np.asarray(model.X_train_, float)
    (weights,) = (term.weights for term in before.terms.values())
    scale = weights.T @ weights
    if (scale[~np.eye(len(scale), dtype=bool)] != 0).any() or (weights != 0).sum() != len(weights):
        raise StudyError("GaussianProcessRegressor behind a step that drops or mixes columns has no proven bounds")
    # Each column that the kernel sees is one of ours: (z - centre) / scale.
    ours, theirs = np.nonzero(weights)
    factor, shift = weights[ours, theirs], before.offset[theirs]
    lengths = np.broadcast_to(np.asarray(shape.length_scale, float), len(rows[0]))[theirs] / np.abs(factor)
    own = (rows[:, theirs] - shift) / factor
    alpha = np.asarray(model.alpha_, float).reshape(len(rows), -1).T
    mean, deviation = (np.broadcast_to(v, len(alpha)).astype(float) for v in (model._y_train_mean, model._y_train_std))
    outer, added = (np.broadcast_to(v, len(alpha)) for v in after)
    m = len(alpha)
    return Process(
        columns,
        "rbf" if type(shape).__name__ == "RBF" else "matern52",
        outer * (mean + deviation * constant * alpha.sum(axis=1)) + added,
        np.abs(outer * deviation),
        np.tile(lengths, (m, 1)),
        np.tile(own / lengths, (m, 1, 1)),
        amplitude * alpha * np.sign(outer * deviation)[:, None],
    )


def _kernel(kernel: Any) -> tuple[float, float, Any]:
    """Return amplitude, constant and shape of a kernel. Raises StudyError for one that has no bounds."""
    name = type(kernel).__name__
    if name == "RBF" or (name == "Matern" and kernel.nu == 2.5):
        return 1.0, 0.0, kernel
    if name in ("Sum", "Product"):
        first, second = (_kernel(k) for k in (kernel.k1, kernel.k2))
        shapes = [part[2] for part in (first, second) if part[2] is not None]
        if name == "Sum" and len(shapes) < 2:
            return first[0] + second[0], first[1] + second[1], shapes[0] if shapes else None
        noise = any(_noisy(k) for k in (kernel.k1, kernel.k2))
        if name == "Product" and len(shapes) < 2 and not noise:
            # (a k + c) times a constant e, either way round.
            shaped, other = (second, first) if second[2] is not None else (first, second)
            return shaped[0] * other[1], shaped[1] * other[1], shapes[0] if shapes else None
    if name == "ConstantKernel":
        return 0.0, float(kernel.constant_value), None
    if name == "WhiteKernel":
        return 0.0, 0.0, None
    raise StudyError(
        f"kernel {kernel} has no proven bounds; expected a constant times one RBF or Matern(nu=2.5), beside constants "
        "and WhiteKernel"
    )


def _noisy(kernel: Any) -> bool:
    return "WhiteKernel" in repr(kernel)


# -- what stands before and behind -------------------------------------------------------------------------------------


def _target(model: Any) -> tuple[Any, tuple[np.ndarray, np.ndarray]]:
    """Return the model within a TransformedTargetRegressor, with factor and shift of its outputs."""
    if type(model).__name__ != "TransformedTargetRegressor":
        return model, (np.ones(1), np.zeros(1))
    return model.regressor_, inverse(model.transformer_)


def inverse(transformer: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return factor and shift of what a scaler of targets undoes. Raises StudyError for one that is not affine."""
    name = type(transformer).__name__
    if name == "FunctionTransformer" and transformer.inverse_func is None:
        return np.ones(1), np.zeros(1)
    if name not in TARGETS:
        raise StudyError(f"a target transformed by {name} has no proven bounds; expected {', '.join(TARGETS)}")
    factor, shift = scaling(transformer)
    return 1.0 / factor, -shift / factor


def scaling(scaler: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return factor and shift by column of a fitted scaler."""
    name, n = type(scaler).__name__, scaler.n_features_in_
    if name == "MinMaxScaler":
        if scaler.clip:
            raise StudyError("MinMaxScaler that clips has no proven bounds")
        return np.asarray(scaler.scale_, float), np.asarray(scaler.min_, float)
    scale = getattr(scaler, "scale_", None)
    factor = np.ones(n) if scale is None else 1.0 / np.asarray(scale, float)
    centre = getattr(scaler, "mean_" if name == "StandardScaler" else "center_", None)
    with_centre = getattr(scaler, "with_mean" if name == "StandardScaler" else "with_centering", False)
    return factor, -np.asarray(centre, float) * factor if with_centre and centre is not None else np.zeros(n)


def _steps(model: Any) -> tuple[list[Any], Any]:
    """Return the steps before a model, and the model."""
    from sklearn.pipeline import Pipeline

    steps = []
    while isinstance(model, Pipeline):
        steps += [step for _, step in model.steps[:-1]]
        model = model.steps[-1][1]
    return steps, model


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
