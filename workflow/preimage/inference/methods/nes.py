"""Separable natural evolution strategies on the distance between statistics; a point.

Wierstra, Schaul, Glasmachers, Sun, Peters and Schmidhuber, "Natural evolution strategies" (2014), section 3.5: a normal
search distribution over z-scored parameters with a sd for each, which moves by its natural gradient in the ranks of the
draws. A draw's loss is the distance of the mean statistics of a few sets simulated there from the observed ones. The
search distribution narrows as it closes in; its width is no measure of uncertainty, so the answer is a point: the mean
of its centres over the last quarter of the generations, which the noise of the simulations moves about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from preimage.inference.answer import Estimate, Task, Trained, failed
from preimage.inference.kinds.nes import Nes as Options
from preimage.inference.methods import budget, statistics
from preimage.inference.prior import HALF_WIDTH
from preimage.support.progress import ALONE, TrainingContext

# Parameters drawn in a generation, and samples simulated at each (a set has at most as many as an observed one).
POPULATION, SAMPLES = 16, 100
# Parameters from the prior, by whose sets each statistic's scale is known, in generations' worth.
PILOT = 16
# Observed sets that are searched for at once.
TOGETHER = 32
LAST = 0.25


def check(task: Task, options: Options) -> None:
    """Raise StudyError for a budget below one generation."""
    _generations(task, options)


def train(task: Task, options: Options, rng: np.random.Generator, context: TrainingContext = ALONE) -> Trained:
    """Simulate at parameters from the prior, for the scales of the statistics; no more is trained.

    Raises StudyError for a budget below one generation.
    """
    _generations(task, options)
    theta = task.simulator.prior.sample(rng, PILOT * POPULATION)
    scale = statistics.scales(statistics.Simulated(_smaller(task))(rng, theta))
    return restored(task, options, {"scale": scale})


def restored(task: Task, options: Options, arrays: Mapping[str, np.ndarray]) -> Trained:
    return Search(task, _generations(task, options), np.asarray(arrays["scale"]))


def _smaller(task: Task) -> Task:
    return Task(task.simulator, min(task.size, SAMPLES))


def _repeats(task: Task) -> int:
    return max(1, SAMPLES // task.size)


def _generations(task: Task, options: Options) -> int:
    batch = POPULATION * _smaller(task).size * _repeats(task)
    return budget.batches(options.simulations, batch, f"a generation of {POPULATION} parameters")


@dataclass(frozen=True)
class Search:
    """The search for each set, with the scales (p,) of the statistics."""

    task: Task
    generations: int
    scale: np.ndarray
    history: Mapping[str, list[tuple[int, float]]] = field(default_factory=dict)

    @property
    def simulations(self) -> int:
        return PILOT * POPULATION * _smaller(self.task).size

    def arrays(self) -> dict[str, np.ndarray]:
        return {"scale": self.scale}

    def infer(self, x: np.ndarray, rng: np.random.Generator) -> list[Estimate]:
        key = jax.random.key(int(rng.integers(2**32)))
        observed = statistics.Simulated(self.task).of(x)
        search = jax.jit(partial(_searched, _smaller(self.task), _repeats(self.task), self.generations))
        each = (jnp.asarray(observed, jnp.float32), jax.random.split(key, len(x)))
        scale = jnp.asarray(self.scale, jnp.float32)
        together = min(TOGETHER, len(x))
        paths = jax.lax.map(lambda one: search(scale, *one), each, batch_size=together)
        return [self._answer(*one) for one in zip(observed, *map(np.asarray, paths), strict=True)]

    def _answer(self, observed: np.ndarray, centres: np.ndarray, sds: np.ndarray) -> Estimate:
        prior = self.task.simulator.prior
        used = self.generations * POPULATION * _smaller(self.task).size * _repeats(self.task)
        if np.isnan(observed).any():
            return failed(len(prior.names), "the set has samples that failed (NaN): its statistics are not known", used)
        last = centres[-max(1, round(LAST * len(centres))) :].mean(axis=0)
        return Estimate(prior.from_z(last)[None], np.ones(1), used, path=path(prior, centres, sds), point=True)


def path(prior: Any, centres: np.ndarray, sds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return means and sds (steps, d) of normal proposals in z: half of what one sd to each side spans."""
    low, high = prior.from_z(centres - sds), prior.from_z(centres + sds)
    return prior.from_z(centres), (high - low) / 2


def utilities(count: int) -> np.ndarray:
    """Return what ranks weigh (count,), best first, adding up to 0."""
    raw = np.maximum(0, np.log(count / 2 + 1) - np.log(np.arange(1, count + 1)))
    return np.asarray(raw / raw.sum() - 1 / count, dtype=np.float32)


def _searched(task: Task, repeats: int, generations: int, scale: Any, observed: Any, key: Any) -> tuple[Any, Any]:
    """Return centres and sds in z (generations, d) of the search for one set's statistics (p,)."""
    prior, d = task.simulator.prior, len(task.simulator.prior.names)
    rate = (3 + np.log(d)) / (5 * np.sqrt(d))
    uniform = np.array([m.kind == "uniform" for m in prior.margins.values()])
    reach = jnp.asarray(np.where(uniform, HALF_WIDTH, np.inf), jnp.float32)
    worth = jnp.asarray(utilities(POPULATION))

    def generation(state: Any, key: Any) -> tuple[Any, Any]:
        centre, log_sd = state
        draws, samples = jax.random.split(key)
        noise = jax.random.normal(draws, (POPULATION, d), jnp.float32)
        z = centre + jnp.exp(log_sd) * noise
        theta = jnp.repeat(prior.from_z(z, jnp), repeats, axis=0)
        found = statistics.of(task.simulator, task.size)(task.simulator.simulate(samples, theta, task.size))
        found = found.reshape(POPULATION, repeats, -1).mean(axis=1)
        far = (((found - observed) / scale) ** 2).sum(axis=-1)
        # Beyond the prior the simulator sees its end; going there is dearer the farther it is.
        beyond = (jnp.maximum(jnp.abs(z) - reach, 0) ** 2).sum(axis=-1)
        order = jnp.argsort(jnp.where(jnp.isnan(far), jnp.inf, far + beyond))
        best = noise[order]
        centre = jnp.clip(centre + jnp.exp(log_sd) * (worth @ best), -reach, reach)
        log_sd = log_sd + rate / 2 * (worth @ (best**2 - 1))
        return (centre, log_sd), (centre, jnp.exp(log_sd))

    start = (jnp.zeros(d, jnp.float32), jnp.zeros(d, jnp.float32))
    _, found = jax.lax.scan(generation, start, jax.random.split(key, generations))
    return found
