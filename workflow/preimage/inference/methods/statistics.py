"""Statistics of a set of samples, by whose distance the methods without networks compare sets."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from preimage.inference.answer import Task
from preimage.inference.prior import HALF_WIDTH, Prior
from preimage.inference.simulator import Simulator

# The most coordinates of which correlations are taken.
PAIRS = 8
# Numbers that one compiled call may hold.
CHUNK = 2**22


def of(simulator: Simulator, size: int) -> Callable[[Any], Any]:
    """Return the statistics (..., p) of sets (..., size, D), a function that JAX can trace.

    They are the simulator's own (`pooled`) where it has them; else the means, log sds and correlations of the encoded
    coordinates; of a set of one sample the encoded sample itself.
    """
    encoded = simulator.encoded or (lambda x: x)
    if size == 1:
        return lambda x: encoded(x)[..., 0, :]
    return simulator.pooled or (lambda x: _moments(encoded(x)))


def _moments(e: Any) -> Any:
    mean, sd = e.mean(axis=-2), e.std(axis=-2) + 1e-3
    parts, q = [mean, jnp.log(sd)], e.shape[-1]
    if 1 < q <= PAIRS:
        standard = (e - mean[..., None, :]) / sd[..., None, :]
        correlation = jnp.einsum("...ni,...nj->...ij", standard, standard) / e.shape[-2]
        parts.append(correlation[..., *np.tril_indices(q, -1)])
    return jnp.concatenate(parts, axis=-1)


class Simulated:
    """Statistics of simulated sets, compiled once: `simulated(rng, theta (k, d))` is (k, p), NaN for failed sets."""

    def __init__(self, task: Task) -> None:
        self.simulator, self.size = task.simulator, task.size
        self.observed = jax.jit(of(self.simulator, self.size))
        self.rows = max(1, min(4096, CHUNK // (self.size * len(self.simulator.coordinates))))
        self.compiled = jax.jit(partial(_simulated, self.simulator, self.size))

    def __call__(self, rng: np.random.Generator, theta: np.ndarray) -> np.ndarray:
        key = jax.random.key(int(rng.integers(2**32)))
        chunks = range(0, len(theta), self.rows)
        # Every call has the same shape: the last rows are filled up with the first.
        filled = np.resize(theta, (len(chunks) * self.rows, theta.shape[1])).astype(np.float32)
        parts = [
            np.asarray(self.compiled(jax.random.fold_in(key, k), filled[k : k + self.rows]), dtype=float)
            for k in chunks
        ]
        return np.concatenate(parts)[: len(theta)]

    def of(self, x: np.ndarray) -> np.ndarray:
        """Return the statistics (sets, p) of observed sets (sets, n, D)."""
        return np.asarray(self.observed(jnp.asarray(x, dtype=jnp.float32)), dtype=float)


def _simulated(simulator: Simulator, size: int, key: Any, theta: Any) -> Any:
    return of(simulator, size)(simulator.simulate(key, theta, size))


def scales(statistics: np.ndarray) -> np.ndarray:
    """Return the scale of each statistic (p,), from those of many sets (k, p): the median absolute deviation, which
    wild sets don't move, or the sd where that is 0. Failed sets don't count; a statistic that never varies has 1."""
    fine = statistics[np.isfinite(statistics).all(axis=1)]
    if not len(fine):
        return np.ones(statistics.shape[1])
    robust = 1.4826 * np.median(np.abs(fine - np.median(fine, axis=0)), axis=0)
    scale = np.where(robust > 0, robust, fine.std(axis=0))
    return np.where(scale > 0, scale, 1.0)


def distances(statistics: np.ndarray, observed: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return the distances (k,) of sets' statistics (k, p) from the observed one's (p,); infinite where one failed."""
    found = np.sqrt((((statistics - observed) / scale) ** 2).sum(axis=1))
    return np.where(np.isnan(found), np.inf, found)


def adjusted(prior: Prior, theta: np.ndarray, weights: np.ndarray, off: np.ndarray) -> np.ndarray:
    """Return draws theta (k, d) as they would be with the observed statistics, by a weighted linear regression on how
    far `off` (k, p) theirs are (Beaumont, Zhang and Balding, "Approximate Bayesian computation in population genetics",
    2002). Those that would leave a uniform prior are reflected at its end, so that none leaves it and none piles up
    there. Draws that are too few for a regression stay as they are."""
    k, p = off.shape
    if k < 2 * (p + 1):
        return theta
    z = prior.to_z(theta)
    design = np.column_stack([np.ones(k), off])
    root = np.sqrt(weights)[:, None]
    slopes, *_ = np.linalg.lstsq(design * root, z * root, rcond=1e-6)
    moved = z - off @ slopes[1:]
    uniform = np.array([m.kind == "uniform" for m in prior.margins.values()])
    beyond = np.where(uniform, np.maximum(np.abs(moved) - HALF_WIDTH, 0), 0)
    return np.asarray(prior.from_z(moved - 2 * np.sign(moved) * beyond))
