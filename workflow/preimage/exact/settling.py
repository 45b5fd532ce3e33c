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
        settled: number of boxes from which a local search was, or might have been, started.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.attained = self.unsure = np.inf
        self.settled = 0
        self._rounding = problem.goal.rounding(problem.model.margin)

    @property
    def rounding(self) -> float:
        """What a bound may be below the loss of a point that has it."""
        problem = self.problem
        if not problem.model.attained:
            return self._rounding
        return max(self._rounding, problem.goal.blur(problem.model.margin, problem.loss))

    def settle(self, boxes: Boxes, order: np.ndarray) -> list[Boxes]:
        """Settle what is attained of boxes, and return boxes that make up the rest.

        Args:
            order: the sides that matter (n, k); none of them splits its box.
        """
        problem = self.problem
        inner = Boxes(*(a.copy() for a in boxes))
        problem.model.common(inner.start, inner.end, inner.state, order)
        rest = problem.bounded(_around(boxes, inner))
        inner = problem.bounded(inner)
        points = (inner.start == inner.end).all(axis=1)
        problem.offer(inner.start[points])
        inner = inner.take(~points)
        input_, at = np.empty(len(inner.least), np.int32), np.empty(len(inner.least))
        region.cuts(0, len(at), problem.region, inner.start, inner.end, input_, at)
        pieces = input_ >= 0
        parts = problem.bounded(inner.take(pieces).halves(input_[pieces], at[pieces]))
        return [rest, parts, self._whole(inner.take(~pieces))]

    def _whole(self, boxes: Boxes) -> Boxes:
        """Settle boxes that no count, gap or exclusion leaves in pieces; return parts of those that stay open."""
        problem = self.problem
        for terms in problem.goal.programs or (None,):
            X = (boxes.start + boxes.end) / 2 if terms is None else program.alone(terms, boxes.start, boxes.end)
            problem.offer(np.clip(problem.space.rounded(X), boxes.start, boxes.end))
        boxes = self._without_closed(boxes, problem.multipliers)
        cuts: list[tuple[int, int, float]] = []
        for i in range(len(boxes.least)):
            cut = self._solve(boxes.take(np.array([i])))
            cuts += [(i, *cut)] if cut else []
        which, input_, at = (np.array(c) for c in zip(*cuts, strict=True)) if cuts else (np.empty(0, int),) * 3
        return problem.bounded(boxes.take(which).halves(input_, at))

    def _without_closed(self, boxes: Boxes, multipliers: np.ndarray) -> Boxes:
        """Return those boxes that may hold something better by more than rounding; take note of the others."""
        problem = self.problem
        least = problem.goal.least(boxes.parts, problem.rows(boxes.parts), multipliers)
        boxes = boxes._replace(least=np.maximum(boxes.least, least))
        closed = problem.loss - boxes.least <= self.rounding
        self.attained = min([self.attained, *boxes.least[closed]])
        problem.leave(boxes.take(closed), multipliers)
        return boxes.take(~closed)

    def _solve(self, box: Boxes) -> tuple[int, float] | None:
        """Solve for the best point of one box; return where it is to be cut: an input, and the last value on the left;
        None where it is settled."""
        points, multipliers = self._solved(box)
        if not points and self._is_empty(box):
            return None
        for terms, x in points:
            check(self._tried(box, terms, x), float(box.least[0]))
        near = self.problem.model.points(box.start[0], box.end[0])
        if len(near):
            self.problem.offer(np.clip(self.problem.space.rounded(near), box.start[0], box.end[0]))
        box = self._without_closed(box, multipliers)
        if not len(box.least):
            return None
        cut = self._cut(box, points[0][1] if points else None)
        if cut is None:
            self.unsure = min(self.unsure, float(box.least[0]))
            self.problem.leave(box, multipliers)
        return cut

    # -- points --------------------------------------------------------------------------------------------------------

    def _solved(self, box: Boxes) -> tuple[list[tuple[Terms, np.ndarray]], np.ndarray]:
        """Return points (d,) of a box where sums over inputs are least, as a solver has them, each with its sum; or one
        that keeps to the rows where there are no sums; and the rows' multipliers of each sum (p, m)."""
        problem, start, end = self.problem, box.start[0], box.end[0]
        multipliers, points = problem.multipliers.copy(), []
        for k, terms in enumerate(problem.goal.programs or (problem.goal.nothing(),)):
            found = program.minimum(terms, problem.matrix, *self._inward(box, 0.0), start, end)
            if found.x is None:
                return [], multipliers
            points.append((terms, found.x))
            if problem.goal.programs:
                multipliers[k] = found.multipliers
        return points, multipliers

    def _is_empty(self, box: Boxes) -> bool:
        """Return whether it is proven that no point of a box keeps to the rows."""
        rows, start, end = self.problem.rows(box.parts), box.start[0], box.end[0]
        low, high = rows.low[0], rows.high[0]
        multipliers = program.against(rows.matrix, low, high, start, end)
        nothing = self.problem.goal.nothing()
        return bool(affine.dual(nothing, rows.matrix, low, high, start, end, multipliers) > 0)

    def _inward(self, box: Boxes, share: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends of all rows (m,) of one box that a point should keep to: limits by a share of their scale
        more than rounding takes."""
        goal, space = self.problem.goal, self.problem.space
        low, high = (ends[0] for ends in goal.rows(box.parts))
        size = np.abs(goal.matrix) @ np.maximum(np.abs(space.low), np.abs(space.high))
        off = 2 * goal.margins + share * size
        _, least, most = space.rows
        return np.r_[least, low + off], np.r_[most, high - off]

    def _tried(self, box: Boxes, terms: Terms, x: np.ndarray) -> float:
        """Offer the valid point nearest to a solver's; return its loss, infinite where there is none."""
        problem, start, end = self.problem, box.start[0], box.end[0]
        loss = np.inf
        for share in INSIDE:
            low, high = self._inward(box, share)
            if share:
                found = program.minimum(terms, problem.matrix, low, high, start, end).x
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

    def _cut(self, box: Boxes, x: np.ndarray | None) -> tuple[int, float] | None:
        """Return where to cut a box that is not settled: beside a value of the solver's that is none, else in halves;
        None where it is too small."""
        start, end, space = box.start[0], box.end[0], self.problem.space
        if x is not None:
            off = np.abs(x - space.rounded(x[None])[0]) / np.where(space.stepwise, space.width, np.inf)
            j = int(np.argmax(off))
            if off[j] > FINEST:
                return j, float(space.below(j, x[j]))
        wide = (end - start) / space.width
        worth = np.where(wide > FINEST, self._influence(box), 0.0)
        j = int(np.argmax(worth if worth.any() else wide))
        at = float(space.below(j, start[j] / 2 + end[j] / 2))
        return None if wide[j] <= FINEST or not start[j] <= at < end[j] else (j, at)

    def _influence(self, box: Boxes) -> np.ndarray:
        """Return how much each input's interval changes what curved conditions leave open (d,)."""
        if not self.problem.curves:
            return np.zeros(box.start.shape[1])
        middle = (box.start + box.end) / 2
        return self.problem.curves.influence(box.parts, self.problem.model.predict(middle))


def _around(boxes: Boxes, inner: Boxes) -> Boxes:
    """Return disjoint boxes that make up what boxes have beside others inside them."""
    starts, ends, which = [boxes.start[:0]], [boxes.end[:0]], [np.empty(0, int)]
    a, b = boxes.start.copy(), boxes.end.copy()
    for j in range(a.shape[1]):
        for below in (True, False):
            i = np.flatnonzero(a[:, j] < inner.start[:, j] if below else b[:, j] > inner.end[:, j])
            start, end = a[i], b[i]
            if below:
                end[:, j], a[i, j] = np.nextafter(inner.start[i, j], -np.inf), inner.start[i, j]
            else:
                start[:, j], b[i, j] = np.nextafter(inner.end[i, j], np.inf), inner.end[i, j]
            starts, ends, which = [*starts, start], [*ends, end], [*which, i]
    many = boxes.take(np.concatenate(which))
    return many._replace(start=np.concatenate(starts), end=np.concatenate(ends))


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
