"""What is left of a box where the model's outputs that matter are attained: a question of inputs alone.

There the loss is a constant or a sum over inputs, and every condition one of inputs: a linear program gives the best
point, and its multipliers the proof. Where a point must be whole, or keep off a gap or an exclusion, and does not, the
box is cut there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from preimage.core import polytope
from preimage.core.space import Input, Linear, Space
from preimage.exact import affine, local, program, region
from preimage.exact.affine import Terms
from preimage.exact.goal import GAP

if TYPE_CHECKING:
    from preimage.exact.search import Boxes, Search

# What a limit is kept away from by a solution that lies on it: shares of its scale, tried one after the other.
INSIDE = (0.0, 1e-12, 1e-10, 1e-9)
# A box whose sides are all shorter than this share of the ranges is not cut any more.
FINEST = 1e-9
# A local search starts from each of so many boxes at first, then from every so-manieth.
EVERY = 32
# A local search starts from each of so many boxes at first, then from every so-manieth.
EVERY = 32


class Settling:
    """Answers for boxes of a search whose outputs that matter are attained at once."""

    def __init__(self, search: Search) -> None:
        self.search, self.settled = search, 0
        goal, space = search.goal, search.space
        width = np.where(goal.terms.category, 1.0, space.high - space.low)
        span = (np.abs(goal.terms.slope) + goal.terms.weight) * np.where(np.isfinite(width), width, 0.0)
        self.rounding = GAP * float(span.sum()) + goal.rounding(search.model.margin)

    def settle(self, box: Boxes, order: np.ndarray) -> list[Boxes]:
        """Settle what is attained of one box, and return boxes that make up the rest.

        Args:
            order: the sides that matter (1, k); none of them splits the box.
        """
        search = self.search
        start, end = box.start.copy(), box.end.copy()
        search.model.common(start, end, box.state, order)
        rest = self._around(box, start[0], end[0])
        inner = search.bounded(start, end, box.state.copy(), box.ends)
        more = self._inner(inner) if len(inner.least) else []
        return [*more, *([rest] if rest is not None else [])]

    def _around(self, box: Boxes, start: np.ndarray, end: np.ndarray) -> Boxes | None:
        """Return disjoint boxes that make up what a box has beside an inner one, cut and bounded; None for none."""
        a, b = box.start[0].copy(), box.end[0].copy()
        pieces = []
        for j in range(len(a)):
            if a[j] < start[j]:
                piece = a.copy(), b.copy()
                piece[1][j], a[j] = np.nextafter(start[j], -np.inf), start[j]
                pieces.append(piece)
            if b[j] > end[j]:
                piece = a.copy(), b.copy()
                piece[0][j], b[j] = np.nextafter(end[j], np.inf), end[j]
                pieces.append(piece)
        if not pieces:
            return None
        n = len(pieces)
        starts, ends = (np.array([p[k] for p in pieces]) for k in (0, 1))
        return self.search.bounded(starts, ends, np.repeat(box.state, n, axis=0), np.repeat(box.ends, n, axis=0))

    def _inner(self, box: Boxes) -> list[Boxes]:
        search = self.search
        if (box.start == box.end).all():
            search.offer(box.start)
            return []
        input_, at = np.empty(1, np.int32), np.empty(1)
        region.cuts(0, 1, search.region, box.start, box.end, input_, at)
        if input_[0] >= 0:
            return [search.halves(box, int(input_[0]), float(at[0]))]
        x, bound = self._solved(box)
        if bound >= search.loss:
            return []
        if x is not None:
            loss = self._tried(box, x)
            if loss - bound <= self.rounding:
                search.check(loss, bound)
                search.attained = min(search.attained, bound)
                return []
        return self._cut(box, x, bound)

    # -- points --------------------------------------------------------------------------------------------------------

    def _solved(self, box: Boxes) -> tuple[np.ndarray | None, float]:
        """Return the point (d,) of a box where the sum over inputs is least, as a solver has it, None for none; and a
        proven bound of the loss, infinite where the box holds no valid point."""
        search, goal = self.search, self.search.goal
        start, end, rows = box.start[0], box.end[0], search.ends_of_rows(box.parts)
        if not (goal.terms.slope.any() or goal.terms.weight.any()):
            middle = np.clip(search.space.rounded((start / 2 + end / 2)[None])[0], start, end)
            if search.space.contains(middle[None])[0]:
                return middle, float(box.least[0])
        found = program.minimum(goal.terms, search.matrix, *self._inward(box, 0.0), start, end)
        if found.x is None:
            multipliers = program.against(search.matrix, *(ends[0] for ends in rows), start, end)
            none = Terms(*(np.zeros(len(start)) for _ in range(3)), search.space.categorical)
            if affine.dual(none, search.matrix, rows[0][0], rows[1][0], start, end, multipliers) > 0:
                return None, np.inf
            return None, float(box.least[0])
        bound = goal.least(box.parts, (search.matrix, *rows), found.multipliers)
        return found.x, max(float(box.least[0]), float(bound[0]))

    def _inward(self, box: Boxes, share: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends of all rows (m,) of one box that a point should keep to: limits by a share of their scale
        more than rounding takes."""
        search, goal = self.search, self.search.goal
        low, high = (ends[0] for ends in goal.rows(box.parts))
        size = np.abs(goal.matrix) @ np.maximum(np.abs(search.space.low), np.abs(search.space.high))
        off = 2 * np.array([goal.values[limit.column].margin for limit in goal.ruled]) + share * size
        _, least, most = search.space.rows
        return np.r_[least, low + off], np.r_[most, high - off]

    def _tried(self, box: Boxes, x: np.ndarray) -> float:
        """Offer the valid point nearest to a solver's; return its loss, infinite where there is none."""
        search, start, end = self.search, box.start[0], box.end[0]
        loss = np.inf
        for share in INSIDE:
            low, high = self._inward(box, share)
            if share:
                found = program.minimum(search.goal.terms, search.matrix, low, high, start, end).x
                if found is None:
                    break
                x = found
            loss = self._offered(_polished(search, low, high, start, end, x))
            if np.isfinite(loss) or not len(search.goal.matrix):
                break
        if search.curves and self._is_turn():
            low, high = self._inward(box, INSIDE[1])
            better = local.improved(search, start, end, low, high, x)
            loss = min(loss, self._offered(_polished(search, low, high, start, end, better)))
        return loss

    def _offered(self, x: np.ndarray) -> float:
        """Offer a point (d,); return its loss, infinite where it is not valid."""
        if not self.search.space.contains(x[None])[0]:
            return np.inf
        self.search.offer(x[None])
        return float(self.search.evaluate(x[None])[0])

    def _is_turn(self) -> bool:
        """Return whether a local search is due: at the first boxes, and now and then."""
        self.settled += 1
        return self.settled <= EVERY or self.settled % EVERY == 0

    # -- cuts ----------------------------------------------------------------------------------------------------------

    def _influence(self, box: Boxes) -> np.ndarray:
        """Return how much each input's interval changes what curved conditions leave open (d,)."""
        if not self.search.curves:
            return np.zeros(box.start.shape[1])
        middle = (box.start + box.end) / 2
        return self.search.curves.influence(box.parts, self.search.model.predict(middle))

    def _cut(self, box: Boxes, x: np.ndarray | None, bound: float) -> list[Boxes]:
        """Return two parts of a box that was not settled: beside a value of the solver's that is none, else halves."""
        search, start, end = self.search, box.start[0], box.end[0]
        space = search.space
        if x is not None:
            off = np.abs(x - space.rounded(x[None])[0]) / np.where(space.stepwise, space.width, np.inf)
            j = int(np.argmax(off))
            if off[j] > FINEST:
                return [search.halves(box, j, float(space.below(j, x[j])))]
        wide = (end - start) / space.width
        worth = search.curves.influence(box.parts, search.model.predict((start / 2 + end / 2)[None]))
        j = int(np.argmax(np.where(wide > FINEST, worth, 0.0) if (worth * (wide > FINEST)).any() else wide))
        at = float(space.below(j, start[j] / 2 + end[j] / 2))
        if wide[j] <= FINEST or not start[j] <= at < end[j]:
            search.unsure = min(search.unsure, bound)
            return []
        return [search.halves(box, j, at)]


