"""Simulations from the prior, made once and used by every method that needs no others.

A simulation that failed is a row of NaN: it stays in the bank, its share is reported, and methods leave it out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from preimage.inference import arrays
from preimage.inference.answer import Bank, Task

# Samples in one call of the simulator: what memory it takes doesn't grow with the bank.
BLOCK = 2_000_000
SETS = 10_000


def simulate(task: Task, sets: int, rng: np.random.Generator) -> Bank:
    """Return so many sets of samples at parameters drawn from the prior. Raises StudyError where all fail."""
    theta = task.simulator.prior.sample(rng, sets)
    each = max(1, BLOCK // task.size)
    # Simulators compute in single precision: nothing is lost.
    x = [task.simulator.draw(rng, theta[k : k + each], task.size) for k in range(0, sets, each)]
    task.simulator.refuse_if_broken(whole := np.concatenate(x))
    return Bank(theta, whole.astype(np.float32))


def joined(parts: Iterable[Bank]) -> Bank:
    theta, x = zip(*parts, strict=True)
    return Bank(np.concatenate(theta), np.concatenate(x))


def sets_for(wanted: Sequence[int | None], size: int) -> int:
    """Return how many sets hold the single samples that each method wants, by default those of `SETS` sets."""
    return max(SETS if simulations is None else simulations // size for simulations in wanted)


def share(sets: int, part: int, parts: int) -> int:
    """Return how many of so many sets are simulated by one of several jobs."""
    return (part + 1) * sets // parts - part * sets // parts


def read(files: Sequence[str]) -> Bank | None:
    """Return the bank from the files of its parts; None where there are none."""
    parts = [Bank(**arrays.read(path)) for path in files]
    return joined(parts) if parts else None


def complete(bank: Bank, most: int) -> Bank:
    """Return the first simulations, `most` of them at most, that did not fail."""
    fine = np.flatnonzero(~bank.failed)[:most]
    return Bank(bank.theta[fine], bank.x[fine])


def of(task: Task, simulations: int, rng: np.random.Generator) -> Bank:
    """Return the simulations that a method may train on, at most `simulations` single samples: the bank's first ones,
    without those that failed; made now where there is no bank."""
    sets = simulations // task.size
    bank = task.bank if task.bank is not None else simulate(task, sets, rng)
    return complete(Bank(bank.theta[:sets], bank.x[:sets]), sets)
