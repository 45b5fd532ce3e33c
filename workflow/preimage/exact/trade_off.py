"""A trade-off over boxes: two or three values, each to be made small, and the points of its front so far.

What a box may hold at best is in every value at least as large as its corner there. How far a corner lies beyond the
front is what every point of the front would have to gain in every value at once to reach it: the loss of a box is minus
that, so that the search takes the box first that may move the front most, and drops those that can't (the additive
epsilon indicator: Zitzler et al. 2003, IEEE Transactions on Evolutionary Computation 7). All is in shares of the
training rows' ranges.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from preimage.core import fronts
from preimage.core.formulas import Formulas
from preimage.core.objective import Pareto
from preimage.core.space import Space
from preimage.exact.affine import Terms
from preimage.exact.goal import GAP, Goal, Rows, span
from preimage.exact.model import BoxModel
from preimage.exact.problem import Boxes, Problem, check
from preimage.exact.values import Parts, Value

# How far a corner lies beyond an empty front.
FAR = 1e3


class TradeOff(Goal):
    """The values of a front, in shares.

    Attributes:
        front: points that none of the others dominates, (f, k).
    """

    objective: Pareto

    def __init__(self, space: Space, objective: Pareto, formulas: Formulas, reach: np.ndarray) -> None:
        self.front = np.empty((0, len(objective.columns)))
        super().__init__(space, objective, formulas, reach)

    def _note_aims(self) -> None:
        self.aims: list[Value] = []
        programs: list[Terms] = []
        self._program: list[int] = []
        for column, sign in zip(self.objective.columns, self.objective.low, strict=True):
            value = self.values.sum([column], [sign])
            self.values.ask(value or self.values[column], (-1.0,))
            self.aims.append(value or self.values[column])
            sloped = value is not None and value.slope.any()
            self._program.append(len(programs) if sloped else -1)
            if value is not None and sloped:
                programs.append(self.nothing()._replace(slope=value.slope))
        self.programs = tuple(programs)

    @property
    def curved(self) -> list[str]:
        """The formulas among the values which are not linear."""
        return [self.values.names[v.column] for v in self.aims if not v.linear]

    @property
    def cutting(self) -> Terms:
        """No sum over inputs is small wherever the front may be moved."""
        return self.nothing()

    def most(self, loss: float, parts: Parts) -> np.ndarray:
        """Return that nothing bounds it (n,)."""
        return np.full(len(parts.start), np.inf)

    # -- bounds --------------------------------------------------------------------------------------------------------

    def corners(self, parts: Parts, rows: Rows, first: np.ndarray) -> np.ndarray:
        """Return what valid points of boxes are at least as large as in every value, (n, k)."""
        found = np.empty((len(parts.start), len(self.aims)))
        for k, (value, sign) in enumerate(zip(self.aims, self.objective.low, strict=True)):
            if not value.linear:
                low, high = self.values.interval(value, parts)
                found[:, k] = low if sign > 0 else -high
            elif value.plain:
                found[:, k] = self.values.outputs(value, -1.0, parts)
            else:
                found[:, k] = self.values.rest(value, -1.0, parts)
                if (p := self._program[k]) >= 0:
                    found[:, k] += self._least_sum(self.programs[p], parts, rows, first[p])
        return self._shares(found)

    def _shares(self, signed: np.ndarray) -> np.ndarray:
        return (signed - self.objective.goal.high) / self.objective.goal.scale

    def beyond(self, shares: np.ndarray) -> np.ndarray:
        """Return how far shares (n, k) lie beyond the front, (n,): at most 0 where a point of it is as good."""
        if not len(self.front):
            return FAR - shares.mean(axis=1)
        return np.asarray((self.front - shares[:, None]).max(axis=2).min(axis=1))

    def least(self, parts: Parts, rows: Rows, first: np.ndarray) -> np.ndarray:
        """Return minus how far boxes may be beyond the front, at most (n,)."""
        return -self.beyond(self.corners(parts, rows, first))

    def _urge(self, score: np.ndarray, parts: Parts, least: np.ndarray, best: float) -> None:
        """The value first by which a box's corner is nearest to the front."""
        none = np.zeros((len(self.programs), len(self.matrix)))
        free = Rows(self.matrix, *self.rows(parts))
        corner = self.corners(parts, free, none)
        nearest = (self.front - corner[:, None]).max(axis=2).argmin(axis=1) if len(self.front) else None
        for k, value in enumerate(self.aims):
            far = corner[:, k] if nearest is None else corner[:, k] - self.front[nearest, k]
            self._note(score, value, (-1.0,), far)

    def rounding(self, margin: np.ndarray) -> float:
        """Return what rounding may make of how far a box is beyond the front, at most."""
        found = [0.0]
        for value, scale in zip(self.aims, self.objective.scale, strict=True):
            if not value.linear:
                found.append(GAP)
                continue
            of_model = sum(abs(factor) * float(margin[place]) for place, factor in self.values.ask(value, (-1.0,)))
            found.append(2 * (value.margin + of_model) / scale)
        return max(found) + GAP * max([0.0, *(span(p, self.space) / s for p, s in self._scaled())])

    def _scaled(self) -> list[tuple[Terms, float]]:
        return [(self.programs[p], self.objective.scale[k]) for k, p in enumerate(self._program) if p >= 0]


