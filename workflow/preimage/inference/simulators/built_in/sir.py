"""An epidemic seen through tests: the SIR model, of which ten days' tests of 1000 people each tell the infected.

S' = -b S I / N, I' = b S I / N - g I with N = 1e6 and I(0) = 1; the days are 0, 17, ..., 153, and a day's count is
binomial with 1000 tests. The contact rate b is log-normal about 0.4 (sd of the log 0.5), the recovery rate g about
0.125 (0.2). The task of the public benchmark (Lueckmann, Boelts, Greenberg, Goncalves and Macke, "Benchmarking
simulation-based inference", 2021).
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import gammaln, xlog1py, xlogy

from preimage.inference.prior import Margin, Prior
from preimage.inference.simulator import Simulator

PEOPLE, TESTS = 1e6, 1000
EVERY, DAYS = 17, 10
# Steps a day of the classical Runge-Kutta method: its error is then far below a test's.
STEPS = 2


def build() -> Simulator:
    return Simulator(
        name="sir",
        prior=Prior(
            {
                "contact_rate": Margin("log_normal", np.log(0.4), 0.5),
                "recovery_rate": Margin("log_normal", np.log(0.125), 0.2),
            }
        ),
        coordinates=tuple(f"day_{EVERY * k}" for k in range(DAYS)),
        simulate=simulate,
        log_likelihood=log_likelihood,
        encoded=lambda x: jnp.log1p(x) / 2 - 1,
    )


def _stepped(log_s: Any, log_i: Any, b: Any, g: Any, xp: Any) -> tuple[Any, Any]:
    """Return the logs of the shares S / N and I / N a step later: on this scale neither is lost to rounding."""

    def slope(log_s: Any, log_i: Any) -> tuple[Any, Any]:
        return -b * xp.exp(log_i), b * xp.exp(log_s) - g

    h = 1 / STEPS
    s1, i1 = slope(log_s, log_i)
    s2, i2 = slope(log_s + h / 2 * s1, log_i + h / 2 * i1)
    s3, i3 = slope(log_s + h / 2 * s2, log_i + h / 2 * i2)
    s4, i4 = slope(log_s + h * s3, log_i + h * i3)
    return log_s + h / 6 * (s1 + 2 * s2 + 2 * s3 + s4), log_i + h / 6 * (i1 + 2 * i2 + 2 * i3 + i4)


def simulate(key: Any, theta: Any, size: int) -> Any:
    b, g = theta[..., 0].astype(jnp.float32), theta[..., 1].astype(jnp.float32)
    start = (jnp.full(b.shape, np.log1p(-1 / PEOPLE), jnp.float32), jnp.full(b.shape, -np.log(PEOPLE), jnp.float32))

    def step(state: Any, _: Any) -> tuple[Any, None]:
        return _stepped(state[0], state[1], b, g, jnp), None

    def days(state: Any, _: Any) -> tuple[Any, Any]:
        after, _ = jax.lax.scan(step, state, None, length=EVERY * STEPS)
        return after, state[1]

    _, log_i = jax.lax.scan(days, start, None, length=DAYS)
    share = jnp.exp(jnp.minimum(jnp.moveaxis(log_i, 0, -1), 0))[..., None, :]
    shape = (*theta.shape[:-1], size, DAYS)
    return jax.random.binomial(key, jnp.float32(TESTS), jnp.broadcast_to(share, shape), dtype=jnp.float32)


def shares(theta: np.ndarray) -> np.ndarray:
    """Return the shares of infected (k, 10) on the days of tests, in double precision."""
    b, g = np.asarray(theta, float).T
    log_s, log_i, found = np.full(len(b), np.log1p(-1 / PEOPLE)), np.full(len(b), -np.log(PEOPLE)), []
    for step in range(EVERY * STEPS * (DAYS - 1) + 1):
        if step % (EVERY * STEPS) == 0:
            found.append(np.exp(np.minimum(log_i, 0)))
        log_s, log_i = _stepped(log_s, log_i, b, g, np)
    return np.stack(found, axis=-1)


def log_likelihood(x: np.ndarray, theta: np.ndarray) -> np.ndarray:
    share, n = shares(theta), len(x)
    ways = (gammaln(TESTS + 1) - gammaln(x + 1) - gammaln(TESTS - x + 1)).sum()
    positive = x.sum(axis=0)
    return ways + (xlogy(positive, share) + xlog1py(n * TESTS - positive, -share)).sum(axis=1)
