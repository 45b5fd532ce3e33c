"""Exact line search on a forest, and descent by it along many directions.

Along a line a forest is a step function of few steps. Each tree is walked once with the line in hand, which gives the
places where its leaf changes and by how much; all trees' changes, in order and added up, give the loss on the whole
line and so its exact minimum over it, in one pass. Along a single input the order is that of the grid's cells
(`forest_axis_line`); along several, places are sorted. A step is taken only where `predict` itself then says that the
loss is less.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from preimage.core.space import Space
from preimage.support.numba_cache import numba
from preimage.trees.axis_line import add_changes, best_stretch, cell_of
from preimage.trees.boxes import FEATURE, RIGHT, Grid, Trees, added
from preimage.trees.objective import Wanted, loss_at
from preimage.trees.threads import over

SWEEPS = 100
# Directions tried per input where equalities leave only combinations of inputs free.
COMBINATIONS = 4


@dataclass(frozen=True)
class Lines:
    """Where a descent may go.

    Attributes:
        directions: (n, d), one or a few inputs each.
        axis: the input of a direction that has one alone, -1 for another, (n,).
        whole: directions along which only whole steps are valid, (n,).
        matrix, least, most: rows least <= matrix @ x <= most that every point must meet: bounds, then constraints.
    """

    directions: np.ndarray
    axis: np.ndarray
    whole: np.ndarray
    matrix: np.ndarray
    least: np.ndarray
    most: np.ndarray


def lines(space: Space, rng: np.random.Generator) -> Lines:
    """Return the directions that bounds, whole numbers and constraints leave free.

    An input that no equality names moves by itself; those that one names move with one other, or as many as there are
    equalities, so that all of these hold. Inequalities too are followed, by pairs: from a wall no single input may
    leave it.
    """
    matrix, low, high = space.rows
    free = np.flatnonzero(space.free)
    equal = low == high
    tied = (matrix[equal] != 0).any(axis=0)
    directions = [np.eye(len(space.inputs))[j] for j in free if not tied[j]]
    for row in matrix[~equal]:
        rows = np.vstack([matrix[equal], row])
        directions += _combinations(rows, np.intersect1d(free, np.flatnonzero((rows != 0).any(axis=0))), rng)
    if equal.any():
        directions += _combinations(matrix[equal], np.intersect1d(free, np.flatnonzero(tied)), rng)
    kept, whole = [], []
    for direction in directions:
        used = np.flatnonzero(direction)
        discrete = space.discrete[used]
        if discrete.any():
            direction = direction / np.abs(direction[used][discrete]).min()
            if not np.array_equal(direction[used][discrete], np.round(direction[used][discrete])):
                continue
        kept.append(direction)
        whole.append(bool(discrete.any()))
    vectors = np.array(kept).reshape(len(kept), len(space.inputs))
    alone = (vectors != 0).sum(axis=1) == 1
    axis = np.where(alone, np.abs(vectors).argmax(axis=1), -1).astype(np.int32) if len(kept) else np.empty(0, np.int32)
    return Lines(vectors, axis, np.array(whole, bool), matrix, low, high)


def _combinations(rows: np.ndarray, inputs: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    """Return directions along which the rows stay at rest, of as few inputs as that takes: all pairs for one row."""
    size = int(np.linalg.matrix_rank(rows[:, inputs])) + 1 if len(inputs) else 1
    if len(inputs) < size:
        return []
    if size == 2 and len(inputs) <= 20:
        chosen = [[a, b] for k, a in enumerate(inputs) for b in inputs[k + 1 :]]
    else:
        chosen = [list(rng.choice(inputs, size, replace=False)) for _ in range(COMBINATIONS * len(inputs))]
    found = []
    for columns in chosen:
        part = rows[:, columns]
        scale = np.abs(part).max(axis=0)
        if (scale == 0).any():
            continue
        null = np.linalg.svd(part / scale)[2][-1] / scale
        null[np.abs(null) < 1e-12 * np.abs(null).max()] = 0.0
        if np.abs(part @ null).max() <= 1e-12 * np.abs(part * null).max():
            direction = np.zeros(rows.shape[1])
            direction[columns] = null / np.abs(null).max()
            found.append(direction)
    return found


def descend(
    grid: Grid, trees: Trees, wanted: Wanted, space: Space, lines: Lines, X: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Descend from valid points (n, d) until no line leads lower; return the points and the lines searched of each."""
    X = np.ascontiguousarray(X, float).copy()
    spent = np.zeros(len(X), np.int64)
    n = len(lines.directions)
    if n and len(X):
        orders = np.array([rng.permutation(n) for _ in X])
        over(
            _descend, len(X), grid, trees, wanted, space.low, space.high, lines.directions, lines.axis, lines.whole,
            lines.matrix, lines.least, lines.most, orders, SWEEPS, X, spent,
        )  # fmt: skip
    return X, spent


