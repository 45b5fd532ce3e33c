"""Prey and predators as a differential equation, both counted ten times with errors of 10 %.

x' = a x - b x y, y' = -c y + d x y from x = 30 and y = 1; counts at the times 0, 2.1, ..., 18.9 are log-normal about
the solution, with an sd of the log of 0.1. The rates are log-normal: a and c about exp(-0.125), b and d about exp(-3),
with an sd of the log of 0.5. The task `lotka_volterra` of the public benchmark (Lueckmann, Boelts, Greenberg, Goncalves
and Macke, "Benchmarking simulation-based inference", 2021).
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from preimage.inference.prior import Margin, Prior
from preimage.inference.simulator import Simulator

START = (30.0, 1.0)
TIMES, EVERY = 10, 2.1
# Steps between two times, of the classical Runge-Kutta method on the logs of both: of 100 draws from the prior, 99 have
# errors below a hundredth of the noise.
STEPS = 84
SD = 0.1
# The task's bounds of what is counted.
LEAST, MOST = 1e-10, 1e4
CENTRES = {"prey_birth": -0.125, "predation": -3.0, "predator_death": -0.125, "predator_birth": -3.0}


def build() -> Simulator:
    return Simulator(
        name="lotka_volterra_ode",
        prior=Prior({name: Margin("log_normal", centre, 0.5) for name, centre in CENTRES.items()}),
        coordinates=tuple(f"{who}_{EVERY * k:.1f}" for who in ("prey", "predators") for k in range(TIMES)),
        simulate=simulate,
        log_likelihood=log_likelihood,
        encoded=lambda x: jnp.log(x) / 2 - 0.5,
    )


def _stepped(u: Any, v: Any, rates: Any, xp: Any) -> tuple[Any, Any]:
    """Return the logs of prey and predators a step later."""
    a, b, c, d = rates

    def slope(u: Any, v: Any) -> tuple[Any, Any]:
        return a - b * xp.exp(v), d * xp.exp(u) - c

    h = EVERY / STEPS
    u1, v1 = slope(u, v)
    u2, v2 = slope(u + h / 2 * u1, v + h / 2 * v1)
    u3, v3 = slope(u + h / 2 * u2, v + h / 2 * v2)
    u4, v4 = slope(u + h * u3, v + h * v3)
    return u + h / 6 * (u1 + 2 * u2 + 2 * u3 + u4), v + h / 6 * (v1 + 2 * v2 + 2 * v3 + v4)


def simulate(key: Any, theta: Any, size: int) -> Any:
    rates = jnp.moveaxis(theta.astype(jnp.float32), -1, 0)
    start = tuple(jnp.full(rates.shape[1:], np.log(n), jnp.float32) for n in START)

    def step(at: Any, _: Any) -> tuple[Any, None]:
        return _stepped(at[0], at[1], rates, jnp), None

    def interval(at: Any, _: Any) -> tuple[Any, Any]:
        after, _ = jax.lax.scan(step, at, None, length=STEPS)
        return after, jnp.stack(at)

    _, path = jax.lax.scan(interval, start, None, length=TIMES)
    logs = jnp.moveaxis(path, (1, 0), (-2, -1)).reshape(*theta.shape[:-1], 1, 2 * TIMES)
    noise = SD * jax.random.normal(key, (*theta.shape[:-1], size, 2 * TIMES), jnp.float32)
    return jnp.exp(jnp.clip(logs, np.log(LEAST), np.log(MOST)) + noise)


def logs_at(theta: np.ndarray) -> np.ndarray:
    """Return the logs (k, 20) of prey and of predators at the times, in double precision."""
    rates = np.asarray(theta, float).T
    u, v = (np.full(len(theta), np.log(n)) for n in START)
    found = []
    for step in range(STEPS * (TIMES - 1) + 1):
        if step % STEPS == 0:
            found.append((u, v))
        with np.errstate(over="ignore", invalid="ignore"):
            u, v = _stepped(u, v, rates, np)
    return np.clip(np.concatenate([np.stack(part, axis=-1) for part in zip(*found, strict=True)], axis=-1),
                   np.log(LEAST), np.log(MOST))  # fmt: skip


def log_likelihood(x: np.ndarray, theta: np.ndarray) -> np.ndarray:
    apart = (np.log(x)[None] - logs_at(theta)[:, None]) / SD
    found = -(apart**2).sum(axis=(1, 2)) / 2 - np.log(x).sum() - x.size * np.log(SD * np.sqrt(2 * np.pi))
    return np.where(np.isfinite(found), found, -np.inf)