class FrontProblem(Problem):
    """A trade-off in a space, by a model.

    Args:
        outputs: outputs (n, m) at points (n, d), NaN where a limit is missed.

    Attributes:
        points: of the front (f, d), in the order of `goal.front`.
        left: corners of boxes that were left though they may be beyond the front by rounding, or by what is not known.
    """

    goal: TradeOff

    def __init__(
        self, space: Space, model: BoxModel, goal: TradeOff, outputs: Callable[[np.ndarray], np.ndarray]
    ) -> None:
        super().__init__(space, model, goal, self._beyond)
        self.outputs = outputs
        self.loss = 0.0
        self.points = np.empty((0, len(space.inputs)))
        self.left: list[np.ndarray] = []

    def _beyond(self, X: np.ndarray) -> np.ndarray:
        return -self.goal.beyond(self.goal.objective.shares(self.outputs(X)))

    def offer(self, X: np.ndarray) -> float:
        """Add those points (n, d) to the front that are valid and not dominated; return minus how far the best of them
        was beyond it, infinite where none is valid."""
        X = X[self.space.contains(X)]
        shares = self.goal.objective.shares(self.outputs(X)) if len(X) else np.empty((0, self.goal.front.shape[1]))
        known = ~np.isnan(shares).any(axis=1)
        if not known.any():
            return np.inf
        X, shares = X[known], shares[known]
        loss = float(-self.goal.beyond(shares).max())
        check(loss, self.proven)
        both, points = np.vstack([self.goal.front, shares]), np.vstack([self.points, X])
        _, first = np.unique(both, axis=0, return_index=True)
        first = np.sort(first)
        kept = first[fronts.undominated(both[first])]
        self.goal.front, self.points = both[kept], points[kept]
        return loss

    def saved(self) -> dict[str, np.ndarray]:
        """Return what is known of points, for a search that goes on later."""
        left = np.array(self.left).reshape(-1, self.goal.front.shape[1])
        return {**super().saved(), "points": self.points, "front": self.goal.front, "left": left}

    def take_up(self, parts: Mapping[str, np.ndarray]) -> None:
        """Go on from what `saved` returned."""
        super().take_up(parts)
        self.points, self.goal.front, self.left = parts["points"], parts["front"], list(parts["left"])

    def still(self, boxes: Boxes) -> np.ndarray:
        """Return which boxes (n,) may still be beyond the front though it has moved since."""
        return self.goal.least(boxes.parts, self.rows(boxes.parts), self.multipliers) < 0

    def leave(self, boxes: Boxes, first: np.ndarray) -> None:
        """Keep the corners of boxes that are left."""
        self.left += list(self.goal.corners(boxes.parts, self.rows(boxes.parts), first))

    def corners(self, boxes: Boxes) -> np.ndarray:
        """Return what every valid point is at least as large as one of in every value, (n, k): corners of open boxes
        and of those that were left, and the front itself."""
        open_ = self.goal.corners(boxes.parts, self.rows(boxes.parts), self.multipliers)
        return np.vstack([self.goal.front, open_, *(corner[None] for corner in self.left)])
