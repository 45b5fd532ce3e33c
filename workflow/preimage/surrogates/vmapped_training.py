"""Many small networks of one shape, trained at once in one compiled program.

Networks differ by learning rate, random key and the rows they learn from. One epoch of one network is a JAX function
of its state; `vmap` makes it an epoch of all. The forward pass and the optimiser are Keras's own, through its stateless
API (`Model.stateless_call`, `Optimizer.stateless_apply`), so that weights are those of `Model.fit` on the same batches:
Keras's Nadam isn't that of other libraries. Everything is float32, as Keras trains.

A network stops when its validation loss hasn't improved for `patience` epochs, and its best weights are what is
returned (Keras's EarlyStopping with restore_best_weights). In the compiled program a stopped network would go on,
unheard, beside the others: so between chunks of epochs it is dropped, and the next that waits takes its place. Sixteen
networks at a time are what a core's cache holds; with two widths only, a search and the fits after it share two
compiled programs, however many networks there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

# Epochs between two looks at which networks have stopped.
CHUNK = 10
# Networks that train side by side; the smaller number is for the last ones.
WIDTHS = (4, 16)


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
    """One network an entry: its learning rate, the seed of its first weights and of its shuffling, and the fit whose
    rows it has."""

    rate: np.ndarray
    seed: np.ndarray
    fit: np.ndarray


class State(NamedTuple):
    """A network in training.

    Attributes:
        weights: all weights, end to end (size,): an optimiser that works weight by weight doesn't see the difference,
            and one long vector compiles and runs faster than many short ones.
        memory: the optimiser's variables.
        waited: epochs since the validation loss was lowest.
    """

    weights: Any
    memory: list[Any]
    best: Any
    best_loss: Any
    waited: Any
    epoch: Any
    done: Any


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
    (learnt, learnt_count), (judged, judged_count) = _positions(training), _positions(validation)
    return Data(jnp.asarray(X, jnp.float32), jnp.asarray(Y, jnp.float32), learnt, learnt_count, judged, judged_count)


def _positions(mask: np.ndarray) -> tuple[jax.Array, jax.Array]:
    count = mask.sum(axis=1)
    first = np.argsort(~mask, axis=1, kind="stable")[:, : count.max()]
    return jnp.asarray(first, jnp.int32), jnp.asarray(count, jnp.int32)


class Trainer:
    """Compiled training of networks of one shape; a second call with the same widths compiles nothing.

    Args:
        model: a built Keras model without other state than its weights.
        optimizer: Keras's, one that treats each weight alone; built here.
        loss: a name in `LOSSES`; the mean over outputs and rows.
    """

    def __init__(self, model: Any, optimizer: Any, loss: str, batch: int, epochs: int, patience: int) -> None:
        self.model, self.optimizer, self.error = model, optimizer, LOSSES[loss]
        self.batch, self.epochs, self.patience = batch, epochs, patience
        self.shapes = [tuple(v.shape) for v in model.trainable_variables]
        self.ends = np.cumsum([int(np.prod(shape)) for shape in self.shapes])
        optimizer.build([type(model.trainable_variables[0])(np.zeros(self.ends[-1], np.float32))])
        self.run = jax.jit(self._run)

    def train(
        self,
        data: Data,
        jobs: Jobs,
        report: Callable[[int, float], None] | None = None,
        widths: Sequence[int] = WIDTHS,
    ) -> list[Network]:
        """Train all networks to their end; `report` hears how many are done, and the best validation loss so far.

        With one width a network's bits depend on its own job alone; with several, on how many are left beside it, by
        the order in which sums are rounded.
        """
        waiting, trained = np.arange(len(jobs.rate)), dict[int, Network]()
        curves: list[list[np.ndarray]] = [[] for _ in waiting]
        state, place = self.start(jobs.rate[:0], jobs.seed[:0]), np.zeros(0, int)
        while len(trained) < len(curves):
            going = np.flatnonzero(~state.done)
            taken, waiting = np.split(waiting, [widths[-1] - len(going)])
            state = _joined(_at(state, going), self.start(jobs.rate[taken], jobs.seed[taken]))
            place = np.concatenate([place[going], taken])
            # What is between chunks is done by numpy: JAX would compile a program for every slice.
            state, curve = self._chunk(state, Jobs(*(a[place] for a in jobs)), data, widths)
            for j, k in enumerate(place.tolist()):
                curves[k].append(curve[j])
                if state.done[j]:
                    trained[k] = self._network(state, j, curves[k])
            if report is not None:
                report(len(trained), min((n.validation_loss for n in trained.values()), default=state.best_loss.min()))
        return [trained[k] for k in range(len(curves))]

    def _chunk(self, state: State, jobs: Jobs, data: Data, widths: Sequence[int]) -> tuple[State, Any]:
        """Train for some epochs, idle copies filling up the width; return states and losses (networks, CHUNK, 2)."""
        count = len(state.done)
        width = next(w for w in widths if w >= count)
        at = np.minimum(np.arange(width), count - 1)
        filled = _at(state, at)._replace(done=np.arange(width) >= count)
        return jax.tree.map(lambda a: a[:count], jax.device_get(self.run(filled, jobs.seed[at], jobs.fit[at], data)))

    def start(self, rate: np.ndarray, seed: np.ndarray) -> State:
        """Return fresh networks: Glorot-uniform kernels and zero biases, the defaults of Keras's dense layers."""
        count, zero = len(rate), np.zeros(len(rate), np.int32)
        weights = np.array([self._fresh(int(s)) for s in seed], np.float32).reshape(count, self.ends[-1])
        memory = [np.repeat(np.asarray(v.value)[None], count, axis=0) for v in self.optimizer.variables]
        memory[[v.name for v in self.optimizer.variables].index("learning_rate")] = rate.astype(np.float32)
        return State(weights, memory, weights, np.full(count, np.inf, np.float32), zero, zero, np.zeros(count, bool))

    def _fresh(self, seed: int) -> np.ndarray:
        reach = np.array([np.sqrt(6 / sum(shape)) if len(shape) == 2 else 0.0 for shape in self.shapes])
        draw = np.random.default_rng(seed).uniform(-1, 1, self.ends[-1])
        return np.repeat(reach, np.diff(self.ends, prepend=0)) * draw

    def _network(self, state: State, j: int, curve: list[np.ndarray]) -> Network:
        epochs = int(state.epoch[j])
        history = np.concatenate(curve)[:epochs].astype(float)
        return Network(self.split(state.best[j]), float(state.best_loss[j]), epochs, history)

    def split(self, weights: Any) -> list[Any]:
        """Return weights (size,) as the model's list of arrays."""
        cuts = zip([0, *self.ends], self.ends, self.shapes, strict=False)
        return [weights[low:high].reshape(shape) for low, high, shape in cuts]

    def _run(self, state: State, seed: jax.Array, fit: jax.Array, data: Data) -> tuple[State, jax.Array]:
        """Train until all have stopped, `CHUNK` epochs at most; return states and losses (networks, CHUNK, 2)."""
        epoch = jax.vmap(self._epoch, in_axes=(0, 0, 0, None))

        def unfinished(carry: tuple[jax.Array, State, jax.Array]) -> jax.Array:
            return (carry[0] < CHUNK) & ~carry[1].done.all()

        def once(carry: tuple[jax.Array, State, jax.Array]) -> tuple[jax.Array, State, jax.Array]:
            at, state, curve = carry
            state, losses = epoch(state, seed, fit, data)
            return at + 1, state, curve.at[:, at].set(losses)

        curve = jnp.zeros((len(fit), CHUNK, 2), jnp.float32)
        _, state, curve = jax.lax.while_loop(unfinished, once, (jnp.zeros((), jnp.int32), state, curve))
        return state, curve

    def _epoch(self, state: State, seed: jax.Array, fit: jax.Array, data: Data) -> tuple[State, jax.Array]:
        """One epoch of one network; a stopped one keeps its best weights whatever happens."""
        order = self.shuffled(seed, state.epoch, data.training[fit], data.training_count[fit])
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
            best=jnp.where(better, weights, state.best),
            best_loss=jnp.where(better, loss, state.best_loss),
            waited=waited,
            epoch=epoch,
            done=state.done | (waited >= self.patience) | (epoch >= self.epochs),
        )
        return after, jnp.stack([training, loss])

    @staticmethod
    def shuffled(seed: Any, epoch: Any, positions: jax.Array, count: Any) -> jax.Array:
        """Return the first `count` positions in the random order of an epoch, the others after them."""
        key = jax.random.fold_in(jax.random.key(seed), epoch)
        draw = jax.random.uniform(key, positions.shape, jnp.float32)
        return positions[jnp.argsort(jnp.where(jnp.arange(len(positions)) < count, draw, jnp.inf))]

    def one_pass(
        self, weights: jax.Array, memory: list[Any], X: jax.Array, Y: jax.Array, order: jax.Array, count: jax.Array
    ) -> tuple[jax.Array, list[Any], jax.Array]:
        """Step through the first `count` rows of `order`, batch by batch; return weights, memory and mean loss.

        The last batch may be short. A fit with fewer rows than others has empty batches in the end, which change
        nothing: an optimiser with momentum would move on without a gradient.
        """
        batches = -(-len(order) // self.batch)
        order = jnp.pad(order, (0, batches * self.batch - len(order))).reshape(batches, self.batch)
        counts = (jnp.arange(batches * self.batch) < count).reshape(batches, self.batch)

        def step(carry: tuple[jax.Array, list[Any]], part: tuple[jax.Array, jax.Array]) -> Any:
            rows, counts = part
            loss, slope = jax.value_and_grad(self.loss)(carry[0], X[rows], Y[rows], counts)
            (moved,), memory = self.optimizer.stateless_apply(carry[1], [slope], [carry[0]])
            kept = jax.tree.map(lambda new, old: jnp.where(counts[0], new, old), (moved, memory), carry)
            return kept, loss * counts.sum()

        (weights, memory), losses = jax.lax.scan(step, (weights, memory), (order, counts))
        return weights, memory, losses.sum() / count

    def loss(self, weights: jax.Array, X: jax.Array, Y: jax.Array, counts: jax.Array) -> jax.Array:
        """Return the mean loss over the rows that count (n,), of inputs (n, d) and outputs (n, m)."""
        predicted = self.model.stateless_call(self.split(weights), [], X)[0]
        return (self.error(predicted - Y).mean(axis=1) * counts).sum() / jnp.maximum(counts.sum(), 1)


def _at(state: State, index: np.ndarray) -> State:
    return jax.tree.map(lambda a: a[index], state)


def _joined(one: State, other: State) -> State:
    return jax.tree.map(lambda a, b: np.concatenate([a, b]), one, other)
