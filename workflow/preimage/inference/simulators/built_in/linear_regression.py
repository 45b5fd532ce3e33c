"""A plane of one slope: y = slope (x1 + x2 + x3) + intercept + N(0, sd 0.1), where x ~ U(-1, 1)^3.

The one slope applies to each of the three inputs. Its prior is that of a line's direction, slope = tan(angle) with
angle ~ U(0, pi / 2); the parameters are the angle and intercept ~ U(-1, 1). Slopes near a right angle are huge.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from preimage.inference.prior import Margin, Prior
from preimage.inference.simulator import Simulator

NOISE = 0.1


def build() -> Simulator:
    return Simulator(
        name="linear_regression",
        prior=Prior({"angle": Margin("uniform", 0.0, np.pi / 2), "intercept": Margin("uniform", -1.0, 1.0)}),
        coordinates=("x1", "x2", "x3", "y"),
        simulate=simulate,
        log_likelihood=log_likelihood,
        encoded=encoded,
        pooled=pooled,
    )


def simulate(key: Any, theta: Any, size: int) -> Any:
    places, noises = jax.random.split(key)
    shape = (*theta.shape[:-1], size)
    x = jax.random.uniform(places, (*shape, 3), dtype=jnp.float32, minval=-1, maxval=1)
    noise = NOISE * jax.random.normal(noises, shape, dtype=jnp.float32)
    y = jnp.tan(theta[..., :1]) * x.sum(axis=-1) + theta[..., 1:] + noise
    return jnp.concatenate([x, y[..., None]], axis=-1)


def log_likelihood(x: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """Return the log likelihood (k,), by expanding the sum of squares: one pass over the samples for all parameters."""
    sums, y, n = x[:, :3].sum(axis=1), x[:, 3], len(x)
    # About the least-squares plane, so that no digits are lost between large squares.
    design = np.column_stack([sums, np.ones(n)])
    best, *_ = np.linalg.lstsq(design, y, rcond=None)
    rest = y - design @ best
    off = np.column_stack([np.tan(theta[:, 0]), theta[:, 1]]) - best
    squares = rest @ rest + np.einsum("ki,ij,kj->k", off, design.T @ design, off) - 2 * off @ (design.T @ rest)
    # The inputs' own density is 1/2 each.
    return -3 * n * np.log(2) - n * np.log(2 * np.pi * NOISE**2) / 2 - squares / (2 * NOISE**2)


def encoded(x: Any) -> Any:
    """Return x1 + x2 + x3, y and their product, the last two tamed: what a mean over samples needs, (..., 3)."""
    sums, y = x[..., :3].sum(axis=-1), x[..., 3]
    return jnp.stack([sums, jnp.arcsinh(y) / 2, jnp.arcsinh(y * sums) / 2], axis=-1)


def pooled(x: Any) -> Any:
    """Return the angle of the least-squares slope and the intercept, of order 1, of sets (..., n, 4), (..., 2)."""
    sums, y = x[..., :3].sum(axis=-1), x[..., 3]
    middle = sums.mean(axis=-1, keepdims=True)
    about = sums - middle
    slope = (about * y).sum(axis=-1) / jnp.maximum((about**2).sum(axis=-1), 1e-6)
    intercept = y.mean(axis=-1) - slope * middle[..., 0]
    return jnp.stack([2 * jnp.arctan(slope) - 1.5, jnp.clip(intercept, -10, 10)], axis=-1)
