"""The space as kernels see it: boxes of inputs are cut down to what valid points of them can be.

A box is a closed interval of each input, from its smallest to its largest float64. `tighten` moves the ends of boxes to
allowed values and cuts off what rows, counts and exclusions rule out: a box is dropped, or cut, only where every point
of it breaks a condition (by more than `space.TOLERANCE` of its scale, where a row may be missed by that).

Cuts of linear rows are bounds consistency (Davis 1987, Artificial Intelligence 32).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from preimage.core.space import TOLERANCE, Space
from preimage.exact.affine import UNIT, least_term
from preimage.support.numba_cache import numba

# Beyond the tolerance by what rounding in the sums may amount to, so that no point that is accepted is cut off.
SLACK = 1.001 * TOLERANCE
PASSES = 4
# A cut of less than this share of a box's width is not worth another pass.
WORTH = 0.01
# What a condition of an exclusion is on a box.
NEVER, OPEN, ALWAYS = 0, 1, 2


class Region(NamedTuple):
    """A space in arrays.

    Attributes:
        whole: which inputs take whole numbers only, (d,).
        least: the smallest amount beside 0 of inputs that have such a gap, 0 for others, (d,).
        first, value: listed values of each input, one after the other; input j has first[j] to first[j + 1].
        counted, reference, fewest, most: of each count, which inputs it counts (k, d), what they are to differ from
            (k, d), and how many may; (k,).
        of, input, start, end, codes: the conditions of each exclusion, one after the other: exclusion e has of[e] to
            of[e + 1]; the input and the interval of each, and for a category which codes meet it (c, codes).
    """

    whole: np.ndarray
    least: np.ndarray
    first: np.ndarray
    value: np.ndarray
    counted: np.ndarray
    reference: np.ndarray
    fewest: np.ndarray
    most: np.ndarray
    of: np.ndarray
    input: np.ndarray
    start: np.ndarray
    end: np.ndarray
    codes: np.ndarray


def rows(space: Space) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the linear rows (m, d) of a space, and their ends (m,) with the tolerance taken in."""
    matrix, low, high = space.rows
    slack = SLACK * space.row_scale
    return np.ascontiguousarray(matrix), low - slack, high + slack


def region(space: Space) -> Region:
    """Return a space in arrays."""
    d, inputs = len(space.inputs), space.inputs
    counted, reference = np.zeros((len(space.counts), d), bool), np.zeros((len(space.counts), d))
    for k, count in enumerate(space.counts):
        at = space.at(count)
        counted[k, at] = True
        # What an input can't be it differs from.
        reference[k, at] = [r if inputs[j].allows(r) else np.inf for j, r in zip(at, count.reference, strict=True)]
    conditions = [c for exclusion in space.exclusions for c in exclusion.conditions]
    codes = np.zeros((len(conditions), max((len(i.categories) for i in inputs), default=0)), bool)
    for k, condition in enumerate(conditions):
        codes[k, list(condition.codes)] = True
    values = [i.allowed for i in inputs]
    return Region(
        np.array([i.whole for i in inputs], bool),
        np.array([i.zero_or if i.gapped and i.zero_or else 0.0 for i in inputs], float),
        np.r_[0, np.cumsum([len(v) for v in values])].astype(np.int32),
        np.concatenate([np.empty(0), *values]),
        counted, reference,
        np.array([c.least for c in space.counts], np.int32),
        np.array([c.most for c in space.counts], np.int32),
        np.r_[0, np.cumsum([len(e.conditions) for e in space.exclusions])].astype(np.int32),
        np.array([space.names.index(c.input) for c in conditions], np.int32),
        np.array([c.low for c in conditions], float),
        np.array([c.high for c in conditions], float),
        codes,
    )  # fmt: skip


@numba.njit(cache=True)
def above(region, j, v):  # type: ignore[no-untyped-def]
    """Return the smallest value that input j may take from v on, whatever its bounds; inf where there is none."""
    a, b = region.first[j], region.first[j + 1]
    if b > a:
        k = a + np.searchsorted(region.value[a:b], v)
        return region.value[k] if k < b else np.inf
    if region.whole[j]:
        v = np.ceil(v)
    return region.least[j] if 0.0 < v < region.least[j] else v


@numba.njit(cache=True)
def below(region, j, v):  # type: ignore[no-untyped-def]
    """Return the largest value that input j may take up to v, whatever its bounds; -inf where there is none."""
    a, b = region.first[j], region.first[j + 1]
    if b > a:
        k = a + np.searchsorted(region.value[a:b], v, "right") - 1
        return region.value[k] if k >= a else -np.inf
    if region.whole[j]:
        v = np.floor(v)
    return 0.0 if 0.0 < v < region.least[j] else v


@numba.njit(cache=True)
def _from(region, j, v, start, end):  # type: ignore[no-untyped-def]
    """Cut off, in place, what input j has below v; return whether the cut is worth another look at the rest."""
    if v <= start[j]:
        return False
    width, v = end[j] - start[j], above(region, j, v)
    worth = v - start[j] > WORTH * width
    start[j] = v
    return worth


