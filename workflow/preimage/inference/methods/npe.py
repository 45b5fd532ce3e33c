"""Method `npe`: neural posterior estimation by flow matching, for posteriors of any shape.

Trains on simulations from the prior, the bank's where there is one (see `flow_matching`). Parameters are on a scale
without ends (see `unbounded`), and the flow learns what remains of them after a linear regression on statistics of the
samples (Beaumont, Zhang, Balding, "Approximate Bayesian computation in population genetics", 2002). A tenth of the sets
is kept from training; on these the network's part is scaled to what it is worth, then the width of its answers.

With `rounds` above 1 it is sequential: that many parts of the budget, of which the first is amortised and the others
are spent for each observation, on the prior cut to where the posterior before has its mass (see `support`). Only
simulations within the last region are trained on: these are draws of the cut prior, whichever round they are from.
What a round simulated and what it trained is kept as it goes on, so that a search that is killed loses none of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from preimage.inference import arrays as stored
from preimage.inference import bank
from preimage.inference.answer import Estimate, Task
from preimage.inference.kinds.npe import Npe as Options
from preimage.inference.methods import amortised, set_encoder, support
from preimage.inference.methods.flow_matching import Flow
from preimage.inference.methods.set_encoder import Seen, SetEncoder
from preimage.inference.methods.training import Course, Weights
from preimage.inference.methods.training import train as trained
from preimage.inference.methods.unbounded import Unbounded
from preimage.support.errors import StudyError
from preimage.support.files import digest
from preimage.support.jax_setup import cache_compiled_programs, use_one_thread
from preimage.support.progress import ALONE, TrainingContext
from preimage.support.resume_state import resumed

KIND = "npe"
# Sets of samples, where the budget isn't given.
SETS = 10_000
FEWEST = 200
RIDGE = 1e-6
# Of the sets, kept from training to tell what the network is worth beside the regression.
HELD_OUT = 0.1


class Sets(NamedTuple):
    """Simulated sets (k, n, D), and their parameters (k, d) on the scale without ends."""

    w: np.ndarray
    x: np.ndarray


@dataclass(frozen=True)
class Posterior:
    """A trained flow.

    Attributes:
        regression: of parameters on the statistics of a set, (1 + p, d).
        spread: of what remains: Cholesky factor (d, d) of its covariance.
    """

    encoder: SetEncoder
    flow: Flow
    weights: Weights
    regression: np.ndarray
    spread: np.ndarray

    def draws(self, x: np.ndarray, count: int, seed: int) -> np.ndarray:
        """Return draws (count, d) for one set (n, D), on the scale without ends."""
        h, expected = self._told(x, count)
        rest = self.flow.draw(self.weights, jax.random.key(seed), h)
        return expected + np.asarray(rest, dtype=float) @ self.spread.T

    def log_density(self, w: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return the log density (m,) of values (m, d), per unit of these."""
        h, expected = self._told(x, len(w))
        rest = np.linalg.solve(self.spread, (w - expected).T).T
        inside = np.asarray(self.flow.log_density(self.weights, jnp.asarray(rest, jnp.float32), h), dtype=float)
        return np.asarray(inside - np.log(np.diag(self.spread)).sum())

    def _told(self, x: np.ndarray, count: int) -> tuple[Any, np.ndarray]:
        """Return the features of a set, once for each of `count` rows, and the parameters that regression expects."""
        one = jnp.asarray(x, jnp.float32)
        h = self.encoder(self.weights["encoder"], one)
        return jnp.broadcast_to(h, (count, len(h))), _inputs(self.encoder, one[None]) @ self.regression


