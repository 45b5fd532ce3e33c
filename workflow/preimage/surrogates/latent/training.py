"""The outer problem: parameters of a decoder under which inverting it gives the right y."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from preimage.surrogates.kinds.latent import LatentOuter
from preimage.surrogates.kinds.latent_classes import LatentClassesOuter
from preimage.surrogates.latent import inner, optimisers
from preimage.surrogates.latent.decoders import Decoder, Parameters

# Iterations between two looks at the loss.
AT_ONCE = 50


class Outer(NamedTuple):
    """How parameters are found: one of `optimisers.METHODS`, its iterations and step width (None: its own)."""

    method: str = "lbfgs"
    iterations: int = 200
    rate: float | None = None

    @classmethod
    def of(cls, entry: LatentOuter | LatentClassesOuter) -> Outer:
        """Return that of a study's `outer` entry."""
        return cls(**entry.plain())


def latent_loss(f: Decoder, how: inner.Inner, p: Parameters, X: Any, Y: Any, weights: Any) -> Any:
    """Return the mean squared distance of the inversions of X (n, D) from Y (n, K), rows weighted (n,)."""
    found = jax.vmap(lambda x: inner.solve(f, how, p, x))(X)
    return weights @ ((Y - found) ** 2).mean(axis=1) / weights.sum()


def observed_loss(f: Decoder, p: Parameters, X: Any, Y: Any, weights: Any) -> Any:
    """Return the mean squared distance of f(Y) from X: a plain regression of what is observed on what is behind it."""
    return weights @ ((X - jax.vmap(partial(f, p))(Y)) ** 2).mean(axis=1) / weights.sum()


def minimise(
    loss: Callable[..., Any], begin: Any, data: Any, outer: Outer, report: Callable[[int, float], None] | None = None
) -> tuple[Any, np.ndarray]:
    """Minimise `loss(p, data)` for many at once.

    Args:
        begin: a tree of arrays, each with a leading axis of the m trainings; likewise `data`.

    Returns the last parameters, and the losses before each iteration and at the end (m, iterations + 1).
    """
    one = jax.tree.map(lambda a: a[0], begin)
    _, tree = ravel_pytree(one)
    optimiser = optimisers.named(outer.method, outer.rate)

    def steps(count: int) -> Callable[..., Any]:
        def run(flat: Any, state: Any, mine: Any) -> Any:
            def step(carry: Any, _: Any) -> tuple[Any, Any]:
                at, kept, value = optimiser.step(lambda v: loss(tree(v), mine), *carry)
                return (at, kept), value

            return jax.lax.scan(step, (flat, state), length=count)

        return jax.jit(jax.vmap(run))

    flat = jax.vmap(lambda p: ravel_pytree(p)[0])(begin)
    state = jax.vmap(optimiser.start)(flat)
    losses: list[np.ndarray] = []
    programs: dict[int, Callable[..., Any]] = {}
    for done in range(0, outer.iterations, AT_ONCE):
        count = min(AT_ONCE, outer.iterations - done)
        program = programs.setdefault(count, steps(count))
        (flat, state), values = program(flat, state, data)
        losses.append(np.asarray(values))
        if report:
            report(done + count, float(values[0, -1]))
    last = jax.jit(jax.vmap(lambda v, mine: loss(tree(v), mine)))(flat, data)
    losses.append(np.asarray(last)[:, None])
    return jax.vmap(tree)(flat), np.concatenate(losses, axis=1)


def copies(tree: Any, m: int) -> Any:
    """Return a tree of arrays with a leading axis of m equal ones."""
    return jax.tree.map(lambda a: jnp.repeat(jnp.asarray(a)[None], m, axis=0), tree)
