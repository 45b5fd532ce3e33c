"""How good a model is on rows it never saw."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def metrics(Y: np.ndarray, predicted: np.ndarray, outputs: Sequence[str]) -> dict[str, dict[str, float | None]]:
    """Return R2 (None where the truth is constant), RMSE and MAE by output, for truth and prediction (n, m)."""
    error = predicted - Y
    total = ((Y - Y.mean(axis=0)) ** 2).sum(axis=0)
    out: dict[str, dict[str, float | None]] = {}
    for k, name in enumerate(outputs):
        r2 = 1 - float((error[:, k] ** 2).sum() / total[k]) if total[k] > 0 else None
        out[name] = {
            "r2": r2,
            "rmse": float(np.sqrt(np.mean(error[:, k] ** 2))),
            "mae": float(np.mean(np.abs(error[:, k]))),
        }
    return out


def coverage(Y: np.ndarray, low: np.ndarray, high: np.ndarray) -> list[float]:
    """Return the share of truths (n, m) inside their intervals, by output."""
    return ((low <= Y) & (high >= Y)).mean(axis=0).tolist()
