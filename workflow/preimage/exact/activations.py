"""Activations between two lines each, on an interval.

Of those that most networks are made of, relu, selu and elu, the nearest lines are known: chords, tangents, and sides
of a corner. One rule does for all others. A line of some slope is below a function by as much as the function less the
line is at least. That is known from a few nodes: between two of them, h apart, a function with second derivatives of at
most M is above the chord less M h^2 / 8. Where the slope jumps there is a node. Of some slopes, that is taken whose
line is nearest to the function where it matters.
"""

from __future__ import annotations

import math

import numpy as np

from preimage.support.numba_cache import numba

RELU, SELU, ELU, GELU, SILU, TANH, SOFTPLUS, LINEAR, HARD, SOFTSIGN, MISH, GELU_TANH, HARD_SILU = range(13)
CODES = {
    "relu": RELU, "selu": SELU, "elu": ELU, "gelu": GELU, "silu": SILU, "tanh": TANH, "softplus": SOFTPLUS,
    "linear": LINEAR, "hard": HARD, "softsign": SOFTSIGN, "mish": MISH, "gelu_tanh": GELU_TANH, "hard_silu": HARD_SILU,
}  # fmt: skip
# Some have a parameter: of relu the slope below 0, of elu what it falls to; these are the plain ones' own.
PARAMETERS = {"relu": 0.0, "elu": 1.0}
# What slopes are at most; by how much slopes rise and fall, at most, away from kinks. Of relu and elu that is with 1
# for a parameter: `steepest` has it with others.
STEEPEST = np.array([1.0, 1.7581, 1.0, 1.13, 1.1, 1.0, 1.0, 1.0, 1.0, 1.0, 1.09, 1.13, 1.5])
RISE = np.array([0.0, 1.7581, 1.0, 0.8, 0.5, 0.77, 0.25, 0.0, 0.0, 2.0, 0.65, 0.8, 1.0 / 3.0 + 1e-12])
FALL = np.array([0.0, 0.0, 0.0, 0.11, 0.08, 0.77, 0.0, 0.0, 0.0, 2.0, 0.06, 0.11, 0.0])
# Where slopes jump.
KINKS = np.full((len(CODES), 2), np.nan)
KINKS[[RELU, SELU, ELU], 0] = 0.0
KINKS[HARD], KINKS[HARD_SILU] = (0.0, 1.0), (-3.0, 3.0)
SCALE, ALPHA = 1.0507009873554805, 1.6732632423543772
# Of tanh in the approximation of gelu.
ROOT, CUBE = math.sqrt(2.0 / math.pi), 0.044715
# Parts of an interval, and numbers that choosing lines takes.
PARTS = 4
NODES = PARTS + 3
# Beyond what a value may be off by, as a share of the sizes in it.
ROUNDED = 1e-14
# Of intervals beyond it nothing is said: the square of one may be infinite.
LARGEST = 1e150


