"""What networks see of a set of samples: learned features, averaged over the samples, and statistics of the whole set.

Averaging makes the order of samples irrelevant (Zaheer et al. 2017, "Deep sets", NeurIPS 30). A sample that failed
(NaN) is left out of the average, and the share of those is a feature too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from preimage.inference.answer import Task
from preimage.inference.kinds.alfi import Alfi
from preimage.inference.kinds.npe import Npe
from preimage.inference.kinds.one_shot import OneShot
from preimage.inference.methods import dense

Options = OneShot | Alfi | Npe
FEATURES = ("both", "learned", "pooled")
# Sets drawn from the prior by which inputs of a simulator without `encoded` or `pooled` of its own are scaled.
SETS = 256
# What is kept of an encoder.
SCALES = ("centre", "scale", "pooled_centre", "pooled_scale", "floors")
# A positive coordinate whose largest values are more than so many times its smallest is seen in logarithms, and told
# apart down to a share of the smallest sample.
SPAN, BELOW = 10, 1e-3


class Seen(NamedTuple):
    """Sets as a network sees them.

    Attributes:
        each: samples, (..., n, q); None where only statistics are seen.
        fine: whether each did not fail, (..., n, 1).
        failed: the share that did, (..., 1).
        statistics: of the whole set, (..., p); None where only samples are seen.
    """

    each: Any
    fine: Any
    failed: Any
    statistics: Any


def features(weights: list[dense.Layer], seen: Seen) -> Any:
    """Return the features (..., length) of sets."""
    parts = [seen.failed]
    if seen.each is not None:
        learned = jnp.where(seen.fine, dense.relu(weights, seen.each), 0)
        parts.append(learned.mean(axis=-2) / jnp.maximum(1 - seen.failed, 1e-6))
    if seen.statistics is not None:
        parts.append(seen.statistics)
    return jnp.concatenate(parts, axis=-1)


@dataclass(frozen=True)
class SetEncoder:
    """Features of sets.

    Attributes:
        centre, scale: of what the network sees of a sample, from the prior's samples, (q,).
        pooled_centre, pooled_scale: of the statistics, (p,).
        floors: of the coordinates that are seen in logarithms, the least that is told apart; NaN of the others, (D,).
    """

    task: Task
    features: str
    hidden: int
    centre: Any
    scale: Any
    pooled_centre: Any
    pooled_scale: Any
    floors: Any

    @property
    def length(self) -> int:
        """Of the features of a set."""
        learned = self.hidden if self.features != "pooled" else 0
        return learned + (len(self.pooled_centre) if self.features != "learned" else 0) + 1

    def init(self, key: Any) -> list[dense.Layer]:
        return dense.layers(key, [len(self.centre), self.hidden, self.hidden], scale=1.5)

    def __call__(self, weights: list[dense.Layer], x: Any) -> Any:
        """Return the features (..., length) of sets (..., n, D)."""
        return features(weights, self.seen(x))

    def seen(self, x: Any) -> Seen:
        """Return what of sets (..., n, D) no weights change."""
        fine = jnp.isfinite(x).all(axis=-1, keepdims=True)
        failed = 1 - fine.mean(axis=-2, dtype=x.dtype)
        each = statistics = None
        if self.features != "pooled":
            each = (_sample(self.task, jnp.where(fine, x, 0), self.floors) - self.centre) / self.scale
            each = each if self.task.simulator.encoded else jnp.arcsinh(each)
        if self.features != "learned":
            statistics = self.statistics(x)
        return Seen(each, fine, failed, statistics)

    def statistics(self, x: Any) -> Any:
        """Return the statistics (..., p) of sets (..., n, D), of order 1; 0 where there are none."""
        fine = jnp.isfinite(x).all(axis=-1, keepdims=True)
        whole = (_statistics(self.task, x, fine, self.floors) - self.pooled_centre) / self.pooled_scale
        whole = whole if _known(self.task) else jnp.arcsinh(whole)
        return jnp.where(jnp.isfinite(whole), whole, 0)

    def arrays(self) -> dict[str, np.ndarray]:
        return {f"encoder.{name}": np.asarray(getattr(self, name)) for name in SCALES}


def _sample(task: Task, x: Any, floors: Any) -> Any:
    """Return what a network sees of each sample, (..., n, q)."""
    if task.simulator.encoded:
        return task.simulator.encoded(x)
    return jnp.where(jnp.isnan(floors), x, jnp.log(jnp.maximum(x, floors)))


def _floors(task: Task, x: Any) -> np.ndarray:
    """Return the floors of samples (sets, n, D): of coordinates that are positive and span more than `SPAN`, whose
    small values would all look alike beside large ones."""
    flat = np.asarray(x, dtype=np.float32).reshape(-1, x.shape[-1])
    flat = flat[np.isfinite(flat).all(axis=1)]
    if task.simulator.encoded or not len(flat):
        return np.full(flat.shape[1], np.nan, np.float32)
    least = flat.min(axis=0)
    low, high = np.quantile(flat, [0.01, 0.99], axis=0)
    return np.where((least > 0) & (high > SPAN * low), least * BELOW, np.nan).astype(np.float32)


def _known(task: Task) -> bool:
    """Whether the simulator gives statistics of a set itself: of order 1, and bent as it suits these."""
    return bool(task.simulator.pooled or (task.size == 1 and task.simulator.encoded))


def _statistics(task: Task, x: Any, fine: Any, floors: Any) -> Any:
    """Return statistics of sets (..., p): the simulator's own, or else means and logs of sds; of a set of one sample
    that sample, as the simulator encodes it."""
    if task.simulator.pooled:
        return task.simulator.pooled(x)
    if _known(task):
        return _sample(task, x, floors)[..., 0, :]
    if not task.simulator.encoded:
        x = _sample(task, x, floors)
    count = jnp.maximum(fine.sum(axis=-2, dtype=x.dtype), 1)
    mean = jnp.where(fine, x, 0).sum(axis=-2) / count
    if task.size == 1:
        return mean
    square = jnp.where(fine, (x - mean[..., None, :]) ** 2, 0).sum(axis=-2) / count
    return jnp.concatenate([mean, jnp.log(square + 1e-12) / 2], axis=-1)


def fitted(task: Task, options: Options, key: Any) -> tuple[SetEncoder, int]:
    """Return the encoder for a task, and how many samples were simulated to scale its inputs.

    Where the simulator has no `encoded` or `pooled`, inputs are shifted and scaled by quantiles of samples from the
    prior (means and sds say little of heavy tails), and compressed by arcsinh, which is linear near 0. Coordinates that
    are positive and span decades are seen in logarithms.
    """
    simulator = task.simulator
    one, other = jax.random.split(key)
    z = simulator.prior.sample_z(one, (SETS,))
    x = jax.jit(simulator.simulate, static_argnums=2)(other, simulator.prior.from_z(z, jnp), task.size)
    simulator.refuse_if_broken(np.asarray(x))
    return scaled_by(task, options, x), SETS * task.size


def scaled_by(task: Task, options: Options, x: Any) -> SetEncoder:
    """Return the encoder for a task whose inputs are scaled by sets (sets, n, D)."""
    fine = jnp.isfinite(x).all(axis=-1, keepdims=True)
    floors = _floors(task, x)
    centre, scale = _scales(_sample(task, x, floors), bool(task.simulator.encoded))
    pooled = _scales(_statistics(task, x, fine, floors), _known(task))
    return SetEncoder(task, options.features, options.hidden, centre, scale, *pooled, floors)


def _scales(values: Any, known: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the middle of values (..., q) and half the distance between their 16 % and 84 % quantiles, or 0 and 1
    where they are `known` to be of order 1."""
    flat = np.asarray(values, dtype=float).reshape(-1, values.shape[-1])
    if known:
        return np.zeros(flat.shape[1], np.float32), np.ones(flat.shape[1], np.float32)
    flat = np.where(np.isfinite(flat), flat, np.nan)
    flat = flat[~np.isnan(flat).any(axis=1)]
    if not len(flat):
        return np.zeros(flat.shape[1], np.float32), np.ones(flat.shape[1], np.float32)
    low, middle, high = np.quantile(flat, [0.16, 0.5, 0.84], axis=0)
    scale = (high - low) / 2
    scale = np.where(scale > 0, scale, flat.std(axis=0))
    return middle.astype(np.float32), np.where(scale > 0, scale, 1).astype(np.float32)


def restored(task: Task, options: Options, arrays: Mapping[str, np.ndarray]) -> SetEncoder:
    """Return the encoder from `SetEncoder.arrays`."""
    scales = [np.asarray(arrays[f"encoder.{name}"]) for name in SCALES]
    return SetEncoder(task, options.features, options.hidden, *scales)
