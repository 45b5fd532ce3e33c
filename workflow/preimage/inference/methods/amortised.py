"""What the methods that train a network once for all observations share: meta-training, answers, what is saved."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from preimage.inference.answer import Estimate, Task
from preimage.inference.methods.proposal import Proposals, Truncated
from preimage.inference.methods.set_encoder import SetEncoder
from preimage.inference.methods.training import Course, Loss, Weights, train
from preimage.support.errors import StudyError
from preimage.support.files import digest
from preimage.support.jax_setup import cache_compiled_programs, use_one_thread
from preimage.support.progress import TrainingContext

# Of weights, sets (B, n, D) and a key: the proposals psi (steps, B, length) on the way to the answer.
Path_ = Callable[[Weights, Any, Any], Any]

# A -log q this large is where the loss turns from linear to logarithmic: early proposals miss by millions.
TAMED = 20.0
# Sets answered in one call of the compiled program.
AT_A_TIME = 256


@dataclass(frozen=True)
class Amortised:
    """A trained network that answers for any set of the task's size.

    Attributes:
        made_for: what its weights fit: method, simulator, size and architecture; plain values.
        fresh: makes the weights of a network that was not trained.
        each: samples simulated for one answer.
        draws: number of draws of an answer.
    """

    task: Task
    proposals: Proposals
    encoder: SetEncoder
    weights: Weights
    path: Path_
    made_for: Mapping[str, Any]
    simulations: int
    history: Mapping[str, list[tuple[int, float]]]
    fresh: Callable[[], Weights]
    draws: int
    each: int = 0

    def infer(self, x: np.ndarray, rng: np.random.Generator) -> list[Estimate]:
        """Return an answer a set (sets, n, D): draws of the last proposal, truncated to the prior's support.

        Raises StudyError for sets of another shape than those of training.
        """
        x = np.asarray(x, dtype=np.float32)
        expected = (self.task.size, len(self.task.simulator.coordinates))
        if x.ndim != 3 or x.shape[1:] != expected:
            raise StudyError(
                f"{self.made_for['method']}: found sets of shape {x.shape[1:]}, expected (samples, coordinates) = "
                f"{expected} as in training"
            )
        return [self._answer(psi, rng) for psi in np.moveaxis(self.paths(x, int(rng.integers(2**31))), 1, 0)]

    def untrained(self) -> Amortised:
        """Return the method as it was before training."""
        return replace(self, weights=self.fresh())

    def paths(self, x: np.ndarray, seed: int = 0) -> np.ndarray:
        """Return the proposals psi (steps, sets, length) for sets (sets, n, D)."""
        found, key = [], jax.random.key(seed)
        for start in range(0, len(x), AT_A_TIME):
            block = x[start : start + AT_A_TIME]
            count = len(block)
            # Numbers of sets are powers of 2: each makes one program.
            full = np.resize(block, ((1 << (count - 1).bit_length()), *block.shape[1:]))
            psi = self._compiled(self.weights, full, jax.random.fold_in(key, start))
            found.append(np.asarray(psi, dtype=float)[:, :count])
        return np.concatenate(found, axis=1)

    def _answer(self, psi: np.ndarray, rng: np.random.Generator) -> Estimate:
        path = self.proposals.in_units(psi)
        if not np.isfinite(psi).all():
            d = self.proposals.d
            return Estimate(
                np.full((1, d), np.nan), np.ones(1), self.each, None, path, False, "failed", "no finite proposal"
            )
        last = Truncated(self.proposals, psi[-1], self.draws, rng)
        weights = np.full(len(last.draws), 1 / len(last.draws))
        return Estimate(last.draws, weights, self.each, last.log_density, path)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return weights and scales, and what they were made for."""
        told = {"made_for": self.made_for, "simulations": self.simulations, "history": self.history}
        leaves = {f"weights.{k}": np.asarray(leaf) for k, leaf in enumerate(jax.tree.leaves(self.weights))}
        return {"told": np.array(json.dumps(told)), **self.encoder.arrays(), **leaves}

    @cached_property
    def _compiled(self) -> Path_:
        return jax.jit(self.path)


def made_for(kind: str, task: Task, architecture: Mapping[str, Any]) -> dict[str, Any]:
    """Return what weights of a method fit, in plain values that survive JSON."""
    simulator = task.simulator
    return {
        "method": kind,
        "simulator": simulator.name,
        "version of the simulator": simulator.version,
        "parameters": {name: list(margin) for name, margin in simulator.prior.margins.items()},
        **({"correlations": list(map(list, correlated))} if (correlated := simulator.prior.correlations) else {}),
        "coordinates": list(simulator.coordinates),
        "size": task.size,
        **architecture,
    }


