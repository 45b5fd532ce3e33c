"""A scikit-learn model in skops format, which names every type that loading it would construct."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from preimage.exact.forms import Form
from preimage.support import limits
from preimage.support.errors import StudyError
from preimage.surrogates.brought import skops_columns, skops_forest, skops_forms, skops_linked, skops_trees
from preimage.surrogates.brought.categories import Column
from preimage.surrogates.brought.signature import Signature
from preimage.trees.forest import Forest
from preimage.trees.links import IDENTITY, LINKED

# A forest of a hundred thousand trees has as many.
MOST_STEPS = 5_000_000
# What `HistGradientBoostingRegressor` checks numbers by; the only function that may be bound to arguments.
BOUND = "sklearn.utils.validation.check_array"
# What may be constructed beside what skops itself trusts (scikit-learn's estimators, numpy's arrays): scikit-learn's
# inner parts of regressors, none of which calls anything that a file could name.
TRUSTED = [
    BOUND,
    "functools.partial",
    "numpy.dtype",
    "scipy._lib.array_api_compat.numpy._aliases.asarray",
    "scipy.interpolate._bsplines.BSpline",
    "sklearn._loss.loss.HalfTweedieLoss",
    "sklearn._loss.loss.HalfTweedieLossIdentity",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    *(
        f"sklearn.gaussian_process.kernels.{name}"
        for name in (
            *(
                "CompoundKernel",
                "ConstantKernel",
                "DotProduct",
                "ExpSineSquared",
                "Exponentiation",
                "Matern",
                "Product",
            ),
            *("RBF", "RationalQuadratic", "Sum", "WhiteKernel"),
        )
    ),
    *(
        f"sklearn.metrics._dist_metrics.{name}Distance{bits}"
        for name in ("Chebyshev", "Euclidean", "Manhattan", "Minkowski")
        for bits in ("", "32", "64")
    ),
    "sklearn.neighbors._ball_tree.BallTree",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn.tree._tree.Tree",
    "sklearn.utils._bunch.Bunch",
]


class SkopsModel:
    """A regressor, asked in one thread: a forest on several adds its trees in another order each time."""

    def __init__(self, estimator: Any, columns: Sequence[Column] | None = None) -> None:
        self.estimator = estimator
        self.labels = skops_columns.labels(estimator, columns) if columns is not None else skops_columns.Labels()
        threads = [name for name in estimator.get_params() if name.rpartition("__")[2] == "n_jobs"]
        estimator.set_params(**dict.fromkeys(threads, 1))
        plain = [Column(f"x{k}") for k in range(getattr(estimator, "n_features_in_", 0))]
        self.columns = plain if columns is None else list(columns)

    @cached_property
    def names(self) -> list[str]:
        return [str(name) for name in getattr(self.estimator, "feature_names_in_", ())]

    def labelled(self, columns: Sequence[Column]) -> SkopsModel:
        """Return the model of points whose categories are positions in the study's lists: it is given a data frame with
        the labels that its encoders know. Raises StudyError where those are not the study's."""
        return SkopsModel(self.estimator, columns)

    @property
    def unknown(self) -> dict[str, list[str]]:
        return self.labels.unknown

    @property
    def signature(self) -> Signature:
        return Signature(getattr(self.estimator, "n_features_in_", None), None, tuple(self.names))

    @cached_property
    def resolution(self) -> float:
        """As of its numbers: a model that was trained on float32 answers in it."""
        count = self.signature.inputs or 1
        dtype = self._answer(np.zeros((1, count))).dtype
        return float(np.finfo(dtype if dtype.kind == "f" else float).eps)

    def predict(self, X: np.ndarray) -> np.ndarray:
        return self._answer(X).reshape(len(X), -1).astype(float)

    @cached_property
    def trees(self) -> Forest:
        """What exact searches take. Raises StudyError where this is no ensemble of trees whose sum is the output."""
        found = skops_forest.forest(self.estimator, self.columns, self._table)
        if found.link != IDENTITY:
            raise StudyError(LINKED.format(found.link))
        return found.forest

    def exact_form(self) -> Form:
        """Return the model as arrays that exact searches bound. Raises StudyError where there are none."""
        return self._form

    @cached_property
    def _form(self) -> Form:
        trees = skops_linked.form(self.estimator, self.columns, self._table)
        return skops_forms.form(self.estimator, self.columns, self._table) if trees is None else trees

    def _answer(self, X: np.ndarray) -> np.ndarray:
        return np.asarray(self.estimator.predict(self._table(X)))

    def _table(self, X: np.ndarray) -> Any:
        """Return points (n, d) as the model was fitted to them: a data frame, or an array where it knows no names."""
        if not self.labels.values:
            return pd.DataFrame(X, columns=self.names) if self.names else X
        columns = [
            x if values is None else values[x.astype(int)] for x, values in zip(X.T, self.labels.values, strict=True)
        ]
        if self.names:
            return pd.DataFrame(dict(zip(self.names, columns, strict=True)))
        return np.array([column.astype(object) for column in columns]).T


def read(path: Path) -> SkopsModel:
    """Load a model, if all that this would construct is on the list. Raises StudyError."""
    import skops.io
    from sklearn.base import is_regressor
    from sklearn.utils import check_array

    try:
        with limits.archive(path) as archive:
            _check_schema(json.loads(limits.document(archive, "schema.json")))
        strange = sorted(set(skops.io.get_untrusted_types(file=path)) - set(TRUSTED))
    except StudyError:
        raise
    except MemoryError:
        raise limits.too_much(path) from None
    except Exception as error:  # a schema that says anything at all
        raise StudyError(f"{path}: damaged, or no skops file ({_first_line(error)})") from None
    if strange:
        raise StudyError(
            f"{path}: loading it could run code: found the types {', '.join(strange)}, expected scikit-learn's own "
            "regressors and numpy's arrays"
        )
    try:
        model = skops.io.load(path, trusted=TRUSTED)
    except MemoryError:
        raise limits.too_much(path) from None
    except Exception as error:
        raise StudyError(f"{path}: can't be loaded ({_first_line(error)})") from None
    if not is_regressor(model):
        raise StudyError(f"{path}: found {type(model).__name__}, expected a regressor of scikit-learn")
    for part in skops_columns.parts(model):
        if isinstance(part, partial) and part.func is not check_array:
            raise StudyError(f"{path}: loading it could run code: found arguments of a function that is not {BOUND}")
    try:
        skops_trees.check(model)
    except Exception as error:  # attributes of any type
        raise StudyError(f"{path}: {_first_line(error)}") from None
    return SkopsModel(model)


def _check_schema(schema: Any) -> None:
    """Raise ValueError for parts that hold one another (`__id__`), few in number, which skops would walk through for
    ever: each time it comes to one, it goes through all in it again."""
    steps: dict[str, int] = {}

    def walk(value: Any) -> int:
        if isinstance(value, list):
            return sum(map(walk, value))
        if not isinstance(value, dict):
            return 0
        key = repr(value.get("__id__")) if "__id__" in value else None
        if key in steps:
            return steps[key]
        found = 1 + sum(map(walk, value.values()))
        if key is not None:
            steps[key] = found
        return found

    if (found := walk(schema)) > MOST_STEPS:
        raise ValueError(f"its parts hold one another: {found} steps to go through them, expected at most {MOST_STEPS}")


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
