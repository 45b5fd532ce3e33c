"""How near a row comes to what linear constraints leave of a box: a bound that is proven, and the point itself.

The squared distance from a row, in scaled inputs, over a box and linear rows is a convex quadratic program. Any
multipliers of the rows bound it from below (weak duality), and given them the best step is known input by input: it is
clipped into the box. Multipliers are found one row at a time, each the best while the others are held (Hildreth 1957,
Naval Research Logistics Quarterly 4), which for one row is exact; where rows are almost parallel that takes long, and
Lawson and Hanson's least distance programming (1974, "Solving least squares problems", ch. 23) gives them at once.

Steps are counted from the row, so that where zero lies costs no digits.
"""

from __future__ import annotations

import numpy as np

from preimage.support.numba_cache import numba

UNIT = 2.0**-53
FAR, NEAR, OPEN = 0, 1, 2
SWEEPS = 60
# 1 over 1 and the square of a step in units: below it, the step is taken to be none.
FURTHEST = 1e-3


@numba.njit(cache=True)
def multiplier(row, low, high, unit, least, most, pull):  # type: ignore[no-untyped-def]
    """Return the best multiplier of low <= row @ step <= high where the other rows' pull is held.

    The longer the multiplier, the further each input has gone towards the row's end, from where it leaves one bound to
    where it meets the other: the row's value is piecewise linear, and is followed from bend to bend.

    Args:
        unit: what inputs are scaled by, (d,).
        least, most: the box, as steps, (d,).
        pull: sum of the other rows times their multipliers, (d,).
    """
    d, value = len(row), 0.0
    begin, end = np.zeros(d), np.zeros(d)
    for j in range(d):
        value += row[j] * min(max(-unit[j] * unit[j] * pull[j], least[j]), most[j])
    if low <= value <= high:
        return 0.0
    sign, need = (1.0, value - high) if value > high else (-1.0, low - value)
    for j in range(d):
        c = sign * row[j] * unit[j] * unit[j]
        if c != 0.0 and least[j] < most[j]:
            a, b = (-unit[j] * unit[j] * pull[j] - least[j]) / c, (-unit[j] * unit[j] * pull[j] - most[j]) / c
            begin[j], end[j] = max(min(a, b), 0.0), max(a, b, 0.0)
    at = 0.0
    for _ in range(2 * d):
        slope, bend = 0.0, np.inf
        for j in range(d):
            if begin[j] <= at < end[j]:
                slope += (row[j] * unit[j]) ** 2
                bend = min(bend, end[j])
            elif at < begin[j]:
                bend = min(bend, begin[j])
        if slope > 0.0 and slope * (bend - at) >= need:
            return sign * (at + need / slope)
        if bend == np.inf:
            break
        need -= slope * (bend - at)
        at = bend
    return sign * at  # no step in the box is enough: as far as it goes


@numba.njit(cache=True)
def least_square(matrix, low, high, unit, least, most, multipliers):  # type: ignore[no-untyped-def]
    """Return what no step of the box [least, most] with low <= matrix @ step <= high has a smaller square than.

    True of any multipliers, and of what is computed: rounding in the sums is taken off.
    """
    m, d = matrix.shape
    total = size = 0.0
    for j in range(d):
        pull = sum_ = 0.0
        for r in range(m):
            pull += multipliers[r] * matrix[r, j]
            sum_ += abs(multipliers[r] * matrix[r, j])
        step = min(max(-unit[j] * unit[j] * pull, least[j]), most[j])
        square = (step / unit[j]) ** 2
        total += square + 2.0 * pull * step
        size += square + 2.0 * sum_ * abs(step) + 16.0 * UNIT * (m * unit[j] * sum_) ** 2
    for r in range(m):
        if multipliers[r] != 0.0:
            end = 2.0 * multipliers[r] * (high[r] if multipliers[r] > 0 else low[r])
            total -= end
            size += abs(end)
    return total - 4.0 * (m * d + d + m + 8) * UNIT * size


