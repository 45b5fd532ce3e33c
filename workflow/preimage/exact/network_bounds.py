"""Bounds of networks on a box: each neuron between two lines, and the lines followed back to the inputs.

Zhang, Weng, Chen, Hsieh, Daniel 2018, "Efficient neural network robustness certification with general activation
functions" (CROWN), NeurIPS 31. Whatever the layers before make of the box, each neuron's activation lies between two
lines on the interval of its input; a sum of activations is therefore at least a sum of their inputs, with the lower
line of those with a positive weight and the upper one of others, and so on down to the inputs of the network, in which
it is a plane. The members' planes are added up before they are bounded on the box. Which of the lines is best depends
on where it is to be near: first at the box's centre, then in the corner where the plane is least.

Rounding: each number that is followed back is a sum of products, off by at most (its number of terms + 2) units of the
sum of their sizes. The sizes of weights times the largest activations in the box bound what that is to the result:
`ROUNDED` of them is taken off, for layers of up to 4,000 units.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from preimage.exact.activations import LINEAR, NODES, lines, value
from preimage.exact.columns import by_input, encode, slopes
from preimage.support.numba_cache import numba

ROUNDED = 1e-12
# Lines are chosen for the centre of a box, and then again for the corner where the bound is.
TURNS = 2


class Layers(NamedTuple):
    """Networks in arrays.

    Attributes:
        first, last: of the layers' weights and biases, the places in `weights` and `biases` where each layer begins.
        widths: inputs of each layer, and outputs of the last, (layers + 1,).
        weights, biases: of each member, layer after layer, by output then by input (k, all weights), (k, all biases).
    """

    weight_at: np.ndarray
    bias_at: np.ndarray
    widths: np.ndarray
    weights: np.ndarray
    biases: np.ndarray


class Neurons(NamedTuple):
    """Of members on one box, by hidden layer and neuron.

    Attributes:
        low, high: ends of its input (k, layers, width).
        lines: of the line below and the one above, the slope, what it adds with the neuron's bias, and the sizes of all
            that enters it, (k, layers, width, 6).
        size, total: its largest activation, and that of all inputs to it times its weights (k, layers, width).
    """

    low: np.ndarray
    high: np.ndarray
    lines: np.ndarray
    size: np.ndarray
    total: np.ndarray


class Scratch(NamedTuple):
    """Two sums over a layer (2, width) and what becomes of them, a point's neurons (layers, width), and
    what choosing lines takes."""

    a: np.ndarray
    b: np.ndarray
    at: np.ndarray
    nodes: np.ndarray


@numba.njit(cache=True)
def _back(p, k, layer, neurons, z, scratch, constant):  # type: ignore[no-untyped-def]
    """Follow two sums of the activations that enter a layer back to the columns: add to `constant` (2,) what they are
    at least beside a plane, which `scratch.a` becomes.

    Args:
        z: largest sizes of columns (D,).
    """
    a, c, b, d, weights = scratch.a[0], scratch.a[1], scratch.b[0], scratch.b[1], p.weights[k]
    first, second, off, other = constant[0], constant[1], 0.0, 0.0
    for l in range(layer - 1, -1, -1):
        n, before, at, own = p.widths[l + 1], p.widths[l], p.weight_at[l], neurons.lines[k, l]
        for i in range(before):
            b[i] = d[i] = 0.0
        for j in range(n):
            v, w = a[j], c[j]
            if v == 0.0 and w == 0.0:
                continue
            q, r = (0 if v > 0.0 else 3), (0 if w > 0.0 else 3)
            first += v * own[j, q + 1]
            second += w * own[j, r + 1]
            off += abs(v) * own[j, q + 2]
            other += abs(w) * own[j, r + 2]
            v, w, row = v * own[j, q], w * own[j, r], weights[at + j * before : at + (j + 1) * before]
            for i in range(before):
                b[i] += v * row[i]
                d[i] += w * row[i]
        for i in range(before):
            a[i], c[i] = b[i], d[i]
    for i in range(p.widths[0]):
        off += abs(a[i]) * z[i]
        other += abs(c[i]) * z[i]
    constant[0] = first - ROUNDED * (off + abs(first))
    constant[1] = second - ROUNDED * (other + abs(second))


@numba.njit(cache=True)
def _point(p, k, units, x, scratch):  # type: ignore[no-untyped-def]
    """Fill in the inputs of one member's neurons at columns x (layers, width)."""
    given = scratch.a[0]
    for l in range(len(p.widths) - 2):
        before = p.widths[l]
        for i in range(before):
            given[i] = x[i]
            if l > 0:
                given[i] = value(units.codes[k, l - 1, i], units.parameters[k, l - 1, i], scratch.at[l - 1, i])
        for j in range(p.widths[l + 1]):
            total = p.biases[k, p.bias_at[l] + j]
            row = p.weight_at[l] + j * before
            for i in range(before):
                total += p.weights[k, row + i] * given[i]
            scratch.at[l, j] = total


