"""Method `alfi` (automatic likelihood-free inference): a recurrent network moves a proposal by what it simulates.

Pesah, Wehenkel, Louppe 2018, "Recurrent machines for likelihood-free inference", NeurIPS workshop on meta-learning. At
each step parameters are drawn from the proposal and simulated; one encoder sees real and simulated samples; a second
network sees, for every draw, both encodings, the parameters and the gradient of log q, and is averaged over the draws;
a gated recurrent cell (Cho et al. 2014, EMNLP) then gives a bounded change of the proposal. Nothing is differentiated
through the simulator.

Other than in the paper, steps are in units of the proposal's own sds, the covariance is full where there are several
parameters, and with `refine` the first proposal is that of a one-shot network (`methods.one_shot`), trained before and
frozen together with its encoder. Without it the first proposal is the prior's Gaussian.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from preimage.inference.answer import Task
from preimage.inference.kinds.alfi import Alfi as Options
from preimage.inference.methods import amortised, dense, one_shot, set_encoder
from preimage.inference.methods.amortised import Amortised, MetaTraining
from preimage.inference.methods.one_shot import OneShot
from preimage.inference.methods.training import Weights
from preimage.support.progress import ALONE, TrainingContext

KIND = "alfi"
# Steps of the refined form and of the plain one.
STEPS_REFINED, STEPS_PLAIN = 2, 6
# Of the budget, spent on training the one-shot start.
START_SHARE = 0.7


class Alfi(NamedTuple):
    """The recurrent network.

    Attributes:
        start: the network of the first proposal; its encoder is the one for real and simulated samples.
        frozen: the weights of `start`, kept as they are; None for the plain form, which trains the encoder itself.
        draws, samples: simulated at each step: parameters, and samples of each.
        simulated: whether the network sees what was simulated; False measures what the simulations are worth.
    """

    start: OneShot
    frozen: Weights | None
    steps: int
    draws: int
    samples: int
    simulated: bool

    @property
    def cost(self) -> int:
        """Samples simulated for one set."""
        return self.steps * self.draws * self.samples

    def init(self, key: Any) -> Weights:
        keys = jax.random.split(key, 7)
        seen, d, length = self.start.encoder.length, self.start.proposals.d, self.start.proposals.length
        width = 2 * self.start.encoder.hidden
        joined = width + length + seen
        made = {
            "draws": dense.layers(keys[0], [4 * seen + d + 2 * length, width, width]),
            "gate_in": dense.layer(keys[1], joined, 3 * width),
            "gate_memory": dense.layer(keys[2], width, 3 * width),
            "out": dense.layer(keys[3], width, length, 0.01),
            "linear": dense.layer(keys[4], joined, length, 0.01),
            "memory": jnp.zeros(width, jnp.float32),
        }
        return made if self.frozen is not None else made | {"encoder": self.start.encoder.init(keys[5])}

    def path(self, weights: Weights, x: Any, key: Any) -> Any:
        """Return all proposals psi (steps + 1, B, length) for sets (B, n, D), the first one first."""
        encoder = self.start.encoder
        encode = (self.frozen if self.frozen is not None else weights)["encoder"]
        real = encoder(encode, x)
        if self.frozen is not None:
            first = jax.lax.stop_gradient(self.start.first(self.frozen, real))
        else:
            first = jnp.zeros((len(x), self.start.proposals.length), jnp.float32)

        def step(carry: tuple[Any, Any], key: Any) -> tuple[tuple[Any, Any], Any]:
            psi, memory = carry
            e, simulated = self.simulate(key, psi)
            seen = self.compared(psi, e, real, encoder(encode, simulated))
            mean = dense.relu(weights["draws"], seen).mean(axis=1)
            joined = jnp.concatenate([mean, psi, real], axis=-1)
            memory = gated(weights, joined, memory)
            change = dense.apply(weights["out"], memory) + dense.apply(weights["linear"], joined)
            psi = self.start.proposals.moved(psi, change)
            return (psi, memory), psi

        memory = jnp.broadcast_to(weights["memory"], (len(x), len(weights["memory"])))
        later = jax.lax.scan(step, (first, memory), jax.random.split(key, self.steps))[1]
        return jnp.concatenate([first[None], later])

    def simulate(self, key: Any, psi: Any) -> tuple[Any, Any]:
        """Return standard normal draws e (B, draws, d), in pairs of opposite sign, and samples simulated at the
        parameters that they stand for, (B, draws, samples, D)."""
        proposals, simulator = self.start.proposals, self.start.encoder.task.simulator
        one, other = jax.random.split(key)
        e = jax.random.normal(one, (len(psi), (self.draws + 1) // 2, proposals.d), jnp.float32)
        e = jnp.concatenate([e, -e], axis=1)[:, : self.draws]
        theta = simulator.prior.from_z(proposals.placed(jax.lax.stop_gradient(psi), e), jnp)
        return e, jax.lax.stop_gradient(simulator.simulate(other, theta, self.samples).astype(jnp.float32))

    def compared(self, psi: Any, e: Any, real: Any, simulated: Any) -> Any:
        """Return what the network sees of each draw (B, draws, ...): features of the real set (B, f) and of the
        simulated ones (B, draws, f), their difference plain and in units of the narrowest sd, z, and the score."""
        proposals = self.start.proposals
        spread = (*e.shape[:2], -1)
        real = jnp.broadcast_to(real[:, None], simulated.shape)
        used = 1.0 if self.simulated else 0.0
        difference = used * (real - simulated)
        narrowest = jnp.exp(-proposals.split(psi)[1]).max(axis=-1)[:, None, None]
        return jnp.concatenate(
            [
                real,
                used * simulated,
                4 * difference,
                jnp.arcsinh(narrowest * difference),
                proposals.placed(jax.lax.stop_gradient(psi), e),
                proposals.score(e),
                jnp.broadcast_to(psi[:, None], (*spread[:2], psi.shape[-1])),
            ],
            axis=-1,
        )


def gated(weights: Weights, x: Any, memory: Any) -> Any:
    """Return the memory of a gated recurrent cell after seeing x."""
    a = jnp.split(dense.apply(weights["gate_in"], x), 3, axis=-1)
    b = jnp.split(dense.apply(weights["gate_memory"], memory), 3, axis=-1)
    reset, keep = jax.nn.sigmoid(a[0] + b[0]), jax.nn.sigmoid(a[1] + b[1])
    return keep * memory + (1 - keep) * jnp.tanh(a[2] + reset * b[2])


def check(task: Task, options: Options) -> None:
    """Raise StudyError for a budget below one batch of the start or of what follows, beside what is simulated to scale
    a network's inputs."""
    batch, share = options.batch, START_SHARE if options.refine else 0.0
    cost = _steps(options) * options.step_draws * options.step_samples
    least = max((task.size + cost) * batch / (1 - share), task.size * batch / share if share else 0)
    why = f"{set_encoder.SETS} sets for scales, one batch of {batch} sets with {cost} samples simulated for each"
    start = f", and {share:.0%} of what is left for the start" if share else ""
    amortised.refuse_below(options.simulations, set_encoder.SETS * task.size + least, f"{why}{start}")


