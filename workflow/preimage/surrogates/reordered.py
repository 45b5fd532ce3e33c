"""Models whose inputs or outputs are in another order than ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:  # it loads numba, which searches without trees have no use for
    from preimage.trees.forest import Forest


class Order(NamedTuple):
    """Which of our columns each input of the model takes (d,), which of the model's outputs each of ours is (m,)."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Reordered:
    """A model's JAX function, of points and outputs in our order."""

    function: Callable[[Any, Any], Any]
    order: Order

    def __call__(self, parameters: Any, x: Any) -> Any:
        return self.function(parameters, x[np.array(self.order.inputs)])[np.array(self.order.outputs)]


def trees(own: Forest, order: Order) -> Forest:
    """Return a model's arrays with our inputs and outputs."""
    outputs = list(order.outputs)
    values = np.ascontiguousarray(own.values[:, outputs])
    return replace(own.of_inputs(order.inputs), values=values, start=own.start[outputs])
