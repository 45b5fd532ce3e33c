"""Many small networks of one shape, trained at once in one compiled program.

Networks differ by learning rate, random key and the rows they learn from. One epoch of one network is a JAX function
of its state; `vmap` makes it an epoch of all. The forward pass and the optimiser are Keras's own, through its stateless
API (`Model.stateless_call`, `Optimizer.stateless_apply`), so that weights are those of `Model.fit` on the same batches:
Keras's Nadam isn't that of other libraries. Everything is float32, as Keras trains.

A network stops when its validation loss hasn't improved for `patience` epochs, and its best weights are what is
returned (Keras's EarlyStopping with restore_best_weights). In the compiled program a stopped network goes on, unheard,
beside the others; so between chunks of epochs the stopped ones are dropped. Each width needs a compiled program of
its own: widths are cut to powers of `CUT`, which a search and the fit after it have in common.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

CHUNK = 25
CUT = 4
Weights = list[Any]


class Data(NamedTuple):
    """Rows as each of F fits sees them.

    Attributes:
        X, Y: scaled inputs (F, n, d) and outputs (F, n, m).
        training, validation: positions of the rows that a fit learns from and is judged on, each (F, most of any fit),
            filled up with others.
        training_count, validation_count: how many of those positions count (F,).
    """

    X: jax.Array
    Y: jax.Array
    training: jax.Array
    training_count: jax.Array
    validation: jax.Array
    validation_count: jax.Array


class Jobs(NamedTuple):
    """One network an entry: its learning rate, the seed of its weights and shuffling, the fit whose rows it has."""

    rate: np.ndarray
    seed: np.ndarray
    fit: np.ndarray


class State(NamedTuple):
    """A network in training; `memory` is the optimiser's."""

    weights: Weights
    memory: Weights
    key: jax.Array
    best: Weights
    best_loss: jax.Array
    waited: jax.Array
    epoch: jax.Array
    done: jax.Array


@dataclass(frozen=True)
class Network:
    """A trained network: its best weights, their validation loss (infinite where none was finite), epochs trained, and
    training and validation loss by epoch, (epochs, 2)."""

    weights: list[np.ndarray]
    validation_loss: float
    epochs: int
    history: np.ndarray


LOSSES: dict[str, Callable[[jax.Array], jax.Array]] = {"mae": jnp.abs, "mse": jnp.square}


def data(X: np.ndarray, Y: np.ndarray, training: np.ndarray, validation: np.ndarray) -> Data:
    """Return the rows of F fits: X (F, n, d), Y (F, n, m), and which rows each learns from and is judged on (F, n)."""
    single = (jnp.asarray(a, jnp.float32) for a in (X, Y))
    return Data(*single, *_positions(training), *_positions(validation))


def _positions(mask: np.ndarray) -> tuple[jax.Array, jax.Array]:
    count = mask.sum(axis=1)
    first = np.argsort(~mask, axis=1, kind="stable")[:, : count.max()]
    return jnp.asarray(first, jnp.int32), jnp.asarray(count, jnp.int32)


