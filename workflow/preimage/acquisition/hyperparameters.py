"""Hyperparameters of a Gaussian process that knows few rows: drawn from their posterior, not fixed at the likeliest.

With ten rows in eight inputs many length scales explain the rows, and the likeliest alone are overconfident; drawn,
they say how little is known (Snoek, Larochelle and Adams 2012, "Practical Bayesian optimization of machine learning
algorithms"). The priors are log-normal. A length scale's grows with the root of the number of inputs, so that of many
inputs each matters less; its median is the mode that Hvarfner, Hellsten and Nardi 2024 recommend ("Vanilla Bayesian
optimization performs great in high dimensions"), and its tails are lighter, since people name inputs that matter over
the ranges that they name. The constant mean has a normal prior and is integrated out (Rasmussen and Williams 2006,
section 2.7).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_solve, cholesky
from scipy.linalg.lapack import dpotri
from scipy.optimize import minimize

from preimage.surrogates.kernels import KERNELS, Hyperparameters, squared_distances

KERNEL = KERNELS["matern52"]
# Mean and standard deviation of the logarithms of amplitude and noise (variances, of an output of variance 1) and of a
# length scale, to whose mean half the logarithm of the number of inputs is added.
AMPLITUDE, NOISE, LENGTH = (0.0, 0.5), (-8.0, 2.5), (np.sqrt(2.0) - 3.0, 0.65)
# No logarithm is farther from its mean than so many standard deviations.
FAR = 12.0
# Variance of the constant mean.
CONSTANT = 1.0
# Added to the variance of what is modelled, as a share of the amplitude, so that covariances have a factor.
JITTER = 1e-8
# Climbs start so far from the priors' means of noise and length scales, in logarithms; peaks that are nearer to each
# other than a share of the priors' deviations are one.
STARTS, ITERATIONS, SAME = ((0.0, 0.0), (0.0, 1.0), (6.0, 1.0)), 100, 0.1
# Trajectories before the first draw and per draw, leaps of each, and their length where the posterior is normal.
BURN, THIN, LEAPS, LEAP = 6, 2, 8, 0.25
# The least curvature at the peak that trajectories reckon with: where it is flat they are not to fly off.
FLAT = 0.05


class Posterior:
    """The density of the logarithms of amplitude, noise and length scales, up to a constant.

    Args:
        Z: rows (n, D) in the space's coordinates.
        y: standardised output (n,).
        shared: which length scale each column has (D,): those of a category have one.
    """

    def __init__(self, Z: np.ndarray, y: np.ndarray, shared: np.ndarray) -> None:
        self.Z, self.y, self.shared = Z, y, shared
        self.lengths = int(shared.max(initial=-1)) + 1
        length = LENGTH[0] + 0.5 * np.log(max(self.lengths, 1))
        self.mean = np.array([AMPLITUDE[0], NOISE[0], *[length] * self.lengths])
        self.deviation = np.array([AMPLITUDE[1], NOISE[1], *[LENGTH[1]] * self.lengths])

    def hyperparameters(self, theta: np.ndarray) -> Hyperparameters:
        return Hyperparameters.from_log(theta).by_column(self.shared)

    def __call__(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the logarithm of the density and its derivatives (2 + k,); minus infinity where there is no factor."""
        far = (theta - self.mean) / self.deviation
        if np.abs(far).max() > FAR:
            return -np.inf, np.zeros_like(theta)
        h = self.hyperparameters(theta)
        scaled = self.Z / h.lengths
        shape, slope = KERNEL.with_slope(squared_distances(scaled, scaled))
        K = h.amplitude * shape
        diagonal = np.diag_indices_from(K)
        noisy = K + CONSTANT
        noisy[diagonal] += h.noise + JITTER * h.amplitude
        try:
            L = cholesky(noisy, lower=True, check_finite=False)
        except np.linalg.LinAlgError:
            return -np.inf, np.zeros_like(theta)
        weights = cho_solve((L, True), self.y, check_finite=False)
        value = -0.5 * self.y @ weights - np.log(np.diag(L)).sum() - 0.5 * far @ far
        inverse = dpotri(L, lower=1)[0]
        inverse = np.tril(inverse) + np.tril(inverse, -1).T
        Q = np.outer(weights, weights) - inverse  # the derivative by a parameter is tr(Q dK) / 2
        by_noise = 0.5 * h.noise * np.trace(Q)
        by_amplitude = 0.5 * (np.sum(Q * K) + JITTER * h.amplitude * np.trace(Q))
        Q *= slope
        by_column = -2 * h.amplitude * (Q.sum(axis=1) @ scaled**2 - (scaled * (Q @ scaled)).sum(axis=0))
        by_length = np.bincount(self.shared, by_column, self.lengths)
        return float(value), np.array([by_amplitude, by_noise, *by_length]) - far / self.deviation


