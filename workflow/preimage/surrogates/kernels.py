"""Covariance of a Gaussian process: amplitude * k(r) + noise where two rows are the same row.

r is the distance of two points after each input was divided by a length scale of its own (Rasmussen and Williams 2006,
"Gaussian Processes for Machine Learning", sections 4.2 and 5.1). Shapes are written in r^2, whose derivatives need no
care where r is 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.linalg import cholesky
from scipy.spatial.distance import cdist

from preimage.support.errors import StudyError

# The least noise, as a share of the amplitude: rounding error of n terms, then up to this many times ten times that.
RAISES = 8


@dataclass(frozen=True)
class Hyperparameters:
    """Amplitude and noise are variances; `lengths` (d,) are in the units of the points."""

    amplitude: float
    noise: float
    lengths: np.ndarray

    def to_log(self) -> np.ndarray:
        """Return the logarithms of amplitude, noise and lengths, in this order, (2 + d,)."""
        return np.log([self.amplitude, self.noise, *self.lengths])

    @classmethod
    def from_log(cls, theta: np.ndarray) -> Hyperparameters:
        amplitude, noise, *lengths = np.exp(theta)
        return cls(float(amplitude), float(noise), np.array(lengths))

    def by_column(self, shared: np.ndarray | None) -> Hyperparameters:
        """Return these with a length for each column of the points, given which of the lengths each has (D,), if not
        its own."""
        return self if shared is None else replace(self, lengths=self.lengths[shared])


@dataclass(frozen=True)
class Kernel:
    """A shape k(r^2), of arrays of any size.

    Attributes:
        with_slope: the shape and its derivative by r^2, which share their exponential.
        traceable: the shape in JAX's numpy, which is its first argument.
    """

    value: Callable[[np.ndarray], np.ndarray]
    with_slope: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    traceable: Callable[[Any, Any], Any]


def _rbf(squared: np.ndarray) -> np.ndarray:
    out = squared * -0.5
    return np.exp(out, out=out)


def _rbf_with_slope(squared: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    value = _rbf(squared)
    return value, -0.5 * value


def _matern52(squared: np.ndarray) -> np.ndarray:
    s = np.sqrt(5 * squared)
    return (1 + s + s * s / 3) * np.exp(-s)


def _matern52_with_slope(squared: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    s = np.sqrt(5 * squared)
    decay = np.exp(-s)
    return (1 + s + s * s / 3) * decay, (-5 / 6) * (1 + s) * decay


def _matern52_traceable(jnp: Any, squared: Any) -> Any:
    # The root has no derivative at 0, where the kernel's is 0 by r: the floor keeps NaN out of it.
    s = jnp.sqrt(5 * jnp.maximum(squared, 1e-30))
    return (1 + s + s * s / 3) * jnp.exp(-s)


KERNELS = {
    "rbf": Kernel(_rbf, _rbf_with_slope, lambda jnp, squared: jnp.exp(-0.5 * squared)),
    "matern52": Kernel(_matern52, _matern52_with_slope, _matern52_traceable),
}


def squared_distances(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """Return squared distances (n, k) of points (n, d) and (k, d).

    By differences: |a|^2 + |b|^2 - 2 ab would lose the digits that a noise-free fit needs.
    """
    return cdist(A, B, "sqeuclidean")


def covariance(kernel: Kernel, X: np.ndarray, h: Hyperparameters) -> np.ndarray:
    """Return the covariance (n, n) of noisy outputs at points (n, d)."""
    scaled = X / h.lengths
    out = kernel.value(squared_distances(scaled, scaled))
    out *= h.amplitude
    out[np.diag_indices_from(out)] = h.amplitude + h.noise
    return out


def factorised(kernel: Kernel, X: np.ndarray, h: Hyperparameters) -> tuple[np.ndarray, Hyperparameters]:
    """Return the lower Cholesky factor (n, n) of the covariance at points (n, d), and the hyperparameters it is for.

    Noise is at least n times 2.2e-16 of the amplitude, since below that the factor is made of rounding errors. Where
    there is still no factor, the least noise is raised by tens, 8 times (to 2e-4 of the amplitude for 10,000 rows).
    Raises StudyError where even that is not enough.
    """
    least = len(X) * np.finfo(float).eps * h.amplitude
    for power in range(RAISES + 1):
        noisier = replace(h, noise=max(h.noise, least * 10.0**power))
        try:
            # A symmetric matrix is its own transpose: LAPACK works on it in place, without a copy in its order.
            L = cholesky(covariance(kernel, X, noisier).T, lower=True, overwrite_a=True, check_finite=False)
        except np.linalg.LinAlgError:
            continue
        if np.isfinite(L[-1, -1]):  # LAPACK lets NaN pass, which then reaches the last corner
            return L, noisier
    raise StudyError(
        f"gaussian_process: the covariance of {len(X)} training rows can't be factorised, even with noise of "
        f"{least * 10.0**RAISES:.2g} (amplitude {h.amplitude:.3g}, noise {h.noise:.3g}, length scales "
        f"{', '.join(f'{v:.3g}' for v in h.lengths)}); are there inputs that are not finite numbers?"
    )
