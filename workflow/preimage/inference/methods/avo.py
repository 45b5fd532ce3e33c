"""Adversarial variational optimisation: a critic tells real samples from simulated ones, a proposal learns to fool it.

Louppe, Hermans and Cranmer, "Adversarial variational optimization of non-differentiable simulators" (2019). The
proposal is normal over z-scored parameters with a sd for each; the critic is a Wasserstein one with gradient penalty, a
network on single encoded samples. Only slopes above 1 are penalised (Petzka, Fischer and Lukovnicov, 2018): the penalty
of Gulrajani and others (2017) on all slopes other than 1 keeps a critic of one coordinate, which starts with a slope of
the wrong sign, from ever turning it. As the simulator has no gradient, the proposal follows the score-function gradient
of the critic's opinion, about the mean of the draws as baseline, and pays ENTROPY times its own entropy.

A wide proposal of means can stand in for the noise of the samples; so the widest that a proposal may be falls over
the first part of the steps. Its width is then no measure of uncertainty: the answer is a point, the mean of the
proposal's centres over the last quarter of the steps. Each observed set has a critic and a proposal of its own; all are
trained in one compiled program.

A simulation that failed is nothing that a critic could look at: it learns from the others, and to the proposal a failed
one is as bad as the worst of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from preimage.inference.answer import Estimate, Task, Trained, failed
from preimage.inference.kinds.avo import Avo as Options
from preimage.inference.methods import budget
from preimage.inference.methods.nes import path
from preimage.inference.prior import HALF_WIDTH
from preimage.support.progress import ALONE, TrainingContext

# Steps of the critic to one of the proposal, parameters drawn in each, and samples at each for the proposal's.
CRITIC_STEPS, DRAWS, SAMPLES = 4, 64, 4
HIDDEN, PENALTY, ENTROPY = 32, 10.0, 0.01
CRITIC_RATE, RATE = 2e-3, 5e-2
BATCH = DRAWS * (CRITIC_STEPS + SAMPLES)
# Observed sets that are trained for at once.
TOGETHER = 16
LAST = 0.25
# In z: the most that a proposal's sd may be, by the share of the steps that are done, and the least that it may be.
WIDEST, NARROWEST = {0.0: 2.0, 0.3: 0.1}, 0.1


def train(task: Task, options: Options, rng: np.random.Generator, context: TrainingContext = ALONE) -> Trained:
    """Return the method; nothing is trained ahead. Raises StudyError for a budget below one step."""
    return restored(task, options, {})


def restored(task: Task, options: Options, arrays: Mapping[str, np.ndarray]) -> Trained:
    return Duel(task, budget.batches(options.simulations, BATCH, "a step of critic and proposal"))


class Duel:
    """The training for each set, of so many steps."""

    simulations = 0

    def __init__(self, task: Task, steps: int) -> None:
        self.task, self.steps = task, steps
        self.history: Mapping[str, list[tuple[int, float]]] = {}

    def arrays(self) -> dict[str, np.ndarray]:
        return {}

    def infer(self, x: np.ndarray, rng: np.random.Generator) -> list[Estimate]:
        prior = self.task.simulator.prior
        keys = jax.random.split(jax.random.key(int(rng.integers(2**32))), len(x))
        fight = jax.jit(partial(_fought, self.task, self.steps))
        each = (jnp.asarray(x, jnp.float32), keys)
        paths = jax.lax.map(lambda one: fight(*one), each, batch_size=min(TOGETHER, len(x)))
        return [self._answer(prior, *one) for one in zip(x, *map(np.asarray, paths), strict=True)]

    def _answer(self, prior: Any, x: np.ndarray, centres: np.ndarray, sds: np.ndarray, fine: np.ndarray) -> Estimate:
        """Return the answer of one set (n, D); centres and sds (steps, d); fine: share of simulations, by step, that
        did not fail."""
        used = self.steps * BATCH
        if np.isnan(x).any():
            return failed(
                len(prior.names), "the set has samples that failed (NaN), of which a critic learns nothing", used
            )
        counted = slice(-max(1, round(LAST * len(centres))), None)
        last = centres[counted].mean(axis=0)
        if not fine[counted].any():
            return failed(len(prior.names), "every simulation near the answer failed", used)
        if np.isnan(last).any():
            return failed(len(prior.names), "the training ended in numbers that are none", used)
        return Estimate(prior.from_z(last)[None], np.ones(1), used, path=path(prior, centres, sds), point=True)


class Adam(NamedTuple):
    """State of Adam (Kingma and Ba, 2015), as for adversaries: with the momentum 0.5."""

    first: Any
    second: Any
    count: Any


def _adam(values: Any) -> Adam:
    zero = jax.tree.map(jnp.zeros_like, values)
    return Adam(zero, zero, jnp.float32(0))


def _stepped(values: Any, slope: Any, state: Adam, rate: Any) -> tuple[Any, Adam]:
    """Return the values a step down the slope, and Adam's state after it."""
    count = state.count + 1
    first = jax.tree.map(lambda m, g: 0.5 * m + 0.5 * g, state.first, slope)
    second = jax.tree.map(lambda v, g: 0.9 * v + 0.1 * g * g, state.second, slope)

    def moved(value: Any, m: Any, v: Any) -> Any:
        return value - rate * (m / (1 - 0.5**count)) / (jnp.sqrt(v / (1 - 0.9**count)) + 1e-8)

    return jax.tree.map(moved, values, first, second), Adam(first, second, count)


