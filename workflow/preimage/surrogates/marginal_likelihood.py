"""Hyperparameters of a Gaussian process: those under which the observed outputs are likeliest.

Rasmussen and Williams 2006, section 5.4.1. Derivatives are in closed form, which costs one inverse beside the Cholesky
factor; going through the factor by automatic differentiation costs several.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor

import numpy as np
from scipy.linalg import cho_solve
from scipy.linalg.lapack import dpotri
from scipy.optimize import minimize

from preimage.support.errors import StudyError
from preimage.surrogates.kernels import Hyperparameters, Kernel, factorised, squared_distances

# For outputs of variance 1 at points of variance 1 in each input.
AMPLITUDE = (1e-4, 1e6)
NOISE = (1e-10, 10.0)
LENGTH = (1e-2, 1e3)
ITERATIONS = 200
TOLERANCE = 1e-7  # of the log likelihood, relative; an absolute gain of 0.001 or so changes no prediction
# Starts climb on a few rows first. Where those are hardly likelier than as white noise (by less than is gained where
# nine tenths of the variance are explained), there may be signal that they are too few to show.
FEW = 300
GAIN = 0.5 * np.log(10)
NOWHERE = 1e25  # a loss that line searches can compare with, where there is no factor


def log_likelihood(L: np.ndarray, y: np.ndarray) -> float:
    """Return the log marginal likelihood of outputs (n,) from the factor (n, n) of their covariance (eq. 5.8)."""
    return float(
        -0.5 * y @ cho_solve((L, True), y, check_finite=False)
        - np.log(np.diag(L)).sum()
        - 0.5 * len(y) * np.log(2 * np.pi)
    )


def log_likelihood_and_gradient(
    kernel: Kernel, X: np.ndarray, y: np.ndarray, theta: np.ndarray, shared: np.ndarray | None = None
) -> tuple[float, np.ndarray]:
    """Return the log marginal likelihood and its derivatives (2 + k,) by `theta` (eq. 5.9).

    Args:
        X: points (n, d).
        y: outputs (n,).
        theta: `Hyperparameters.to_log`.
        shared: which of the k length scales each column of X has (d,); one of its own if left out.
    """
    L, h = factorised(kernel, X, Hyperparameters.from_log(theta).by_column(shared))
    weights = cho_solve((L, True), y, check_finite=False)
    value = log_likelihood(L, y)

    inverse = dpotri(L, lower=1, overwrite_c=1)[0]  # its lower triangle; above it stand the factor's zeros
    inverse += np.tril(inverse, -1).T
    Q = np.outer(weights, weights) - inverse  # the derivative by a parameter is tr(Q dK) / 2
    # tr(Q K) is y' weights - n: the same as the sum over all pairs, whose large terms cancel.
    by_noise = 0.5 * h.noise * np.trace(Q)
    by_amplitude = 0.5 * (y @ weights - len(y)) - by_noise
    if h.noise > 1.000001 * np.exp(theta[1]):  # it was raised to a share of the amplitude, and moves with that
        by_noise, by_amplitude = 0.0, by_amplitude + by_noise

    scaled = X / h.lengths
    Q *= kernel.with_slope(squared_distances(scaled, scaled))[1]
    # d r^2 / d log l = -2 (difference / l)^2, summed over pairs without a matrix an input.
    by_length = -2 * h.amplitude * (Q.sum(axis=1) @ scaled**2 - (scaled * (Q @ scaled)).sum(axis=0))
    return value, np.array([by_amplitude, by_noise, *(by_length if shared is None else np.bincount(shared, by_length))])


def starts(d: int, n: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Return n starts of the fit (2 + d,): one that is long and nearly noise-free, then at random around it."""
    middle = Hyperparameters(1.0, 1e-3, np.full(d, np.sqrt(d))).to_log()
    half = np.log([10.0, 1e3, *([10.0] * d)])
    return [middle, *(middle + rng.uniform(-half, half) for _ in range(n - 1))]


def climb(
    kernel: Kernel, X: np.ndarray, y: np.ndarray, start: np.ndarray, shared: np.ndarray | None = None
) -> tuple[float, np.ndarray]:
    """Return the largest log marginal likelihood that L-BFGS-B finds from a start, and where (2 + k,)."""
    best: tuple[float, np.ndarray] = (-np.inf, start)

    def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal best
        try:
            value, gradient = log_likelihood_and_gradient(kernel, X, y, theta, shared)
        except StudyError:
            return NOWHERE, np.zeros_like(theta)
        if not np.isfinite(value) or not np.isfinite(gradient).all():
            return NOWHERE, np.zeros_like(theta)
        best = max(best, (value, theta.copy()), key=lambda found: found[0])
        return -value / len(y), -gradient / len(
            y
        )  # L-BFGS-B's first step is a unit, or the gradient where that is less

    bounds = np.log([AMPLITUDE, NOISE, *([LENGTH] * (len(start) - 2))])
    x0 = np.clip(start, bounds[:, 0], bounds[:, 1])
    minimize(loss, x0, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": ITERATIONS, "ftol": TOLERANCE})
    return best


def fit(
    kernel: Kernel,
    X: np.ndarray,
    outputs: Sequence[np.ndarray],
    begin: Sequence[np.ndarray],
    pool: Executor,
    shared: np.ndarray | None = None,
) -> list[Hyperparameters]:
    """Return the likeliest hyperparameters of each output (n,) at points (n, d), which are in random order.

    Columns of X may share length scales (see `log_likelihood_and_gradient`); the answers have one a column.

    Every start climbs on the first 300 rows, and the best goes on from there on all of them; where the few rows show
    little but noise, every start climbs on all rows. Raises StudyError where no start comes to anything.
    """

    def climbs(n: int, starts: Sequence[Sequence[np.ndarray]]) -> list[tuple[float, np.ndarray]]:
        jobs = [
            [pool.submit(climb, kernel, X[:n], y[:n], s, shared) for s in some]
            for y, some in zip(outputs, starts, strict=True)
        ]
        return [max((job.result() for job in some), key=lambda found: found[0]) for some in jobs]

    n = min(FEW, len(X))
    found = climbs(n, [begin for _ in outputs])
    if n < len(X):
        shown = [value - _of_white_noise(y[:n]) > GAIN * n for y, (value, _) in zip(outputs, found, strict=True)]
        found = climbs(len(X), [[theta] if clear else begin for clear, (_, theta) in zip(shown, found, strict=True)])
    if not all(np.isfinite(value) for value, _ in found):
        raise StudyError(
            f"gaussian_process: none of {len(begin)} starts gave a finite likelihood; are all inputs and outputs "
            "finite numbers?"
        )
    return [Hyperparameters.from_log(theta).by_column(shared) for _, theta in found]


def _of_white_noise(y: np.ndarray) -> float:
    """Return the log likelihood of outputs (n,) as white noise of their own variance."""
    variance = max(float(np.mean(y**2)), NOISE[0])
    return -0.5 * len(y) * (np.log(2 * np.pi * variance) + 1)
