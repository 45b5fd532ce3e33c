"""Outputs that vary smoothly, and rows and limits, together: what planes below and above outputs say of their ends.

Where a row or a limit holds the best point, the objective's slope there is not 0: a bound of the objective alone, on a
box that the row cuts, comes near only as fast as the box gets small, and boxes along the row would be without number.
So each end is bounded again, by a plane that the output is not beyond, under the rows, and under the planes that
limited outputs are not beyond: a linear program, of which any multipliers give a bound (`affine.dual`).

Whether a limit holds all over a box is another question: there, ends under limits would answer it by itself.
"""

from __future__ import annotations

import numpy as np

from preimage.exact import affine
from preimage.exact.affine import UNIT, Terms
from preimage.exact.goal import Goal, LinearRows
from preimage.exact.kernels import over
from preimage.exact.region import Region, cut_to_row
from preimage.exact.smooth import SmoothModel
from preimage.exact.values import Parts, Value
from preimage.support.numba_cache import numba

# Beyond what rounding in the sum of a row may be, as a share of its sizes.
ROUNDED = 1e-13


class Slanted:
    """Ends of a smooth model's outputs under the conditions of a goal."""

    def __init__(self, goal: Goal, model: SmoothModel) -> None:
        self.goal, self.model = goal, model
        self.limits = [(limit, goal.values[limit.column]) for limit in goal.limits]
        self.limits = [(limit, value) for limit, value in self.limits if value.linear and value.weights.any()]
        total: Value | None = getattr(goal, "sum", None)
        self.total = total if total is not None and total.weights.any() else None
        self.sum = self.total
        if self.sum is not None and not self.sum.slope.any():
            self.sum = None
        self.distance: Terms | None = getattr(goal, "distance", None)
        self.nothing = goal.nothing()._replace(category=np.zeros(len(goal.space.inputs), bool))

    def cut(self, parts: Parts, state: np.ndarray, loss: float, region_: Region) -> np.ndarray:
        """Cut boxes, in place, to where planes leave room for limits and for a smaller loss than one; return where that
        may be (n,)."""
        plane, slope = self.model.planes(state)
        n, d = parts.start.shape
        none = LinearRows(np.empty((0, d)), np.empty((n, 0)), np.empty((n, 0)))
        matrix, low, high = self._with_limits(none, plane, slope)
        if self.total is not None and np.isfinite(loss):
            row, base = self._plane(self.total, -1.0, plane, slope)
            matrix = np.concatenate([matrix, row[:, None]], axis=1)
            low, high = np.column_stack([low, np.full(n, -np.inf)]), np.column_stack([high, loss - base])
        left = np.ones(n, bool)
        over(_cut, n, region_, matrix, low, high, parts.start, parts.end, left)
        return left

    def under_rows(self, parts: Parts, state: np.ndarray, rows: LinearRows) -> np.ndarray:
        """Return ends (n, k) of the points of boxes that keep to the rows; `state` keeps them too."""
        if not len(rows.matrix):
            return parts.ends
        plane, slope = self.model.planes(state)
        none = (np.tile(rows.matrix, (len(plane), 1, 1)), rows.low, rows.high)
        ends = self._ends(parts, plane, slope, (*none, parts.start, parts.end))
        self.model.note(state, ends)
        return ends

    def under_limits(
        self, parts: Parts, state: np.ndarray, least: np.ndarray, rows: LinearRows
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return ends (n, k) of the points of boxes that keep the limits too, and bounds of the loss (n,) that are not
        below those that are known. States don't keep these ends: they say nothing of the points that miss a limit."""
        if not (self.limits or self.sum is not None):
            return parts.ends, least
        plane, slope = self.model.planes(state)
        whole = (*self._with_limits(rows, plane, slope), parts.start, parts.end)
        if self.sum is not None:
            value, base = self._plane(self.sum, -1.0, plane, slope)
            least = np.maximum(least, _least(self.nothing, value[:, None], base[:, None], *whole)[:, 0])
        if self.distance is not None:
            none = np.zeros((len(least), 1, len(self.nothing.slope)))
            least = np.maximum(least, _least(self.distance, none, none[:, :, 0], *whole)[:, 0])
        return self._ends(parts, plane, slope, whole) if self.limits else parts.ends, least

    def _ends(self, parts: Parts, plane: np.ndarray, slope: np.ndarray, rows: tuple[np.ndarray, ...]) -> np.ndarray:
        """Return the ends (n, k) under rows of each box. Largest values are smallest ones of the opposite."""
        sign = self.model.sign
        found = _least(self.nothing, -sign[:, None] * slope, -sign * plane, *rows)
        return np.asarray(sign * np.minimum(sign * parts.ends, -found))

    def _with_limits(
        self, rows: LinearRows, plane: np.ndarray, slope: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the rows (n, r, d) that valid points of each box keep to, and their ends (n, r)."""
        n = len(plane)
        matrix, low, high = [np.tile(rows.matrix, (n, 1, 1))], [rows.low], [rows.high]
        for limit, value in self.limits:
            for sign, end in ((-1.0, limit.high), (1.0, limit.low)):
                if np.isfinite(end):
                    own, base = self._plane(value, sign, plane, slope)
                    matrix.append(own[:, None])
                    none = np.full((n, 1), np.inf)
                    low.append(-none if sign < 0 else (end - base)[:, None])
                    high.append((end - base)[:, None] if sign < 0 else none)
        return np.concatenate(matrix, axis=1), np.hstack(low), np.hstack(high)

    def _plane(self, value: Value, sign: float, plane: np.ndarray, slope: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return a plane that a linear value is not beyond on each box: slopes (n, d), and constants (n,)."""
        ((place, factor),) = self.goal.values.ask(value, (sign,))
        base = factor * plane[:, place] + value.constant + sign * value.margin
        return factor * slope[:, place] + value.slope, base


def _least(terms: Terms, cost: np.ndarray, constant: np.ndarray, *rows: np.ndarray) -> np.ndarray:
    """Return what sums over inputs are at least on boxes under their rows (n, q): of terms, costs (n, q, d) added to
    their slopes, and constants (n, q)."""
    least = np.empty(constant.shape)
    over(_each, len(least), terms, cost, constant, *rows, least)
    return least


@numba.njit(cache=True, nogil=True)
def _each(begin, stop, terms, cost, constant, matrix, low, high, start, end, least):  # type: ignore[no-untyped-def]
    """Fill in what terms with costs (n, q, d) and constants (n, q) are at least on boxes begin to stop."""
    for i in range(begin, stop):
        for q in range(cost.shape[1]):
            own = Terms(terms.slope + cost[i, q], terms.weight, terms.reference, terms.category)
            found = affine.best_one(own, matrix[i], low[i], high[i], start[i], end[i], np.zeros(matrix.shape[1]))
            off = 4.0 * UNIT * (abs(found) + abs(constant[i, q]))
            least[i, q] = found + constant[i, q] - off


@numba.njit(cache=True, nogil=True)
def _cut(begin, stop, region, matrix, low, high, start, end, left):  # type: ignore[no-untyped-def]
    """Cut boxes begin to stop of (n, d), in place, to rows of their own (n, r, d); `left` (n,): whether anything is."""
    for i in range(begin, stop):
        for r in range(matrix.shape[1]):
            size = 0.0
            for j in range(matrix.shape[2]):
                size += abs(matrix[i, r, j]) * max(abs(start[i, j]), abs(end[i, j]))
            # More than rounding in the row's sums may amount to.
            off = ROUNDED * size
            if left[i]:
                left[i], _ = cut_to_row(region, matrix[i, r], low[i, r] - off, high[i, r] + off, start[i], end[i])