@numba.njit(cache=True)
def _member(p, k, units, c, r, z, neurons, scratch, constant):  # type: ignore[no-untyped-def]
    """Fill in the neurons of one member on a box of columns c, r, with lines that are near at its centre."""
    _point(p, k, units, c, scratch)
    for l in range(len(p.widths) - 2):
        n, before, at = p.widths[l + 1], p.widths[l], p.weight_at[l]
        for j in range(n):
            row, bias = at + j * before, p.biases[k, p.bias_at[l] + j]
            total = abs(bias)
            for i in range(before):
                weight = p.weights[k, row + i]
                total += abs(weight) * (z[i] if l == 0 else neurons.size[k, l - 1, i])
                scratch.a[0, i], scratch.a[1, i] = weight, -weight
            neurons.total[k, l, j] = total
            if units.codes[k, l, j] == LINEAR:  # its line is known
                neurons.low[k, l, j], neurons.high[k, l, j], neurons.size[k, l, j] = -total, total, total
                _draw(p, k, l, j, units, neurons, scratch)
                continue
            constant[0], constant[1] = bias, -bias
            _back(p, k, l, neurons, z, scratch, constant)
            for q in range(2):
                for i in range(p.widths[0]):
                    constant[q] += scratch.a[q, i] * c[i] - abs(scratch.a[q, i]) * r[i]
                constant[q] -= ROUNDED * total
            low, high = constant[0], max(constant[0], -constant[1])
            neurons.low[k, l, j], neurons.high[k, l, j] = low, high
            code, a = units.codes[k, l, j], units.parameters[k, l, j]
            neurons.size[k, l, j] = max(abs(value(code, a, low)), abs(value(code, a, high))) + 1.0
            _draw(p, k, l, j, units, neurons, scratch)


@numba.njit(cache=True)
def _draw(p, k, l, j, units, neurons, scratch):  # type: ignore[no-untyped-def]
    """Fill in the lines of one neuron, near where its input is in `scratch.at`."""
    low, high, own = neurons.low[k, l, j], neurons.high[k, l, j], neurons.lines[k, l, j]
    bias, size, total = p.biases[k, p.bias_at[l] + j], neurons.size[k, l, j], neurons.total[k, l, j]
    found = scratch.nodes[3]
    lines(units.codes[k, l, j], units.parameters[k, l, j], low, high, scratch.at[l, j], scratch.nodes, found)
    for q in range(2):
        steep, offset = found[2 * q], found[2 * q + 1]
        own[3 * q], own[3 * q + 1] = steep, offset + steep * bias
        own[3 * q + 2] = abs(offset) + size + abs(steep) * total


@numba.njit(cache=True)
def _anchored(p, k, units, x, neurons, scratch):  # type: ignore[no-untyped-def]
    """Fill in lines of one member's neurons that are near at columns x."""
    _point(p, k, units, x, scratch)
    for l in range(len(p.widths) - 2):
        for j in range(p.widths[l + 1]):
            _draw(p, k, l, j, units, neurons, scratch)


