"""Every event of the stochastic Lotka-Volterra model, one after another (Gillespie's direct method, 1977)."""

from __future__ import annotations

from typing import Any

import numpy as np

from preimage.inference.callback import traceable
from preimage.support.numba_cache import numba

# A trajectory of more events than this failed: without foxes, rabbits double until the end of time.
MOST = 1_000_000


@numba.njit(cache=True)
def _trajectories(rates, size, times, step, rabbits_first, foxes_first, most, rng, found):  # type: ignore[no-untyped-def]
    """Fill `found` (k, size, 2 times) with trajectories at rates (k, 4); NaN from where the events ran out."""
    for i in range(len(rates)):
        a, b, c, d = rates[i]
        for j in range(size):
            rabbits, foxes = rabbits_first, foxes_first
            clock, at, events = 0.0, 0, 0
            while at < times and events < most:
                born, eaten, fox_born = a * rabbits, b * rabbits * foxes, c * rabbits * foxes
                total = born + eaten + fox_born + d * foxes
                if total <= 0.0:
                    clock = np.inf
                else:
                    clock += rng.standard_exponential() / total
                while at < times and clock > (at + 1) * step:
                    found[i, j, at] = rabbits
                    found[i, j, times + at] = foxes
                    at += 1
                u = rng.random() * total
                if u < born:
                    rabbits += 1.0
                elif u < born + eaten:
                    rabbits -= 1.0
                elif u < born + eaten + fox_born:
                    foxes += 1.0
                elif total > 0.0:
                    foxes -= 1.0
                events += 1


def events(start: tuple[float, float], times: int, step: float) -> Any:
    """Return `simulate` (see `Simulator`): from `start` rabbits and foxes, numbers of both at `times` times."""

    def call(theta: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
        found = np.full((len(theta), size, 2 * times), np.nan)
        _trajectories(np.exp(theta), size, times, step, *start, MOST, rng, found)
        failed = np.isnan(found).any(axis=-1)
        found[failed] = np.nan
        return found

    return traceable(call, 2 * times)
