"""Foxes and rabbits, born, eaten and dying one at a time: the stochastic Lotka-Volterra model.

Four events change the populations: a rabbit is born (at rate a rabbits), a rabbit is eaten (b rabbits foxes), a fox is
born (c rabbits foxes), a fox dies (d foxes). The parameters are the logs of the four rates, each uniform within a
factor of 2 of the field's usual values (1, 0.01, 0.01, 0.5; Papamakarios and Murray, 2016). The field's usual priors
span a thousandfold, over which nearly every trajectory dies out or explodes; here one cycle, of about 9 units of time,
shows in most trajectories, and all four rates in its height, period and phase.

One sample is one trajectory from 100 rabbits and 50 foxes: both populations at the times 0.5, 1, ..., 10. Sets of
several samples are repeated experiments at the same rates.

`stepping: tau_leaping` (the default) takes LEAPS equal steps between two times, with the rates of the expected middle
of each step (Gillespie, "Approximate accelerated stochastic simulation of chemically reacting systems", 2001);
`stepping: exact` simulates every event (Gillespie, 1977), see `lotka_volterra_exact`.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from preimage.inference.prior import Margin, Prior
from preimage.inference.simulator import Simulator
from preimage.inference.simulators.counts import poisson
from preimage.support.errors import StudyError, did_you_mean

RATES = {"rabbit_birth": 1.0, "predation": 0.01, "fox_birth": 0.01, "fox_death": 0.5}
# By event, the change of (rabbits, foxes).
CHANGES = np.array([[1, 0], [-1, 0], [0, 1], [0, -1]], dtype=np.float32)
START = (100.0, 50.0)
TIMES, STEP = 20, 0.5
LEAPS = 20
STEPPINGS = ("tau_leaping", "exact")


def build(stepping: str = "tau_leaping") -> Simulator:
    """Return the simulator. Raises StudyError for an unknown stepping."""
    if stepping not in STEPPINGS:
        raise StudyError(f"problem.stepping '{stepping}' is unknown{did_you_mean(stepping, STEPPINGS)}")
    simulate = leaped
    if stepping == "exact":
        from preimage.inference.simulators.lotka_volterra_exact import events

        simulate = events(START, TIMES, STEP)
    factor = np.log(2)
    return Simulator(
        name="lotka_volterra",
        prior=Prior({f"log_{k}": Margin("uniform", np.log(v) - factor, np.log(v) + factor) for k, v in RATES.items()}),
        coordinates=tuple(f"{who}_{STEP * (k + 1):g}" for who in ("rabbits", "foxes") for k in range(TIMES)),
        simulate=simulate,
        encoded=lambda x: (jnp.log1p(x) - 4) / 1.5,
    )


def leaped(key: Any, theta: Any, size: int) -> Any:
    """Simulate by tau-leaping: a step's numbers of events are Poisson, none takes a population below 0."""
    rates = jnp.exp(theta.astype(jnp.float32))[..., None, :]
    tau = STEP / LEAPS

    def events(rabbits: Any, foxes: Any) -> Any:
        met = rabbits * foxes
        return jnp.stack([rabbits, met, met, foxes], axis=-1) * rates

    def leap(populations: Any, key: Any) -> tuple[Any, None]:
        drift = events(populations[..., 0], populations[..., 1]) @ CHANGES
        middle = jnp.maximum(populations + tau / 2 * drift, 0)
        happened = poisson(key, tau * events(middle[..., 0], middle[..., 1]))
        return jnp.maximum(populations + happened @ CHANGES, 0), None

    def interval(populations: Any, key: Any) -> tuple[Any, Any]:
        after, _ = jax.lax.scan(leap, populations, jax.random.split(key, LEAPS))
        return after, after

    start = jnp.broadcast_to(jnp.float32(START), (*theta.shape[:-1], size, 2))
    _, path = jax.lax.scan(interval, start, jax.random.split(key, TIMES))
    rabbits_and_foxes = jnp.moveaxis(path, 0, -1)
    return rabbits_and_foxes.reshape(*start.shape[:-1], 2 * TIMES)