class Trainer:
    """Compiled training of networks of one shape; a second call with the same widths compiles nothing.

    Args:
        model: a built Keras model without other state than its weights.
        optimizer: Keras's, built on the model's weights.
        loss: a name in `LOSSES`; the mean over outputs and rows.
    """

    def __init__(self, model: Any, optimizer: Any, loss: str, batch: int, epochs: int, patience: int) -> None:
        self.model, self.optimizer, self.error = model, optimizer, LOSSES[loss]
        self.batch, self.epochs, self.patience = batch, epochs, patience
        self.shapes = [tuple(v.shape) for v in model.trainable_variables]
        self.memory = [jnp.asarray(v.value) for v in optimizer.variables]
        self.rate_at = [v.name for v in optimizer.variables].index("learning_rate")
        self.start = jax.jit(jax.vmap(self._start))
        self.run = jax.jit(self._run)

    def train(self, data: Data, jobs: Jobs, report: Callable[[int, float], None] | None = None) -> list[Network]:
        """Train all networks to their end; `report` hears how many are done, and the best validation loss so far."""
        state, place = self.start(jobs.rate.astype(np.float32), jobs.seed), np.arange(len(jobs.rate))
        curves: list[list[np.ndarray]] = [[] for _ in place]
        trained: dict[int, Network] = {}
        lowest = np.inf
        while len(trained) < len(curves):
            state, curve = self.run(state, jnp.asarray(jobs.fit[place], jnp.int32), data)
            done, host_curve = np.asarray(state.done), np.asarray(curve)
            lowest = min(lowest, float(state.best_loss.min()))
            for j, k in enumerate(place.tolist()):
                if k not in trained:
                    curves[k].append(host_curve[j])
                    if done[j]:
                        trained[k] = _network(state, j, curves[k])
            keep = _kept(done)
            if len(keep) < len(place):
                state, place = jax.tree.map(lambda a, keep=keep: a[keep], state), place[keep]
            if report is not None:
                report(len(trained), lowest)
        return [trained[k] for k in range(len(curves))]

    def _start(self, rate: jax.Array, seed: jax.Array) -> State:
        """Return a fresh network: Glorot-uniform kernels and zero biases, the defaults of Keras's dense layers."""
        key, draw = jax.random.split(jax.random.key(seed))
        glorot = jax.nn.initializers.glorot_uniform()
        weights = [
            glorot(k, shape, jnp.float32) if len(shape) == 2 else jnp.zeros(shape, jnp.float32)
            for k, shape in zip(jax.random.split(draw, len(self.shapes)), self.shapes, strict=True)
        ]
        memory = [*self.memory]
        memory[self.rate_at] = rate
        zero = jnp.zeros((), jnp.int32)
        return State(weights, memory, key, weights, jnp.float32(jnp.inf), zero, zero, jnp.zeros((), bool))

    def _run(self, state: State, fit: jax.Array, data: Data) -> tuple[State, jax.Array]:
        """Train until all have stopped, `CHUNK` epochs at most; return states and losses (networks, CHUNK, 2)."""
        epoch = jax.vmap(self._epoch, in_axes=(0, 0, None))

        def unfinished(carry: tuple[jax.Array, State, jax.Array]) -> jax.Array:
            return (carry[0] < CHUNK) & ~carry[1].done.all()

        def once(carry: tuple[jax.Array, State, jax.Array]) -> tuple[jax.Array, State, jax.Array]:
            at, state, curve = carry
            state, losses = epoch(state, fit, data)
            return at + 1, state, curve.at[:, at].set(losses)

        curve = jnp.zeros((len(fit), CHUNK, 2), jnp.float32)
        _, state, curve = jax.lax.while_loop(unfinished, once, (jnp.zeros((), jnp.int32), state, curve))
        return state, curve

    def _epoch(self, state: State, fit: jax.Array, data: Data) -> tuple[State, jax.Array]:
        """One epoch of one network; a stopped one keeps its best weights whatever happens."""
        key, shuffle = jax.random.split(state.key)
        order = self.shuffled(shuffle, data.training[fit], data.training_count[fit])
        weights, memory, training = self.one_pass(
            state.weights, state.memory, data.X[fit], data.Y[fit], order, data.training_count[fit]
        )
        rows = data.validation[fit]
        counts = jnp.arange(len(rows)) < data.validation_count[fit]
        loss = self.loss(weights, data.X[fit, rows], data.Y[fit, rows], counts)
        better = ~state.done & (loss < state.best_loss)
        waited = jnp.where(better, 0, state.waited + 1)
        epoch = state.epoch + ~state.done
        after = State(
            weights=weights,
            memory=memory,
            key=key,
            best=[jnp.where(better, new, old) for new, old in zip(weights, state.best, strict=True)],
            best_loss=jnp.where(better, loss, state.best_loss),
            waited=waited,
            epoch=epoch,
            done=state.done | (waited >= self.patience) | (epoch >= self.epochs),
        )
        return after, jnp.stack([training, loss])

    def shuffled(self, key: jax.Array, positions: jax.Array, count: jax.Array) -> jax.Array:
        """Return the first `count` positions in random order, the others after them."""
        draw = jax.random.uniform(key, positions.shape, jnp.float32)
        return positions[jnp.argsort(jnp.where(jnp.arange(len(positions)) < count, draw, jnp.inf))]

    def one_pass(
        self, weights: Weights, memory: Weights, X: jax.Array, Y: jax.Array, order: jax.Array, count: jax.Array
    ) -> tuple[Weights, Weights, jax.Array]:
        """Step through the first `count` rows of `order`, batch by batch; return weights, memory and mean loss.

        The last batch may be short. A fit with fewer rows than others has empty batches in the end, which change
        nothing: an optimiser with momentum would move on without a gradient.
        """
        batches = -(-len(order) // self.batch)
        order = jnp.pad(order, (0, batches * self.batch - len(order))).reshape(batches, self.batch)
        counts = (jnp.arange(batches * self.batch) < count).reshape(batches, self.batch)

        def step(carry: tuple[Weights, Weights], part: tuple[jax.Array, jax.Array]) -> Any:
            rows, counts = part
            loss, slope = jax.value_and_grad(self.loss)(carry[0], X[rows], Y[rows], counts)
            moved = self.optimizer.stateless_apply(carry[1], slope, carry[0])
            kept = jax.tree.map(lambda new, old: jnp.where(counts[0], new, old), tuple(moved), carry)
            return kept, loss * counts.sum()

        (weights, memory), losses = jax.lax.scan(step, (weights, memory), (order, counts))
        return weights, memory, losses.sum() / count

    def loss(self, weights: Weights, X: jax.Array, Y: jax.Array, counts: jax.Array) -> jax.Array:
        """Return the mean loss over the rows that count (n,), of inputs (n, d) and outputs (n, m)."""
        predicted = self.model.stateless_call(weights, [], X)[0]
        return (self.error(predicted - Y).mean(axis=1) * counts).sum() / jnp.maximum(counts.sum(), 1)


def _network(state: State, j: int, curve: list[np.ndarray]) -> Network:
    epochs = int(state.epoch[j])
    return Network([np.asarray(w[j]) for w in state.best], float(state.best_loss[j]), epochs,
                   np.concatenate(curve)[:epochs])  # fmt: skip


def _kept(done: np.ndarray) -> np.ndarray:
    """Return which networks go on: all, or the next power of `CUT` that holds the unfinished ones."""
    width = 1
    while width < (~done).sum():
        width *= CUT
    return np.sort(np.argsort(done, kind="stable")[: min(width, len(done))])
