"""What is left of a box where the model's outputs that matter are attained: a question of inputs alone.

There the loss is a constant, a sum over inputs or a formula, and every condition one of inputs. A linear program gives
the best point, and its multipliers the proof. Where a point must be whole, or keep off a gap or an exclusion, and does
not, the box is cut there; where conditions or the loss are curved, it is cut until bounds prove what there is.
"""

from __future__ import annotations

import numpy as np

from preimage.core import polytope
from preimage.core.space import Input, Linear, Space
from preimage.exact import affine, local, program, region
from preimage.exact.affine import Terms
from preimage.exact.goal import GAP
from preimage.exact.problem import Boxes, Problem, check

# What a limit is kept away from by a solution that lies on it: shares of its scale, tried one after the other.
INSIDE = (0.0, 1e-12, 1e-10, 1e-9)
# A box whose sides are all shorter than this share of the ranges is not cut any more.
FINEST = 1e-9
# A local search starts from each of so many boxes at first, then from every so-manieth.
EVERY = 32


class Settling:
    """Answers for boxes whose outputs that matter are attained at once.

    Attributes:
        attained: least bound that a point of its box is known to have, up to rounding.
        unsure: least bound of boxes that were left without a valid point and without a proof that they have none.
        rounding: what a bound may be below the loss of a point that has it.
        settled: number of boxes from which a local search was, or might have been, started.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.attained = self.unsure = np.inf
        self.settled = 0
        terms, space = problem.goal.terms, problem.space
        width = np.where(terms.category, 1.0, space.high - space.low)
        span = (np.abs(terms.slope) + terms.weight) * width
        self.rounding = GAP * float(span.sum()) + problem.goal.rounding(problem.model.margin)

    def settle(self, box: Boxes, order: np.ndarray) -> list[Boxes]:
        """Settle what is attained of one box, and return boxes that make up the rest.

        Args:
            order: the sides that matter (1, k); none of them splits the box.
        """
        inner = Boxes(*(a.copy() for a in box))
        self.problem.model.common(inner.start, inner.end, inner.state, order)
        rest = _around(box, inner.start[0], inner.end[0])
        more = [self.problem.bounded(rest)] if len(rest.least) else []
        inner = self.problem.bounded(inner)
        return [*self._inner(inner), *more] if len(inner.least) else more

    def _inner(self, box: Boxes) -> list[Boxes]:
        problem = self.problem
        if (box.start == box.end).all():
            problem.offer(box.start)
            return []
        input_, at = np.empty(1, np.int32), np.empty(1)
        region.cuts(0, 1, problem.region, box.start, box.end, input_, at)
        if input_[0] >= 0:
            return [problem.bounded(box.halves(input_, at))]
        x, bound = self._solved(box)
        if bound >= problem.loss:
            return []
        if x is not None:
            loss = self._tried(box, x)
            if loss - bound <= self.rounding:
                check(loss, bound)
                self.attained = min(self.attained, bound)
                return []
        return self._cut(box, x, bound)

    # -- points --------------------------------------------------------------------------------------------------------

    def _solved(self, box: Boxes) -> tuple[np.ndarray | None, float]:
        """Return the point (d,) of a box where the sum over inputs is least, as a solver has it, None for none; and a
        proven bound of the loss, infinite where the box holds no valid point."""
        problem, goal = self.problem, self.problem.goal
        start, end, bound = box.start[0], box.end[0], float(box.least[0])
        if not goal.has_terms:
            middle = np.clip(problem.space.rounded((start / 2 + end / 2)[None])[0], start, end)
            if problem.space.contains(middle[None])[0]:
                return middle, bound
        low, high = problem.ends_of_rows(box.parts)
        found = program.minimum(goal.terms, problem.matrix, *self._inward(box, 0.0), start, end)
        if found.x is not None:
            least = goal.least(box.parts, (problem.matrix, low, high), found.multipliers)
            return found.x, max(bound, float(least[0]))
        multipliers = program.against(problem.matrix, low[0], high[0], start, end)
        zero = np.zeros(len(start))
        none = Terms(zero, zero, zero, problem.space.categorical)
        empty = affine.dual(none, problem.matrix, low[0], high[0], start, end, multipliers) > 0
        return None, np.inf if empty else bound

    def _inward(self, box: Boxes, share: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends of all rows (m,) of one box that a point should keep to: limits by a share of their scale
        more than rounding takes."""
        goal, space = self.problem.goal, self.problem.space
        low, high = (ends[0] for ends in goal.rows(box.parts))
        size = np.abs(goal.matrix) @ np.maximum(np.abs(space.low), np.abs(space.high))
        off = 2 * np.array([goal.values[limit.column].margin for limit in goal.ruled]) + share * size
        _, least, most = space.rows
        return np.r_[least, low + off], np.r_[most, high - off]

    def _tried(self, box: Boxes, x: np.ndarray) -> float:
        """Offer the valid point nearest to a solver's; return its loss, infinite where there is none."""
        problem, start, end = self.problem, box.start[0], box.end[0]
        loss = np.inf
        for share in INSIDE:
            low, high = self._inward(box, share)
            if share:
                found = program.minimum(problem.goal.terms, problem.matrix, low, high, start, end).x
                if found is None:
                    break
                x = found
            loss = problem.offer(_polished(problem, low, high, start, end, x)[None])
            if np.isfinite(loss) or not len(problem.goal.matrix):
                break
        if problem.curves and self._is_turn():
            low, high = self._inward(box, INSIDE[1])
            better = local.improved(problem, start, end, low, high, x)
            loss = min(loss, problem.offer(_polished(problem, low, high, start, end, better)[None]))
        return loss

    def _is_turn(self) -> bool:
        """Return whether a local search is due: at the first boxes, and now and then."""
        self.settled += 1
        return self.settled <= EVERY or self.settled % EVERY == 0

    # -- cuts ----------------------------------------------------------------------------------------------------------

    def _cut(self, box: Boxes, x: np.ndarray | None, bound: float) -> list[Boxes]:
        """Return two parts of a box that was not settled: beside a value of the solver's that is none, else halves."""
        start, end, space = box.start[0], box.end[0], self.problem.space
        if x is not None:
            off = np.abs(x - space.rounded(x[None])[0]) / np.where(space.stepwise, space.width, np.inf)
            j = int(np.argmax(off))
            if off[j] > FINEST:
                return self._halves(box, j, float(space.below(j, x[j])))
        wide = (end - start) / space.width
        worth = np.where(wide > FINEST, self._influence(box), 0.0)
        j = int(np.argmax(worth if worth.any() else wide))
        at = float(space.below(j, start[j] / 2 + end[j] / 2))
        if wide[j] <= FINEST or not start[j] <= at < end[j]:
            self.unsure = min(self.unsure, bound)
            return []
        return self._halves(box, j, at)

    def _halves(self, box: Boxes, input_: int, at: float) -> list[Boxes]:
        return [self.problem.bounded(box.halves(np.array([input_]), np.array([at])))]

    def _influence(self, box: Boxes) -> np.ndarray:
        """Return how much each input's interval changes what curved conditions leave open (d,)."""
        if not self.problem.curves:
            return np.zeros(box.start.shape[1])
        middle = (box.start + box.end) / 2
        return self.problem.curves.influence(box.parts, self.problem.model.predict(middle))


