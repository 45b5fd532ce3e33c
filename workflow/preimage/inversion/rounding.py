"""What of a loss is rounding, and when a target counts as reached: in no unit, and after any shift."""

from __future__ import annotations

import numpy as np

from preimage.core.objective import Objective, Values
from preimage.inversion.question import Question

# Roundings that a chain of arithmetic may add up to.
ROUNDINGS = 16


class Rounding:
    """What cannot be told from 0, in the losses of questions that differ in their objectives alone.

    Attributes:
        spread: interquartile range of each output in the training rows (m,), which no single row decides.
        size: typical absolute value of each output, or its spread where that is larger (m,).
        inputs: rounding of each input as a share of its range (d,).
    """

    def __init__(self, question: Question) -> None:
        space = question.space
        # A fit has no loss at parameters where its model has no solution.
        Y = question.Y[np.isfinite(question.Y).all(axis=1)]
        self.resolution = max(question.resolution, getattr(question.fit, "rtol", 0.0))
        self.cancellation = question.cancellation
        low, middle, high = np.quantile(Y, [0.25, 0.5, 0.75], axis=0) if len(Y) else np.zeros((3, Y.shape[1]))
        self.spread, self.size = high - low, np.maximum(np.abs(middle), high - low)
        eps = np.finfo(float).eps
        self.inputs = ROUNDINGS * eps * np.maximum(np.abs(space.low), np.abs(space.high)) / space.width

    def of(self, wanted: Objective) -> np.ndarray:
        """Return the rounding of each named output (k,), in its own unit."""
        columns = list(wanted.columns)
        sizes = [self.size[columns]]
        if wanted.bounded:
            sizes += [np.where(np.isfinite(v), np.abs(v), 0.0) for v in (wanted.goal.low, wanted.goal.high)]
        lost = self.cancellation * self.spread[columns]
        return np.asarray(ROUNDINGS * (self.resolution * np.max(sizes, axis=0) + lost))

    def of_limits(self, wanted: Objective) -> np.ndarray:
        """Return the rounding of each output that has a limit (k,), in units of the limit's scale."""
        columns, scale = [limit.column for limit in wanted.limits], [limit.scale for limit in wanted.limits]
        each = self.resolution * self.size[columns] + self.cancellation * self.spread[columns]
        return np.asarray(ROUNDINGS * each / np.array(scale))

    def close(self, wanted: Objective) -> float:
        """Return the loss at which a target counts as reached; below every loss where there is no target."""
        if not isinstance(wanted, Values):
            return -np.inf
        near = wanted.reached_within(self.spread[list(wanted.columns)])
        near = np.maximum(np.where(np.isfinite(near), near, 0.0), self.of(wanted))
        return float(np.mean((near / wanted.goal.scale) ** 2))

    def noise(self, wanted: Objective, loss: float, slope: np.ndarray, movable: np.ndarray) -> float:
        """Return the rounding of a loss where its slope over the scaled movable inputs is (k,)."""
        of_inputs = np.abs(slope) @ self.inputs[movable]
        each = self.of(wanted)
        if not wanted.bounded:
            weights = np.abs(wanted.goal.low)
            return float(of_inputs + weights @ each + ROUNDINGS * self.resolution * abs(loss))
        error = np.sqrt(np.mean((each / wanted.goal.scale) ** 2))
        return float(of_inputs + 2 * np.sqrt(max(loss, 0.0)) * error + error**2)
