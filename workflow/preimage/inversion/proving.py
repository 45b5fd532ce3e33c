"""A question put to the exact search over boxes (`preimage.exact`): what it is made of, and where it gets points from.

It answers what the search on cells (`trees.branch_and_bound`) does not know: limits of outputs, formulas, and spaces
with listed values, gaps, counts, exclusions or curved constraints.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from preimage.core import polytope
from preimage.core.objective import Objective
from preimage.exact.goal import Goal
from preimage.exact.problem import Problem
from preimage.exact.search import Search
from preimage.exact.tree_model import TreeModel
from preimage.inversion.coordinate import startpoints
from preimage.inversion.question import Question
from preimage.support.errors import StudyError
from preimage.support.resume_state import resumed
from preimage.trees.objective import largest_outputs

# Bytes of an open box beside its arrays: the place in the queue.
OF_AN_ENTRY = 200


def is_plain(question: Question, objective: Objective) -> bool:
    """Whether the search on cells alone knows all that a question has."""
    space = question.space
    more = space.listed.any() or space.in_pieces or space.curved
    return not (more or objective.limits or max(objective.columns) >= question.measured.shape[1])


class Hunt:
    """A search over boxes for a question, and the points that it begins from."""

    domain = None

    def __init__(
        self, question: Question, objective: Objective, starts: int, memory: float, rng: np.random.Generator
    ) -> None:
        space, trees = question.space, question.trees
        self.question, self.objective = question, objective
        goal = Goal(space, objective, question.formulas, largest_outputs(trees, range(trees.values.shape[1])))
        model = TreeModel(trees, space, goal.sides)
        size_of_box = 16 * len(space.inputs) + 4 * model.size + 8 * len(goal.sides) + OF_AN_ENTRY
        self.search = Search(Problem(space, model, goal, self.loss), max(int(memory * 1e6 / size_of_box), 1000))
        self.starts = _startpoints(question, starts, rng)

    def loss(self, X: np.ndarray) -> np.ndarray:
        """Return the loss at points (n, d), infinite where a limit is missed."""
        Y = self.question.trees.predict(X)
        if self.question.formulas:
            Y = self.question.formulas.extended(X, Y)
        return np.where(self.objective.violation(Y) == 0, self.objective.loss(Y), np.inf)

    def without_point(self, closed: bool) -> str:
        """Return whether the objective can be met where no point was found."""
        return "no" if closed else "undecided"

    def begin(self, state: Path | None, part: tuple[int, int]) -> None:
        """Take up the search where it was left, or offer it its first points."""
        if resumed(state, self.search.resume):
            return
        self.search.offer(np.concatenate([self.question.X, self.starts]))
        self.search.keep_share(*part)

    def improve(self, search: Search) -> np.ndarray:
        """Return a valid point near the middle of the next box; none where it takes too long to find."""
        middle = search.middle()
        if middle is None:
            return np.empty((0, len(self.question.space.inputs)))
        try:
            return np.asarray(polytope.repair(self.question.space, middle[None])[0])
        except StudyError:
            return np.empty((0, len(middle)))


def _startpoints(question: Question, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return points to begin from (k, d); none where it takes too long to find any."""
    try:
        return startpoints(question, n, rng)
    except StudyError:
        return np.empty((0, len(question.space.inputs)))
