"""A trade-off over boxes: two or three values, each to be made small, and the points of its front so far.

What a box may hold at best is known in every value, and in weighted sums of values: of trees that bear on several
values a sum says much more than its parts. How far a box may lie beyond the front is by how much every point of the
front would have to gain in every value at once to be as good as something in it: the loss of a box is minus that, so
that the search takes the box first that may move the front most, and drops those that can't (the additive epsilon
indicator: Zitzler et al. 2003, IEEE Transactions on Evolutionary Computation 7). It is told at the front's upper
bounds: the corners below which nothing of the front lies (Klamroth, Lacour, Vanderpooten 2015, European Journal of
Operational Research 245). All is in shares of the training rows' ranges.

A value that is linear in the inputs is cut in slices, and each box lies in one of them: within a slice that value is a
row that cuts the box down, so that the others are bounded where it has that value (as the epsilon constraint does:
Haimes, Lasdon, Wismer 1971, IEEE Transactions on Systems, Man, and Cybernetics 1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from preimage.core import fronts
from preimage.core.formulas import Formulas
from preimage.core.objective import Pareto
from preimage.core.space import Space
from preimage.exact.affine import UNIT, Terms
from preimage.exact.goal import GAP, LATER, Goal, LinearRows, span
from preimage.exact.model import BoxModel
from preimage.exact.problem import Boxes, Problem, check
from preimage.exact.values import Parts, Value

# Bounds of boxes are compared with the front's in tables of at most so many numbers.
AT_ONCE = 1_000_000
# Weights of values in sums, beside each value by itself.
MIXED = {
    2: ((0.5, 0.5), (0.25, 0.75), (0.75, 0.25)),
    3: ((1 / 3, 1 / 3, 1 / 3), (0.5, 0.5, 0.0), (0.5, 0.0, 0.5), (0.0, 0.5, 0.5)),
}
SLICES = 64
# Corners by which a bound of two values and their sums is stated.
STEPS = 6


class TradeOff(Goal):
    """The values of a front, in shares.

    Attributes:
        weights: of the values in each sum that is bounded: each value by itself, then mixed ones (s, k).
        front: points that none of the others dominates (f, k).
        upper: the front's upper bounds (u, k).
        cut: the value that is cut in slices; None where none is linear in the inputs.
        edges: between its slices, from the smallest value on.
    """

    objective: Pareto

    def __init__(self, space: Space, objective: Pareto, formulas: Formulas, reach: np.ndarray) -> None:
        k = len(objective.columns)
        self.front = np.empty((0, k))
        self.upper = np.full((1, k), np.inf)
        self.edges = np.array([-np.inf, np.inf])
        super().__init__(space, objective, formulas, reach)
        if self.cut is not None:
            self.matrix = np.vstack([self.matrix, self.cut.slope])
            self.margins = np.append(self.margins, self.cut.margin)

    def _note_aims(self) -> None:
        k = len(self.objective.columns)
        self.sums: list[Value] = []
        programs: list[Terms] = []
        self._program: list[int] = []
        self.cut: Value | None = None
        weights = [*np.eye(k), *(np.array(w) for w in (MIXED[k] if self._shared() else ()))]
        self.weights = np.array(weights)
        for weight in weights:
            value = self._sum(weight)
            self.values.ask(value, (-1.0,))
            self.sums.append(value)
            sloped = value.linear and value.slope.any()
            if sloped and self.cut is None:
                self.values.ask(value, (1.0,))
                self.cut = value
            self._program.append(len(programs) if sloped else -1)
            if sloped:
                programs.append(self.nothing()._replace(slope=value.slope))
        self.programs = tuple(programs)

    def _shared(self) -> bool:
        """Whether sums of values say more than their parts: each is linear, and at least two take the model."""
        values = [self.values[c] for c in self.objective.columns]
        return all(v.linear for v in values) and sum(bool(v.weights.any()) for v in values) > 1

    def _sum(self, weight: np.ndarray) -> Value:
        """Return a weighted sum of the values as shares; one by itself as it is, with its sign."""
        objective = self.objective
        if np.count_nonzero(weight) == 1:
            j = int(weight.argmax())
            column = objective.columns[j]
            return self.values.sum([column], [objective.low[j]]) or self.values[column]
        factors = weight * objective.goal.low / objective.goal.scale
        found = self.values.sum(objective.columns, factors.tolist())
        assert found is not None, "mixed sums are of linear values"
        # The best values are taken off, in shares and in bounds of them, with a rounding of their own.
        best = float(np.abs(factors) @ np.abs(objective.goal.high))
        return replace(found, margin=found.margin + 8 * (len(factors) + 1) * UNIT * best)

    @property
    def curved(self) -> list[str]:
        """The formulas among the values which are not linear."""
        return [self.values.names[v.column] for v in self.sums if not v.linear]

    @property
    def cutting(self) -> Terms:
        """No sum over inputs is small wherever the front may be moved."""
        return self.nothing()

    def most(self, loss: float, parts: Parts) -> np.ndarray:
        """Return that nothing bounds it (n,)."""
        return np.full(len(parts.start), np.inf)

    # -- slices --------------------------------------------------------------------------------------------------------

    def sliced(self, box: Boxes) -> Boxes:
        """Return a box (1 or none) in every slice of the value that is cut in slices."""
        if self.cut is None or not len(box.least):
            return box
        (low,), (high,) = self.values.interval(self.cut, box.parts)
        self.edges = np.r_[-np.inf, np.linspace(low, high, SLICES + 1)[1:-1], np.inf]
        return box.take(np.zeros(SLICES, int))._replace(slice=np.arange(SLICES, dtype=np.int32))

    def rows(self, parts: Parts) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends of `matrix` that limits and slices leave on boxes, (n, r) each."""
        low, high = super().rows(parts)
        if self.cut is None:
            return low, high
        start = self.edges[parts.slice] - self.values.rest(self.cut, 1.0, parts)
        end = self.edges[parts.slice + 1] - self.values.rest(self.cut, -1.0, parts)
        return np.column_stack([low, start]), np.column_stack([high, end])

    # -- bounds --------------------------------------------------------------------------------------------------------

    def bounds(self, parts: Parts, rows: LinearRows, first: np.ndarray) -> np.ndarray:
        """Return what the sums of values, as shares, are not below on boxes (n, s)."""
        objective, k = self.objective, len(self.objective.columns)
        found = np.empty((len(parts.start), len(self.sums)))
        for s, value in enumerate(self.sums):
            low = self._low(s, value, parts, rows, first)
            low = np.maximum(low, self.edges[parts.slice]) if value is self.cut else low
            if s < k:
                found[:, s] = (low - objective.goal.high[s]) / objective.goal.scale[s]
            else:
                found[:, s] = low - self.weights[s] @ (objective.goal.high / objective.goal.scale)
        return found

    def _low(self, s: int, value: Value, parts: Parts, rows: LinearRows, first: np.ndarray) -> np.ndarray:
        if not value.linear:
            low, high = self.values.interval(value, parts)
            return low if self.objective.low[s] > 0 else -high
        if value.plain:
            return self.values.outputs(value, -1.0, parts)
        rest = self.values.rest(value, -1.0, parts)
        p = self._program[s]
        return rest + self._least_sum(self.programs[p], parts, rows, first[p]) if p >= 0 else rest

    def beyond(self, bounds: np.ndarray) -> np.ndarray:
        """Return how far boxes with these bounds of the sums (n, s) may lie beyond the front (n,): at most 0 where a
        point of it is as good."""
        parts = np.array_split(bounds, 1 + len(bounds) * len(self.upper) // AT_ONCE)
        return np.concatenate([self._room(part).max(axis=1) for part in parts])

    def _room(self, bounds: np.ndarray) -> np.ndarray:
        """Return how far boxes (n, s) may lie below each of the front's upper bounds (n, u)."""
        room = np.full((len(bounds), len(self.upper)), np.inf)
        for s, weight in enumerate(self.weights):
            np.minimum(room, self._level(weight) - bounds[:, [s]], out=room)
        return room

    def _level(self, weight: np.ndarray) -> np.ndarray:
        """Return a weighted sum at the front's upper bounds, infinite where one of its values is (u,)."""
        used = weight > 0
        return np.asarray(self.upper[:, used] @ weight[used])

    def least(self, parts: Parts, rows: LinearRows, first: np.ndarray) -> np.ndarray:
        """Return minus how far boxes may be beyond the front, at most (n,)."""
        return -self.beyond(self.bounds(parts, rows, first))

    def _urge(self, score: np.ndarray, parts: Parts, least: np.ndarray, best: float) -> None:
        """The sum first by which a box is nearest to the front, at the upper bound below which it has most room."""
        none = np.zeros((len(self.programs), len(self.matrix)))
        bounds = self.bounds(parts, LinearRows(self.matrix, *self.rows(parts)), none)
        at = self._room(bounds).argmax(axis=1)
        for s, value in enumerate(self.sums):
            far = self._level(self.weights[s])[at] - bounds[:, s]
            self._note(score, value, (-1.0,), np.minimum(far, LATER))

    def rounding(self, margin: np.ndarray) -> float:
        """Return what rounding may make of how far a box is beyond the front, at most."""
        found, k = [0.0], len(self.objective.columns)
        for s, value in enumerate(self.sums):
            scale = self.objective.scale[s] if s < k else 1.0
            if not value.linear:
                found.append(GAP)
                continue
            of_model = sum(abs(factor) * float(margin[place]) for place, factor in self.values.ask(value, (-1.0,)))
            sloped = GAP * span(self.programs[p], self.space) if (p := self._program[s]) >= 0 else 0.0
            found.append((2 * (value.margin + of_model) + sloped) / scale)
        return max(found)

    # -- the front -----------------------------------------------------------------------------------------------------

    def add(self, shares: np.ndarray) -> np.ndarray:
        """Add points (n, k) to the front; return the places in old front and points, one after the other, of those that
        are on the new one."""
        both = np.vstack([self.front, shares])
        _, first = np.unique(both, axis=0, return_index=True)
        first = np.sort(first)
        kept = first[fronts.undominated(both[first])]
        for place in kept[kept >= len(self.front)]:
            self.upper = _lowered(self.upper, both[place])
        self.front = both[kept]
        return kept

    def corners(self, bounds: np.ndarray) -> np.ndarray:
        """Return corners (c, k), of which whatever has sums within one of these bounds (n, s) is at least as large as
        one in every value."""
        k = self.weights.shape[1]
        if k > 2 or len(self.weights) == k or not len(bounds):
            return bounds[:, :k]
        x, y = bounds[:, 0], bounds[:, 1]
        mixed, levels = self.weights[k:], bounds[:, k:]
        # From where on the second value alone bounds it, in steps from where the first does.
        last = np.maximum(x, ((levels - mixed[:, 1] * y[:, None]) / mixed[:, 0]).max(axis=1))
        at = x[:, None] + (last - x)[:, None] * np.linspace(0, 1, STEPS)
        lowest = np.maximum(y[:, None], ((levels[:, None] - mixed[:, 0] * at[:, :, None]) / mixed[:, 1]).max(axis=2))
        after = np.concatenate([lowest[:, 1:], y[:, None]], axis=1)
        return np.stack([at, after], axis=2).reshape(-1, 2)


def _lowered(upper: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Return upper bounds (u, k) of a front with one point more: those above it are replaced by their projections."""
    above = (point < upper).all(axis=1)
    if not above.any():
        return upper
    made = []
    for j in range(len(point)):
        lower = upper[above].copy()
        lower[:, j] = point[j]
        made.append(lower)
    kept, new = upper[~above], np.unique(np.concatenate(made), axis=0)
    # One below another says nothing.
    others = np.concatenate([kept, new])
    needed = [not ((u <= others).all(axis=1) & (u < others).any(axis=1)).any() for u in new]
    return np.concatenate([kept, new[needed]])


class FrontProblem(Problem):
    """A trade-off in a space, by a model.

    Args:
        outputs: outputs (n, m) at points (n, d), NaN where a limit is missed.

    Attributes:
        points: of the front (f, d), in the order of `goal.front`.
        left: bounds of boxes that were left though they may be beyond the front by rounding, or by what is not known.
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

    def whole(self) -> Boxes:
        """Return the box of the whole space in every slice, bounded."""
        return self.bounded(self.goal.sliced(super().whole()))

    def _beyond(self, X: np.ndarray) -> np.ndarray:
        return -self.goal.beyond(self.goal.objective.shares(self.outputs(X)) @ self.goal.weights.T)

    def offer(self, X: np.ndarray) -> float:
        """Add those points (n, d) to the front that are valid and not dominated; return minus how far the best of them
        was beyond it, infinite where none is valid."""
        X = X[self.space.contains(X)]
        shares = self.goal.objective.shares(self.outputs(X)) if len(X) else np.empty((0, self.goal.front.shape[1]))
        known = ~np.isnan(shares).any(axis=1)
        if not known.any():
            return np.inf
        X, shares = X[known], shares[known]
        loss = float(-self.goal.beyond(shares @ self.goal.weights.T).max())
        check(loss, self.proven)
        self.points = np.vstack([self.points, X])[self.goal.add(shares)]
        return loss

    def saved(self) -> dict[str, np.ndarray]:
        """Return what is known of points, for a search that goes on later."""
        left = np.array(self.left).reshape(-1, len(self.goal.weights))
        known = {"points": self.points, "front": self.goal.front, "upper": self.goal.upper, "left": left}
        return {**super().saved(), **known}

    def take_up(self, parts: Mapping[str, np.ndarray]) -> None:
        """Go on from what `saved` returned."""
        super().take_up(parts)
        self.points, self.goal.front, self.goal.upper = parts["points"], parts["front"], parts["upper"]
        self.left = list(parts["left"])

    def still(self, boxes: Boxes) -> np.ndarray:
        """Return which boxes (n,) may still be beyond the front though it has moved since."""
        return self.goal.least(boxes.parts, self.rows(boxes.parts), self.multipliers) < 0

    def leave(self, boxes: Boxes, first: np.ndarray) -> None:
        """Keep the bounds of boxes that are left."""
        self.left += list(self.goal.bounds(boxes.parts, self.rows(boxes.parts), first))

    def corners(self, boxes: Boxes) -> np.ndarray:
        """Return what every valid point is at least as large as one of in every value, (n, k): corners of open boxes
        and of those that were left, and the front itself."""
        bounds = np.vstack([self.goal.bounds(boxes.parts, self.rows(boxes.parts), self.multipliers), *self.left])
        bounds = bounds[self.goal.beyond(bounds) > 0] if len(bounds) else bounds
        return np.vstack([self.goal.front, self.goal.corners(bounds)])
