"""What a method of inference returns, and what it must be able to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from preimage.inference.simulator import Simulator


class Bank(NamedTuple):
    """Simulations from the prior: parameters (k, d) and their sets of samples (k, n, D), NaN where one failed."""

    theta: np.ndarray
    x: np.ndarray

    @property
    def failed(self) -> np.ndarray:
        """Whether each simulation failed, (k,): any of its numbers is not finite."""
        return np.asarray(~np.isfinite(self.x).all(axis=(1, 2)))


class Task(NamedTuple):
    """What is to be inferred: parameters of `simulator` from sets of `size` samples each.

    `bank` has simulations that are there already, for methods that take theirs from the prior (see
    `preimage.inference.bank.of`).
    """

    simulator: Simulator
    size: int
    bank: Bank | None = None


STATUSES = ("ok", "not_converged", "failed")


@dataclass(frozen=True)
class Estimate:
    """What one method says of one set of samples.

    Attributes:
        draws: parameters (k, d); one row where the method gives a point.
        weights: of the draws, (k,), adding up to 1.
        simulations: single samples simulated for this set alone, training left out.
        log_density: log density of the answer at given parameters (m, d), (m,), per unit of the parameters; None where
            the method only gives draws.
        path: means and sds of the proposals on the way, each (steps, d); None where there is no way.
        point: whether the method gives a point and says nothing of its uncertainty.
        status, message: `ok`, or what went wrong.
    """

    draws: np.ndarray
    weights: np.ndarray
    simulations: int
    log_density: Callable[[np.ndarray], np.ndarray] | None = None
    path: tuple[np.ndarray, np.ndarray] | None = None
    point: bool = False
    status: str = "ok"
    message: str = ""


class Trained(Protocol):
    """A method that is ready to be asked; one that needs no training is ready at once."""

    @property
    def simulations(self) -> int:
        """Single samples simulated in training."""

    @property
    def history(self) -> Mapping[str, list[tuple[int, float]]]:
        """Measures of training by name, each with their steps: `{"loss": [(step, value), ...]}`."""

    def infer(self, x: np.ndarray, rng: np.random.Generator) -> list[Estimate]:
        """Return an answer a set for sets of samples (sets, n, D). A set that fails has an answer that says so."""

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what training made, to be saved; empty where nothing was trained."""


@dataclass(frozen=True)
class Untrained:
    """A method without training, from the function that answers for one set: `ask(x, rng)` with x (n, D)."""

    ask: Callable[[np.ndarray, np.random.Generator], Estimate]
    simulations: int = 0
    history: Mapping[str, list[tuple[int, float]]] = field(default_factory=dict)

    def infer(self, x: np.ndarray, rng: np.random.Generator) -> list[Estimate]:
        return [self.ask(one, rng) for one in x]

    def arrays(self) -> dict[str, np.ndarray]:
        return {}


def failed(parameters: int, message: str, simulations: int = 0) -> Estimate:
    """Return the answer of a method that has none: one draw of NaN, and why."""
    return Estimate(np.full((1, parameters), np.nan), np.ones(1), simulations, status="failed", message=message)
