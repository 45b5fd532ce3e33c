"""Points judged by the draws around them, where inputs vary: by a model, or by a simulator."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from preimage.core.objective import Draws, Varied

# Varied points that a model is asked for at once: fixed, so that results don't depend on cores.
AT_ONCE = 8192
Outputs = Callable[[np.ndarray], np.ndarray]


class Judged(NamedTuple):
    """What is found of points (n, d) by the draws around them.

    Attributes:
        loss, violation: see `Varied.judged` (n,).
        value: the share that meets the objective, or the value that a tenth of production is worse than (n,).
    """

    loss: np.ndarray
    violation: np.ndarray
    value: np.ndarray


def judged(wanted: Varied, draws: Draws, outputs: Outputs, X: np.ndarray) -> Judged:
    """Judge points (n, d) by the outputs (n, m) of a model, or of a simulator; NaN for those that are NaN."""
    loss, violation = np.full((2, len(X)), np.nan)
    for at in parts(np.flatnonzero(~np.isnan(X).any(axis=1)), draws):
        if len(at):
            loss[at], violation[at] = wanted.judged(outputs_around(outputs, draws, X[at]))
    return Judged(loss, violation, wanted.value(loss))


def outputs_around(outputs: Outputs, draws: Draws, X: np.ndarray) -> np.ndarray:
    """Return the outputs (n, q, m) of the draws around points (n, d)."""
    P = draws.around(X)
    n, q, d = P.shape
    return outputs(P.reshape(n * q, d)).reshape(n, q, -1)


def parts(rows: np.ndarray, draws: Draws) -> list[np.ndarray]:
    """Return rows (n, ...) in parts, whose draws are few enough to be asked for at once."""
    size = max(1, AT_ONCE // len(draws.absolute))
    return [rows[k : k + size] for k in range(0, max(len(rows), 1), size)]


def tolerant(outputs: Outputs, width: int) -> Outputs:
    """Return a function that gives outputs (n, m), m being `width`, with NaN where another one raises: production may
    leave the bounds that a simulator can be asked within."""

    def call(X: np.ndarray) -> np.ndarray:
        try:
            return np.asarray(outputs(X), float)
        except Exception:
            if len(X) == 1:
                return np.full((1, width), np.nan)
            middle = len(X) // 2
            return np.concatenate([call(X[:middle]), call(X[middle:])])

    return call