@numba.njit(cache=True)
def outputs_at(trees, x, total):  # type: ignore[no-untyped-def]
    """Add up each output at a point, in the trees' order: the one channel, or of two an output the second."""
    step = 1 if len(trees.score) == 1 else 2
    for c in range(len(total)):
        total[c] = trees.start[step * c + step - 1]
    for root in trees.roots:
        k = root
        while trees.node[k, FEATURE] >= 0:
            k = k + 1 if x[trees.node[k, FEATURE]] <= trees.at[k] else trees.node[k, RIGHT]
        for c in range(len(total)):
            total[c] = added(total[c], trees.score[step * c + step - 1, trees.node[k, RIGHT]], trees.single)


@numba.njit(cache=True)
def room(x, v, low, high, matrix, least, most):  # type: ignore[no-untyped-def]
    """Return how far x may move along v, backwards and forwards, inside bounds and rows; 0 is always allowed."""
    back, ahead = -np.inf, np.inf
    for j in range(len(x)):
        if v[j] != 0:
            a, b = (low[j] - x[j]) / v[j], (high[j] - x[j]) / v[j]
            back, ahead = max(back, min(a, b)), min(ahead, max(a, b))
    for r in range(len(matrix)):
        speed = size = held = 0.0
        for j in range(len(x)):
            speed += matrix[r, j] * v[j]
            size += abs(matrix[r, j] * v[j])
            held += matrix[r, j] * x[j]
        if abs(speed) > 1e-12 * size:
            a, b = (least[r] - held) / speed, (most[r] - held) / speed
            back, ahead = max(back, min(a, b)), min(ahead, max(a, b))
    return min(back, 0.0), max(ahead, 0.0)


@numba.njit(cache=True)
def changes(trees, x, v, back, ahead, where, delta, total):  # type: ignore[no-untyped-def]
    """Walk the trees along x + s v, back <= s <= ahead: outputs at the start in `total`, then each change of them.

    Returns the number of changes, their places s in `where` and what is added there in `delta` (n, outputs). Where
    there are more than fit, the number is negative.
    """
    step = 1 if len(trees.score) == 1 else 2
    m = len(total)
    n, size = 0, 0
    stack = np.empty(trees.depth + 1, np.int32)
    begins, ends = np.empty(trees.depth + 1), np.empty(trees.depth + 1)
    for c in range(m):
        total[c] = trees.start[step * c + step - 1]
    for root in trees.roots:
        stack[0], begins[0], ends[0], size = root, back, ahead, 1
        before = -1
        while size > 0:
            size -= 1
            k, a, b = stack[size], begins[size], ends[size]
            while trees.node[k, FEATURE] >= 0:
                f = trees.node[k, FEATURE]
                left, right = k + 1, trees.node[k, RIGHT]
                if v[f] == 0:
                    k = left if x[f] <= trees.at[k] else right
                    continue
                s = (trees.at[k] - x[f]) / v[f]
                near, far = (left, right) if v[f] > 0 else (right, left)
                if s >= b:
                    k = near
                elif s < a:
                    k = far
                else:
                    stack[size], begins[size], ends[size] = far, s, b
                    size += 1
                    b = s
                    k = near
            leaf = trees.node[k, RIGHT]
            if before < 0:
                for c in range(m):
                    total[c] += trees.score[step * c + step - 1, leaf]
            else:
                if n == len(where):
                    return -1
                where[n] = a
                for c in range(m):
                    row = step * c + step - 1
                    delta[n, c] = trees.score[row, leaf] - trees.score[row, before]
                n += 1
            before = leaf
    return n