def _polished(
    search: Search, low: np.ndarray, high: np.ndarray, start: np.ndarray, end: np.ndarray, x: np.ndarray
) -> np.ndarray:
    """Return a point (d,) of a box without a solver's rounding."""
    inside = _within(search.space, search.matrix, low, high, start, end)
    return np.clip(polytope.polish(inside, x), start, end)


def _polished(
    search: Search, low: np.ndarray, high: np.ndarray, start: np.ndarray, end: np.ndarray, x: np.ndarray
) -> np.ndarray:
    """Return a point (d,) of a box without a solver's rounding."""
    inside = _within(search.space, search.matrix, low, high, start, end)
    return np.clip(polytope.polish(inside, x), start, end)


def _within(
    space: Space, matrix: np.ndarray, low: np.ndarray, high: np.ndarray, start: np.ndarray, end: np.ndarray
) -> Space:
    """Return the space of a box and of linear rows alone."""
    inputs = tuple(
        Input(i.name, float(a), float(b), bool(whole) and a < b)
        for i, a, b, whole in zip(space.inputs, start, end, space.discrete, strict=True)
    )
    rows = tuple(
        Linear(tuple((n, float(c)) for n, c in zip(space.names, row, strict=True) if c), float(a), float(b))
        for row, a, b in zip(matrix, low, high, strict=True)
    )
    return Space(inputs, rows)
