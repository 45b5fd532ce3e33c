"""The known likelihood of a set of samples, for the methods that work on it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from preimage.inference.simulator import Simulator
from preimage.support.errors import StudyError

LogLikelihood = Callable[[np.ndarray], np.ndarray]
# Numbers that one call may hold: parameters times samples times coordinates.
CHUNK = 2**22


def needed(simulator: Simulator, kind: str) -> None:
    """Raise StudyError where the simulator's likelihood is not known."""
    if simulator.log_likelihood is None:
        raise StudyError(f"kind {kind}: the likelihood of '{simulator.name}' is not known; the other kinds simulate")


def of(simulator: Simulator, x: np.ndarray) -> LogLikelihood:
    """Return the log likelihood (k,) of one set of samples (n, D) as a function of parameters (k, d).

    Where it is no number, it is minus infinity.
    """
    call = simulator.log_likelihood
    assert call is not None
    rows = max(1, CHUNK // x.size)

    def log_likelihood(theta: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            parts = [call(x, theta[k : k + rows]) for k in range(0, len(theta), rows)]
        found = np.concatenate(parts) if parts else np.empty(0)
        return np.where(np.isnan(found), -np.inf, found)

    return log_likelihood
