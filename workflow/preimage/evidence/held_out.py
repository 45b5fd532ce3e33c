"""What the held-out rows say of an objective: the only truth there is where nothing can be simulated.

The model is asked which held-out rows it takes to be nearest to the objective; what was measured there shows how far
such a promise can be trusted. Rows were held out before anything was trained, so nothing here was chosen by.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from preimage.core.objective import Objective

ROWS = 20


def promise(wanted: Objective, Y: np.ndarray, predicted: np.ndarray, inside: np.ndarray) -> dict[str, Any]:
    """Compare promise and measurement on the (at most 20) held-out rows that the model places nearest.

    Args:
        Y, predicted: measured and predicted outputs of the held-out rows (n, m).
        inside: which rows satisfy bounds, constraints and the objective's fixed inputs (n,).
    """
    rows = np.flatnonzero(inside)
    nearest = rows[np.lexsort((wanted.loss(predicted[rows]), wanted.violation(predicted[rows])))][:ROWS]
    c = list(dict.fromkeys([*wanted.columns, *(limit.column for limit in wanted.limits)]))
    met = wanted.met(Y[nearest]) if wanted.bounded else wanted.violation(Y[nearest]) == 0
    return {
        "rows": len(nearest),
        "predicted": _mean(predicted[nearest][:, c]),
        "measured": _mean(Y[nearest][:, c]),
        "rmse": np.sqrt(_array((Y - predicted)[nearest][:, c] ** 2)).tolist(),
        "met": int(met.sum()) if wanted.bounded or wanted.limits else None,
    }


def error(tests: Mapping[str, Mapping[str, float | None]], wanted: Objective) -> float:
    """Return how bad a model is at the outputs of an objective: the largest 1 - R2 on held-out rows; 0 of what is no
    model.

    Args:
        tests: errors by output (see `preimage.surrogates.metrics`); without an R2 where an output is constant there.
    """
    return max((1 - (tests[o]["r2"] or 0.0) for o in wanted.involved if o in tests), default=0.0)


def _array(values: np.ndarray) -> np.ndarray:
    return values.mean(axis=0) if len(values) else np.zeros(values.shape[1])


def _mean(values: np.ndarray) -> list[float]:
    return _array(values).tolist()