@numba.njit(cache=True)
def _sweep(matrix, low, high, unit, least, most, multipliers, pull, step):  # type: ignore[no-untyped-def]
    """Make each row's multiplier the best in turn, in place, and `step` what they make it."""
    m, d = matrix.shape
    for r in range(m):
        for j in range(d):
            pull[j] = 0.0
            for s in range(m):
                if s != r:
                    pull[j] += multipliers[s] * matrix[s, j]
        multipliers[r] = multiplier(matrix[r], low[r], high[r], unit, least, most, pull)
    for j in range(d):
        pull[j] = 0.0
        for s in range(m):
            pull[j] += multipliers[s] * matrix[s, j]
        step[j] = min(max(-unit[j] * unit[j] * pull[j], least[j]), most[j])


@numba.njit(cache=True)
def is_far(matrix, low, high, unit, least, most, limit):  # type: ignore[no-untyped-def]
    """Return whether every valid step of the box has a larger square than `limit`, as far as a sweep can tell."""
    m, d = matrix.shape
    multipliers = np.zeros(m)
    _sweep(matrix, low, high, unit, least, most, multipliers, np.empty(d), np.empty(d))
    return least_square(matrix, low, high, unit, least, most, multipliers) > limit


@numba.njit(cache=True)
def _project(rows, low, high, unit, least, most, limit, multipliers, step):  # type: ignore[no-untyped-def]
    m, d = rows.matrix.shape
    pull, inner_low, inner_high = np.empty(d), np.empty(m), np.empty(m)
    for r in range(m):
        # Half of the tolerance for the point, all of it for the bound: either one or the other is reached.
        inner_low[r] = low[r] + rows.tolerance[r] / 2
        inner_high[r] = high[r] - rows.tolerance[r] / 2
    for _ in range(SWEEPS):
        _sweep(rows.matrix, inner_low, inner_high, unit, least, most, multipliers, pull, step)
        if least_square(rows.matrix, low, high, unit, least, most, multipliers) > limit:
            return FAR
        square, valid = 0.0, True
        for j in range(d):
            square += (step[j] / unit[j]) ** 2
        for r in range(m):
            value = 0.0
            for j in range(d):
                value += rows.matrix[r, j] * step[j]
            margin = rows.tolerance[r] / 8
            valid = valid and inner_low[r] - margin <= value <= inner_high[r] + margin
        if valid and square <= limit:
            return NEAR
    return OPEN


@numba.njit(cache=True)
def project(rows, data, unit, start, end, limit, first, state, multipliers, step):  # type: ignore[no-untyped-def]
    """Find of each row of `data` (n, d) whether a valid point of the box [start, end] is near.

    Args:
        rows: constraints (`trimming.TrimmingRows`).
        limit: the largest square of a step that is near, of each row, (n,).
        first: whether to end with the first that is.
        state: is filled in, (n,): FAR (proven), NEAR, OPEN (not told, or not looked at).
        multipliers, step: are filled in, (n, m) and (n, d): those of the rows, and the best step from the data's row.
    """
    for i in range(len(data)):
        held = rows.matrix @ data[i]
        state[i] = _project(
            rows, rows.least - held, rows.most - held, unit, start - data[i], end - data[i], limit[i],
            multipliers[i], step[i],
        )  # fmt: skip
        if first and state[i] == NEAR:
            break


def least_distance(
    matrix: np.ndarray, low: np.ndarray, high: np.ndarray, unit: np.ndarray, least: np.ndarray, most: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the multipliers (m,) of the rows and the shortest step (d,): exactly, up to rounding; where the shortest
    is many units long, or no step is valid, the multipliers prove that it is longer than one unit."""
    from scipy.optimize import nnls

    eye, sides = np.eye(len(unit)), [(matrix, low), (-matrix, -high)]
    ends = [*sides, (eye, least), (-eye, -most)]
    above, wanted = np.concatenate([a for a, _ in ends]) * unit, np.concatenate([b for _, b in ends])
    length = np.linalg.norm(above, axis=1)
    used = np.flatnonzero(np.isfinite(wanted) & (length > 0))
    stacked = np.vstack([above[used].T, wanted[used]]) / length[used]
    forces, _ = nnls(stacked, np.r_[np.zeros(len(unit)), 1.0], maxiter=30 * len(used))
    off = stacked @ forces
    off[-1] -= 1.0
    weight = max(float(off @ off), FURTHEST)
    multipliers = np.zeros(len(wanted))
    multipliers[used] = forces / length[used] / weight
    m = len(matrix)
    return multipliers[m : 2 * m] - multipliers[:m], np.clip(unit * off[:-1] / weight, least, most)
