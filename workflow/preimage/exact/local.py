"""A good point of a box where conditions or the loss are curved: sequential quadratic programming on scaled inputs.

In the box the model's outputs that matter do not change: only formulas and conditions of the inputs do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from preimage.core.space import Curved

if TYPE_CHECKING:
    from preimage.exact.problem import Problem

STEPS = 60
# A function of a point (d,): its value and slope (d,).
Smooth = Callable[[np.ndarray], tuple[float, np.ndarray]]


def improved(
    problem: Problem, start: np.ndarray, end: np.ndarray, low: np.ndarray, high: np.ndarray, x: np.ndarray
) -> np.ndarray:
    """Return a point (d,) of the box [start, end] that is better than x, or nearer to meeting every condition, as far
    as the solver gets.

    Args:
        low, high: ends of the problem's rows that the point should keep to, (m,).
    """
    from scipy.optimize import minimize

    scaled = _Scaled(start, end)
    if not len(scaled.free):
        return x
    here = _Here(problem, problem.model.predict(x[None]))
    aim = scaled.function(here.loss, problem.goal.objective.loss_unit or 1.0)
    with np.errstate(all="ignore"):
        found = minimize(
            aim["fun"], scaled.inward(x), jac=aim["jac"], bounds=[(0.0, 1.0)] * len(scaled.free),
            constraints=[*scaled.rows(problem.matrix, low, high), *here.conditions(scaled)],
            method="SLSQP", options={"maxiter": STEPS, "ftol": 1e-12},
        )  # fmt: skip
    return np.clip(scaled.outward(found.x), start, end) if np.isfinite(found.x).all() else x


class _Scaled:
    """The free inputs of a box, each from 0 to 1."""

    def __init__(self, start: np.ndarray, end: np.ndarray) -> None:
        self.start, self.width = start, end - start
        self.free = np.flatnonzero(self.width > 0)

    def outward(self, u: np.ndarray) -> np.ndarray:
        x = self.start.copy()
        x[self.free] += u * self.width[self.free]
        return x

    def inward(self, x: np.ndarray) -> np.ndarray:
        return np.clip((x - self.start)[self.free] / self.width[self.free], 0.0, 1.0)

    def rows(self, matrix: np.ndarray, low: np.ndarray, high: np.ndarray) -> list[dict[str, Any]]:
        """Return rows as the solver takes them, each divided by its largest coefficient."""
        part, held = matrix[:, self.free] * self.width[self.free], matrix @ self.start
        A, b = np.vstack([part, -part]), np.concatenate([low - held, held - high])
        largest = np.abs(A).max(axis=1, initial=0.0)
        use = np.isfinite(b) & (largest > 0)
        A, b = A[use] / largest[use, None], b[use] / largest[use]
        return [{"type": "ineq", "fun": lambda u: A @ u - b, "jac": lambda u: A}] if len(A) else []

    def function(self, smooth: Smooth, unit: float) -> dict[str, Any]:
        """Return a function of a point as one of the free inputs, in a unit."""
        return {
            "fun": lambda u: smooth(self.outward(u))[0] / unit,
            "jac": lambda u: smooth(self.outward(u))[1][self.free] * self.width[self.free] / unit,
        }


class _Here:
    """Loss and conditions, and their slopes by the inputs, where the model's outputs (1, m) do not change."""

    def __init__(self, problem: Problem, outputs: np.ndarray) -> None:
        self.objective, self.space, self.outputs = problem.goal.objective, problem.space, outputs
        self.formulas = problem.goal.values.all_formulas

    def extended(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return outputs and formulas (1, m + f), and their slopes (m + f, d)."""
        none = np.zeros((1, self.outputs.shape[1], len(x)))
        if not self.formulas:
            return self.outputs, none[0]
        Y, slopes = self.formulas.extended_gradient(x[None], self.outputs, none)
        return Y, slopes[0]

    def loss(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        Y, slopes = self.extended(x)
        return float(self.objective.loss(Y)[0]), self.objective.slope(Y)[0] @ slopes

    def conditions(self, scaled: _Scaled) -> list[dict[str, Any]]:
        """Return limits and curved constraints as the solver takes them, each in units of its scale."""
        found = []
        for limit in self.objective.limits:
            for sign, end in _sides(limit.low, limit.high):
                found.append({"type": "ineq", **scaled.function(self._limit(limit.column, sign, end), limit.scale)})
        for curved, scale in zip(self.space.curved, self.space.curved_scale, strict=True):
            for sign, end in _sides(curved.low, curved.high):
                found.append({"type": "ineq", **scaled.function(self._curved(curved, sign, end), scale)})
        return found

    def _limit(self, column: int, sign: float, end: float) -> Smooth:
        def smooth(x: np.ndarray) -> tuple[float, np.ndarray]:
            Y, slopes = self.extended(x)
            return float(sign * (Y[0, column] - end)), sign * slopes[column]

        return smooth

    def _curved(self, curved: Curved, sign: float, end: float) -> Smooth:
        def smooth(x: np.ndarray) -> tuple[float, np.ndarray]:
            columns, slope = self.space.columns(curved, x[None]), np.zeros(len(x))
            for name, value in curved.expression.derivatives(columns).items():
                slope[self.space.names.index(name)] = value[0]
            return float(sign * (curved.expression.evaluate(columns)[0] - end)), sign * slope

        return smooth


def _sides(low: float, high: float) -> list[tuple[float, float]]:
    """Return the finite ends of an interval, each with the sign by which it is to be exceeded."""
    return [(sign, end) for sign, end in ((1.0, low), (-1.0, high)) if np.isfinite(end)]
