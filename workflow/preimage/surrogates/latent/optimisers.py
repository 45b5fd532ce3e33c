"""Minimisers for JAX that can be differentiated through: gradient descent, momentum, Adam and L-BFGS.

All have one form, so that one may stand in another's place in the inner problem (which y explains x?) and in the outer
one (which parameters make that y right?). They work on one vector, a fixed number of steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

Function = Callable[[Any], Any]
METHODS = ("gradient_descent", "momentum", "adam", "lbfgs")
# Step widths where a study names none, for quantities of size 1; L-BFGS finds its own.
RATES = {"gradient_descent": 0.05, "momentum": 0.02, "adam": 0.05, "lbfgs": 1.0}
DECAY = 0.9
# Adam's decay of squares, and what keeps its quotient finite (Kingma and Ba 2015).
DECAY_OF_SQUARES, LEAST = 0.999, 1e-8
MEMORY = 6
# Widths that L-BFGS tries along each direction, all at once.
WIDTHS = 4.0 ** np.arange(1, -9, -1)
FULL = 1  # which of them is 1
ROUNDING = 1e-15


class Optimiser(NamedTuple):
    """`start(x)` gives a state; `step(function, x, state)` gives the next x (k,), its state, and the loss at the x
    before."""

    start: Callable[[Any], Any]
    step: Callable[[Function, Any, Any], tuple[Any, Any, Any]]


def named(method: str, rate: float | None = None) -> Optimiser:
    """Return one of `METHODS` with its step width (its default where None)."""
    make = {"gradient_descent": _descent, "momentum": _momentum, "adam": _adam, "lbfgs": _lbfgs}
    return make[method](RATES[method] if rate is None else rate)


def run(optimiser: Optimiser, function: Function, x: Any, steps: int) -> tuple[Any, Any, Any]:
    """Return the last of `steps` steps from x (k,), the points before each (steps, k), and the losses there (steps,);
    derivatives go through all steps."""

    def step(carry: Any, _: Any) -> tuple[Any, Any]:
        x, state = carry
        new, state, loss = optimiser.step(function, x, state)
        return (new, state), (x, loss)

    (last, _), (path, losses) = jax.lax.scan(step, (x, optimiser.start(x)), length=steps)
    return last, path, losses


def _descent(rate: float) -> Optimiser:
    def step(function: Function, x: Any, state: Any) -> tuple[Any, Any, Any]:
        loss, slope = jax.value_and_grad(function)(x)
        return x - rate * slope, state, loss

    return Optimiser(lambda x: (), step)


def _momentum(rate: float) -> Optimiser:
    """Polyak's heavy ball (1964)."""

    def step(function: Function, x: Any, speed: Any) -> tuple[Any, Any, Any]:
        loss, slope = jax.value_and_grad(function)(x)
        speed = DECAY * speed - rate * slope
        return x + speed, speed, loss

    return Optimiser(jnp.zeros_like, step)


def _adam(rate: float) -> Optimiser:
    def step(function: Function, x: Any, state: Any) -> tuple[Any, Any, Any]:
        mean, square, k = state
        loss, slope = jax.value_and_grad(function)(x)
        mean, square, k = DECAY * mean + (1 - DECAY) * slope, _blend(square, slope), k + 1
        # The small number stands under the root: its derivative at 0 would not be finite.
        size = jnp.sqrt(square / (1 - DECAY_OF_SQUARES**k) + LEAST**2)
        return x - rate * mean / (1 - DECAY**k) / size, (mean, square, k), loss

    return Optimiser(lambda x: (jnp.zeros_like(x), jnp.zeros_like(x), 0.0), step)


def _blend(square: Any, slope: Any) -> Any:
    return DECAY_OF_SQUARES * square + (1 - DECAY_OF_SQUARES) * slope**2


def _lbfgs(rate: float) -> Optimiser:
    """L-BFGS (Nocedal and Wright 2006, algorithm 7.4). Its line search takes the best of `WIDTHS`, or stays where none
    is better, and takes the full step where that is as good; which one it took is held fixed in derivatives."""

    def start(x: Any) -> Any:
        none = jnp.zeros((MEMORY, x.size))
        return none, none, jnp.zeros(MEMORY), x, jnp.zeros_like(x)

    def step(function: Function, x: Any, state: Any) -> tuple[Any, Any, Any]:
        moves, changes, weights, x0, slope0 = state
        loss, slope = jax.value_and_grad(function)(x)
        move, change = x - x0, slope - slope0
        curved = move @ change
        good = curved > 1e-14 * jnp.sqrt((move @ move) * (change @ change) + 1e-300)
        weight = 1 / jnp.where(good, curved, 1.0)
        moves, changes, weights = (
            jnp.where(good, jnp.concatenate([old[1:], jnp.asarray(new)[None]]), old)
            for old, new in ((moves, move), (changes, change), (weights, weight))
        )
        way = -rate * _towards(moves, changes, weights, slope)
        widths = jnp.asarray(WIDTHS, x.dtype)
        tried = jax.vmap(lambda t: function(jax.lax.stop_gradient(x + t * way)))(widths)
        tried = jnp.where(jnp.isfinite(tried), tried, jnp.inf)
        best = jnp.argmin(tried)
        width = jnp.where(tried[best] < loss, widths[best], 0.0)
        # Near the end losses differ by rounding only, and say nothing any more: the full step knows better.
        least = jnp.minimum(loss, tried[best]) + ROUNDING * jnp.abs(loss)
        width = jnp.where(tried[FULL] <= least, widths[FULL], width)
        return x + jax.lax.stop_gradient(width) * way, (moves, changes, weights, x, slope), loss

    return Optimiser(start, step)


def _towards(moves: Any, changes: Any, weights: Any, slope: Any) -> Any:
    """Return the inverse Hessian's estimate times the slope (k,): the two loops; empty memory has weight 0."""

    def newest_first(used: Any, pair: Any) -> tuple[Any, Any]:
        move, change, weight = pair
        share = weight * (move @ used)
        return used - share * change, share

    def oldest_first(used: Any, pair: Any) -> tuple[Any, Any]:
        move, change, weight, share = pair
        return used + move * (share - weight * (change @ used)), None

    used, shares = jax.lax.scan(newest_first, slope, (moves, changes, weights), reverse=True)
    known = weights[-1] > 0
    squared = jnp.where(known, changes[-1] @ changes[-1], 1.0)
    used = used * jnp.where(known, 1 / jnp.where(known, weights[-1] * squared, 1.0), 1.0)
    return jax.lax.scan(oldest_first, used, (moves, changes, weights, shares))[0]
