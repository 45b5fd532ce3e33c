"""Conditions on expressions that no linear rows stand for: boxes cut down to where they may be met, and where to cut a
box that they leave open."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from preimage.core.expressions import Expression
from preimage.core.space import TOLERANCE, Space
from preimage.exact.goal import Goal
from preimage.exact.narrowing import narrowed
from preimage.exact.values import Parts

# Beyond the tolerance by what rounding may amount to.
SLACK = 1.001 * TOLERANCE


class Curve(NamedTuple):
    """An expression of inputs, outputs and formulas, and the values that it may take; as a formula, its name."""

    expression: Expression
    low: float
    high: float
    formula: str = ""


class Curves:
    """All expressions of a search that are not linear: the space's, those of limits, and that of the objective."""

    def __init__(self, space: Space, goal: Goal) -> None:
        self.space, self.goal = space, goal
        slack = SLACK * space.curved_scale
        self.each = [Curve(c.expression, c.low - s, c.high + s) for c, s in zip(space.curved, slack, strict=True)]
        formulas = {f.name: f.expression for f in goal.values.formulas.each}
        for limit in goal.limits:
            if not goal.values[limit.column].linear:
                self.each.append(Curve(formulas[limit.output], limit.low, limit.high, limit.output))
        self.aims = goal.curved

    def __bool__(self) -> bool:
        return bool(self.each or self.aims)

    def narrow(self, parts: Parts) -> np.ndarray:
        """Cut boxes (n, d), in place, to where every expression may be as it must; return where that may be (n,)."""
        low, high = self.goal.values.columns(parts)
        left = np.ones(len(parts.start), bool)
        for curve in self.each:
            found, met = narrowed(curve.expression, low, high, (curve.low, curve.high))
            left &= met
            for name, (a, b) in found.items():
                if name in self.space.names:
                    j = self.space.names.index(name)
                    parts.start[:, j] = np.maximum(parts.start[:, j], a)
                    parts.end[:, j] = np.minimum(parts.end[:, j], b)
        return left & (parts.start <= parts.end).all(axis=1)

    def settled(self, parts: Parts) -> np.ndarray:
        """Return on which boxes every curved constraint of the space holds everywhere (n,)."""
        low, high = self.goal.values.columns(parts)
        held = np.ones(len(parts.start), bool)
        for curved, scale in zip(self.space.curved, self.space.curved_scale, strict=True):
            a, b = curved.expression.bounds(low, high)
            held &= (a >= curved.low - TOLERANCE * scale) & (b <= curved.high + TOLERANCE * scale)
        return held

    def influence(self, parts: Parts, outputs: np.ndarray) -> np.ndarray:
        """Return how much each input's interval changes what one box leaves open, as a share of what all do (d,).

        Args:
            outputs: of the model in the middle of the box, (1, m).
        """
        low, high = self.goal.values.columns(parts)
        x, width = (parts.start + parts.end) / 2, parts.end[0] - parts.start[0]
        slopes = self._slopes(x, outputs)
        total = np.zeros(len(width))
        for curve in self.each:
            a, b = curve.expression.bounds(low, high)
            if a[0] >= curve.low and b[0] <= curve.high:
                continue
            slope = slopes[curve.formula] if curve.formula else self._slope(curve.expression, x)
            total = np.maximum(total, _shares(slope, width))
        for name in self.aims:
            total = np.maximum(total, _shares(slopes[name], width))
        return total

    def _slopes(self, x: np.ndarray, outputs: np.ndarray) -> dict[str, np.ndarray]:
        """Return the derivatives of formulas by the inputs at one point (1, d), by name (d,)."""
        formulas = self.goal.values.formulas
        if not formulas:
            return {}
        _, slopes = formulas.extended_gradient(x, outputs, np.zeros((1, outputs.shape[1], x.shape[1])))
        return dict(zip(formulas.names, slopes[0, outputs.shape[1] :], strict=True))

    def _slope(self, expression: Expression, x: np.ndarray) -> np.ndarray:
        slope = np.zeros(x.shape[1])
        columns = {name: x[:, self.space.names.index(name)] for name in expression.names}
        for name, value in expression.derivatives(columns).items():
            slope[self.space.names.index(name)] = value[0]
        return slope


def _shares(slope: np.ndarray, width: np.ndarray) -> np.ndarray:
    part = np.abs(slope) * width
    part = np.where(np.isfinite(part), part, 0.0)
    return part / (part.sum() or 1.0)