def _network(key: Any, width: int) -> list[tuple[Any, Any]]:
    sizes = (width, HIDDEN, HIDDEN, 1)
    keys = jax.random.split(key, len(sizes) - 1)
    return [
        (jax.random.normal(k, (i, o), jnp.float32) * (2 / i) ** 0.5, jnp.zeros(o, jnp.float32))
        for k, i, o in zip(keys, sizes, sizes[1:], strict=False)
    ]


def _opinion(layers: Any, e: Any) -> Any:
    """Return the critic's opinion (...) of encoded samples (..., q): high where it thinks them real."""
    for weights, biases in layers[:-1]:
        e = jax.nn.leaky_relu(e @ weights + biases, 0.2)
    weights, biases = layers[-1]
    return (e @ weights + biases)[..., 0]


def _critic_loss(layers: Any, real: Any, fake: Any, fine: Any, between: Any) -> Any:
    """Return the Wasserstein critic's loss on encoded samples (m, q), with the penalty at points between them; fine:
    which of the simulated ones did not fail, (m,)."""
    middle = between * real + (1 - between) * fake
    slopes = jax.vmap(jax.grad(partial(_opinion, layers)))(middle)
    steep = jnp.maximum(jnp.sqrt((slopes**2).sum(axis=-1) + 1e-12) - 1, 0) ** 2
    weight = fine / jnp.maximum(fine.sum(), 1)
    return weight @ _opinion(layers, fake) - _opinion(layers, real).mean() + PENALTY * (weight @ steep)


def _loss_of_draws(opinion: Any, fine: Any) -> Any:
    """Return the loss (m,) of draws from the critic's opinion of their samples (m, size)."""
    loss = jnp.where(fine, -opinion, -jnp.inf)
    worst = jnp.where(fine.any(), loss.max(), 0)
    return jnp.where(fine, loss, worst).mean(axis=1)


def _fought(task: Task, steps: int, x: Any, key: Any) -> tuple[Any, Any, Any]:
    """Return centres and sds in z (steps, d) of the proposal for one set of samples (n, D), and the share of its
    simulations that did not fail (steps,)."""
    simulator, prior = task.simulator, task.simulator.prior
    d = len(prior.names)
    uniform = np.array([m.kind == "uniform" for m in prior.margins.values()])
    reach = jnp.asarray(np.where(uniform, HALF_WIDTH, 10.0), jnp.float32)
    encoded = simulator.encoded or (lambda x: x)
    samples = encoded(x)

    def simulated(key: Any, proposal: Any, size: int) -> tuple[Any, Any, Any]:
        """Return draws' noise (m, d), their encoded samples (m, size, q), and which of these did not fail (m, size):
        the others are 0."""
        draws, random = jax.random.split(key)
        noise = jax.random.normal(draws, (DRAWS, d), jnp.float32)
        z = proposal[0] + jnp.exp(proposal[1]) * noise
        found = simulator.simulate(random, prior.from_z(z, jnp), size)
        fine = jnp.isfinite(found).all(axis=-1)
        return noise, jnp.where(fine[..., None], encoded(found), 0), fine

    def criticised(state: Any, key: Any) -> tuple[Any, None]:
        layers, adam, proposal, rate = state
        one, two, three = jax.random.split(key, 3)
        _, fake, fine = simulated(one, proposal, 1)
        real = samples[jax.random.randint(two, (DRAWS,), 0, len(samples))]
        between = jax.random.uniform(three, (DRAWS, 1), jnp.float32)
        slope = jax.grad(_critic_loss)(layers, real, fake[:, 0], fine[:, 0], between)
        layers, adam = _stepped(layers, slope, adam, rate * CRITIC_RATE)
        return (layers, adam, proposal, rate), None

    def step(state: Any, given: Any) -> tuple[Any, Any]:
        layers, critic_adam, proposal, adam = state
        key, rate, widest = given
        one, two = jax.random.split(key)
        fight = (layers, critic_adam, proposal, rate)
        (layers, critic_adam, _, _), _ = jax.lax.scan(criticised, fight, jax.random.split(one, CRITIC_STEPS))
        noise, fake, fine = simulated(two, proposal, SAMPLES)
        loss = _loss_of_draws(_opinion(layers, fake), fine)
        worse = (loss - loss.mean()) * DRAWS / (DRAWS - 1)
        # The score of a normal proposal in its centre, times the sd, and in its log sd.
        centre = (worse[:, None] * noise).mean(axis=0)
        width = (worse[:, None] * (noise**2 - 1)).mean(axis=0) + ENTROPY
        (moved, log_sd), adam = _stepped((jnp.zeros(d, jnp.float32), proposal[1]), (centre, width), adam, rate * RATE)
        # A step of the centre is in units of the sd, but never so small that a narrow proposal stays where it is.
        centre = proposal[0] + moved * jnp.maximum(jnp.exp(proposal[1]), 0.1)
        proposal = (jnp.clip(centre, -reach, reach), jnp.clip(log_sd, np.float32(np.log(NARROWEST)), jnp.log(widest)))
        return (layers, critic_adam, proposal, adam), (proposal[0], jnp.exp(proposal[1]), fine.mean())

    layers = _network(key, samples.shape[-1])
    proposal = (jnp.zeros(d, jnp.float32), jnp.zeros(d, jnp.float32))
    rates = jnp.cos(jnp.linspace(0, np.pi / 2, steps, dtype=jnp.float32)) + 0.01
    start = (layers, _adam(layers), proposal, _adam(proposal))
    done = np.linspace(0, 1, steps)
    widest = jnp.asarray(np.exp(np.interp(done, list(WIDEST), np.log(list(WIDEST.values())))), jnp.float32)
    _, found = jax.lax.scan(step, start, (jax.random.split(jax.random.fold_in(key, 1), steps), rates, widest))
    return found
