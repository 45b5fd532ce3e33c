"""Simple likelihood, complex posterior: four draws of a normal distribution in the plane, theta ~ U(-3, 3)^5.

Mean (t1, t2), sds t3^2 and t4^2, correlation tanh(t5): the signs of t3 and t4 can't be told. One sample is the four
draws, x1, y1, x2, y2, .... The task of the public benchmark (Lueckmann, Boelts, Greenberg, Goncalves and Macke,
"Benchmarking simulation-based inference", 2021), after Papamakarios, Sterratt and Murray (2019).
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from preimage.inference.prior import Margin, Prior
from preimage.inference.simulator import Simulator

DRAWS = 4
# Added to both variances, as in the benchmark.
JITTER = 1e-6


def build() -> Simulator:
    return Simulator(
        name="slcp",
        prior=Prior({f"t{j + 1}": Margin("uniform", -3.0, 3.0) for j in range(5)}),
        coordinates=tuple(f"{axis}{k + 1}" for k in range(DRAWS) for axis in "xy"),
        simulate=simulate,
        log_likelihood=log_likelihood,
        pooled=pooled,
        # Tails are long: half of the samples lie within 3, some beyond 20.
        encoded=lambda x: jnp.arcsinh(x / 2),
    )


def _covariance(theta: Any, xp: Any) -> tuple[Any, Any, Any]:
    """Return the two variances and the covariance, (...)."""
    first, second = theta[..., 2] ** 2, theta[..., 3] ** 2
    return first**2 + JITTER, second**2 + JITTER, xp.tanh(theta[..., 4]) * first * second


def simulate(key: Any, theta: Any, size: int) -> Any:
    shape = (*theta.shape[:-1], size, DRAWS)
    n1, n2 = jax.random.normal(key, (2, *shape), jnp.float32)
    one, other, both = (c[..., None, None] for c in _covariance(theta, jnp))
    # The Cholesky factor of a 2 x 2 matrix.
    along = both / jnp.sqrt(one)
    across = jnp.sqrt(jnp.maximum(other - along**2, 0))
    x = theta[..., 0, None, None] + jnp.sqrt(one) * n1
    y = theta[..., 1, None, None] + along * n1 + across * n2
    return jnp.stack([x, y], axis=-1).reshape(*shape[:-1], 2 * DRAWS)


def pooled(x: Any) -> Any:
    """Means, logs of sds and Fisher's z of the correlation of all draws of a set: all that there is to know of it."""
    points = x.reshape(*x.shape[:-2], -1, 2)
    mean = points.mean(axis=-2)
    off = points - mean[..., None, :]
    sd = jnp.sqrt((off**2).mean(axis=-2) + 1e-10)
    r = (off[..., 0] * off[..., 1]).mean(axis=-1) / (sd[..., 0] * sd[..., 1])
    z = jnp.arctanh(jnp.clip(r, -0.9999, 0.9999))
    return jnp.concatenate([mean / 2, jnp.log(sd) / 1.5, z[..., None] / 1.5], axis=-1)


def log_likelihood(x: np.ndarray, theta: np.ndarray) -> np.ndarray:
    points = x.reshape(-1, 2)
    one, other, both = _covariance(theta, np)
    determinant = one * other - both**2
    u, v = (points[:, j] - theta[:, j, None] for j in (0, 1))
    squares = other[:, None] * u**2 - 2 * both[:, None] * u * v + one[:, None] * v**2
    n = len(points)
    return -squares.sum(axis=1) / (2 * determinant) - n * (np.log(determinant) / 2 + np.log(2 * np.pi))