class Peak(NamedTuple):
    """A place where the posterior is densest around (k,), a matrix (k, k) that maps standard normal steps to steps of
    the posterior's size there, and the logarithm of the mass that this makes."""

    theta: np.ndarray
    scale: np.ndarray
    mass: float


def peaks(posterior: Posterior) -> list[Peak]:
    """Return the peaks that L-BFGS-B finds, the densest first: rows may be explained by noise or by short lengths."""

    def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = posterior(theta)
        return (-value, -slope) if np.isfinite(value) and np.isfinite(slope).all() else (1e25, np.zeros_like(theta))

    found: list[Peak] = []
    for noise, length in STARTS:
        start = posterior.mean.copy()
        start[1] += noise
        start[2:] += length
        theta = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": ITERATIONS}).x
        if all(np.abs((theta - other.theta) / posterior.deviation).max() > SAME for other in found):
            scale = _scale(posterior, theta)
            mass = posterior(theta)[0] + float(np.linalg.slogdet(scale)[1])
            found.append(Peak(theta, scale, mass))
    return sorted(found, key=lambda p: -posterior(p.theta)[0])


def drawn(posterior: Posterior, n: int, rng: np.random.Generator) -> list[Hyperparameters]:
    """Return n draws of the hyperparameters by Hamiltonian Monte Carlo; the densest peak itself for n = 1.

    Each peak gets draws by its mass; steps are scaled by the curvature there (Neal 2011, "MCMC using Hamiltonian
    dynamics", section 4.1).
    """
    found = peaks(posterior)
    if n == 1:
        return [posterior.hyperparameters(found[0].theta)]
    mass = np.array([p.mass for p in found])
    shares = np.exp(mass - mass.max())
    shares /= shares.sum()
    # Systematic sampling: each gets its share of the draws but for a part of one.
    ends = np.floor(n * np.cumsum(shares) + rng.random()).astype(int)
    ends[-1] = n
    counts = np.diff(np.minimum(ends, n), prepend=0)
    return [h for p, k in zip(found, counts, strict=True) for h in _chain(posterior, p, int(k), rng)]


def _chain(posterior: Posterior, start: Peak, n: int, rng: np.random.Generator) -> list[Hyperparameters]:
    """Return n draws of a chain from a peak."""
    theta, scale = start.theta, start.scale
    (value, slope), out = posterior(theta), list[Hyperparameters]()
    for k in range(BURN + THIN * n if n else 0):
        momentum = rng.standard_normal(len(theta))
        energy = value - 0.5 * momentum @ momentum
        leap, p, at, gradient, new = LEAP * rng.uniform(0.6, 1.4), momentum, theta, slope, value
        for _ in range(LEAPS):
            p = p + 0.5 * leap * (scale.T @ gradient)
            at = at + leap * (scale @ p)
            new, gradient = posterior(at)
            if not np.isfinite(new):
                break
            p = p + 0.5 * leap * (scale.T @ gradient)
        if np.log(rng.random()) < new - 0.5 * p @ p - energy:
            theta, value, slope = at, new, gradient
        if k >= BURN and (k - BURN) % THIN == THIN - 1:
            out.append(posterior.hyperparameters(theta))
    return out


def _scale(posterior: Posterior, theta: np.ndarray) -> np.ndarray:
    eps = 1e-3
    slopes = [posterior(theta + eps * e)[1] - posterior(theta - eps * e)[1] for e in np.eye(len(theta))]
    curvature = -np.array(slopes) / (2 * eps)
    values, vectors = np.linalg.eigh(0.5 * (curvature + curvature.T))
    return np.asarray(vectors / np.sqrt(np.maximum(values, FLAT)))
