"""Logarithms of expected improvements: they keep their slope where the improvement itself is rounded to 0.

Ament et al. 2023, "Unexpected improvements to expected improvement for Bayesian optimization".
"""

from __future__ import annotations

import numpy as np
from scipy.special import erfcx, log_ndtr, logsumexp, ndtr

ROOT_2PI = float(np.sqrt(2 * np.pi))
# Below it, 1 - |z| times Mills' ratio is 1 / z^2 to all digits that a difference leaves.
FAR = -1e4


def log_ramp(z: np.ndarray) -> np.ndarray:
    """Return log E[max(0, z + e)] for a standard normal e (equation 9 of Ament et al.)."""
    z = np.asarray(z, float)
    out = np.empty_like(z)
    near = z > -1
    a, b = z[near], z[~near]
    out[near] = np.log(np.exp(-0.5 * a * a) / ROOT_2PI + a * ndtr(a))
    rest = np.where(b < FAR, 1 / (b * b), 1 + b * np.sqrt(np.pi / 2) * erfcx(-b / np.sqrt(2)))
    out[~near] = -0.5 * b * b - np.log(ROOT_2PI) + np.log(rest)
    return out


def log_softplus(z: np.ndarray) -> np.ndarray:
    """Return log log(1 + exp(z)), which goes on falling like z itself where there is no improvement."""
    z = np.asarray(z, float)
    with np.errstate(divide="ignore"):
        return np.where(z > -30, np.log(np.logaddexp(0.0, np.maximum(z, -30.0))), z)


def log_between(low: float, high: float, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """Return the logarithm of the probability that a normal value lies in an interval, one end of which may be
    infinite."""
    a, b = (low - mean) / deviation, (high - mean) / deviation
    if high == np.inf:
        return np.asarray(log_ndtr(-a))
    if low == -np.inf:
        return np.asarray(log_ndtr(b))
    # Taken in the tail that is farther from the middle, where no digits cancel.
    turned = a > -b
    a, b = np.where(turned, -b, a), np.where(turned, -a, b)
    below, above = log_ndtr(a), log_ndtr(b)
    with np.errstate(divide="ignore"):
        return np.asarray(above + np.log1p(-np.exp(np.minimum(below - above, -1e-300))))


def log_mean(values: np.ndarray) -> np.ndarray:
    """Return the logarithm of the mean over draws (n,) of what has these logarithms (n, s)."""
    return np.asarray(logsumexp(values, axis=1) - np.log(values.shape[1]))