def _around(box: Boxes, start: np.ndarray, end: np.ndarray) -> Boxes:
    """Return disjoint boxes that make up what a box has beside an inner one."""
    a, b = box.start[0].copy(), box.end[0].copy()
    pieces = []
    for j in range(len(a)):
        if a[j] < start[j]:
            below = b.copy()
            below[j] = np.nextafter(start[j], -np.inf)
            pieces.append((a.copy(), below))
            a[j] = start[j]
        if b[j] > end[j]:
            above = a.copy()
            above[j] = np.nextafter(end[j], np.inf)
            pieces.append((above, b.copy()))
            b[j] = end[j]
    many = Boxes(*(np.repeat(array, len(pieces), axis=0) for array in box))
    for k, (low, high) in enumerate(pieces):
        many.start[k], many.end[k] = low, high
    return many


def _polished(
    problem: Problem, low: np.ndarray, high: np.ndarray, start: np.ndarray, end: np.ndarray, x: np.ndarray
) -> np.ndarray:
    """Return a point (d,) of a box without a solver's rounding."""
    inputs = tuple(
        Input(i.name, float(a), float(b), bool(whole) and a < b)
        for i, a, b, whole in zip(problem.space.inputs, start, end, problem.space.discrete, strict=True)
    )
    rows = tuple(
        Linear(tuple((n, float(c)) for n, c in zip(problem.space.names, row, strict=True) if c), float(a), float(b))
        for row, a, b in zip(problem.matrix, low, high, strict=True)
    )
    return np.clip(polytope.polish(Space(inputs, rows), x), start, end)
