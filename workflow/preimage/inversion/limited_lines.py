"""Descent on trees by exact line searches under limits of outputs, and on formulas.

Along a line the outputs of trees are constant on few stretches. Each stretch is looked at where it begins, in its
middle, where it ends, and where a formula crosses the end of a limit or of what is wanted of it. The best of these
places by Deb's rule is the best of the line where formulas are linear along it and some place keeps the limits. A step
is taken only where the model itself then says that it is better.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from preimage.core.objective import Values
from preimage.inversion.question import Question
from preimage.trees.boxes import build_walked
from preimage.trees.line_search import SWEEPS, Lines, changes, room
from preimage.trees.objective import both_ends

# Ends of stretches are looked at this far inside them, as a share of the line; on lines of whole steps, rounding.
INSET = 1e-9
# Halvings by which a crossing is found.
HALVINGS = 32
# Places of a line that are tried, the best first: rounding may spoil one.
TRIED = 4


class Places(NamedTuple):
    """Places along a line: how far along (n,), the model's outputs there (n, m), how long the stretch around is (n,),
    and whether it is the stretch's middle (n,)."""

    at: np.ndarray
    Y: np.ndarray
    length: np.ndarray
    middle: np.ndarray


class Line:
    """A line through a point (d,), of which only whole steps may be valid."""

    def __init__(self, question: Question, x: np.ndarray, v: np.ndarray, whole: bool) -> None:
        self.question, self.x, self.v, self.whole = question, x, v, whole

    def points(self, at: np.ndarray) -> np.ndarray:
        """Return the points (n, d) at places (n,)."""
        space = self.question.space
        return np.where(self.v == 0, self.x, np.clip(self.x + at[:, None] * self.v, space.low, space.high))

    def outputs(self, at: np.ndarray, Y: np.ndarray) -> np.ndarray:
        """Return all outputs at places (n,), given those of the model (n, m)."""
        formulas = self.question.formulas
        return np.asarray(formulas.extended(self.points(at), Y)) if formulas else Y

    def places(self, edges: np.ndarray, Y: np.ndarray, crossed: list[tuple[int, float]]) -> Places:
        """Return where to look, given the edges of the stretches (n + 1,), the model's outputs on them (n, m) and the
        values at which outputs are crossed."""
        inset = INSET * (edges[-1] - edges[0])
        a, b = edges[:-1] + inset, edges[1:] - inset
        a[:1], b[-1:] = edges[0], edges[-1]
        if self.whole:
            a, b = np.floor(edges[:-1] + INSET) + 1, np.floor(edges[1:] + INSET)
            a[:1] = np.ceil(edges[0] - INSET)
        a, b, Y = a[a <= b], b[a <= b], Y[a <= b]
        middle = np.floor((a + b) / 2) if self.whole else (a + b) / 2
        found = Places(np.r_[middle, a, b], np.tile(Y, (3, 1)), np.tile(b - a, 3), np.arange(3 * len(a)) < len(a))
        more = [self._crossings(*ends, Y, *c) for c in crossed for ends in ((a, middle), (middle, b))]
        return Places(*(np.concatenate(part) for part in zip(found, *more, strict=True)))

    def _crossings(self, a: np.ndarray, b: np.ndarray, Y: np.ndarray, column: int, value: float) -> Places:
        """Return the places on both sides of where an output crosses a value between places a and b (n,)."""

        def above(at: np.ndarray) -> np.ndarray:
            return np.asarray(self.outputs(at, Y)[:, column] > value)

        begins = above(a)
        across = begins != above(b)
        a, b, Y, begins = a[across], b[across], Y[across], begins[across]
        length = b - a
        for _ in range(HALVINGS if len(a) else 0):
            middle = (a + b) / 2
            same = above(middle) == begins
            a, b = np.where(same, middle, a), np.where(same, b, middle)
        if self.whole:
            a, b = np.floor(a + INSET), np.ceil(b - INSET)
        return Places(np.r_[a, b], np.tile(Y, (2, 1)), np.tile(length, 2), np.zeros(2 * len(a), bool))


class Descent:
    """Descents of a question along lines."""

    def __init__(self, question: Question, lines: Lines) -> None:
        forest = question.trees
        channels = both_ends(forest, range(forest.values.shape[1]))
        self.question, self.lines = question, lines
        self.trees = build_walked(forest, question.space, channels)[1]
        self.crossed = _crossed(question)

    def descend(self, X: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Descend from valid points (n, d) until no line leads to a better one; return the points and the lines
        searched of each."""
        ends = [self._from_point(x, rng.permutation(len(self.lines.directions))) for x in X]
        return np.array([x for x, _ in ends]).reshape(X.shape), np.array([n for _, n in ends], int)

    def _from_point(self, x: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, int]:
        best, spent, since = self._merits(self.question.outputs(x[None]))[0], 0, 0
        while since < len(order) and spent < SWEEPS * len(order):
            k = order[spent % len(order)]
            spent, since = spent + 1, since + 1
            for there in self._better_along(x, k, best):
                merit = self._merits(self.question.outputs(there[None]))[0]
                if tuple(merit) < tuple(best):
                    x, best, since = there, merit, 1  # nothing on this line is better
                    break
        return x, spent

    def _merits(self, Y: np.ndarray) -> np.ndarray:
        """Return violation and loss of outputs (n, 2): the first decides."""
        wanted = self.question.objective
        return np.column_stack([wanted.violation(Y), wanted.loss(Y)])

    def _better_along(self, x: np.ndarray, k: int, best: np.ndarray) -> np.ndarray:
        """Return points on a line through a point (d,) that should be better than `best`, the best first (n, d)."""
        line = Line(self.question, x, self.lines.directions[k], bool(self.lines.whole[k]))
        places = line.places(*self._stretches(line), self.crossed)
        violation, loss = self._merits(line.outputs(places.at, places.Y)).T
        # Of places that are as good, the middle of the longest stretch.
        order = np.lexsort((~places.middle, -places.length, loss, violation))
        better = (violation < best[0]) | ((violation == best[0]) & (loss < best[1]))
        return line.points(places.at[order[better[order]][:TRIED]])

    def _stretches(self, line: Line) -> tuple[np.ndarray, np.ndarray]:
        """Return the edges (n + 1,) between which the model's outputs are constant along a line, and these (n, m)."""
        space, lines, x, v = self.question.space, self.lines, line.x, line.v
        back, ahead = room(x, v, space.low, space.high, lines.matrix, lines.least, lines.most)
        total, most, n = np.empty(len(self.trees.score) // 2), 4096, -1
        while n < 0:
            where, delta = np.empty(most), np.empty((most, len(total)))
            n = changes(self.trees, x, v, back, ahead, where, delta, total)
            most *= 2
        order = np.argsort(where[:n], kind="stable")
        Y = np.cumsum(np.vstack([total, delta[order]]), axis=0) / self.question.trees.divisor
        edges = np.r_[back, where[order], ahead]
        kept = (np.diff(edges) > 0) | line.whole
        return np.r_[edges[:-1][kept], ahead], Y[kept]


def _crossed(question: Question) -> list[tuple[int, float]]:
    """Return the formulas' columns with each value at which it matters that one is crossed: ends of limits, and of what
    is wanted."""
    wanted, first = question.objective, question.measured.shape[1]
    ends = {(limit.column, end) for limit in wanted.limits for end in (limit.low, limit.high)}
    if isinstance(wanted, Values):
        ends |= set(zip(wanted.columns * 2, wanted.low + wanted.high, strict=True))
    return sorted((column, end) for column, end in ends if column >= first and np.isfinite(end))
