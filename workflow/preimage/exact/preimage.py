"""The whole preimage of an objective on a model in any space: of a forest on cells alone where that knows all there is
to know (`trees.preimage`), else by boxes of inputs (`exact.paving`)."""

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
from preimage.exact import bounding
from preimage.exact.conflict import AnyPoint
from preimage.exact.forms import Form
from preimage.exact.model import BoxModel
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
    largest = largest_outputs(forest, range(m))
    problem = _problem(
        space, objective, formulas, largest, lambda goal: TreeModel(forest, space, goal.sides), forest.predict
    )
    return _paved(problem, boxes, seconds, state, report)


def of_form(
    form: Form,
    predict: Callable[[np.ndarray], np.ndarray],
    space: Space,
    objective: Objective,
    boxes: int,
    seconds: float | None = None,
    state: Path | None = None,
    report: Callable[..., None] | None = None,
    formulas: Formulas = NONE,
) -> Preimage:
    """Return what `preimage` does, of a model with a form that can be bounded on boxes.

    Args:
        predict: the model's own outputs (n, m) at points (n, d).
    """
    form.check()
    problem = _problem(
        space, objective, formulas, bounding.reach(form, space),
        lambda goal: bounding.box_model(form, space, goal.sides, predict), predict,
    )  # fmt: skip
    return _paved(problem, boxes, seconds, state, report)


def _paved(
    problem: Problem, boxes: int, seconds: float | None, state: Path | None, report: Callable[..., None] | None
) -> Preimage:
    space = problem.space
    if flat := flat_inputs(space):
        raise StudyError(f"objective '{problem.goal.objective.name}': {NO_VOLUME.format(', '.join(flat))}")
    paving = Paving(problem)
    stopped = pave(paving, boxes, seconds, state, report)
    start, end, share, certain = columns(paving.boxes(), len(space.inputs))
    volume = sizes(space, start, end).prod(axis=1)
    return Preimage(space, start, end, volume, share, certain, stopped, paving.examined)


def _problem(
    space: Space,
    objective: Objective,
    formulas: Formulas,
    reach: np.ndarray,
    model: Callable[[AnyPoint], BoxModel],
    predict: Callable[[np.ndarray], np.ndarray],
) -> Problem:
    """Return the limits that make a preimage, as the paving sees them."""
    ends = zip(objective.outputs, objective.columns, *accepted(objective), objective.scale, strict=True)
    limits = tuple(Limit(name, column, float(low), float(high), scale) for name, column, low, high, scale in ends)
    wanted = replace(objective, limits=(*limits, *objective.limits))
    goal = AnyPoint(space, wanted, formulas, reach)

    def loss(X: np.ndarray) -> np.ndarray:
        Y = predict(X)
        return np.where(wanted.violation(formulas.extended(X, Y) if formulas else Y) == 0, 0.0, np.inf)

    return Problem(space, model(goal), goal, loss)