@dataclass(frozen=True)
class Npe:
    """The method, ready to be asked.

    Attributes:
        first: the simulations of the first round.
        kept: where further rounds keep what they have.
    """

    task: Task
    options: Options
    posterior: Posterior
    first: Sets
    simulations: int
    history: Mapping[str, list[tuple[int, float]]]
    kept: Path | None = None

    def keeping(self, state: Path) -> Npe:
        """Return the method whose rounds go on, after a kill, from what they kept in the folder `state`."""
        return replace(self, kept=state)

    def infer(self, x: np.ndarray, rng: np.random.Generator) -> list[Estimate]:
        """Return an answer a set (sets, n, D). Raises StudyError for sets of another shape than those of training."""
        expected = (self.task.size, len(self.task.simulator.coordinates))
        if x.ndim != 3 or x.shape[1:] != expected:
            raise StudyError(f"method '{KIND}': found sets of shape {x.shape[1:]}, expected {expected} as in training")
        return [self._answer(one, np.random.default_rng(rng.integers(2**63))) for one in x]

    def _answer(self, x: np.ndarray, rng: np.random.Generator) -> Estimate:
        count = self.options.draws
        posterior, spent = self._refined(x, rng)
        w = posterior.draws(x, count, int(rng.integers(2**31)))
        if not np.isfinite(w).all():
            return Estimate(
                np.full((1, w.shape[1]), np.nan), np.ones(1), spent, status="failed", message="no finite draw"
            )
        prior, scale = self.task.simulator.prior, Unbounded(self.task.simulator.prior)

        def log_density(theta: np.ndarray) -> np.ndarray:
            inside = prior.contains(theta)
            found = np.full(len(theta), -np.inf)
            at = scale.values(theta[inside])
            # The prior's two densities, per unit of the one and of the other, differ by the slope between the scales.
            slope = prior.log_density(theta[inside]) - scale.log_prior(at)
            found[inside] = posterior.log_density(at, x) + slope
            return found

        return Estimate(scale.parameters(w), np.full(count, 1 / count), spent, log_density)

    def _refined(self, x: np.ndarray, rng: np.random.Generator) -> tuple[Posterior, int]:
        """Return the posterior of the last round for a set (n, D), and the samples that were simulated for it."""
        posterior, sets, spent, region = self.posterior, self.first, 0, None
        for _ in range(self.options.rounds - 1):
            region = support.around(posterior.draws(x, support.DRAWS, int(rng.integers(2**31))), region)
            inside = region.contains(sets.w)
            w = region.sample(Unbounded(self.task.simulator.prior).log_prior, rng, len(self.first.w))
            new = self._simulated(w, rng.spawn(1)[0])
            spent += len(w) * self.task.size
            sets = Sets(np.concatenate([sets.w[inside], new.w]), np.concatenate([sets.x[inside], new.x]))
            if len(sets.x) < FEWEST:
                break
            posterior, _ = _fitted(self.task, self.options, sets, rng, TrainingContext(state=self.kept))
        return posterior, spent

    def _simulated(self, w: np.ndarray, rng: np.random.Generator) -> Sets:
        """Return the sets at parameters (k, d) on the scale without ends, but for those that failed; those that were
        kept where there are some of these very parameters."""
        if self.kept is None:
            return _simulated(self.task, w, rng)
        made = [_made_for(self.task, self.options), hashlib.sha256(w.tobytes()).hexdigest()]
        file = self.kept / f"{KIND}-sets-{digest(made)[:16]}.npz"
        kept = resumed(file, lambda path: Sets(**stored.read(path)))
        if kept is None:
            stored.write(file, _simulated(self.task, w, rng)._asdict())
            kept = Sets(**stored.read(file))
        return kept

    def arrays(self) -> dict[str, np.ndarray]:
        """Return weights, scales and, for further rounds, the first simulations."""
        made, posterior = _made_for(self.task, self.options), self.posterior
        told = {"made_for": made, "simulations": self.simulations, "history": self.history}
        kept = slice(None) if made["rounds"] > 1 else slice(0)
        return {
            "told": np.array(json.dumps(told)),
            **posterior.encoder.arrays(),
            **{f"weights.{k}": np.asarray(leaf) for k, leaf in enumerate(jax.tree.leaves(posterior.weights))},
            "regression": posterior.regression,
            "spread": posterior.spread,
            "first.w": self.first.w[kept],
            "first.x": self.first.x[kept],
        }


def check(task: Task, options: Options) -> None:
    """Raise StudyError for a budget with less than `FEWEST` sets in each round."""
    why = f"{FEWEST} sets of {task.size} samples in each of {options.rounds} rounds"
    amortised.refuse_below(_simulations(task, options), FEWEST * options.rounds * task.size, why)


def train(task: Task, options: Options, rng: np.random.Generator, context: TrainingContext = ALONE) -> Npe:
    """Train on the first round, simulations from the prior. Raises StudyError where too few of them are fine."""
    check(task, options)
    count = _count(task, options) // options.rounds
    found = bank.of(task, count * task.size, rng)
    if len(found.x) < FEWEST:
        raise StudyError(
            f"method '{KIND}': found {len(found.x)} simulations that did not fail, expected {FEWEST} or more"
        )
    first = Sets(Unbounded(task.simulator.prior).values(found.theta), found.x)
    posterior, curve = _fitted(task, options, first, rng, context)
    return Npe(task, options, posterior, first, count * task.size, {"loss": curve})


def restored(task: Task, options: Options, arrays: Mapping[str, np.ndarray]) -> Npe:
    """Return what `train` made. Raises StudyError for arrays of another simulator, size or architecture."""
    told = amortised.told(arrays, _made_for(task, options))
    encoder = set_encoder.restored(task, options, arrays)
    flow = _flow(task, options, encoder)
    weights = amortised.refilled(_weights(encoder, flow, 0), arrays)
    posterior = Posterior(encoder, flow, weights, np.asarray(arrays["regression"]), np.asarray(arrays["spread"]))
    first = Sets(np.asarray(arrays["first.w"]), np.asarray(arrays["first.x"]))
    return Npe(task, options, posterior, first, told["simulations"], told["history"])


# -- training ----------------------------------------------------------------------------------------------------------


class Data(NamedTuple):
    """What a flow is trained on: the first `count` rows; the rest fill up to the method's whole budget, so that each of
    its rounds runs the same program."""

    count: Any
    target: Any
    seen: Seen


