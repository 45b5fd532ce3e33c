"""A normal distribution of unknown mean and spread: x ~ N(mean, sd = e^log_sd), U(-10, 10) x U(-2, 1.5)."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from preimage.inference.prior import Margin, Prior
from preimage.inference.simulator import Simulator

# The sd of samples over the whole prior is near this.
SCALE = 6.0


def build() -> Simulator:
    return Simulator(
        name="gaussian",
        prior=Prior({"mean": Margin("uniform", -10.0, 10.0), "log_sd": Margin("uniform", -2.0, 1.5)}),
        coordinates=("x",),
        simulate=simulate,
        log_likelihood=log_likelihood,
        encoded=lambda x: x / SCALE,
        pooled=pooled,
    )


def simulate(key: Any, theta: Any, size: int) -> Any:
    noise = jax.random.normal(key, (*theta.shape[:-1], size), dtype=jnp.float32)
    return (theta[..., :1] + jnp.exp(theta[..., 1:]) * noise)[..., None]


def log_likelihood(x: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """Return the log likelihood (k,), through the sufficient statistics: the mean and the mean square about it."""
    mean, spread = x.mean(), x.var()
    squares = spread + (mean - theta[:, 0]) ** 2
    return -len(x) * (theta[:, 1] + squares / 2 * np.exp(-2 * theta[:, 1]) + np.log(2 * np.pi) / 2)


def pooled(x: Any) -> Any:
    """Return the sufficient statistics of sets (..., n, 1), on scales of order 1, (..., 2)."""
    return jnp.concatenate([x.mean(axis=-2) / SCALE, jnp.log(x.std(axis=-2) + 1e-3)], axis=-1)
