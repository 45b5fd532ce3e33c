"""Simulators in NumPy as JAX sees them: a function outside of the compiled program, called with a seed from its key."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from preimage.support.errors import StudyError


def traceable(call: Callable[[np.ndarray, int, np.random.Generator], np.ndarray], coordinates: int) -> Any:
    """Return `simulate(key, theta, size)` of a NumPy function `call(theta (k, d), size, rng)` -> (k, size, D).

    The generator is seeded with the key's bits, so that one key gives the same samples in every program. What `call`
    raises ends the program with an error that has its text (see `told_plainly`).
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


@contextlib.contextmanager
def told_plainly() -> Iterator[None]:
    """Raise the StudyError of a simulator as itself: out of a compiled program, it is in the text of JAX's error."""
    try:
        yield
    except StudyError:
        raise
    except Exception as error:
        # JAX has no one type for what a callback raised.
        said = re.findall(r"StudyError: (.+)", str(error))
        if not said:
            raise
        raise StudyError(said[-1].strip()) from error
