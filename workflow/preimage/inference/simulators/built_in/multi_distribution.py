"""Five distributions, mixed linearly: x = R z with a fixed matrix R, theta ~ U(-3, 3)^3.

z1 ~ N(t1, sd 1), z2 ~ N(3, sd e^(t2 / 3)), z3 ~ half N(-2, sd 1) and half N(2, sd 0.5), z4 ~ U(-5, t3),
z5 ~ Exp(rate 0.5); after the example of Louppe, Cranmer and Pavez, "carl: a likelihood-free inference toolbox" (2016).
The likelihood jumps to 0 where t3 falls below the largest z4.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from preimage.inference.prior import Margin, Prior
from preimage.inference.simulator import Simulator

DIMENSION = 5
FLOOR, RATE = -5.0, 0.5
# How far rounding to single precision may carry z over the end of its range.
ROUNDING = 1e-4


def _mixing() -> np.ndarray:
    """Return a symmetric, positive matrix of condition number below 20: the same in every version, by its seed."""
    drawn = np.random.default_rng(7).normal(size=(DIMENSION, DIMENSION))
    return np.eye(DIMENSION) / 2 + drawn @ drawn.T / DIMENSION


MIXING = _mixing()
UNMIXING = np.linalg.inv(MIXING)
# Over the prior, by coordinate of z, in closed form (E e^(2 t / 3) is sinh(2) / 2).
MEANS = np.array([0.0, 3.0, 0.0, -2.5, 2.0])
SDS = np.sqrt([4.0, np.sinh(2) / 2, 4.625, 28 / 12 + 0.75, 4.0])


def build() -> Simulator:
    return Simulator(
        name="multi_distribution",
        prior=Prior({f"t{j}": Margin("uniform", -3.0, 3.0) for j in (1, 2, 3)}),
        coordinates=tuple(f"x{j + 1}" for j in range(DIMENSION)),
        simulate=simulate,
        log_likelihood=log_likelihood,
        encoded=encoded,
    )


def simulate(key: Any, theta: Any, size: int) -> Any:
    normals, coins, places, waits = jax.random.split(key, 4)
    t = theta[..., None, :]
    shape = (*theta.shape[:-1], size)
    n1, n2, n3 = jax.random.normal(normals, (3, *shape), dtype=jnp.float32)
    third = jnp.where(jax.random.bernoulli(coins, 0.5, shape), n3 - 2, n3 / 2 + 2)
    fourth = FLOOR + (t[..., 2] - FLOOR) * jax.random.uniform(places, shape, dtype=jnp.float32)
    fifth = jax.random.exponential(waits, shape, dtype=jnp.float32) / RATE
    z = jnp.stack([t[..., 0] + n1, 3 + jnp.exp(t[..., 1] / 3) * n2, third, fourth, fifth], axis=-1)
    return z @ MIXING.T.astype(np.float32)


def log_likelihood(x: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """Return the log likelihood (k,): the product of the five densities at z = R^-1 x, over |det R|."""
    z = x @ UNMIXING.T
    n, t = len(z), theta.T
    first = -n * (z[:, 0].var() + (z[:, 0].mean() - t[0]) ** 2 + np.log(2 * np.pi)) / 2
    squares = ((z[:, 1] - 3) ** 2).mean()
    second = -n * (t[1] / 3 + squares / 2 * np.exp(-2 * t[1] / 3) + np.log(2 * np.pi) / 2)
    parts = stats.norm.logpdf(z[:, 2:3], [-2, 2], [1, 0.5]) + np.log(0.5)
    third = np.logaddexp(*parts.T).sum()
    possible = (z[:, 3].max() <= t[2] + ROUNDING) & (z[:, 3].min() >= FLOOR - ROUNDING)
    fourth = np.where(possible, -n * np.log(t[2] - FLOOR), -np.inf)
    fifth = n * np.log(RATE) - RATE * z[:, 4].sum() if z[:, 4].min() >= -ROUNDING else -np.inf
    return first + second + third + fourth + fifth - n * np.linalg.slogdet(MIXING)[1]


def encoded(x: Any) -> Any:
    """Return samples on scales of order 1: about the prior's mean, over its sd, by coordinate."""
    centre, scale = MIXING @ MEANS, np.sqrt((MIXING**2) @ SDS**2)
    return (x - centre.astype(np.float32)) / scale.astype(np.float32)