@dataclass(frozen=True)
class Missed:
    """The loss of a flow: plain values, so that rounds and observations share one program."""

    flow: Flow
    batch: int

    def __call__(self, weights: Weights, key: Any, data: Data) -> tuple[Any, Any]:
        one, other = jax.random.split(key)
        rows = jax.random.randint(one, (self.batch,), 0, data.count)
        seen = jax.tree.map(lambda a: a[rows], data.seen)
        missed = self.flow.loss(weights, data.target[rows], set_encoder.features(weights["encoder"], seen), other)
        return missed, missed


def _fitted(
    task: Task, options: Options, sets: Sets, rng: np.random.Generator, context: TrainingContext
) -> tuple[Posterior, list[tuple[int, float]]]:
    """Return a flow that is trained on sets from scratch, and the history of its loss."""
    use_one_thread()
    cache_compiled_programs()
    encoder = set_encoder.scaled_by(task, options, sets.x)
    flow = _flow(task, options, encoder)
    inputs = _inputs(encoder, jnp.asarray(sets.x))
    regression, spread = _regressed(inputs, sets.w)
    target = np.linalg.solve(spread, (sets.w - inputs @ regression).T).T
    order = rng.permutation(len(target))
    shown = target[order], jax.tree.map(lambda a: np.asarray(a)[order], encoder.seen(jnp.asarray(sets.x)))
    # As many in each round, where so many did not fail: one program for all.
    held = int(HELD_OUT * min(_count(task, options) // options.rounds, len(target)))
    filled = max(_count(task, options), len(target))
    data = Data(len(target) - held, *jax.tree.map(lambda a: _filled(a[held:], filled), shown))

    seeds = [int(s) for s in rng.integers(2**31, size=2)]
    course = Course(options.updates, options.learning_rate)
    loss = Missed(flow, options.batch)
    made_of = hashlib.sha256(sets.w.tobytes()).hexdigest()
    state = _state(context, [_made_for(task, options), seeds, course, loss.batch, made_of])
    weights, curve = trained(loss, _weights(encoder, flow, seeds[0]), seeds[1], course, state, context.report, data)
    kept, seen = jax.tree.map(lambda a: jnp.asarray(a[:held], a.dtype if a.dtype == bool else jnp.float32), shown)
    h = set_encoder.features(weights["encoder"], seen)
    weights = flow.shrunk(weights, kept, h, jax.random.key(seeds[0]))
    weights = flow.widened(weights, kept, h)
    return Posterior(encoder, flow, weights, regression, spread), curve


def _filled(a: Any, rows: int) -> Any:
    """Return an array in single precision with zeros after its rows, `rows` in all."""
    whole = np.zeros((rows, *a.shape[1:]), bool if a.dtype == bool else np.float32)
    whole[: len(a)] = a
    return jnp.asarray(whole)


def _count(task: Task, options: Options) -> int:
    """Return how many sets the budget allows for all rounds together."""
    return _simulations(task, options) // task.size


def _simulations(task: Task, options: Options) -> int:
    return options.simulations or SETS * task.size


def _simulated(task: Task, w: np.ndarray, rng: np.random.Generator) -> Sets:
    """Return the sets at parameters (k, d) on the scale without ends, but for those that failed."""
    x = task.simulator.draw(rng, Unbounded(task.simulator.prior).parameters(w), task.size).astype(np.float32)
    fine = np.isfinite(x).all(axis=(1, 2))
    return Sets(w[fine], x[fine])


def _inputs(encoder: SetEncoder, x: Any) -> np.ndarray:
    """Return what the regression takes of sets (k, n, D): a constant and their statistics, (k, 1 + p)."""
    statistics = np.asarray(encoder.statistics(x), dtype=float)
    return np.column_stack([np.ones(len(statistics)), statistics])


def _regressed(inputs: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return coefficients (1 + p, d), and the Cholesky factor (d, d) of the covariance of what remains of w (k, d)."""
    penalty = RIDGE * len(inputs) * np.eye(inputs.shape[1])
    found = np.linalg.solve(inputs.T @ inputs + penalty, inputs.T @ w)
    left = w - inputs @ found
    return found, np.linalg.cholesky(left.T @ left / len(left) + 1e-10 * np.eye(w.shape[1]))


def _flow(task: Task, options: Options, encoder: SetEncoder) -> Flow:
    return Flow(len(task.simulator.prior.margins), encoder.length, options.width)


def _weights(encoder: SetEncoder, flow: Flow, seed: int) -> Weights:
    one, other = jax.random.split(jax.random.key(seed))
    return {"encoder": encoder.init(one), **flow.init(other)}


def _made_for(task: Task, options: Options) -> dict[str, Any]:
    keys = ("hidden", "features", "width", "rounds")
    return amortised.made_for(KIND, task, {key: getattr(options, key) for key in keys})


def _state(context: TrainingContext, decides: Any) -> Path | None:
    return None if context.state is None else context.state / f"{KIND}-{digest(decides)[:16]}.npz"
