"""Activations between two lines each, on an interval: one rule for all of them.

A line of some slope is below a function by as much as the function less the line is at least. That is known from a few
nodes: between two of them, h apart, a function with second derivatives of at most M is above the chord less M h^2 / 8.
Where the second derivative jumps, at 0, there is a node. Of some slopes, that is taken whose line is
nearest to the function where it matters.
"""

from __future__ import annotations

import math

import numpy as np

from preimage.support.numba_cache import numba

RELU, SELU, ELU, GELU, SILU, TANH, SOFTPLUS = range(7)
CODES = {"relu": RELU, "selu": SELU, "elu": ELU, "gelu": GELU, "silu": SILU, "tanh": TANH, "softplus": SOFTPLUS}
# What slopes are at most; by how much slopes rise and fall, at most, away from 0.
STEEPEST = np.array([1.0, 1.7581, 1.0, 1.13, 1.1, 1.0, 1.0])
RISE = np.array([0.0, 1.7581, 1.0, 0.8, 0.5, 0.77, 0.25])
FALL = np.array([0.0, 0.0, 0.0, 0.11, 0.08, 0.77, 0.0])
KINKED = np.array([True, True, True, False, False, False, False])
SCALE, ALPHA = 1.0507009873554805, 1.6732632423543772
# Parts of an interval.
PARTS = 4
# Beyond what a value may be off by, as a share of the sizes in it.
ROUNDED = 1e-14


@numba.njit(cache=True)
def value(code, x):  # type: ignore[no-untyped-def]
    """Return an activation's value."""
    if code == RELU:
        return max(x, 0.0)
    if code == SELU:
        return SCALE * x if x > 0.0 else SCALE * ALPHA * math.expm1(x)
    if code == ELU:
        return x if x > 0.0 else math.expm1(x)
    if code == GELU:
        return 0.5 * x * math.erfc(-x * math.sqrt(0.5))
    if code == SILU:
        return x / (1.0 + math.exp(-x)) if x > -700.0 else 0.0
    if code == TANH:
        return math.tanh(x)
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


@numba.njit(cache=True)
def slope(code, x):  # type: ignore[no-untyped-def]
    """Return an activation's derivative: at 0, where there is none, one of the two."""
    if code == RELU:
        return 1.0 if x > 0.0 else 0.0
    if code == SELU:
        return SCALE if x > 0.0 else SCALE * ALPHA * math.exp(x)
    if code == ELU:
        return 1.0 if x > 0.0 else math.exp(x)
    if code == GELU:
        return 0.5 * math.erfc(-x * math.sqrt(0.5)) + x * math.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)
    if code == TANH:
        return 1.0 - math.tanh(x) ** 2
    s = 1.0 / (1.0 + math.exp(-x)) if x > -700.0 else 0.0
    return s if code == SOFTPLUS else s * (1.0 + x * (1.0 - s))


@numba.njit(cache=True)
def lines(code, low, high, anchor, scratch, found):  # type: ignore[no-untyped-def]
    """Fill in slope and offset of a line below an activation on [low, high], then of one above: of some, those that are
    nearest to it at an anchor. `scratch` is of three rows of `PARTS` + 2 or more."""
    nodes, values, slopes = scratch[0], scratch[1], scratch[2]
    n, width = PARTS + 1, (high - low) / PARTS
    for k in range(PARTS + 1):
        nodes[k] = low + k * width
    nodes[PARTS] = high
    if KINKED[code] and low < 0.0 < high:
        nodes[n] = 0.0
        n += 1
    largest = 0.0
    for k in range(n):
        values[k] = value(code, nodes[k])
        largest = max(largest, abs(values[k]))
    anchor = min(max(anchor, low), high)
    slopes[0] = (values[PARTS] - values[0]) / (high - low) if high > low else slope(code, anchor)
    slopes[1], slopes[2], slopes[3] = slope(code, anchor), slope(code, low), slope(code, high)
    curve = width * width / 8.0 * (1.0 + 1e-12)
    # The curve of an exponential is less to the left.
    rise = RISE[code] * (math.exp(min(high, 0.0)) if code in (SELU, ELU) else 1.0)
    reach = max(abs(low), abs(high))
    below, above = -np.inf, np.inf
    for k in range(4):
        s = slopes[k]
        least, most = np.inf, -np.inf
        for i in range(n):
            rest = values[i] - s * nodes[i]
            least, most = min(least, rest), max(most, rest)
        off = ROUNDED * (largest + abs(s) * reach + 1e-300)
        least -= rise * curve + off
        most += FALL[code] * curve + off
        if least + s * anchor > below:
            below, found[0], found[1] = least + s * anchor, s, least
        if most + s * anchor < above:
            above, found[2], found[3] = most + s * anchor, s, most
