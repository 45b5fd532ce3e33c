"""The whole preimage of an objective on a forest in any space: on cells alone where that knows all there is to know
(`trees.preimage`), else by boxes of inputs (`exact.paving`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from preimage.core.flatness import flat_inputs
from preimage.core.formulas import NONE, Formulas
from preimage.core.objective import Limit, Objective
from preimage.core.sentences import NO_VOLUME
from preimage.core.space import Space
from preimage.exact.conflict import AnyPoint
from preimage.exact.paving import Paving
from preimage.exact.problem import Problem
from preimage.exact.tree_model import TreeModel
from preimage.support.errors import StudyError
from preimage.trees import preimage as on_cells
from preimage.trees.forest import Forest
from preimage.trees.objective import accepted, largest_outputs
from preimage.trees.paving import columns
from preimage.trees.preimage import Preimage, pave
from preimage.trees.shares import sizes


def preimage(
    forest: Forest,
    space: Space,
    objective: Objective,
    boxes: int,
    seconds: float | None = None,
    state: Path | None = None,
    report: Callable[..., None] | None = None,
    formulas: Formulas = NONE,
) -> Preimage:
    """Return all inputs of the space at which every named output lies in its interval and every limit holds, as boxes.

    Args and errors are those of `trees.preimage.preimage`; `formulas` are the outputs behind the model's.
    """
    m = forest.values.shape[1]
    more = space.listed.any() or space.in_pieces or space.curved or objective.limits
    if not objective.bounded or not (more or max(objective.columns) >= m):
        return on_cells.preimage(forest, space, objective, boxes, seconds, state, report)
    if flat := flat_inputs(space):
        raise StudyError(f"objective '{objective.name}': {NO_VOLUME.format(', '.join(flat))}")
    paving = Paving(_problem(forest, space, objective, formulas))
    stopped = pave(paving, boxes, seconds, state, report)
    start, end, share, certain = columns(paving.boxes(), len(space.inputs))
    volume = sizes(space, start, end).prod(axis=1)
    return Preimage(space, start, end, volume, share, certain, stopped, paving.examined)


def _problem(forest: Forest, space: Space, objective: Objective, formulas: Formulas) -> Problem:
    """Return the limits that make a preimage, as the paving sees them."""
    ends = zip(objective.outputs, objective.columns, *accepted(objective), objective.scale, strict=True)
    limits = tuple(Limit(name, column, float(low), float(high), scale) for name, column, low, high, scale in ends)
    wanted = replace(objective, limits=(*limits, *objective.limits))
    goal = AnyPoint(space, wanted, formulas, largest_outputs(forest, range(forest.values.shape[1])))

    def loss(X: np.ndarray) -> np.ndarray:
        Y = forest.predict(X)
        return np.where(wanted.violation(formulas.extended(X, Y) if formulas else Y) == 0, 0.0, np.inf)

    return Problem(space, TreeModel(forest, space, goal.sides), goal, loss)