def steepest(codes: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    """Return what slopes are at most, of activations with these codes and parameters."""
    own = np.isin(codes, (RELU, ELU))
    return np.where(own, np.maximum(np.abs(parameters), 1.0), STEEPEST[codes])


@numba.njit(cache=True)
def value(code, a, x):  # type: ignore[no-untyped-def]
    """Return an activation's value, with a parameter a."""
    if code == RELU:
        return x if x > 0.0 else a * x
    if code == SELU:
        return SCALE * x if x > 0.0 else SCALE * ALPHA * math.expm1(x)
    if code == ELU:
        return x if x > 0.0 else a * math.expm1(x)
    if code == GELU:
        return 0.5 * x * math.erfc(-x * math.sqrt(0.5))
    if code == SILU:
        return x / (1.0 + math.exp(-x)) if x > -700.0 else 0.0
    if code == TANH:
        return math.tanh(x)
    if code == SOFTPLUS:
        return _softplus(x)
    if code == LINEAR:
        return x
    if code == HARD:
        return min(max(x, 0.0), 1.0)
    if code == SOFTSIGN:
        return x / (1.0 + abs(x))
    if code == MISH:
        return x * math.tanh(_softplus(x))
    if code == GELU_TANH:
        return 0.5 * x * (1.0 + math.tanh(ROOT * (x + CUBE * x * x * x)))
    return x * min(max(x + 3.0, 0.0), 6.0) / 6.0


@numba.njit(cache=True)
def _softplus(x):  # type: ignore[no-untyped-def]
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


@numba.njit(cache=True)
def slope(code, a, x):  # type: ignore[no-untyped-def]
    """Return an activation's derivative: where there is none, one of the two."""
    if code == RELU:
        return 1.0 if x > 0.0 else a
    if code == SELU:
        return SCALE if x > 0.0 else SCALE * ALPHA * math.exp(x)
    if code == ELU:
        return 1.0 if x > 0.0 else a * math.exp(x)
    if code == GELU:
        return 0.5 * math.erfc(-x * math.sqrt(0.5)) + x * math.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)
    if code == TANH:
        return 1.0 - math.tanh(x) ** 2
    if code == LINEAR:
        return 1.0
    if code == HARD:
        return 1.0 if 0.0 < x <= 1.0 else 0.0
    if code == SOFTSIGN:
        return 1.0 / (1.0 + abs(x)) ** 2
    if code == GELU_TANH:
        t = math.tanh(ROOT * (x + CUBE * x * x * x))
        return 0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * ROOT * (1.0 + 3.0 * CUBE * x * x)
    if code == HARD_SILU:
        return (2.0 * x + 3.0) / 6.0 if -3.0 < x <= 3.0 else 1.0 if x > 0.0 else 0.0
    s = 1.0 / (1.0 + math.exp(-x)) if x > -700.0 else 0.0
    if code == MISH:
        t = math.tanh(_softplus(x))
        return t + x * (1.0 - t * t) * s
    return s if code == SOFTPLUS else s * (1.0 + x * (1.0 - s))


@numba.njit(cache=True)
def _curves(code, a, high):  # type: ignore[no-untyped-def]
    """Return by how much slopes rise and fall at most, away from kinks and below an end."""
    # The curve of an exponential is less to the left.
    if code == SELU:
        return RISE[code] * math.exp(min(high, 0.0)), 0.0
    if code == ELU:
        return max(a, 0.0) * math.exp(min(high, 0.0)), max(-a, 0.0)
    return RISE[code], FALL[code]


@numba.njit(cache=True)
def lines(code, a, low, high, anchor, scratch, found):  # type: ignore[no-untyped-def]
    """Fill in slope and offset of a line below an activation on [low, high], then of one above: of some, those that are
    nearest to it at an anchor. `scratch` is of three rows of `NODES` or more."""
    if code == LINEAR:
        found[0], found[1], found[2], found[3] = 1.0, 0.0, 1.0, 0.0
        return
    if not -LARGEST <= low <= high <= LARGEST:  # also where an end is NaN
        found[0], found[1], found[2], found[3] = 0.0, -np.inf, 0.0, np.inf
        return
    anchor = min(max(anchor, low), high)
    if code == RELU and a <= 1.0:
        _bent(a, low, high, anchor, found)
    elif code == SELU:
        _exponential(SCALE * ALPHA, SCALE, low, high, anchor, found)
    elif code == ELU and a > 0.0:
        _exponential(a, 1.0, low, high, anchor, found)
    else:
        _by_nodes(code, a, low, high, anchor, scratch, found)
        return
    # The steepest slope times the farther end bounds all values on the interval, and those of the lines.
    off = ROUNDED * (4.0 * max(abs(a), STEEPEST[code]) * max(abs(low), abs(high)) + 1e-300)
    found[1] -= off
    found[3] += off


@numba.njit(cache=True)
def _bent(a, low, high, anchor, found):  # type: ignore[no-untyped-def]
    """Fill in the lines of a function of slope a <= 1 below 0 and of 1 above: it bends up, and the upper one is its
    chord."""
    if low >= 0.0 or high <= 0.0:
        found[0] = found[2] = 1.0 if low >= 0.0 else a
        found[1] = found[3] = 0.0
        return
    found[0], found[1] = 1.0 if anchor > 0.0 else a, 0.0
    found[2] = (high - a * low) / (high - low)
    found[3] = (1.0 - found[2]) * high