@numba.njit(cache=True)
def _to(region, j, v, start, end):  # type: ignore[no-untyped-def]
    """Cut off, in place, what input j has above v; return whether the cut is worth another look at the rest."""
    if v >= end[j]:
        return False
    width, v = end[j] - start[j], below(region, j, v)
    worth = end[j] - v > WORTH * width
    end[j] = v
    return worth


@numba.njit(cache=True)
def _without(region, j, low, high, start, end):  # type: ignore[no-untyped-def]
    """Cut [low, high] off the ends of input j, in place; return whether anything was cut."""
    moved = False
    if low <= start[j] <= high:
        moved = _from(region, j, np.nextafter(high, np.inf), start, end) or moved
    if low <= end[j] <= high and start[j] <= end[j]:
        moved = _to(region, j, np.nextafter(low, -np.inf), start, end) or moved
    return moved


@numba.njit(cache=True)
def cut_to_row(region, row, low, high, start, end):  # type: ignore[no-untyped-def]
    """Cut a box to one row, in place; return whether anything is left, and whether the cut is worth another look."""
    d, least, most, moved = len(start), 0.0, 0.0, False
    for j in range(d):
        c = row[j]
        if c != 0.0:
            least += min(c * start[j], c * end[j])
            most += max(c * start[j], c * end[j])
    if least > high or most < low:
        return False, False
    for j in range(d):
        c = row[j]
        if c == 0.0 or start[j] == end[j]:
            continue
        a, b = start[j], end[j]
        up, down = (high - least) / abs(c), (most - low) / abs(c)
        upper, lower = (a + up, b - down) if c > 0.0 else (a + down, b - up)
        # An infinite end of a row gives an infinite end here, and cuts nothing.
        moved = _to(region, j, upper, start, end) or moved
        moved = _from(region, j, lower, start, end) or moved
        if start[j] > end[j]:
            return False, False
    return True, moved


@numba.njit(cache=True)
def _count(region, k, start, end):  # type: ignore[no-untyped-def]
    """Cut a box to one count, in place; return whether anything is left, and whether the cut is worth another look."""
    d, sure, possible, moved = len(start), 0, 0, False
    for j in range(d):
        if region.counted[k, j]:
            r = region.reference[k, j]
            sure += r < start[j] or r > end[j]
            possible += r != start[j] or r != end[j]
    if sure > region.most[k] or possible < region.fewest[k]:
        return False, False
    for j in range(d):
        r = region.reference[k, j]
        if not region.counted[k, j] or r < start[j] or r > end[j] or start[j] == end[j]:
            continue
        if sure == region.most[k]:
            start[j] = end[j] = r
            moved = True
        elif possible == region.fewest[k]:
            moved = _without(region, j, r, r, start, end) or moved
            if start[j] > end[j]:
                return False, False
    return True, moved


@numba.njit(cache=True)
def _condition(region, c, start, end):  # type: ignore[no-untyped-def]
    """Return whether a condition of an exclusion is met nowhere on a box, somewhere, or everywhere."""
    j = region.input[c]
    if region.codes.shape[1] > 0 and region.codes[c].any():
        met = total = 0
        for code in range(int(start[j]), int(end[j]) + 1):
            met += region.codes[c, code]
            total += 1
        return NEVER if met == 0 else ALWAYS if met == total else OPEN
    if end[j] < region.start[c] or start[j] > region.end[c]:
        return NEVER
    return ALWAYS if region.start[c] <= start[j] and end[j] <= region.end[c] else OPEN


@numba.njit(cache=True)
def _exclusion(region, e, start, end):  # type: ignore[no-untyped-def]
    """Cut a box to one exclusion, in place; return whether anything is left, and whether it was cut."""
    open_ = -1
    for c in range(region.of[e], region.of[e + 1]):
        state = _condition(region, c, start, end)
        if state == NEVER or (state == OPEN and open_ >= 0):
            return True, False
        if state == OPEN:
            open_ = c
    if open_ < 0:
        return False, False
    j, moved = region.input[open_], False
    if region.codes.shape[1] > 0 and region.codes[open_].any():
        while region.codes[open_, int(start[j])]:
            start[j], moved = start[j] + 1.0, True
        while region.codes[open_, int(end[j])]:
            end[j], moved = end[j] - 1.0, True
        return True, moved
    moved = _without(region, j, region.start[open_], region.end[open_], start, end)
    return start[j] <= end[j], moved