@numba.njit(cache=True)
def _sum(p, weights, neurons, z, scratch, constant, planes, base):  # type: ignore[no-untyped-def]
    """Fill in what the mean of the members' weighted sums is at least, and its opposite: planes over columns (2, D) and
    their constants (2,)."""
    members, depth = len(p.weights), len(p.widths) - 2
    before, at = p.widths[depth], p.weight_at[depth]
    planes[:], base[:] = 0.0, 0.0
    for k in range(members):
        total = off = 0.0
        for i in range(before):
            scratch.a[0, i] = 0.0
        for m in range(len(weights)):
            w = weights[m] / members
            if w == 0.0:
                continue
            bias = p.biases[k, p.bias_at[depth] + m]
            total += w * bias
            off += abs(w * bias)
            for i in range(before):
                part = w * p.weights[k, at + m * before + i]
                scratch.a[0, i] += part
                off += abs(part) * (neurons.size[k, depth - 1, i] if depth else z[i])
        for i in range(before):
            scratch.a[1, i] = -scratch.a[0, i]
        constant[0], constant[1] = total, -total
        _back(p, k, depth, neurons, z, scratch, constant)
        for q in range(2):
            base[q] += constant[q] - ROUNDED * off
            for i in range(len(z)):
                planes[q, i] += scratch.a[q, i]


@numba.njit(cache=True)
def _least(plane, base, c, r, z):  # type: ignore[no-untyped-def]
    """Return what a plane over columns is at the box's centre and at least in it, but for rounding."""
    size = abs(base)
    least = 0.0
    for q in range(len(c)):
        base += plane[q] * c[q]
        size += abs(plane[q]) * z[q]
        least -= abs(plane[q]) * r[q]
    return base - ROUNDED * size, base + least - ROUNDED * size


@numba.njit(cache=True, nogil=True)
def bound(begin, stop, columns, p, units, weights, constants, sign, start, end, ends, worth, plane, slope):  # type: ignore[no-untyped-def]
    """Bound sums of outputs on boxes begin to stop of (n, d), as `process_bounds.bound` does.

    Args:
        units: the hidden layers' activations (`forms.Units`).
        weights, constants: of the sums (k, m) and (k,), of what the last layer gives.
    """
    D, members, depth, width = p.widths[0], len(p.weights), len(p.widths) - 2, p.widths.max()
    low, high, c, r, z, g, x = np.empty(D), np.empty(D), np.empty(D), np.empty(D), np.empty(D), np.empty(D), np.empty(D)
    shape = (members, depth, width)
    neurons = Neurons(
        np.empty(shape), np.empty(shape), np.empty((members, depth, width, 6)), np.empty(shape), np.empty(shape)
    )
    scratch = Scratch(np.empty((2, width)), np.empty((2, width)), np.empty((depth, width)), np.empty((4, NODES)))
    constant, planes, base, free = np.empty(2), np.empty((2, D)), np.empty(2), np.empty(D, np.int64)
    for i in range(begin, stop):
        encode(columns, start[i], end[i], low, high)
        count = 0
        for q in range(D):
            c[q] = low[q] if low[q] == high[q] else low[q] / 2.0 + high[q] / 2.0
            z[q], r[q] = max(abs(low[q]), abs(high[q])), 0.0
            if low[q] < high[q]:
                r[q] = max(c[q] - low[q], high[q] - c[q]) * (1.0 + 1e-15)
                free[count] = q
                count += 1
        for k in range(members):
            _member(p, k, units, c, r, z, neurons, scratch, constant)
        for s in range(len(sign)):
            best = middle = -np.inf
            for turn in range(TURNS):
                if turn:
                    for k in range(members):
                        _anchored(p, k, units, x, neurons, scratch)
                _sum(p, -sign[s] * weights[s], neurons, z, scratch, constant, planes, base)
                at, least = _least(planes[0], base[0], c, r, z)
                for q in range(D):
                    x[q] = c[q] - r[q] if planes[0, q] > 0.0 else c[q] + r[q]
                if turn == 0:  # steep inputs first, and still more the wide ones: slopes say little of wide boxes
                    for q in range(D):
                        g[q] = (abs(planes[0, q]) + abs(planes[0, q] + planes[1, q])) * r[q] ** 3
                    by_input(columns, g, worth[i, s])
                if least > best:
                    best = least
                    for f in range(count):
                        g[f] = planes[0, free[f]] * r[free[f]]
                    middle = at - slopes(columns, free[:count], g[:count], slope[i, s])
            ends[i, s], plane[i, s] = -sign[s] * best + constants[s], -sign[s] * middle + constants[s]
            for j in range(start.shape[1]):
                slope[i, s, j] *= -sign[s]
