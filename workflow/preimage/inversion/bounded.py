"""What an exact search takes of a question's model, and where it gets points from: of trees, or of a form that can be
bounded on boxes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Protocol

import numpy as np

from preimage.core import polytope
from preimage.core.objective.reference import Reference
from preimage.core.space import Space
from preimage.exact import bounding
from preimage.exact.linked_trees import LinkedTrees
from preimage.exact.model import BoxModel, Side
from preimage.exact.tree_model import TreeModel
from preimage.inversion import counterfactual, descents, ending, multistart
from preimage.inversion.coordinate import startpoints
from preimage.inversion.kinds.multistart import Multistart
from preimage.inversion.question import Question, SearchContext
from preimage.inversion.shrinking import shrunk
from preimage.support.errors import StudyError
from preimage.trees.objective import largest_outputs

Distance = Callable[[np.ndarray], np.ndarray]
# How far to go from an end that keeps off limits towards one on them.
TOWARDS_LIMITS = (*(1 - 0.25 ** np.arange(1, 9)), 1.0)


class Bounded(Protocol):
    """A question's model.

    Attributes:
        reach: how large each of its outputs may be, (m,).
    """

    @property
    def reach(self) -> np.ndarray: ...

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return its outputs (n, m) at points (n, d)."""

    def boxes(self, space: Space, sides: Sequence[Side]) -> BoxModel:
        """Return it as a model of boxes of a space."""

    def starts(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Return points to begin from (k, d); none where it takes too long to find any."""

    def nearer(self, near: Reference, distance: Distance, X: np.ndarray) -> np.ndarray:
        """Return the nearest of points (n, d) with their changes of a reference made smaller (k, d).

        Args:
            distance: to the reference at points (n, d); infinite where the objective is not met.
        """

    def descended(self, X: np.ndarray) -> np.ndarray:
        """Return valid points (n, d) where a local search from these ends."""


def of(question: Question) -> Bounded:
    """Return a question's model as exact searches take it."""
    if question.trees is not None:
        return Trees(question)
    return Stepped(question) if isinstance(question.form, LinkedTrees) else Smooth(question)


class Trees:
    """A model made of trees."""

    def __init__(self, question: Question) -> None:
        self.question, self.forest = question, question.trees

    @cached_property
    def reach(self) -> np.ndarray:
        """How large each output may be, (m,)."""
        return largest_outputs(self.forest, range(self.forest.values.shape[1]))

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the outputs (n, m) at points (n, d)."""
        return np.asarray(self.forest.predict(X))

    def boxes(self, space: Space, sides: Sequence[Side]) -> TreeModel:
        """Return the trees on boxes of a space."""
        return TreeModel(self.forest, space, sides)

    def starts(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Return rows and points of the space to begin from (k, d)."""
        return _points(lambda: startpoints(self.question, n, rng), self.question)

    def nearer(self, near: Reference, distance: Distance, X: np.ndarray) -> np.ndarray:
        """Return the nearest of points (n, d) with their changes of a reference made smaller."""
        space = self.question.space
        return shrunk(near, space, self.boxes(space, ()).grid, distance, X)

    def descended(self, X: np.ndarray) -> np.ndarray:
        """Return the points themselves: trees have no slope to follow."""
        return X


class Smooth:
    """A model with a form that can be bounded on boxes, and slopes."""

    def __init__(self, question: Question) -> None:
        self.question, self.form = question, question.form
        self.form.check()

    @cached_property
    def reach(self) -> np.ndarray:
        """How large each output may be, (m,)."""
        return bounding.reach(self.form, self.question.space)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the outputs (n, m) at points (n, d)."""
        return np.asarray(self.question.predict(X)[:, : self.question.measured.shape[1]])

    def boxes(self, space: Space, sides: Sequence[Side]) -> BoxModel:
        """Return the model on boxes of a space."""
        return bounding.box_model(self.form, space, sides, self.predict)

    def starts(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Return where local searches end (k, d)."""
        return _points(lambda: self._searched(n, rng), self.question)

    def nearer(self, near: Reference, distance: Distance, X: np.ndarray) -> np.ndarray:
        """Return nothing: the local searches have made changes small."""
        return np.empty((0, X.shape[1]))

    def _searched(self, n: int, rng: np.random.Generator) -> np.ndarray:
        search, context = Multistart(starts=n), SearchContext(rng)
        if getattr(self.question.objective, "near", None):
            (answer,) = counterfactual.invert_many(search, [self.question], context)
        else:
            (answer,) = multistart.invert_many([self.question], search, context)
        return answer.X[~np.isnan(answer.X).any(axis=1)]

    def descended(self, X: np.ndarray) -> np.ndarray:
        """Return where local searches from points end, whole numbers and categories held."""
        asked = self.question
        movable = asked.space.free & ~asked.space.stepwise
        if not movable.any() or getattr(asked.objective, "near", None):
            return X
        own, options = np.zeros(len(X), int), Multistart()
        ends = descents.descend([asked.wanting(ending.narrowed(asked))], own, X, movable, options).X
        if asked.objective.limits:
            # Those ends keep off limits by what rounding may make of them, which may be more than a proof leaves open.
            beyond = descents.descend([asked], own, ends, movable, options).X
            ends = np.concatenate([ends, *(ends + share * (beyond - ends) for share in TOWARDS_LIMITS)])
        return np.concatenate([X, _points(lambda: polytope.repair(asked.space, ends)[0], asked)])


class Stepped(Smooth):
    """A model with a form that can be bounded on boxes, whose values are steps: it has no slope to follow."""

    def starts(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Return rows and points of the space to begin from (k, d)."""
        return _points(lambda: startpoints(self.question, n, rng), self.question)

    def descended(self, X: np.ndarray) -> np.ndarray:
        """Return the points themselves."""
        return X


def _points(find: Callable[[], np.ndarray], question: Question) -> np.ndarray:
    """Return the points (k, d) that are found; none where it takes too long to find any."""
    try:
        return find()
    except StudyError:
        return np.empty((0, len(question.space.inputs)))