@numba.njit(cache=True)
def _exponential(a, s, low, high, anchor, found):  # type: ignore[no-untyped-def]
    """Fill in the lines of a function that is a (e^x - 1) below 0 and s x above."""
    if low >= 0.0:
        found[0] = found[2] = s
        found[1] = found[3] = 0.0
        return
    at, top = a * math.expm1(low), a * math.expm1(high) if high <= 0.0 else s * high
    # Above: the chord, or where a chord to 0 is steeper than what follows, the side of that corner which is nearer.
    if high > 0.0 and at / low >= s:
        found[2], found[3] = at / low if anchor < 0.0 else s, 0.0
    else:
        found[2] = (top - at) / (high - low) if high > low else a * math.exp(low)
        found[3] = max(at - found[2] * low, top - found[2] * high)
    # Below: a tangent of the curve, but none that is above the end; where all are, the chord.
    touch = min(anchor, 0.0)
    if high > 0.0 and s < a:
        touch = min(touch, _touching(a, s, high))
    if touch < low:
        found[0] = (top - at) / (high - low)
        found[1] = min(at - found[0] * low, top - found[0] * high)
        return
    e = math.expm1(touch) if touch < 0.0 else 0.0
    found[0] = a * (1.0 + e) if anchor < 0.0 or s < a else s
    found[1] = min(a * e - found[0] * touch, top - found[0] * high)


@numba.njit(cache=True)
def _touching(a, s, high):  # type: ignore[no-untyped-def]
    """Return about where a line through the end at `high` touches the curve a (e^x - 1), of a steeper slope at 0."""
    # Where e^x (1 + high - x) = 1 + high s / a: near it, and a step of Newton's method on the logarithms.
    x = high - math.sqrt(high * (high + 2.0 * (1.0 - s / a)))
    off = x + math.log1p(high - x) - math.log1p(high * s / a)
    return min(x - off * (1.0 + high - x) / (high - x), 0.0)


@numba.njit(cache=True)
def _by_nodes(code, a, low, high, anchor, scratch, found):  # type: ignore[no-untyped-def]
    """Fill in lines of any activation, as values at some nodes and what it may curve between them say."""
    nodes, values, slopes = scratch[0], scratch[1], scratch[2]
    n, width = PARTS + 1, (high - low) / PARTS
    for k in range(PARTS + 1):
        nodes[k] = low + k * width
    nodes[PARTS] = high
    for kink in KINKS[code]:
        if low < kink < high:
            nodes[n] = kink
            n += 1
    largest = 0.0
    for k in range(n):
        values[k] = value(code, a, nodes[k])
        largest = max(largest, abs(values[k]))
    slopes[0] = (values[PARTS] - values[0]) / (high - low) if high > low else slope(code, a, anchor)
    slopes[1], slopes[2], slopes[3] = slope(code, a, anchor), slope(code, a, low), slope(code, a, high)
    curve = width * width / 8.0 * (1.0 + 1e-12)
    rise, fall = _curves(code, a, high)
    reach = max(abs(low), abs(high))
    below, above = -np.inf, np.inf
    if code in (TANH, SOFTSIGN):  # which rise, and flatten: wide intervals leave the curve too much
        off = ROUNDED * (largest + 1e-300)
        found[0] = found[2] = 0.0
        found[1] = below = values[0] - off
        found[3] = above = values[PARTS] + off
    for k in range(4):
        s = slopes[k]
        least, most = np.inf, -np.inf
        for i in range(n):
            rest = values[i] - s * nodes[i]
            least, most = min(least, rest), max(most, rest)
        off = ROUNDED * (largest + abs(s) * reach + 1e-300)
        least -= rise * curve + off
        most += fall * curve + off
        if least + s * anchor > below:
            below, found[0], found[1] = least + s * anchor, s, least
        if most + s * anchor < above:
            above, found[2], found[3] = most + s * anchor, s, most
