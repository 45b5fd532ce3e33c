"""Prediction as an inversion: the y that explains an observation x best, and its derivatives by x and parameters.

The inner problem is min over y of |x - f(y; p)|^2 + prior |y|^2, from a fixed start, by a fixed number of steps.

Derivatives are either *unrolled*, through every step: those of the number that the solver gave, converged or not; in
reverse they keep every step. Or *implicit*, by the implicit function theorem: at the solution the slope is 0 whatever
x and p are, so dy = -H^-1 d(slope) with H the Hessian by y; they need the last point only, and are those of the exact
solution, wherever the solver stopped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from preimage.surrogates.kinds.latent import LatentInner
from preimage.surrogates.kinds.latent_classes import LatentClassesInner
from preimage.surrogates.latent import optimisers
from preimage.surrogates.latent.decoders import Decoder, Parameters

GRADIENTS = ("implicit", "unrolled")


@dataclass(frozen=True)
class Inner:
    """How the inner problem is solved.

    Attributes:
        method, rate, steps: one of `optimisers.METHODS`, its step width (None: the method's own) and number of steps.
        start: every latent coordinate begins here.
        prior: weight of |y|^2, which makes the answer unique where f does not.
        gradient: one of `GRADIENTS`.
    """

    method: str = "lbfgs"
    rate: float | None = None
    steps: int = 12
    start: float = 0.0
    prior: float = 0.0
    gradient: str = "implicit"

    @classmethod
    def of(cls, entry: LatentInner | LatentClassesInner, gradient: str) -> Inner:
        """Return that of a study's `inner` entry."""
        return cls(gradient=gradient, **entry.plain())


def misfit(f: Decoder, p: Parameters, y: Any, x: Any, prior: float = 0.0) -> Any:
    """Return how badly y (K,) explains x (D,)."""
    return ((x - f(p, y)) ** 2).sum() + prior * (y**2).sum()


def solve(f: Decoder, inner: Inner, p: Parameters, x: Any, y0: Any = None) -> Any:
    """Return the y (K,) found for x (D,), with the derivatives that `inner.gradient` says; from `y0` (K,) where given.

    Implicit derivatives are those of one Newton step from where the solver stopped, all else held: both in forward
    and in reverse, and under vmap. Its value is taken off again.
    """
    begin = jnp.full(f.latent, float(inner.start)) if y0 is None else y0
    if inner.gradient == "unrolled":
        return _stepped(f, inner, p, x, begin)[0]
    held_p, held_x = jax.lax.stop_gradient((p, x))
    y = jax.lax.stop_gradient(_stepped(f, inner, held_p, held_x, begin)[0])
    curvature = jax.hessian(lambda v: misfit(f, held_p, v, held_x, inner.prior))(y)
    inverse = jax.lax.stop_gradient(jnp.linalg.pinv(curvature, hermitian=True))
    move = inverse @ jax.grad(lambda v: misfit(f, p, v, x, inner.prior))(y)
    return y - (move - jax.lax.stop_gradient(move))


def path(f: Decoder, inner: Inner, p: Parameters, x: Any, y0: Any = None) -> tuple[Any, Any]:
    """Return the points of the solver's way, first and last among them (steps + 1, K), and the losses (steps + 1,)."""
    begin = jnp.full(f.latent, float(inner.start)) if y0 is None else y0
    last, before, losses = _stepped(f, inner, p, x, begin)
    end = misfit(f, p, last, x, inner.prior)
    return jnp.concatenate([before, last[None]]), jnp.concatenate([losses, end[None]])


def _stepped(f: Decoder, inner: Inner, p: Parameters, x: Any, begin: Any) -> tuple[Any, Any, Any]:
    optimiser = optimisers.named(inner.method, inner.rate)
    return optimisers.run(optimiser, lambda y: misfit(f, p, y, x, inner.prior), begin, inner.steps)