@numba.njit(cache=True)
def best_place(wanted, back, ahead, whole, n, where, delta, total):  # type: ignore[no-untyped-def]
    """Return the loss at the best place of the line and the place: the middle of the widest stretch that has it."""
    best, place, width = np.inf, 0.0, -1.0
    order = np.argsort(where[:n])
    a = back
    for q in range(n + 1):
        b = where[order[q]] if q < n else ahead
        if whole:
            # Stretches are (a, b], but the first, which has its start.
            first = np.ceil(a - 1e-9) if q == 0 else np.floor(a + 1e-9) + 1
            last = np.floor(b + 1e-9)
            valid, middle = first <= last, np.floor((first + last) / 2)
        else:
            valid, middle = b > a or (n == 0 and b == a), a / 2 + b / 2
        if valid:
            loss = loss_at(wanted, total)
            if loss < best or (loss == best and b - a > width):
                best, place, width = loss, middle, b - a
        if q < n:
            for c in range(len(total)):
                total[c] += delta[order[q], c]
        a = b
    return best, place


@numba.njit(cache=True)
def _look_along(  # type: ignore[no-untyped-def]
    grid, trees, wanted, low, high, v, j, whole, matrix, least, most, x, cell, delta, total
):
    """Return the loss at the best place of the line through x (d,) along input j, and how far that is."""
    back, ahead = room(x, v, low, high, matrix, least, most)
    # The whole range where nothing is in the way: to the bounds themselves, and not to what rounding makes of them.
    a, b = x[j] + min(back * v[j], ahead * v[j]), x[j] + max(back * v[j], ahead * v[j])
    a, b = max(a, low[j]), min(b, high[j])
    begin, stop = cell_of(grid, j, a), cell_of(grid, j, b) + 1
    add_changes(trees, cell, j, begin, stop, delta, total)
    loss, place = best_stretch(wanted, grid, j, a, b, whole, begin, stop, delta, total)
    return loss, (place - x[j]) / v[j]


@numba.njit(cache=True)
def _look(trees, wanted, low, high, v, whole, matrix, least, most, x, total):  # type: ignore[no-untyped-def]
    """Return the loss at the best place of the line through x (d,) along v, and how far that is."""
    back, ahead = room(x, v, low, high, matrix, least, most)
    most_changes, n = 4096, -1
    while n < 0:
        where, delta = np.empty(most_changes), np.empty((most_changes, len(total)))
        n = changes(trees, x, v, back, ahead, where, delta, total)
        most_changes *= 2
    return best_place(wanted, back, ahead, whole, n, where, delta, total)


@numba.njit(cache=True)
def _descend_one(  # type: ignore[no-untyped-def]
    grid, trees, wanted, low, high, directions, axis, whole, matrix, least, most, order, sweeps, x
):
    """Move the point x (d,) in place; return the number of lines searched."""
    m = 1 if len(trees.score) == 1 else len(trees.score) // 2
    # What `predict` gives is added up with its rounding; along a line, sums are only a guide to where to look.
    there, total, along = x.copy(), np.empty(m), np.empty(m)
    longest = 0
    for j in range(len(x)):
        longest = max(longest, grid.first[j + 1] - grid.first[j])
    delta, cell = np.zeros((longest, m)), np.empty(len(x), np.int32)
    for j in range(len(x)):
        cell[j] = cell_of(grid, j, x[j])
    outputs_at(trees, x, total)
    best = loss_at(wanted, total)
    spent, since = 0, 0
    while since < len(directions) and spent < sweeps * len(directions):
        k = order[spent % len(directions)]
        spent += 1
        since += 1
        v = directions[k]
        if axis[k] >= 0:
            loss, s = _look_along(
                grid, trees, wanted, low, high, v, axis[k], whole[k], matrix, least, most, x, cell, delta, along
            )
        else:
            loss, s = _look(trees, wanted, low, high, v, whole[k], matrix, least, most, x, along)
        if loss < best:
            for j in range(len(x)):
                there[j] = min(max(x[j] + s * v[j], low[j]), high[j]) if v[j] != 0 else x[j]
            outputs_at(trees, there, total)
            loss = loss_at(wanted, total)
            if loss < best:
                best = loss
                for j in range(len(x)):
                    if v[j] != 0:
                        x[j], cell[j] = there[j], cell_of(grid, j, there[j])
                since = 1  # nothing on this line is better
    return spent


@numba.njit(cache=True, nogil=True)
def _descend(  # type: ignore[no-untyped-def]
    begin, stop, grid, trees, wanted, low, high, directions, axis, whole, matrix, least, most, orders, sweeps, X, spent
):
    for i in range(begin, stop):
        spent[i] = _descend_one(
            grid, trees, wanted, low, high, directions, axis, whole, matrix, least, most, orders[i], sweeps, X[i]
        )