@numba.njit(cache=True)
def _sum(region, terms, most, start, end):  # type: ignore[no-untyped-def]
    """Cut a box, in place, to where a sum over inputs may be at most `most`; return what `_row` does."""
    total = size = 0.0
    for j in range(len(start)):
        value, _, away = least_term(terms, j, 0.0, start[j], end[j])
        total += value
        size += abs(value) + 2.0 * away
    most += 4.0 * (len(start) + 4) * UNIT * (size + abs(most))
    if total > most:
        return False, False
    moved = False
    for j in range(len(start)):
        slope, w, r = terms.slope[j], terms.weight[j], terms.reference[j]
        if start[j] == end[j] or (slope == 0.0 and w == 0.0):
            continue
        room = most - (total - least_term(terms, j, 0.0, start[j], end[j])[0])
        if terms.category[j]:
            if w > room:
                start[j] = end[j] = r
                moved = True
        elif slope == 0.0:
            moved = _to(region, j, r + room / w, start, end) or moved
            moved = _from(region, j, r - room / w, start, end) or moved
        elif w == 0.0 and slope > 0.0:
            moved = _to(region, j, room / slope, start, end) or moved
        elif w == 0.0:
            moved = _from(region, j, room / slope, start, end) or moved
        if start[j] > end[j]:
            return False, False
    return True, moved


@numba.njit(cache=True)
def _tighten_one(region, terms, most, matrix, low, high, start, end):  # type: ignore[no-untyped-def]
    for j in range(len(start)):
        start[j], end[j] = above(region, j, start[j]), below(region, j, end[j])
        if start[j] > end[j]:
            return False
    for _ in range(PASSES):
        again = False
        if most < np.inf:
            left, moved = _sum(region, terms, most, start, end)
            if not left:
                return False
            again = again or moved
        for r in range(len(matrix)):
            left, moved = cut_to_row(region, matrix[r], low[r], high[r], start, end)
            if not left:
                return False
            again = again or moved
        for k in range(len(region.most)):
            left, moved = _count(region, k, start, end)
            if not left:
                return False
            again = again or moved
        for e in range(len(region.of) - 1):
            left, moved = _exclusion(region, e, start, end)
            if not left:
                return False
            again = again or moved
        if not again:
            break
    return True


@numba.njit(cache=True, nogil=True)
def tighten(begin, stop, region, terms, most, matrix, low, high, start, end, left):  # type: ignore[no-untyped-def]
    """Cut boxes begin to stop of (n, d), in place, to what may be valid; `left` (n,): whether anything may be.

    Args:
        terms, most: a sum over inputs, and what it may be at most for each box (n,).
        matrix, low, high: rows low <= matrix @ x <= high, (m, d) and the ends for each box (n, m).
    """
    for i in range(begin, stop):
        left[i] = left[i] and _tighten_one(region, terms, most[i], matrix, low[i], high[i], start[i], end[i])


@numba.njit(cache=True)
def _change(region, c, start, end):  # type: ignore[no-untyped-def]
    """Return the input of a condition that is met on part of a box, and the last of its values before that changes."""
    j = region.input[c]
    if region.codes.shape[1] > 0 and region.codes[c].any():
        code = int(start[j])
        while region.codes[c, code] == region.codes[c, int(start[j])]:
            code += 1
        return j, code - 1.0
    low = below(region, j, np.nextafter(region.start[c], -np.inf))
    return j, low if low >= start[j] else below(region, j, region.end[c])


@numba.njit(cache=True)
def _open_count(region, k, start, end):  # type: ignore[no-untyped-def]
    """Return whether some points of a box may meet a count and others not."""
    sure = possible = 0
    for j in range(len(start)):
        if region.counted[k, j]:
            r = region.reference[k, j]
            sure += r < start[j] or r > end[j]
            possible += r != start[j] or r != end[j]
    return possible > region.most[k] or sure < region.fewest[k]


@numba.njit(cache=True)
def _cut_one(region, start, end):  # type: ignore[no-untyped-def]
    for k in range(len(region.most)):
        if not _open_count(region, k, start, end):
            continue
        for j in range(len(start)):
            r = region.reference[k, j]
            if region.counted[k, j] and start[j] <= r <= end[j] and start[j] < end[j]:
                return j, r if r < end[j] else below(region, j, np.nextafter(r, -np.inf))
    for j in range(len(start)):
        if region.least[j] > 0.0 and start[j] == 0.0 and end[j] > 0.0:
            return j, 0.0
    for e in range(len(region.of) - 1):
        open_ = -1
        for c in range(region.of[e], region.of[e + 1]):
            state = _condition(region, c, start, end)
            if state == NEVER:
                open_ = -1
                break
            open_ = c if state == OPEN else open_
        if open_ >= 0:
            return _change(region, open_, start, end)
    return -1, 0.0


@numba.njit(cache=True, nogil=True)
def cuts(begin, stop, region, start, end, input_, at):  # type: ignore[no-untyped-def]
    """Find where boxes begin to stop of (n, d) are to be cut so that counts, gaps and exclusions leave them whole: the
    input, -1 for none, and the last value on the left; (n,)."""
    for i in range(begin, stop):
        input_[i], at[i] = _cut_one(region, start[i], end[i])
