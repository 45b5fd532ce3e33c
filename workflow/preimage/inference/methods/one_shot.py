"""Method `one_shot`: a network that sees the set of samples once and gives a Gaussian over the parameters.

Trained by -log q at the true parameters of simulated sets, which its optimum makes the best Gaussian approximation of
every posterior at once (Papamakarios, Murray 2016, "Fast epsilon-free inference of simulation models with Bayesian
conditional density estimation", NeurIPS 29).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from preimage.inference.answer import Task
from preimage.inference.kinds.alfi import Alfi
from preimage.inference.kinds.one_shot import OneShot as Options
from preimage.inference.methods import amortised, dense, set_encoder
from preimage.inference.methods.amortised import Amortised, MetaTraining
from preimage.inference.methods.proposal import Proposals
from preimage.inference.methods.set_encoder import SetEncoder
from preimage.inference.methods.training import Weights
from preimage.support.progress import ALONE, TrainingContext

KIND = "one_shot"


class OneShot(NamedTuple):
    """The network: features of the set, three dense layers beside a linear connection, and a first proposal."""

    encoder: SetEncoder
    proposals: Proposals

    def init(self, key: Any) -> Weights:
        a, b, c, d = jax.random.split(key, 4)
        width, length = 2 * self.encoder.hidden, self.proposals.length
        return {
            "encoder": self.encoder.init(a),
            "head": dense.layers(b, [self.encoder.length, width, width, width]),
            "out": dense.layer(c, width, length, 0.01),
            "linear": dense.layer(d, self.encoder.length, length, 0.01),
        }

    def first(self, weights: Weights, features: Any) -> Any:
        """Return psi (B, length) for features of sets (B, length of features)."""
        bent = dense.apply(weights["out"], dense.relu(weights["head"], features))
        return self.proposals.first(bent + dense.apply(weights["linear"], features))

    def path(self, weights: Weights, x: Any, key: Any) -> Any:
        """Return psi (1, B, length) for sets (B, n, D): no simulation, no key needed."""
        return self.first(weights, self.encoder(weights["encoder"], x))[None]


def architecture(options: Options | Alfi) -> dict[str, Any]:
    """Return what of the options decides the shape of the weights or what they mean."""
    return {
        "hidden": options.hidden,
        "covariance": options.covariance,
        "features": options.features,
        "truncated": options.truncated,
    }


def proposals_of(task: Task, options: Options | Alfi) -> Proposals:
    d = len(task.simulator.prior.margins)
    return Proposals(task.simulator.prior, full=d > 1 and options.covariance == "full")


def check(task: Task, options: Options) -> None:
    """Raise StudyError for a budget below one batch, beside what is simulated to scale a network's inputs."""
    batch = options.batch
    least, why = (
        (set_encoder.SETS + batch) * task.size,
        f"{set_encoder.SETS} sets for scales, one batch of {batch} sets",
    )
    amortised.refuse_below(options.simulations, least, why)


def train(task: Task, options: Options, rng: np.random.Generator, context: TrainingContext = ALONE) -> Amortised:
    """Train on fresh simulations, as many as the budget `simulations` allows.

    Raises StudyError where that is less than one batch.
    """
    check(task, options)
    updates = amortised.updates_of(options.simulations - set_encoder.SETS * task.size, task.size, options.batch)
    keys = [int(k) for k in rng.integers(2**31, size=3)]
    encoder, scaling = set_encoder.fitted(task, options, jax.random.key(keys[0]))
    network = OneShot(encoder, proposals_of(task, options))
    made = amortised.made_for(KIND, task, architecture(options))
    training = MetaTraining(task, network.proposals, context, made, options.batch, options.learning_rate)
    start = network.init(jax.random.key(keys[1]))
    weights, curve = training(KIND, network.path, start, keys[2], updates, task.size, options.passes)
    return Amortised(
        task, network.proposals, encoder, weights, network.path, made, scaling + sum(training.spent), {"loss": curve},
        fresh=lambda: network.init(jax.random.key(0)), draws=options.draws,
    )  # fmt: skip


def restored(task: Task, options: Options, arrays: Mapping[str, np.ndarray]) -> Amortised:
    """Return what `train` made. Raises StudyError for arrays of another simulator, size or architecture."""
    made = amortised.made_for(KIND, task, architecture(options))
    told = amortised.told(arrays, made)
    encoder = set_encoder.restored(task, options, arrays)
    network = OneShot(encoder, proposals_of(task, options))
    weights = amortised.refilled(network.init(jax.random.key(0)), arrays)
    return Amortised(
        task, network.proposals, encoder, weights, network.path, made, told["simulations"], told["history"],
        fresh=lambda: network.init(jax.random.key(0)), draws=options.draws,
    )  # fmt: skip
