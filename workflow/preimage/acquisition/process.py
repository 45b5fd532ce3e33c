"""A Gaussian process of one output, by draws of what is true at the points that count.

What is true at the measured rows and at the points chosen since is drawn together, from the posterior given the noisy
measurements; at any further point it is then normal in closed form, given each draw (Letham et al. 2019, "Constrained
Bayesian optimization with noisy experiments"). The incumbent is so the best of each draw rather than the luckiest
measurement, and a chosen point that awaits its result counts with what it may come to.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular

from preimage.acquisition.hyperparameters import CONSTANT, JITTER, KERNEL, Posterior, drawn
from preimage.surrogates.kernels import Hyperparameters, squared_distances

# The least variance left at a known point, as a share of the amplitude.
LEAST = 1e-12


class Normal(NamedTuple):
    """What is true at n points given each of s draws: means (n, s) and standard deviations (n, 1)."""

    mean: np.ndarray
    deviation: np.ndarray


class Process:
    """A process of given hyperparameters, conditioned on draws of what is true.

    Args:
        Z: measured rows (n, D) in coordinates.
        y: standardised output (n,).
        draws: how many.
    """

    def __init__(self, h: Hyperparameters, Z: np.ndarray, y: np.ndarray, draws: int, rng: np.random.Generator) -> None:
        self.h, self.Z, n = h, Z, len(Z)
        self.jitter = JITTER * h.amplitude
        K = self._covariance(Z, Z)
        K[np.diag_indices(n)] += self.jitter
        self.L = cholesky(K, lower=True, check_finite=False)
        noisy = K.copy()
        noisy[np.diag_indices(n)] += h.noise
        self._noisy = cholesky(noisy, lower=True, check_finite=False)
        self._rows, self._weights = Z, cho_solve((self._noisy, True), y, check_finite=False)
        # Matheron's rule: a draw of the prior, moved by what the measurements say of its error.
        prior = self.L @ rng.standard_normal((n, draws))
        error = y[:, None] - prior - np.sqrt(h.noise) * rng.standard_normal((n, draws))
        self.true = prior + K @ cho_solve((self._noisy, True), error, check_finite=False)
        self._solve()

    def at(self, Z: np.ndarray) -> Normal:
        """Return what is true at points (n, D), given each draw."""
        covariances = self._covariance(Z, self.Z)
        known = solve_triangular(self.L, covariances.T, lower=True, check_finite=False)
        return Normal(covariances @ self._solved, self._deviation(known)[:, None])

    def predict(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation (n,) of a new measurement at points (n, D), given the measured rows."""
        covariances = self._covariance(Z, self._rows)
        known = solve_triangular(self._noisy, covariances.T, lower=True, check_finite=False)
        return covariances @ self._weights, np.sqrt(self._deviation(known) ** 2 + self.h.noise)

    def add(self, z: np.ndarray, rng: np.random.Generator) -> None:
        """Draw what is true at one more point (D,), and count it among the known ones from now on."""
        mean, deviation = self.at(z[None])
        true = mean + deviation * rng.standard_normal(mean.shape)
        row = solve_triangular(self.L, self._covariance(z[None], self.Z)[0], lower=True, check_finite=False)
        left = self.h.amplitude + CONSTANT + self.jitter - row @ row
        n = len(self.Z)
        L = np.zeros((n + 1, n + 1))
        L[:n, :n], L[n, :n], L[n, n] = self.L, row, np.sqrt(max(left, self.jitter))
        self.L, self.Z, self.true = L, np.vstack([self.Z, z]), np.vstack([self.true, true])
        self._solve()

    def _solve(self) -> None:
        self._solved = cho_solve((self.L, True), self.true, check_finite=False)

    def _covariance(self, A: np.ndarray, B: np.ndarray) -> np.ndarray:
        lengths = self.h.lengths
        out = KERNEL.value(squared_distances(A / lengths, B / lengths))
        out *= self.h.amplitude
        out += CONSTANT
        return out

    def _deviation(self, known: np.ndarray) -> np.ndarray:
        variance = self.h.amplitude + CONSTANT + self.jitter - np.einsum("np,np->p", known, known)
        return np.sqrt(np.maximum(variance, LEAST * self.h.amplitude))


class Belief:
    """What is believed of one output: a process for each draw of its hyperparameters, in the output's unit.

    Args:
        Z: rows (n, D) in coordinates.
        y: the output (n,).
        fitted: positions of the rows on which hyperparameters are drawn.
        processes, draws: how many draws of hyperparameters, and of what is true for each.
    """

    def __init__(
        self, Z: np.ndarray, y: np.ndarray, shared: np.ndarray, fitted: np.ndarray, processes: int, draws: int,
        rng: np.random.Generator,
    ) -> None:  # fmt: skip
        self.centre, self.scale = float(y.mean()), float(y.std()) or 1.0
        standard = (y - self.centre) / self.scale
        posterior = Posterior(Z[fitted], standard[fitted], shared)
        self.processes = [Process(h, Z, standard, draws, rng) for h in drawn(posterior, processes, rng)]

    @property
    def true(self) -> np.ndarray:
        """What is true at the known points, rows first (n, s)."""
        return self.centre + self.scale * np.concatenate([p.true for p in self.processes], axis=1)

    def at(self, Z: np.ndarray) -> Normal:
        """Return what is true at points (n, D) given each draw: means and standard deviations (n, s)."""
        found = [p.at(Z) for p in self.processes]
        mean = np.concatenate([f.mean for f in found], axis=1)
        deviation = np.concatenate([np.broadcast_to(f.deviation, f.mean.shape) for f in found], axis=1)
        return Normal(self.centre + self.scale * mean, self.scale * deviation)

    def predict(self, Z: np.ndarray) -> Normal:
        """Return means and standard deviations (n, p) of a new measurement at points (n, D), by each process."""
        found = [p.predict(Z) for p in self.processes]
        mean, deviation = (np.column_stack([f[k] for f in found]) for k in (0, 1))
        return Normal(self.centre + self.scale * mean, self.scale * deviation)

    def spread(self, Z: np.ndarray) -> np.ndarray:
        """Return the standard deviation of what is true (n,) at points (n, D), draws of hyperparameters included."""
        mean, deviation = self.at(Z)
        return np.asarray(np.sqrt((deviation**2).mean(axis=1) + mean.var(axis=1)))

    def add(self, z: np.ndarray, rng: np.random.Generator) -> None:
        """Count one more point (D,) among the known ones; see `Process.add`."""
        for process in self.processes:
            process.add(z, rng)
