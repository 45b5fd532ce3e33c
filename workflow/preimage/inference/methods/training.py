"""Training of networks on samples that are simulated as they are needed, compiled, and resumed after a kill.

Adam (Kingma, Ba 2015, "Adam: a method for stochastic optimization", ICLR) on gradients of bounded norm; the learning
rate rises over the first tenth of the updates and then falls by a half cosine.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from preimage.support import npz
from preimage.support.files import replacing
from preimage.support.progress import Report
from preimage.support.resume_state import resumed

# Updates between two times that the state is kept.
CHUNK = 50
MEAN_DECAY, SQUARE_DECAY = 0.9, 0.999
LARGEST_GRADIENT = 1.0
LEAST_RATE = 1e-3

Weights = Any
# Of weights, a key and data: what is minimised, and the measure that is reported. Equal losses share one program.
Loss = Callable[[Weights, Any, Any], tuple[Any, Any]]


class Course(NamedTuple):
    """How long, and how fast.

    Attributes:
        updates: of the weights.
        learning_rate: the largest.
    """

    updates: int
    learning_rate: float

    def rate(self, update: Any) -> Any:
        """Return the learning rate of an update, counted from 0."""
        rising = jnp.maximum(self.updates // 10, 1)
        falling = jnp.clip((update - rising) / jnp.maximum(self.updates - rising, 1), 0, 1)
        cosine = LEAST_RATE + (1 - LEAST_RATE) * (1 + jnp.cos(jnp.pi * falling)) / 2
        return (self.learning_rate * jnp.minimum((update + 1) / rising, cosine)).astype(jnp.float32)


class State(NamedTuple):
    """All that training goes on from: weights, and running means of the gradient and of its square."""

    weights: Weights
    mean: Weights
    square: Weights


def train(
    loss: Loss, weights: Weights, seed: int, course: Course, state: Path | None = None, report: Report | None = None,
    data: Any = None,
) -> tuple[Weights, list[tuple[int, float]]]:  # fmt: skip
    """Return trained weights, and the mean of the measure over each chunk of updates, with the updates so far.

    `data` are arrays that the loss is given; what a loss simulates itself needs none.
    `state` is a file that is kept as training goes on, and from which it goes on to the same bytes as if it had never
    been stopped; its name must say what is trained, and on what. Update k uses the same random key however often
    training was stopped.
    """
    zero = jax.tree.map(jnp.zeros_like, weights)
    at, history = State(weights, zero, zero), list[tuple[int, float]]()
    at, history = resumed(state, lambda path: _read(path, at)) or (at, history)
    done = history[-1][0] if history else 0
    while done < course.updates:
        count = min(CHUNK, course.updates - done)
        at, measured = _advanced(loss, course, data, at, seed, done, count)
        done += count
        history.append((done, float(measured)))
        if state is not None:
            _write(state, at, history)
        if report is not None:
            report(*history[-1])
    return jax.device_get(at.weights), history


@partial(jax.jit, static_argnums=0)
def _advanced(loss: Loss, course: Course, data: Any, at: State, seed: int, start: int, count: int) -> tuple[State, Any]:
    """Return the state after `count` updates more, and the mean of the measure over these."""
    root = jax.random.key(seed)

    def update(k: Any, carry: tuple[State, Any]) -> tuple[State, Any]:
        at, total = carry
        slope, measure = jax.grad(loss, has_aux=True)(at.weights, jax.random.fold_in(root, k), data)
        return adam(at, slope, course.rate(k), k + 1), total + measure.astype(jnp.float32)

    at, total = jax.lax.fori_loop(start, start + count, update, (at, jnp.zeros((), jnp.float32)))
    return at, total / count


def adam(at: State, slope: Weights, rate: Any, update: Any) -> State:
    """Return the state after an update, counted from 1. An update whose gradient is not finite changes nothing."""
    norm = jnp.sqrt(sum(jnp.sum(g**2) for g in jax.tree.leaves(slope)))
    fine, shrink = jnp.isfinite(norm), jnp.minimum(1, LARGEST_GRADIENT / jnp.maximum(norm, 1e-12))
    slope = jax.tree.map(lambda g: jnp.where(fine, g * shrink, 0), slope)
    mean = jax.tree.map(lambda m, g: MEAN_DECAY * m + (1 - MEAN_DECAY) * g, at.mean, slope)
    square = jax.tree.map(lambda v, g: SQUARE_DECAY * v + (1 - SQUARE_DECAY) * g**2, at.square, slope)
    n = jnp.asarray(update, jnp.float32)
    one, other = 1 - MEAN_DECAY**n, 1 - SQUARE_DECAY**n

    def moved(w: Any, m: Any, v: Any) -> Any:
        return jnp.where(fine, w - rate * (m / one) / (jnp.sqrt(v / other) + 1e-8), w)

    return State(jax.tree.map(moved, at.weights, mean, square), mean, square)


def _write(path: Path, at: State, history: list[tuple[int, float]]) -> None:
    leaves = {f"leaf_{k}": np.asarray(leaf) for k, leaf in enumerate(jax.tree.leaves(at))}
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, history=np.array(json.dumps(history)), **leaves)  # type: ignore[arg-type]


def _read(path: Path, like: State) -> tuple[State, list[tuple[int, float]]]:
    kept = npz.read(path)
    leaves = [kept[f"leaf_{k}"] for k in range(len(jax.tree.leaves(like)))]
    history = [(int(done), float(value)) for done, value in json.loads(str(kept["history"]))]
    if [leaf.shape for leaf in leaves] != [leaf.shape for leaf in jax.tree.leaves(like)]:
        raise ValueError("of another network")
    return jax.tree.unflatten(jax.tree.structure(like), leaves), history
