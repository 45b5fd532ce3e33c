"""Networks as a model of boxes (`exact.model`); their bounds are in `network_bounds`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from preimage.core.space import Space
from preimage.exact import network_bounds
from preimage.exact.activations import ALPHA, CODES, LINEAR, PARAMETERS, SCALE, steepest
from preimage.exact.forms import Network, Units
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
        self.form, self.layers, self.units = form, layers(form), units(form)
        weights = self.of_sides(len(form.centre))
        self.weights, self.constants = weights * form.scale, weights @ form.centre
        _, off = sizes(form, space)
        self.margin = np.abs(weights) @ off

    def _ends(self, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        (n, d), k = start.shape, len(self.sides)
        ends, worth, plane, slope = np.zeros((n, k)), np.zeros((n, k, d)), np.zeros((n, k)), np.zeros((n, k, d))
        over(
            network_bounds.bound, n, self.form.columns, self.layers, self.units,
            self.weights, self.constants, self.sign, start, end, ends, worth, plane, slope,
        )  # fmt: skip
        return ends + self.sign * self.margin, worth, plane + self.sign * self.margin, slope


def units(form: Network) -> Units:
    """Return the activations of all neurons (k, layers, width), those that there are not being linear."""
    members, depth = len(form.kernels[0]), len(form.activations)
    shape = (members, depth, max([kernel.shape[2] for kernel in form.kernels[:-1]], default=0))
    codes, parameters = np.full(shape, LINEAR, np.int64), np.zeros(shape)
    for layer, own in enumerate(form.activations):
        used = np.s_[:, layer, : form.kernels[layer].shape[2]]
        if isinstance(own, str):
            codes[used], parameters[used] = CODES[own], PARAMETERS.get(own, 0.0)
        else:
            codes[used], parameters[used] = own
    return Units(codes, parameters)


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
    c, own = form.columns, units(form)
    most = steepest(*own)
    low, high = (end[c.inputs] for end in (space.low, space.high))
    largest = np.maximum(np.abs(low - c.centre), np.abs(high - c.centre)) / c.scale
    at = np.repeat(np.where(c.levels > 0, 1.0, largest), np.maximum(c.levels, 1))
    at, off = (np.tile(a, (len(form.kernels[0]), 1)) for a in (at, 4 * UNIT * at))
    for layer, (kernel, bias) in enumerate(zip(form.kernels, form.biases, strict=True)):
        if layer:
            steep, linear = (a[:, layer - 1, : kernel.shape[1]] for a in (most, own.codes == LINEAR))
            at, off = np.where(linear, at, steep * at + SCALE * ALPHA), steep * off
            off += np.where(linear, 0.0, OFF * UNIT * (at + 1))
        weight, size, roundings = np.abs(kernel), np.abs(bias), 0.0
        if form.kernel_sizes:
            weight, size, roundings = form.kernel_sizes[layer], form.bias_sizes[layer], form.roundings[layer]
        at = np.einsum("ki,kio->ko", at, weight) + size
        off = np.einsum("ki,kio->ko", off, weight) + (len(weight[0]) + 2 + roundings) * UNIT * at
    size = np.abs(form.centre) + form.scale * at.mean(axis=0)
    return size, form.scale * off.mean(axis=0) + (len(at) + 8) * UNIT * size
