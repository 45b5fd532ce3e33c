"""Losses of fitted series: each a weighted sum of squared residuals, so that least squares can work on it; or the
deviance of a likelihood (`preimage.calibration.likelihoods`), which is a sum of squares too.

`msle` is scikit-learn's mean_squared_log_error (with log1p, weights normalised, the mean over series); `log` the same
of log without the 1, the least squares of log-normal noise; `mse` the mean squared error.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from preimage.calibration.likelihoods import LIKELIHOODS
from preimage.support.errors import StudyError, did_you_mean

KINDS = ("msle", "log", "mse", *LIKELIHOODS)
# On which scale a loss takes differences; likelihoods say it of themselves.
SCALES = {"msle": "logs of 1 more", "log": "logs", "mse": "values"}
# What a model gives in the place of a positive number, for the loss that takes its logarithm.
LEAST = 1e-300


def check(kind: str) -> str:
    """Return the name of a loss. Raises StudyError for an unknown one."""
    if kind not in KINDS:
        raise StudyError(f"loss: unknown loss '{kind}'{did_you_mean(kind, KINDS)}")
    return kind


def scale(kind: str) -> str:
    """Return on which scale a loss takes differences."""
    return LIKELIHOODS[kind].scale if kind in LIKELIHOODS else SCALES[kind]


def scaled(kind: str, values: Any, xp: ModuleType = np) -> Any:
    """Return values on the scale on which a loss takes differences; where it takes logarithms, those below 0 (by their
    real part) are clipped."""
    if scale(kind) == "values":
        return values
    clipped = xp.where(values.real > 0, values, 0 * values)
    if scale(kind) == "logs":
        return xp.log(xp.where(clipped.real > LEAST, clipped, LEAST))
    return xp.log1p(clipped) if not xp.iscomplexobj(values) else xp.log(1 + clipped)


def unscaled(kind: str, values: Any) -> Any:
    """Return what `scaled` gives values of."""
    return values if scale(kind) == "values" else np.exp(values) if scale(kind) == "logs" else np.expm1(values)


def size(kind: str, wanted: Any) -> Any:
    """Return what a relative error of 1 in a value is, on a loss's scale, of values on that scale."""
    return np.abs(wanted) if scale(kind) == "values" else 1 + np.abs(wanted)


def by_age(n: int, window: int | None, kind: str) -> np.ndarray:
    """Return the weights of n rows (n,), which sum to 1: 0 before the last min(window, n).

    Args:
        kind: `recent`, 1 / age with the newest row of age 1; `equal`.
    """
    weight = _of_age(n, window, kind)
    return weight / weight.sum()


def by_time(times: np.ndarray, window: int | None, kind: str) -> np.ndarray:
    """Return the weights of rows at times (n,), which sum to 1; those at one time, replicates, are of one age."""
    each, again = np.unique(times, return_inverse=True)
    weight = _of_age(len(each), window, kind)[again]
    return np.asarray(weight / weight.sum())


def _of_age(n: int, window: int | None, kind: str) -> np.ndarray:
    last = min(window or n, n)
    weight = np.zeros(n)
    weight[n - last :] = 1 / np.arange(last, 0, -1) if kind == "recent" else 1.0
    return weight
