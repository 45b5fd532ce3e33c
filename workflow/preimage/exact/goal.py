"""What is asked of an exact search: an objective of outputs and its limits, bounded on boxes.

Outputs are those of the model, and behind them formulas of inputs and outputs. On a box each is an interval: a model's
output by the model, a formula by interval arithmetic, which is exact where it is linear. Of values to meet, the loss is
least where each output is as near to what is wanted as its interval allows: `Objective.loss` itself is asked there, so
that its rounding is that of the answer. A direction whose values are linear is one sum of inputs and outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from preimage.core.expressions import Expression
from preimage.core.objective import Direction, Objective
from preimage.core.space import Space
from preimage.exact import affine
from preimage.exact.affine import UNIT, Terms
from preimage.exact.model import Side
from preimage.trees.threads import over

# Until there is something to beat, limits come before the objective.
LATER = 1e6


@dataclass(frozen=True)
class Value:
    """An output that matters: an output of the model, a formula, or a sum of such.

    Attributes:
        column: its place among all outputs; -1 for a sum.
        expression: the formula, where it is not linear.
        slope, weights, constant: of inputs (d,) and of the model's outputs (m,), where it is linear.
        margin: what rounding may make of its value then, at most.
        low, high: the place of the ends of its outputs' part among the sides, -1 where it has none; and a factor.
    """

    column: int
    slope: np.ndarray
    weights: np.ndarray
    constant: float = 0.0
    margin: float = 0.0
    expression: Expression | None = None

    @property
    def plain(self) -> bool:
        """Whether it is an output of the model, or a multiple of one."""
        return self.expression is None and not self.slope.any() and not self.constant and not self.margin


class Parts(NamedTuple):
    """What boxes are made of: their ends (n, d), and those of the sides (n, k)."""

    start: np.ndarray
    end: np.ndarray
    ends: np.ndarray


class Goal:
    """An objective with its limits, over boxes.

    Args:
        outputs: names of all outputs: the model's, then those of the formulas.
        formulas: expressions of inputs and of the model's outputs.
        reach: how large each of the model's outputs may be, (m,).
        distance: a distance of the inputs that is the loss, where the objective is one.

    Attributes:
        sides: the ends of the model's outputs that matter.
        terms: the part of the loss that is a sum over inputs.
        matrix: the inputs' part of limits that are linear, (r, d).
    """

    def __init__(
        self,
        space: Space,
        objective: Objective,
        outputs: Sequence[str],
        formulas: Mapping[str, Expression],
        reach: np.ndarray,
        distance: Terms | None = None,
    ) -> None:
        self.space, self.objective, self.outputs, self.reach = space, objective, list(outputs), reach
        d = len(space.inputs)
        self.terms = distance or Terms(np.zeros(d), np.zeros(d), np.zeros(d), space.categorical)
        self._places: dict[Side, int] = {}
        columns = [*objective.columns, *(limit.column for limit in objective.limits)]
        self.values = {c: self._value(c, formulas) for c in dict.fromkeys(columns)}
        self.named = [self.values[c] for c in objective.columns]
        self.sum = self._sum() if isinstance(objective, Direction) and distance is None else None
        if self.sum is None:
            for value in self.named:
                self._ask(value, (-1.0, 1.0))
        else:
            self.terms = self.terms._replace(slope=self.sum.slope)
            self._ask(self.sum, (-1.0,))
        for limit in objective.limits:
            self._ask(self.values[limit.column], (-1.0, 1.0))
        self.sides = tuple(self._places)
        self.ruled = [limit for limit in objective.limits if self.values[limit.column].slope.any()]
        self.matrix = np.array([self.values[limit.column].slope for limit in self.ruled]).reshape(-1, d)
