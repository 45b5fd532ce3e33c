"""Networks as a model of boxes (`exact.model`); their bounds are in `network_bounds`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from preimage.core.space import Space
from preimage.exact import network_bounds
from preimage.exact.activations import ALPHA, CODES, SCALE, STEEPEST
from preimage.exact.forms import Network
from preimage.exact.kernels import over
from preimage.exact.model import Side
from preimage.exact.network_bounds import Layers
from preimage.exact.smooth import Predict, SmoothModel

UNIT = 2.0**-53
# What an activation is off by, at most, in units of its size and 1: exponentials and their kin.
OFF = 16


class NetworkModel(SmoothModel):
    """The mean of networks on boxes of a space."""

    def __init__(self, form: Network, space: Space, sides: Sequence[Side], predict: Predict) -> None:
        super().__init__(space, sides, predict)
        self.form, self.layers, self.codes = form, layers(form), codes(form)
        weights = self.of_sides(len(form.centre))
        self.weights, self.constants = weights * form.scale, weights @ form.centre
        _, off = sizes(form, space)
        self.margin = np.abs(weights) @ off

    def _ends(self, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        (n, d), k = start.shape, len(self.sides)
        ends, worth, plane, slope = np.zeros((n, k)), np.zeros((n, k, d)), np.zeros((n, k)), np.zeros((n, k, d))
        over(
            network_bounds.bound, n, self.form.columns, self.layers, self.codes,
            self.weights, self.constants, self.sign, start, end, ends, worth, plane, slope,
        )  # fmt: skip
        return ends + self.sign * self.margin, worth, plane + self.sign * self.margin, slope


def codes(form: Network) -> np.ndarray:
    """Return the codes of the hidden layers' activations."""
    return np.array([CODES[name] for name in form.activations], np.int64)


def layers(form: Network) -> Layers:
    """Return networks as `network_bounds.bound` takes them."""
    members = len(form.kernels[0])
    by_output = [kernel.transpose(0, 2, 1).reshape(members, -1) for kernel in form.kernels]
    widths = [form.kernels[0].shape[1], *(kernel.shape[2] for kernel in form.kernels)]
    return Layers(
        np.r_[0, np.cumsum([part.shape[1] for part in by_output])],
        np.r_[0, np.cumsum(widths[1:])],
        np.array(widths),
        np.ascontiguousarray(np.hstack(by_output), float),
        np.ascontiguousarray(np.hstack(form.biases), float),
    )


def sizes(form: Network, space: Space) -> tuple[np.ndarray, np.ndarray]:
    """Return how large each output may be in a space, and what `predict` is off by, at most (m,).

    Sizes are followed through the layers, and with them errors: those of what enters a layer, as its weights and slopes
    enlarge them, and a rounding of each term. An activation is no larger than its steepest slope times its input, and
    what it is at 0.
    """
    c, code = form.columns, codes(form)
    low, high = (end[c.inputs] for end in (space.low, space.high))
    largest = np.maximum(np.abs(low - c.centre), np.abs(high - c.centre)) / c.scale
    at = np.repeat(np.where(c.levels > 0, 1.0, largest), np.maximum(c.levels, 1))
    at, off = (np.tile(a, (len(form.kernels[0]), 1)) for a in (at, 4 * UNIT * at))
    for layer, (kernel, bias) in enumerate(zip(form.kernels, form.biases, strict=True)):
        if layer:
            at, off = STEEPEST[code[layer - 1]] * at + SCALE * ALPHA, STEEPEST[code[layer - 1]] * off
            off += OFF * UNIT * (at + 1)
        weight, own = np.abs(kernel), np.abs(bias)
        if form.kernel_sizes:
            weight, own = form.kernel_sizes[layer], form.bias_sizes[layer]
        at = np.einsum("ki,kio->ko", at, weight) + own
        off = np.einsum("ki,kio->ko", off, weight) + (len(weight[0]) + 2 + form.roundings) * UNIT * at
    size = np.abs(form.centre) + form.scale * at.mean(axis=0)
    return size, form.scale * off.mean(axis=0) + (len(at) + 8) * UNIT * size