def train(task: Task, options: Options, rng: np.random.Generator, context: TrainingContext = ALONE) -> Amortised:
    """Train the start, if there is one, then the recurrent network, on a budget of `simulations` for both.

    Raises StudyError where the budget is less than one batch of either.
    """
    check(task, options)
    batch = options.batch
    keys = [int(k) for k in rng.integers(2**31, size=5)]
    encoder, scaling = set_encoder.fitted(task, options, jax.random.key(keys[0]))
    start = OneShot(encoder, one_shot.proposals_of(task, options))
    network = _network(start, None, options)

    budget = options.simulations - scaling
    share = START_SHARE if options.refine else 0.0
    after = amortised.updates_of((1 - share) * budget, task.size + network.cost, batch)
    made = amortised.made_for(KIND, task, architecture(options))
    training = MetaTraining(task, start.proposals, context, made, batch, options.learning_rate)
    history = {}
    if options.refine:
        before = amortised.updates_of(share * budget, task.size, batch)
        weights = start.init(jax.random.key(keys[1]))
        weights, history["start_loss"] = training(
            "start", start.path, weights, keys[2], before, task.size, options.passes
        )
        network = network._replace(frozen=weights)
    weights, history["loss"] = training(
        KIND, network.path, network.init(jax.random.key(keys[3])), keys[4], after, task.size + network.cost
    )
    return _trained(task, network, weights, options, made, scaling + sum(training.spent), history)


def restored(task: Task, options: Options, arrays: Mapping[str, np.ndarray]) -> Amortised:
    """Return what `train` made. Raises StudyError for arrays of another simulator, size or architecture."""
    made = amortised.made_for(KIND, task, architecture(options))
    told = amortised.told(arrays, made)
    start = OneShot(set_encoder.restored(task, options, arrays), one_shot.proposals_of(task, options))
    empty = start.init(jax.random.key(0)) if made["refine"] else None
    network = _network(start, empty, options)
    kept = amortised.refilled({"start": empty, "later": network.init(jax.random.key(0))}, arrays)
    network = network._replace(frozen=kept["start"])
    return _trained(task, network, kept["later"], options, made, told["simulations"], told["history"])


def architecture(options: Options) -> dict[str, Any]:
    """Return what of the options decides the shape of the weights or what they mean."""
    return {
        **one_shot.architecture(options),
        "refine": options.refine,
        "steps": _steps(options),
        "step_draws": options.step_draws,
        "step_samples": options.step_samples,
        "simulated": options.simulated,
    }


def _steps(options: Options) -> int:
    return options.steps or (STEPS_REFINED if options.refine else STEPS_PLAIN)


def _network(start: OneShot, frozen: Weights | None, options: Options) -> Alfi:
    return Alfi(start, frozen, _steps(options), options.step_draws, options.step_samples, options.simulated)


def _trained(
    task: Task, network: Alfi, weights: Weights, options: Options, made: Mapping[str, Any], simulations: int,
    history: Mapping[str, list[tuple[int, float]]],
) -> Amortised:  # fmt: skip
    def path(kept: Weights, x: Any, key: Any) -> Any:
        return network._replace(frozen=kept["start"]).path(kept["later"], x, key)

    def fresh() -> Weights:
        one, other = jax.random.split(jax.random.key(0))
        return {"start": network.start.init(one) if made["refine"] else None, "later": network.init(other)}

    kept = {"start": network.frozen, "later": weights}
    return Amortised(
        task, network.start.proposals, network.start.encoder, kept, path, made, simulations, history, fresh,
        each=network.cost, draws=options.draws,
    )  # fmt: skip
