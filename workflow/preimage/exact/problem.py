"""What an exact search is about, bounded on boxes, and the best point found so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from preimage.core.space import Space
from preimage.exact import program, region
from preimage.exact.curves import Curves
from preimage.exact.goal import Goal, LinearRows
from preimage.exact.kernels import over
from preimage.exact.model import BoxModel
from preimage.exact.slanted import Slanted
from preimage.exact.smooth import SmoothModel
from preimage.exact.values import Parts


class Boxes(NamedTuple):
    """Boxes of a search: their ends (n, d), what the model knows of them, the ends of its outputs that matter, the
    bound of their loss (n,), and in which slice of a value they are (n,)."""

    start: np.ndarray
    end: np.ndarray
    state: np.ndarray
    ends: np.ndarray
    least: np.ndarray
    slice: np.ndarray

    @property
    def parts(self) -> Parts:
        return Parts(self.start, self.end, self.ends, self.slice)

    def take(self, which: np.ndarray) -> Boxes:
        return Boxes(*(a[which] for a in self))

    def halves(self, input_: np.ndarray, at: np.ndarray) -> Boxes:
        """Return the two halves of each box: of its input (n,) the values up to `at` (n,), and those above."""
        n, i = len(at), np.arange(len(at))
        both = Boxes(*(np.concatenate([a, a]) for a in self))
        both.end[i, input_] = at
        both.start[n + i, input_] = np.nextafter(at, np.inf)
        return both


class Problem:
    """A goal in a space, by a model.

    Args:
        evaluate: the loss (n,) at points (n, d), infinite where a limit is missed.

    Attributes:
        matrix: linear rows of the space, then those of limits, (m, d).
        multipliers: of the rows, which bounds of each of the goal's programs begin with (p, m).
        loss, x: the best point found (inf and NaN before there is one).
        proven: what no valid point has a loss below, as far as is known: no point may contradict it.
    """

    def __init__(self, space: Space, model: BoxModel, goal: Goal, evaluate: Callable[[np.ndarray], np.ndarray]) -> None:
        self.space, self.model, self.goal, self.evaluate = space, model, goal, evaluate
        self.region, self.curves = region.region(space), Curves(space, goal)
        matrix, self._row_low, self._row_high = region.rows(space)
        self.matrix = np.vstack([matrix, goal.matrix])
        self.multipliers = np.zeros((len(goal.programs), len(self.matrix)))
        self.loss, self.x = np.inf, np.full(len(space.inputs), np.nan)
        self.proven = -np.inf
        inner = getattr(model, "model", model)  # of one that is asked near its data
        self.slanted = Slanted(goal, inner) if isinstance(inner, SmoothModel) else None

    def whole(self) -> Boxes:
        """Return the box of the whole space, bounded; none where it is proven to hold no valid point."""
        start, end = self.space.low[None].copy(), self.space.high[None].copy()
        nothing, state = np.array([[side.sign * np.inf for side in self.goal.sides]]), self.model.fresh(1)
        box = self.bounded(Boxes(start, end, state, nothing, np.full(1, -np.inf), np.zeros(1, np.int32)))
        if not (len(box.least) and len(self.matrix) and self.goal.programs):
            return box
        rows = self.rows(box.parts)
        for k, terms in enumerate(self.goal.programs):
            found = program.minimum(terms, self.matrix, rows.low[0], rows.high[0], box.start[0], box.end[0])
            self.multipliers[k] = found.multipliers
        return self.bounded(box)

    # -- bounds --------------------------------------------------------------------------------------------------------

    def rows(self, parts: Parts) -> LinearRows:
        """Return all rows, with their ends for each box."""
        n, (low, high) = len(parts.start), self.goal.rows(parts)
        low, high = np.hstack([np.tile(self._row_low, (n, 1)), low]), np.hstack([np.tile(self._row_high, (n, 1)), high])
        return LinearRows(self.matrix, low, high)

    def bounded(self, boxes: Boxes) -> Boxes:
        """Return what may hold a better point of boxes, cut to where that may be and bounded; what is known of them
        may be that of boxes around them."""
        boxes = boxes.take(self._tightened(boxes.parts))
        if self.curves:
            boxes = boxes.take(self.curves.narrow(boxes.parts))
            boxes = boxes.take(self._tightened(boxes.parts))
        ends, possible = self.model.bound(boxes.start, boxes.end, boxes.state)
        boxes = boxes._replace(ends=ends)
        if self.slanted is not None:
            rows = self.rows(boxes.parts)
            boxes = boxes._replace(ends=self.slanted.under_rows(boxes.parts, boxes.state, rows))
            own, least = self.slanted.under_limits(boxes.parts, boxes.state, boxes.least, rows)
            boxes = boxes._replace(ends=own, least=least)
            possible &= self.slanted.cut(boxes.parts, boxes.state, self.loss, self.region)
        least = self.goal.least(boxes.parts, self.rows(boxes.parts), self.multipliers)
        boxes = boxes._replace(least=np.maximum(least, boxes.least))
        if len(X := self.goal.points(boxes.parts)):
            self.offer(X)
        return boxes.take(possible & self.goal.may_hold(boxes.parts) & (boxes.least < self.loss))

    def everywhere(self, boxes: Boxes) -> Parts:
        """Return what boxes are made of, with ends that hold at points too that miss a limit."""
        known = boxes.ends if self.slanted is None else self.slanted.model.known(boxes.state)
        return boxes.parts._replace(ends=known)

    def _tightened(self, parts: Parts) -> np.ndarray:
        """Cut boxes, in place, to what may be valid and better than what there is; return which may be (n,)."""
        left = np.ones(len(parts.start), bool)
        over(
            region.tighten, len(left), self.region, self.goal.cutting, self.goal.most(self.loss, parts),
            *self.rows(parts), parts.start, parts.end, left,
        )  # fmt: skip
        return left

    # -- points --------------------------------------------------------------------------------------------------------

    def offer(self, X: np.ndarray) -> float:
        """Take the best of the points (n, d) that are valid, where it is better than what there is; return its loss,
        infinite where there is none."""
        X = X[self.space.contains(X)]
        if not len(X):
            return np.inf
        loss = self.evaluate(X)
        k = int(np.argmin(loss))
        if loss[k] < self.loss:
            check(float(loss[k]), self.proven)
            self.loss, self.x = float(loss[k]), X[k].copy()
        return float(loss[k])

    def saved(self) -> dict[str, np.ndarray]:
        """Return what is known of points, for a search that goes on later."""
        return {"x": self.x, "multipliers": self.multipliers, "loss": np.array(self.loss)}

    def take_up(self, parts: Mapping[str, np.ndarray]) -> None:
        """Go on from what `saved` returned."""
        self.x, self.multipliers, self.loss = parts["x"], parts["multipliers"], float(parts["loss"])

    def still(self, boxes: Boxes) -> np.ndarray:
        """Return which boxes (n,) may still hold a better point though others have been found since."""
        return boxes.least < self.loss

    def leave(self, boxes: Boxes, first: np.ndarray) -> None:
        """Take note of boxes that are left: nothing in them is better than what there is, but for what their bounds
        say; `first` are multipliers of the rows (p, m)."""


def check(loss: float, bound: float) -> None:
    """Raise RuntimeError where a point contradicts a bound: a fault of ours, and no certificate may hide it."""
    if loss < bound:
        raise RuntimeError(f"a point of loss {loss!r} contradicts the proven bound {bound!r}")
