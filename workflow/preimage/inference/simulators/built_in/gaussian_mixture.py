"""Two normal distributions of one mean: x ~ half N(theta, I), half N(theta, 0.01 I), theta ~ U(-10, 10)^2.

The task of the public benchmark (Lueckmann, Boelts, Greenberg, Goncalves and Macke, "Benchmarking simulation-based
inference", 2021), as its package has it from version 1.1 on: both coordinates of a sample are of the same component.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from preimage.inference.prior import Margin, Prior
from preimage.inference.simulator import Simulator

SDS = (1.0, 0.1)


def build() -> Simulator:
    return Simulator(
        name="gaussian_mixture",
        prior=Prior({name: Margin("uniform", -10.0, 10.0) for name in ("t1", "t2")}),
        coordinates=("x1", "x2"),
        simulate=simulate,
        log_likelihood=log_likelihood,
        encoded=lambda x: x / 6,
    )


def simulate(key: Any, theta: Any, size: int) -> Any:
    coins, noises = jax.random.split(key)
    shape = (*theta.shape[:-1], size)
    wide, narrow = SDS
    sd: Any = jnp.where(jax.random.bernoulli(coins, 0.5, shape), jnp.float32(wide), jnp.float32(narrow))
    return theta[..., None, :] + sd[..., None] * jax.random.normal(noises, (*shape, 2), jnp.float32)


def log_likelihood(x: np.ndarray, theta: np.ndarray) -> np.ndarray:
    squares = ((x - theta[:, None]) ** 2).sum(axis=-1)
    parts = [-squares / (2 * sd**2) - np.log(2 * np.pi * sd**2) for sd in SDS]
    return (np.logaddexp(*parts) + np.log(0.5)).sum(axis=1)