def told(arrays: Mapping[str, np.ndarray], expected: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `Amortised.arrays` told of the training. Raises StudyError where it was for something else."""
    found: dict[str, Any] = json.loads(str(arrays["told"]))
    for key, value in expected.items():
        if found["made_for"].get(key) != value:
            raise StudyError(
                f"weights of method '{expected['method']}': found {key} {found['made_for'].get(key)!r}, expected "
                f"{value!r}: they were trained for another task"
            )
    found["history"] = {name: [(int(k), float(v)) for k, v in rows] for name, rows in found["history"].items()}
    return found


def refilled(weights: Weights, arrays: Mapping[str, np.ndarray]) -> Weights:
    """Return weights of this structure with the numbers of `Amortised.arrays`."""
    leaves = [np.asarray(arrays[f"weights.{k}"]) for k in range(len(jax.tree.leaves(weights)))]
    return jax.tree.unflatten(jax.tree.structure(weights), leaves)


@dataclass(frozen=True)
class MetaTraining:
    """Minimises the mean of -log q at the true parameters over fresh tasks (parameters from the prior, and a set of
    samples of each), q truncated to the prior's support as in the answer.

    Attributes:
        told: all that decides the result beside the code, of which the state of a training that was stopped carries the
            digest; where its `truncated` is False, densities are those of whole Gaussians, for comparison.
    """

    task: Task
    proposals: Proposals
    context: TrainingContext
    told: Mapping[str, Any]
    batch: int
    learning_rate: float
    spent: list[int] = field(default_factory=list)

    def __call__(
        self, name: str, path: Path_, weights: Weights, seed: int, updates: int, cost: int, passes: int = 1
    ) -> tuple[Weights, list[tuple[int, float]]]:
        """Return trained weights and the history of -log q, after `updates` that simulate `cost` samples a task.

        With more than one of `passes`, for a path that simulates nothing itself, the sets of all these updates are
        simulated first and kept, and there are so many times the updates.
        """
        use_one_thread()
        cache_compiled_programs()
        self.spent.append(updates * self.batch * cost)
        course = Course(passes * updates, self.learning_rate)
        data = self._kept(seed, updates) if passes > 1 else None
        file = self._file([name, seed, course, passes])
        return train(self.loss(path), weights, seed, course, file, self.context.report, data)

    def loss(self, path: Path_) -> Loss:
        """Return the loss of weights for a key: later proposals of a path weigh more, by their number."""
        proposals, truncated = self.proposals, self.told["truncated"]

        def loss(weights: Weights, key: Any, data: Any) -> tuple[Any, Any]:
            one, two, other = jax.random.split(key, 3)
            if data is None:
                z, x = self._drawn(one, two)
            else:
                rows = jax.random.randint(one, (self.batch,), 0, len(data[0]))
                z, x = data[0][rows], data[1][rows]
            psi = path(weights, jax.lax.stop_gradient(x), other)
            missed = (proposals.log_mass(psi) if truncated else 0) - proposals.log_density(psi, z)
            weight = jnp.arange(1, len(missed) + 1, dtype=jnp.float32)
            tamed = TAMED * jnp.arcsinh(missed / TAMED)
            return ((weight / weight.sum()) @ tamed).mean(), missed[-1].mean()

        return loss

    def _drawn(self, one: Any, other: Any) -> tuple[Any, Any]:
        """Return a batch from the prior for two keys: parameters z (B, d) and their sets (B, n, D)."""
        simulator = self.task.simulator
        z = simulator.prior.sample_z(one, (self.batch,)).astype(jnp.float32)
        return z, simulator.simulate(other, simulator.prior.from_z(z, jnp), self.task.size).astype(jnp.float32)

    def _kept(self, seed: int, batches: int) -> tuple[Any, Any]:
        """Return `batches` batches from the prior, one after the other in one array of each."""
        draw, keys = jax.jit(self._drawn), jax.random.split(jax.random.key(seed), (batches, 2))
        parts = [jax.device_get(draw(*pair)) for pair in keys]
        z, x = (np.concatenate(part) for part in zip(*parts, strict=True))
        return jnp.asarray(z), jnp.asarray(x)

    def _file(self, decides: Sequence[Any]) -> Path | None:
        if self.context.state is None:
            return None
        key = digest([self.told, *decides, self.batch])[:16]
        return self.context.state / f"{decides[0]}-{key}.npz"


def updates_of(simulations: float, cost: int, batch: int) -> int:
    """Return how many updates of `batch` tasks of `cost` samples a budget allows, one at least."""
    return max(1, int(simulations // (batch * cost)))


def refuse_below(simulations: float, least: float, why: str) -> None:
    """Raise StudyError where a budget is below `least` single samples, for which there is a reason."""
    if simulations < least:
        raise StudyError(f"simulations: found {int(simulations):,}, expected at least {math.ceil(least):,}: {why}")
