"""Dense layers as plain arrays, for networks that are trained within one compiled program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

Layer = dict[str, Any]


def layer(key: Any, inputs: int, outputs: int, scale: float = 1.0) -> Layer:
    """Return random weights of variance scale^2 / inputs, and biases of 0."""
    weights = jax.random.normal(key, (inputs, outputs), jnp.float32) * (scale / inputs**0.5)
    return {"w": weights, "b": jnp.zeros(outputs, jnp.float32)}


def layers(key: Any, widths: Sequence[int], scale: float = 1.0) -> list[Layer]:
    """Return layers between these widths, the weights of the first one scaled."""
    keys = jax.random.split(key, len(widths) - 1)
    sizes = zip(keys, widths[:-1], widths[1:], strict=True)
    return [layer(k, i, o, scale if at == 0 else 1.0) for at, (k, i, o) in enumerate(sizes)]


def apply(made: Layer, x: Any) -> Any:
    return x @ made["w"] + made["b"]


def relu(made: Sequence[Layer], x: Any) -> Any:
    """Return x (..., i) after all layers, each followed by a rectifier."""
    for one in made:
        x = jax.nn.relu(apply(one, x))
    return x
