"""A forest that learned from standardised columns, as one estimator of scikit-learn's in the user's units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from preimage.trees.standardised import Trees


def as_estimator(trees: Trees, names: Sequence[str]) -> Any:
    """Return a fitted pipeline that takes a table's inputs (these names; a category as its number in the study's list)
    and gives its outputs. It agrees with the arrays but for what rounding of outputs to whole numbers (see
    `standardised.Outputs`) takes from it.

    Its parts are fitted to a row of zeros, for what they learn from a table's shape, and are told the rest.
    """
    import pandas as pd
    from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
    from sklearn.dummy import DummyRegressor
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    inputs, outputs, m = trees.inputs, trees.outputs, len(trees.outputs.shift)
    numbers, categories = inputs.source[inputs.value < 0], np.flatnonzero(inputs.levels)
    values = [np.arange(inputs.levels[j], dtype=float) for j in categories]
    columns = ColumnTransformer(
        [
            ("numbers", StandardScaler(), numbers.tolist()),
            ("categories", OneHotEncoder(categories=values, sparse_output=False), categories.tolist()),
        ]
    ).fit(pd.DataFrame(np.zeros((1, len(names))), columns=list(names)))
    if len(numbers):
        _tell(columns.named_transformers_["numbers"], inputs.shift[: len(numbers)], inputs.unit[: len(numbers)])
    # The encoder has categories, and a category's values, in their order: they go where training had them.
    block = np.where(inputs.value < 0, np.arange(len(inputs.value)), inputs.source)
    at = np.lexsort((np.maximum(inputs.value, 0), block, inputs.value >= 0))
    order = ColumnTransformer([("order", "passthrough", np.argsort(at).tolist())]).fit(np.zeros((1, len(at))))
    back = TransformedTargetRegressor(DummyRegressor(), transformer=StandardScaler())
    back.fit(np.zeros((1, len(at))), np.zeros((1, m) if m > 1 else 1))
    _tell(back.transformer_, outputs.shift, outputs.step / outputs.weight)
    back.set_params(regressor=trees.model).regressor_ = trees.model
    return Pipeline([("columns", columns), ("order", order), ("forest", back)])


def _tell(scaler: Any, shift: np.ndarray, unit: np.ndarray) -> None:
    scaler.mean_, scaler.scale_, scaler.var_ = shift, unit, unit**2
