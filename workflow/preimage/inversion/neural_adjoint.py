"""Inverter `neural_adjoint`: Adam on the inputs of a differentiable model from random starts, with a boundary loss that
keeps them where the training rows were (Ren, Padilla, Malof 2020, "Benchmarking deep inverse models over time, and the
neural-adjoint method", NeurIPS 33). A comparison: `multistart` with exact gradients goes on to the last digit.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from preimage import polytope
from preimage.inversion import Answer, Question, Report, repaired
from preimage.inversion.batched import loss_along
from preimage.inversion.multistart import typical_loss
from preimage.surrogates.precision import cache_compiled_programs, enable_double

enable_double()
cache_compiled_programs()

STEPS = 300
RATE, DECAY1, DECAY2, TINY = 0.01, 0.9, 0.999, 1e-8


def invert(
    question: Question, options: Mapping[str, Any], rng: np.random.Generator, state: Path | None, report: Report | None
) -> Answer:
    """Descend from `starts` uniform points for 300 steps; what ends outside the bounds is clipped, and says so."""
    space = question.space
    X0 = polytope.sample(space, int(options["starts"]), rng)
    movable = space.free & ~np.array([bool(i.categories) for i in space.inputs], bool)
    if not movable.any():
        return Answer(X0, [1] * len(X0), ["ok"] * len(X0), ["nothing to move"] * len(X0))
    U = np.asarray(_program(question, movable)(jnp.asarray(X0)))
    outside = np.abs(np.clip(U, 0, 1) - U).max(axis=1)
    X = X0.copy()
    X[:, movable] = space.low[movable] + np.clip(U, 0, 1) * (space.high - space.low)[movable]
    X = np.clip(X, space.low, space.high)
    X, notes = repaired(space, X)
    message = [
        "; ".join(filter(None, [f"{STEPS} steps", f"clipped by {o:.3g} of an input's range" if o else "", note]))
        for o, note in zip(outside, notes, strict=True)
    ]
    if report:
        report(len(X), float(np.nanmin(question.loss(X), initial=np.inf)))
    return Answer(X, [STEPS + 1] * len(X), ["ok"] * len(X), message)


def _program(question: Question, movable: np.ndarray) -> Any:
    """Return the compiled descent: starts (n, d) to scaled ends (n, k)."""
    loss, unit = loss_along(question, movable), typical_loss(question)
    rows = question.space.scaled(question.X)[:, movable]
    middle, half = jnp.array(rows.mean(axis=0)), jnp.array(np.ptp(rows, axis=0) / 2)

    def total(u: jax.Array, x0: jax.Array) -> jax.Array:
        boundary = jnp.maximum(jnp.abs(u - middle) - half, 0).sum()
        return loss(u, x0) / unit + boundary

    def one(x0: jax.Array) -> jax.Array:
        def step(carry: Any, t: jax.Array) -> tuple[Any, None]:
            u, m, v = carry
            g = jax.grad(total)(u, x0)
            m, v = DECAY1 * m + (1 - DECAY1) * g, DECAY2 * v + (1 - DECAY2) * g * g
            scaled = (m / (1 - DECAY1**t)) / (jnp.sqrt(v / (1 - DECAY2**t)) + TINY)
            return (u - RATE * scaled, m, v), None

        u = loss.start(x0)  # type: ignore[attr-defined]
        zero = jnp.zeros_like(u)
        return jax.lax.scan(step, (u, zero, zero), jnp.arange(1.0, STEPS + 1))[0][0]

    return jax.jit(jax.vmap(one))
