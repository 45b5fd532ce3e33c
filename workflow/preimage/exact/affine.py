"""The least value of a sum over inputs on a box cut by linear rows: a bound that is proven, from multipliers.

The sum has a term of each input: linear, or a distance from a reference. Any multipliers of the rows bound it from
below (weak duality), and given them the best value of each input is at an end of its interval or at its reference.
Multipliers are found one row at a time, each the best while the others are held, by following the row's value from
bend to bend: for one row, such as the sum of a mixture, that is exact.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from preimage.support.numba_cache import numba

UNIT = 2.0**-53
SWEEPS = 3


class Terms(NamedTuple):
    """A sum over inputs: slope * x + weight * |x - reference| of each, (d,); of a category it is `weight` where the
    value is another one than the reference."""

    slope: np.ndarray
    weight: np.ndarray
    reference: np.ndarray
    category: np.ndarray

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """Return the sum at points (n, d)."""
        away = np.where(self.category, self.reference != X, np.abs(X - self.reference))
        return np.asarray((self.slope * X + self.weight * away).sum(axis=1))


@numba.njit(cache=True)
def least_term(terms, j, pull, a, b):  # type: ignore[no-untyped-def]
    """Return the least of input j's term and pull * x on [a, b], where that is, and the distance in it."""
    slope, w, r = terms.slope[j] + pull, terms.weight[j], terms.reference[j]
    if terms.category[j]:
        away = w if r < a or r > b else 0.0
        return away, a, away
    x = b if slope < -w else a if slope > w else min(max(r, a), b)
    if w == 0.0:
        x = b if slope < 0.0 else a
    away = w * abs(x - r) if w > 0.0 else 0.0
    return slope * x + away, x, away


@numba.njit(cache=True)
def dual(terms, matrix, low, high, start, end, multipliers):  # type: ignore[no-untyped-def]
    """Return what no point of the box with low <= matrix @ x <= high has a smaller sum than.

    True of any multipliers, and of what is computed: rounding in the sums is taken off.
    """
    m, d = matrix.shape
    total = size = 0.0
    for j in range(d):
        pull, sum_ = 0.0, abs(terms.slope[j])
        for r in range(m):
            if multipliers[r] != 0.0:
                pull += multipliers[r] * matrix[r, j]
                sum_ += abs(multipliers[r] * matrix[r, j])
        value, x, away = least_term(terms, j, pull, start[j], end[j])
        total += value
        size += sum_ * abs(x) + away
    for r in range(m):
        if multipliers[r] != 0.0:
            side = multipliers[r] * (high[r] if multipliers[r] > 0.0 else low[r])
            total -= side
            size += abs(side)
    return total - 4.0 * (m * d + d + m + 8) * UNIT * size


@numba.njit(cache=True)
def _bends(terms, row, pull, start, end, at, drop):  # type: ignore[no-untyped-def]
    """Fill in at which multipliers of a row an input's best value jumps, and by how much the row's value falls; return
    how many there are."""
    n = 0
    for j in range(len(row)):
        c, a, b = row[j], start[j], end[j]
        if c == 0.0 or a == b:
            continue
        slope, w, r = terms.slope[j] + pull[j], terms.weight[j], terms.reference[j]
        if w > 0.0 and a < r < b:
            near, far = (r - a, b - r)
            at[n], drop[n] = (w - slope) / c, abs(c) * near
            at[n + 1], drop[n + 1] = (-w - slope) / c, abs(c) * far
            n += 2
        else:
            kink = 0.0 if w == 0.0 else -w if r <= a else w
            at[n], drop[n] = (kink - slope) / c, abs(c) * (b - a)
            n += 1
    return n


@numba.njit(cache=True)
def multiplier(terms, row, low, high, pull, start, end, at, drop):  # type: ignore[no-untyped-def]
    """Return the best multiplier of low <= row @ x <= high where the other rows' pull (d,) is held.

    Args:
        at, drop: scratch, twice as long as there are inputs.
    """
    n = _bends(terms, row, pull, start, end, at, drop)
    # From the row's largest value, at a multiplier of minus infinity, it falls bend by bend.
    value = 0.0
    for j in range(len(row)):
        if row[j] != 0.0:
            value += max(row[j] * start[j], row[j] * end[j])
    before = value
    for k in range(n):
        if at[k] < 0.0:
            before -= drop[k]
    # What the row's value may be at 0: from `before`, where bends at 0 are yet to come, down to `after`.
    after = before
    for k in range(n):
        if at[k] == 0.0:
            after -= drop[k]
    if after <= high and before >= low:
        return 0.0
    order = np.argsort(at[:n])
    for k in order:
        value -= drop[k]
        if after > high:
            if at[k] > 0.0 and value <= high:
                return at[k]
        elif value < low:
            return min(at[k], 0.0)
    return max(at[order[n - 1]], 0.0) if n > 0 and after > high else 0.0


@numba.njit(cache=True)
def best_one(terms, matrix, low, high, start, end, multipliers):  # type: ignore[no-untyped-def]
    """Return the bound of a box, and improve its multipliers in place."""
    m, d = matrix.shape
    best = dual(terms, matrix, low, high, start, end, np.zeros(m))
    best = max(best, dual(terms, matrix, low, high, start, end, multipliers))
    pull, at, drop = np.empty(d), np.empty(2 * d), np.empty(2 * d)
    for _ in range(1 if m == 1 else SWEEPS):
        for r in range(m):
            if low[r] == -np.inf and high[r] == np.inf:
                continue
            for j in range(d):
                pull[j] = 0.0
                for s in range(m):
                    if s != r and multipliers[s] != 0.0:
                        pull[j] += multipliers[s] * matrix[s, j]
            multipliers[r] = multiplier(terms, matrix[r], low[r], high[r], pull, start, end, at, drop)
        best = max(best, dual(terms, matrix, low, high, start, end, multipliers))
    return best


@numba.njit(cache=True, nogil=True)
def bound(begin, stop, terms, matrix, low, high, start, end, first, least):  # type: ignore[no-untyped-def]
    """Bound the sum on boxes begin to stop of (n, d): fill in `least` (n,).

    Args:
        matrix, low, high: rows (m, d), and their ends for each box (n, m).
        first: multipliers to begin with, (m,).
    """
    for i in range(begin, stop):
        least[i] = best_one(terms, matrix, low[i], high[i], start[i], end[i], first.copy())
