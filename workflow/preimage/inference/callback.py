"""Simulators in NumPy as JAX sees them: a function outside of the compiled program, called with a seed from its key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def traceable(call: Callable[[np.ndarray, int, np.random.Generator], np.ndarray], coordinates: int) -> Any:
    """Return `simulate(key, theta, size)` of a NumPy function `call(theta (k, d), size, rng)` -> (k, size, D).

    The generator is seeded with the key's bits, so that one key gives the same samples in every program. What `call`
    raises ends the program with an error that has its text (see `preimage.inference.own.told_plainly`).
    """

    def simulate(key: Any, theta: Any, size: int) -> Any:
        shape = (*theta.shape[:-1], size, coordinates)

        def outside(bits: Any, theta: Any) -> np.ndarray:
            theta = np.asarray(theta, dtype=float)
            rng = np.random.default_rng(np.asarray(bits).ravel().tolist())
            found = call(theta.reshape(-1, theta.shape[-1]), size, rng)
            return np.asarray(found, dtype=np.float32).reshape(shape)

        wanted = jax.ShapeDtypeStruct(shape, jnp.float32)
        return jax.pure_callback(outside, wanted, jax.random.key_data(key), theta, vmap_method="sequential")

    return simulate
