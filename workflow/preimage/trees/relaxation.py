"""The relaxation of one box by multipliers: its bound, and subgradient steps that bring it down.

(The steps: Polyak 1969, towards the loss to beat, along a direction with momentum.)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from preimage.support.numba_cache import numba
from preimage.trees.boxes import best_leaf
from preimage.trees.gathering import FIRST, HIGH, INPUT, LEAF, LOW, OF, ORIGIN, PART, RUN, gather, scratch

MOMENTUM = 0.9
# Share of what is to be gained that trees which hardly vary on a box may have together: they keep their own bounds.
NEGLIGIBLE = 0.02
UNIT = 2.0**-53


class Sums(NamedTuple):
    """What sums of one channel start from, how large their terms are together at most, and what rounding may add to a
    computed sum."""

    start: float
    largest: float
    margin: float


@numba.njit(cache=True)
def _clear(values, n):  # type: ignore[no-untyped-def]
    """Set the first n to 0. Assigning a slice would take seconds more to compile, here and below."""
    for i in range(n):
        values[i] = 0.0


@numba.njit(cache=True)
def _copy(values, n, there):  # type: ignore[no-untyped-def]
    for i in range(n):
        there[i] = values[i]


@numba.njit(cache=True)
def _pay(local, lo, parts):  # type: ignore[no-untyped-def]
    """Add up what all parts pay for each cell, find the cell for which most is paid; return how much that is."""
    total, first = local.total, local.first
    _clear(total, first[-1])
    for p in range(parts):
        j, before = local.part[p, INPUT], 0.0
        shift = first[j] - lo[j]
        for i in range(local.part[p, FIRST], local.part[p + 1, FIRST]):
            total[local.begin[i] + shift] += local.price[i] - before
            before = local.price[i]
    paid = 0.0
    for j in range(len(lo)):
        sum_, most, at = 0.0, -np.inf, first[j]
        for i in range(first[j], first[j + 1]):
            sum_ += total[i]
            total[i] = sum_
            if sum_ > most:
                most, at = sum_, i
        local.cell[j] = at - first[j] + lo[j]
        paid += most
    return paid


@numba.njit(cache=True)
def _choose(local, t):  # type: ignore[no-untyped-def]
    """Find the best leaf of a tree and the intervals that it would have; return its score with what it pays."""
    begin, price = local.begin, local.price
    base = 0.0
    for p in range(local.tree[t, PART], local.tree[t + 1, PART]):
        a, b = local.part[p, FIRST], local.part[p + 1, FIRST]
        cell, there = local.cell[local.part[p, INPUT]], a
        while there + 1 < b and begin[there + 1] <= cell:
            there += 1
        # Of equal payments that of the cell, where there is nothing to disagree about.
        least, at = price[there], there
        for i in range(a, b):
            if price[i] < least:
                least, at = price[i], i
        local.there[p], local.chosen[p], local.least[p] = there, at, least
        base += least
    for r in range(local.tree[t, RUN], local.tree[t + 1, RUN]):
        a, b, p = local.run[r, LOW], local.run[r, HIGH], local.run[r, OF]
        there = local.there[p]
        at = there if a <= there < b else a
        least = price[at]
        for i in range(a, b):
            if price[i] < least:
                least, at = price[i], i
        local.paid[r], local.at[r] = least - local.least[p], at
    most, best = -np.inf, 0
    for i in range(local.tree[t, LEAF], local.tree[t + 1, LEAF]):
        value = local.score[i]
        for k in range(local.leaf[i], local.leaf[i + 1]):
            value -= local.paid[local.runs[k]]
        if value > most:
            most, best = value, i
    local.best[t] = best
    for k in range(local.leaf[best], local.leaf[best + 1]):
        r = local.runs[k]
        local.chosen[local.run[r, OF]] = local.at[r]
    return most - base


@numba.njit(cache=True)
def value(local, trees, lo):  # type: ignore[no-untyped-def]
    """Return the bound that the multipliers give to the sum of the trees here."""
    sum_ = _pay(local, lo, local.tree[trees, PART])
    for t in range(trees):
        sum_ += _choose(local, t)
    return sum_


@numba.njit(cache=True)
def ascend(local, trees, lo, target, steps, share, patience, direction, kept):  # type: ignore[no-untyped-def]
    """Take subgradient steps until the bound is at most `target` or so many are done; return the bound and the number
    of steps. The multipliers of that bound are left in `local.price`.

    Args:
        share: of the step that would reach the target if the bound were linear.
        direction, kept: scratch (intervals,).
    """
    parts = local.tree[trees, PART]
    n = local.part[parts, FIRST]
    price = local.price
    best, idle = np.inf, 0
    _clear(direction, n)
    for step in range(steps):
        bound = value(local, trees, lo)
        if bound < best:
            best, idle = bound, 0
            _copy(price, n, kept)
            if bound <= target:
                return best, step + 1
        else:
            idle += 1
            if idle == patience:
                share, idle = share / 2, 0
                _copy(kept, n, price)
                _clear(direction, n)
                continue
        apart, square = 0, 0.0
        for i in range(n):
            direction[i] *= MOMENTUM
        for p in range(parts):
            if local.there[p] != local.chosen[p]:
                direction[local.there[p]] += local.weight[p]
                direction[local.chosen[p]] -= local.weight[p]
                apart += 1
        if apart == 0:
            return best, step + 1
        for p in range(parts):
            for i in range(local.part[p, FIRST], local.part[p + 1, FIRST]):
                square += direction[i] * direction[i] / local.weight[p]
        if square == 0:
            break
        length = share * (bound - target) / square
        for i in range(n):
            price[i] -= length * direction[i]
    _copy(kept, n, price)
    return best, steps


@numba.njit(cache=True)
def _tighten_one(trees, parts, sums, target, steps, share, patience, lo, hi, prices, local, direction, kept, cell):  # type: ignore[no-untyped-def]
    n = len(trees.roots)
    plain = sums.start
    stack, value_ = np.empty(trees.depth + 1, np.int32), np.empty(trees.depth + 1)
    for t in range(n):
        plain += trees.score[0, best_leaf(trees.node, trees.most[0], trees.roots[t], lo, hi, stack, value_)]
    spare = NEGLIGIBLE * max(min(plain - target, sums.largest), 0.0)
    here, rest = gather(trees, parts, 0, lo, hi, spare, prices, local)
    rest += sums.start
    bound, taken = ascend(local, here, lo, target - rest - sums.margin, steps, share, patience, direction, kept)
    size, count = 0.0, local.tree[here, PART]
    for p in range(count):
        origin = local.part[p, ORIGIN]
        for i in range(local.part[p, FIRST], local.part[p + 1, FIRST]):
            size += abs(local.price[i])
            prices[origin + i - local.part[p, FIRST]] = local.price[i]
    for j in range(len(lo)):
        cell[j] = local.cell[j]
    operations = local.part[count, FIRST] + local.first[len(lo)] + n + len(lo) + 10
    return bound + rest + sums.margin + 2 * UNIT * operations * (sums.largest + 4 * size), taken


@numba.njit(cache=True, nogil=True)
def tighten(  # type: ignore[no-untyped-def]
    begin, stop, trees, parts, sums, cells, target, steps, share, patience, lo, hi, prices, total, cell, taken
):
    """Bound the sum of trees on boxes begin to stop of (n, d), with multipliers that are improved in place.

    Args:
        cells: number of cells of the grid.
        target: sum below which a box is of no more interest.
        prices: multipliers, float32 (n, intervals of `Parts`).
        total: bounds of the very sums that `predict` computes, rounding and all, float64 (n,).
        cell: a cell for which much is paid, where a good point may be, int32 (n, d).
        taken: steps done, int32 (n,).
    """
    local = scratch(trees, parts, cells)
    direction, kept = np.empty(len(parts.begin)), np.empty(len(parts.begin))
    for i in range(begin, stop):
        total[i], taken[i] = _tighten_one(
            trees, parts, sums, target, steps, share, patience, lo[i], hi[i], prices[i], local, direction, kept, cell[i]
        )
