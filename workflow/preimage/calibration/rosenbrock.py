"""Stiff equations for JAX: the Rosenbrock method Rodas5P (Steinebach 2023, "Construction of Rosenbrock-Wanner method
Rodas5P and numerical benchmarks within the Julia Differential Equations package", BIT 63:27), of order 5 and L-stable.

A step solves eight linear equations with one matrix, which the rates' exact derivatives make: there is no iteration
that may fail, and derivatives by the parameters pass through (forwards). It steps to every time that it is asked for,
and begins anew there (see `preimage.calibration.course`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

GAMMA = 0.21193756319429014
# By stage, in the form that needs no product with the matrix (Hairer and Wanner 1996, IV.7).
BEFORE = (
    (),
    (3.0,),
    (2.849394379747939, 0.45842242204463923),
    (-6.954028509809101, 2.489845061869568, -10.358996098473584),
    (2.8029986275628964, 0.5072464736228206, -0.3988312541770524, -0.04721187230404641),
    (-7.502846399306121, 2.561846144803919, -11.627539656261098, -0.18268767659942256, 0.030198172008377946),
)
STAGES = (*BEFORE, (*BEFORE[5], 1.0), (*BEFORE[5], 1.0, 1.0))
COUPLED = (
    (),
    (-14.155112264123755,),
    (-17.97296035885952, -2.859693295451294),
    (147.12150275711716, -1.41221402718213, 71.68940251302358),
    (165.43517024871676, -0.4592823456491126, 42.90938336958603, -5.961986721573306),
    (24.854864614690072, -3.0009227002832186, 47.4931110020768, 5.5814197821558125, -0.6610691825249471),
    (30.91273214028599, -3.1208243349937974, 77.79954646070892, 34.28646028294783, -19.097331116725623,
     -28.087943162872662),
    (37.80277123390563, -3.2571969029072276, 112.26918849496327, 66.9347231244047, -40.06618937091002,
     -54.66780262877968, -9.48861652309627),
)  # fmt: skip
NODES = np.array([0, 0.6358126895828704, 0.4095798393397535, 0.9769306725060716, 0.4288403609558664, 1, 1, 1])
SLOPES = np.array([GAMMA, -0.42387512638858027, -0.3384627126235924, 1.8046452872882734, 2.325825639765069, 0, 0, 0])
A, C = (np.array([(*row, *[0.0] * (8 - len(row))) for row in rows]) for rows in (STAGES, COUPLED))
# A step is this much shorter than the error allows, and changes by these factors at most.
SAFETY, SHRINK, GROW = 0.9, 0.2, 6.0
# The first step, as a share of the time in which the states would change by all of themselves.
FIRST = 1e-3
# Steps shorter than this share of the time that they lead to can't be told apart.
SHORTEST = 1e-15
# At rest are states that this share of the tolerance bounds the change of, in so many steps in a row that each at least
# double the time that has gone by.
STILL, DOUBLINGS = 0.1, 4

Rates = Callable[[Any, Any], Any]


def integrate(
    rates: Rates,
    y0: Any,
    start: Any,
    times: Any,
    rtol: Any,
    atol: Any,
    largest: Any,
    most_steps: int,
    jumps: tuple[Any, Any] | None = None,
) -> Any:
    """Return the states (n, k) at times (n,), which ascend strictly from the start or later; NaN beyond the time where
    the steps come to nothing, or are too many.

    Args:
        rates: (t, y) to the derivatives of the states (k,).
        atol: absolute tolerances (k,).
        jumps: what is added to the states at each of the times (n, k), before they are returned and after.
    """
    begins = jnp.concatenate([jnp.asarray(start, float)[None], times[:-1]])
    rows = jnp.full((len(times), len(y0)), jnp.nan) + 0.0 * y0

    def going(carry: Any) -> Any:
        _, _, _, k, _, n = carry
        return (k < len(times)) & (n < most_steps)

    def turn(carry: Any) -> Any:
        t, y, h, k, out, n = carry
        begin, end = begins[k], times[k]
        length, there = stretch(t, h, end)
        inside = jnp.nextafter(begin, jnp.inf), jnp.nextafter(end, -jnp.inf)
        after, wrong = step(rates, t, y, length, inside)
        good, arrived, lost, t, h = judged(t, h, begin, end, length, there, off(y, after, wrong, rtol, atol), largest)
        y = jnp.where(good, after, y)
        out = out.at[k].set(jnp.where(arrived, y if jumps is None else y + jumps[0][k], out[k]))
        if jumps is not None:
            y = jnp.where(arrived, y + jumps[0][k] + jumps[1][k], y)
        return t, y, h, jnp.where(lost, len(times), k + arrived), out, n + 1

    first = jnp.minimum(first_step(rates, start, y0, times[-1], atol, rtol), largest)
    carry = (jnp.asarray(start, float), y0, first, 0, rows, 0)
    return jax.lax.while_loop(going, turn, carry)[4]


def stretch(t: Any, h: Any, end: Any) -> tuple[Any, Any]:
    """Return how long a step is (1 where there is nowhere to go), and whether the end is reached already: a row at the
    start."""
    left = end - t
    # A step to the end, or half way where the next would be shorter than this.
    length = jnp.where(h >= left, left, jnp.where(2 * h > left, left / 2, h))
    return jnp.where(left <= 0, 1.0, length), left <= 0


def off(y: Any, after: Any, wrong: Any, rtol: Any, atol: Any) -> Any:
    """Return the error of a step as a multiple of the tolerance."""
    size = atol + rtol * jnp.maximum(jnp.abs(y), jnp.abs(after))
    error = jax.lax.stop_gradient(jnp.sqrt(jnp.mean((wrong / size) ** 2)))
    return jnp.where(jnp.isfinite(error), error, jnp.inf)


def longer(error: Any) -> Any:
    """Return by what factor the next step may be longer."""
    return jnp.clip(SAFETY * jnp.maximum(error, 1e-10) ** -0.2, SHRINK, GROW)


def judged(
    t: Any, h: Any, begin: Any, end: Any, length: Any, there: Any, error: Any, largest: Any
) -> tuple[Any, Any, Any, Any, Any]:
    """Return whether a step is taken, whether it arrives at the end, whether steps come to nothing, the time, and the
    next step."""
    good = (error <= 1) & ~there
    # A step that a row has cut short says little of how long the next may be.
    next_step = length * longer(error)
    grown = jnp.where(good & (length < h), jnp.maximum(h, next_step), next_step)
    arrived = there | (good & (length == end - t))
    lost = ~arrived & ~good & (length <= SHORTEST * jnp.maximum(jnp.abs(t), jnp.abs(end - begin)))
    t = jnp.where(arrived, end, jnp.where(good, t + length, t))
    return good, arrived, lost, t, jnp.minimum(jnp.where(there, h, grown), largest)


def settle(rates: Callable[[Any], Any], y0: Any, rtol: Any, atol: Any, most_steps: Any) -> Any:
    """Return the states (k,) in which the equations come to rest from y0 (k,); NaN where they don't.

    Steps grow without end as the states settle. What the rates conserve, steps conserve too, so that the derivative of
    the state at rest by what the states begin with is right as well.

    Args:
        rates: of the states (k,) alone.
        atol: absolute tolerances (k,).
    """
    anywhen = -jnp.inf, jnp.inf

    def field(_: Any, y: Any) -> Any:
        return rates(y)

    def going(carry: Any) -> Any:
        _, _, _, still, n = carry
        return (still < DOUBLINGS) & (n < most_steps)

    def turn(carry: Any) -> Any:
        y, gone, h, still, n = carry
        after, wrong = step(field, 0.0, y, h, anywhen)
        good, gone, h, still = rested(y, after, wrong, gone, h, still, rtol, atol)
        return jnp.where(good, after, y), gone, h, still, n + 1

    first = first_to_rest(rates, y0, rtol, atol)
    y, _, _, still, _ = jax.lax.while_loop(going, turn, (y0, 0.0, first, 0, 0))
    return jnp.where(still >= DOUBLINGS, y, jnp.nan)


def rested(
    y: Any, after: Any, wrong: Any, gone: Any, h: Any, still: Any, rtol: Any, atol: Any
) -> tuple[Any, Any, Any, Any]:
    """Return whether a step on the way to rest is taken, the time gone by, the next step, and for how many steps in a
    row next to nothing has changed."""
    error, change = off(y, after, wrong, rtol, atol), off(y, after, after - y, rtol, atol)
    good = error <= 1
    resting = good & (change <= STILL) & (h >= gone)
    # Where next to nothing is left to change, all else is rounding.
    factor = jnp.where(resting, GROW, longer(error))
    still = jnp.where(resting, still + 1, jnp.where(good, 0, still))
    return good, jnp.where(good, gone + h, gone), h * factor, still


def first_to_rest(rates: Callable[[Any], Any], y0: Any, rtol: Any, atol: Any) -> Any:
    """Return the first step on the way to rest."""
    speed = rates(y0)
    one, two = (jnp.sqrt(jnp.mean((v / (atol + rtol * jnp.abs(y0))) ** 2)) for v in (y0, speed))
    moving = (two > 0) & jnp.isfinite(two)
    # Of states that are all 0 nothing says how long they take: the tolerance is what they may change by.
    first = jnp.where(moving, FIRST * jnp.maximum(one, 1.0) / jnp.where(moving, two, 1.0), 1.0)
    return jax.lax.stop_gradient(first)


def first_step(rates: Rates, start: Any, y0: Any, end: Any, atol: Any, rtol: Any) -> Any:
    """Return the first step: a share of the time in which the states would change by all of themselves."""
    size = atol + rtol * jnp.abs(y0)
    speed = rates(jnp.nextafter(jnp.asarray(start, float), jnp.inf), y0)
    one, two = (jnp.sqrt(jnp.mean((v / size) ** 2)) for v in (y0, speed))
    whole = end - start
    found = jnp.where((one > 0) & (two > 0) & jnp.isfinite(two), FIRST * one / jnp.where(two > 0, two, 1.0), whole)
    return jax.lax.stop_gradient(jnp.clip(found, 1e-12 * whole, jnp.maximum(1e-3 * whole, SHORTEST)))


def step(rates: Rates, t: Any, y: Any, h: Any, inside: tuple[Any, Any]) -> tuple[Any, Any]:
    """Return the states a step on, and their error.

    Args:
        inside: the first and last times at which rates may be asked for.
    """

    def field(s: Any, v: Any) -> Any:
        return rates(jnp.clip(s, *inside), v)

    jacobian = jax.jacfwd(field, 1)(t, y)
    begun = jnp.clip(t, *inside)
    by_time = jax.jvp(lambda s: rates(s, y), (begun,), (jnp.ones_like(begun),))[1]
    matrix = jnp.eye(len(y)) / (h * GAMMA) - jacobian
    factors = jax.scipy.linalg.lu_factor(jax.lax.stop_gradient(matrix))
    nodes, slopes, stages, coupled = (jnp.asarray(table) for table in (NODES, SLOPES, A, C))

    def stage(i: Any, U: Any) -> Any:
        right = field(t + nodes[i] * h, y + stages[i] @ U) + (coupled[i] @ U) / h + h * slopes[i] * by_time
        return U.at[i].set(_solved(matrix, factors, right))

    U = jax.lax.fori_loop(0, 8, stage, jnp.zeros((8, len(y))))
    return y + stages[7] @ U + U[7], U[7]


def _solved(matrix: Any, factors: Any, right: Any) -> Any:
    """Return the solution of a linear equation; its derivative needs no other factors."""

    def solve(_: Any, b: Any) -> Any:
        return jax.scipy.linalg.lu_solve(factors, b)

    return jax.lax.custom_linear_solve(lambda v: matrix @ v, right, solve)
