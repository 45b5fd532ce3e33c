"""Two moons: a crescent of samples, moved so that two crescents of parameters explain each.

The task of the public benchmark (Lueckmann, Boelts, Greenberg, Goncalves and Macke, "Benchmarking simulation-based
inference", 2021): a ~ U(-pi / 2, pi / 2), r ~ N(0.1, sd 0.01), x = (r cos a + 0.25, r sin a) +
(-|t1 + t2|, t2 - t1) / sqrt(2), theta ~ U(-1, 1)^2.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from preimage.inference.prior import Margin, Prior
from preimage.inference.simulator import Simulator

OFFSET, RADIUS, WIDTH = 0.25, 0.1, 0.01


def build() -> Simulator:
    return Simulator(
        name="two_moons",
        prior=Prior({name: Margin("uniform", -1.0, 1.0) for name in ("t1", "t2")}),
        coordinates=("x1", "x2"),
        simulate=simulate,
        log_likelihood=log_likelihood,
        encoded=lambda x: 2 * x,
    )


def _shift(theta: Any, xp: Any) -> Any:
    t1, t2 = theta[..., 0], theta[..., 1]
    return xp.stack([-xp.abs(t1 + t2), t2 - t1], axis=-1) / 2**0.5


def simulate(key: Any, theta: Any, size: int) -> Any:
    angles, radii = jax.random.split(key)
    shape = (*theta.shape[:-1], size)
    a = jax.random.uniform(angles, shape, jnp.float32, -np.pi / 2, np.pi / 2)
    r = RADIUS + WIDTH * jax.random.normal(radii, shape, jnp.float32)
    moon = jnp.stack([r * jnp.cos(a) + OFFSET, r * jnp.sin(a)], axis=-1)
    return moon + _shift(theta, jnp)[..., None, :]


def log_likelihood(x: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """Return the log likelihood (k,): r is normal and the angle uniform, and an area is r times their product."""
    u, v = np.moveaxis(x - _shift(theta, np)[:, None], -1, 0)
    r = np.hypot(u - OFFSET, v)
    log = -(((r - RADIUS) / WIDTH) ** 2) / 2 - np.log(np.sqrt(2 * np.pi) * WIDTH) - np.log(np.pi * r)
    return np.where(u > OFFSET, log, -np.inf).sum(axis=1)
