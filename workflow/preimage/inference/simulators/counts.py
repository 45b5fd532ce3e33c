"""Poisson numbers in bulk: fast on vectors, where `jax.random.poisson` draws anew until the last lane is done."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

# From here on the normal expansion serves: its error in the distribution is below 0.003 there, and falls.
LARGE = 12.0
# A Poisson number of a mean below LARGE is above this once in 1e12.
MOST = 48


def poisson(key: Any, mean: Any) -> Any:
    """Return Poisson numbers in float32 of means of any shape: one uniform number each, through the inverse of the
    distribution function, exactly for small means, by its expansion about the normal one for large ones (Giles,
    Algorithm 955: approximation of the inverse Poisson cumulative distribution function, 2016)."""
    u = jax.random.uniform(key, mean.shape, dtype=jnp.float32, minval=1e-7, maxval=1 - 1e-7)
    w = jax.scipy.special.ndtri(u)
    large = jnp.floor(mean + jnp.sqrt(mean) * w + (2 + w * w) / 6)
    few = jnp.minimum(mean, LARGE)

    def further(state: Any) -> Any:
        k, term, total, count = state
        term = term * few / (k + 1)
        return k + 1, term, total + term, count + (u > total)

    def undecided(state: Any) -> Any:
        k, _, total, _ = state
        return (k < MOST) & jnp.any(u > total)

    none = jnp.exp(-few)
    start = (jnp.float32(0), none, none, jnp.zeros_like(mean))
    small = jax.lax.while_loop(undecided, further, start)[3]
    return jnp.where(mean < LARGE, small, jnp.maximum(large, 0))
