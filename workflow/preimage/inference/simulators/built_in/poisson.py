"""Counts with a log rate: x ~ Poisson(e^theta), theta ~ U(0.2, 7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import gammaln

from preimage.inference.prior import Margin, Prior, margin
from preimage.inference.simulator import Simulator
from preimage.inference.simulators import counts

# Standard deviations on either side of the mean that a table of probabilities reaches to: the rest is below 1e-10.
REACH = 6.6
HIGHEST = 7.0
BLOCK = 21
WIDTH = BLOCK * BLOCK


def build(inputs: Mapping[str, Any] | None = None) -> Simulator:
    """Return the simulator; inputs: the study's, by whose prior the way to simulate is chosen."""
    given = margin((inputs or {}).get("log_rate") or {})
    low_enough = given is None or (given.kind == "uniform" and given.second <= HIGHEST)
    return Simulator(
        name="poisson",
        prior=Prior({"log_rate": Margin("uniform", 0.2, HIGHEST)}),
        coordinates=("count",),
        simulate=simulate if low_enough else simulate_any,
        log_likelihood=log_likelihood,
        encoded=encoded,
        pooled=pooled,
    )


def simulate(key: Any, theta: Any, size: int) -> Any:
    """Invert the distribution function, tabulated once for all samples of a set: several times faster than
    `jax.random.poisson`, which rejects sample by sample. For theta up to `HIGHEST`."""
    rate = jnp.exp(theta.astype(jnp.float32))
    first = jnp.maximum(jnp.floor(rate - REACH * jnp.sqrt(rate)), 0)
    reached = first + jnp.arange(WIDTH, dtype=jnp.float32)
    # log p(k) - log p(k - 1) = log(rate / k): adding these up keeps single precision where log p(k) itself loses it.
    logs = running_sum(jnp.log(rate / jnp.maximum(reached, 1)).at[..., 0].set(0))
    below = running_sum(jnp.exp(logs - logs.max(axis=-1, keepdims=True)))
    draws = jax.random.uniform(key, (*theta.shape[:-1], size), jnp.float32) * below[..., -1:]
    flat = jax.vmap(jnp.searchsorted)(below.reshape(-1, WIDTH), draws.reshape(-1, size))
    return (first + flat.reshape(draws.shape))[..., None]


def simulate_any(key: Any, theta: Any, size: int) -> Any:
    """Return counts (..., size, 1) of any rate."""
    rate = jnp.exp(theta.astype(jnp.float32))
    return counts.poisson(key, jnp.broadcast_to(rate[..., None, :], (*theta.shape[:-1], size, 1)))


def running_sum(values: Any) -> Any:
    """Return running sums (..., WIDTH): within blocks, then of the blocks before; `jnp.cumsum` takes many times as
    long on a processor."""
    blocks = values.reshape(*values.shape[:-1], BLOCK, BLOCK)
    upper = np.triu(np.ones((BLOCK, BLOCK), np.float32))
    within = jnp.matmul(blocks, upper, precision="highest")
    before = jnp.matmul(within[..., -1], upper - np.eye(BLOCK, dtype=np.float32), precision="highest")
    return (within + before[..., None]).reshape(values.shape)


def log_likelihood(x: np.ndarray, theta: np.ndarray) -> np.ndarray:
    logs = theta[:, 0]
    return x.sum() * logs - len(x) * np.exp(logs) - gammaln(x + 1).sum()


def encoded(x: Any) -> Any:
    return jnp.log1p(x) / 2 - 1.7


def pooled(x: Any) -> Any:
    """The logs of mean and standard deviation; the first is nearly the maximum-likelihood answer."""
    counts = x[..., 0]
    return jnp.stack([jnp.log(counts.mean(-1) + 0.01) / 2 - 1.8, jnp.log(counts.std(-1) + 0.1) - 1.8], axis=-1)
