"""Ten means: x ~ N(theta, 0.1 I), theta ~ N(0, 0.1 I), both variances; the posterior is normal.

The task of the public benchmark (Lueckmann, Boelts, Greenberg, Goncalves and Macke, "Benchmarking simulation-based
inference", 2021).
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from preimage.inference.prior import Margin, Prior
from preimage.inference.simulator import Simulator

DIMENSION, VARIANCE = 10, 0.1


def build() -> Simulator:
    sd = VARIANCE**0.5
    return Simulator(
        name="gaussian_linear",
        prior=Prior({f"t{j + 1}": Margin("normal", 0.0, sd) for j in range(DIMENSION)}),
        coordinates=tuple(f"x{j + 1}" for j in range(DIMENSION)),
        simulate=simulate,
        log_likelihood=log_likelihood,
        encoded=lambda x: x / np.float32((2 * VARIANCE) ** 0.5),
    )


def simulate(key: Any, theta: Any, size: int) -> Any:
    noise = jax.random.normal(key, (*theta.shape[:-1], size, DIMENSION), jnp.float32)
    return theta[..., None, :] + np.float32(VARIANCE**0.5) * noise


def log_likelihood(x: np.ndarray, theta: np.ndarray) -> np.ndarray:
    squares = x.var(axis=0).sum() + ((x.mean(axis=0) - theta) ** 2).sum(axis=1)
    return -len(x) * (squares / VARIANCE + DIMENSION * np.log(2 * np.pi * VARIANCE)) / 2
