"""Ranking by a committee: candidates judged by several kinds of model at once, and only where the data was.

A search drives one model to where it is wrong in the user's favour: the lowest loss of many starts is often false.
Other kinds of model are wrong elsewhere. So a candidate is judged by the surrogate's own members (all together counting
as one), a forest of extra trees (Geurts, Ernst, Wehenkel 2006, Machine Learning 63) and the mean of the nearest
training rows, each weighted by one over its squared validation error: where one judge is much better than the others,
it alone decides, and nothing is lost. Candidates far from all training rows are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from preimage.core.domain import Domain
from preimage.core.formulas import Formulas
from preimage.core.neighbours import Nearest, spread_evenly
from preimage.core.objective import Objective
from preimage.core.space import Space
from preimage.inversion.question import Question
from preimage.trees import standardised

DEFAULTS = {"trees": 200, "neighbours": 10, "domain": 0.9}
# The least error that a judge is taken to have, as a share of an output's standard deviation.
LEAST_ERROR = 1e-9
# Rows that the mean of the nearest is judged on, at most.
JUDGED = 2_000


class Judge(NamedTuple):
    """Models of one kind: `predict` gives the outputs (k, n, m) of its k members at points (n, d); `error` is the mean
    absolute validation error (m,) of their mean."""

    predict: Callable[[np.ndarray], np.ndarray]
    error: np.ndarray

    def with_formulas(self, formulas: Formulas, X: np.ndarray, Y: np.ndarray) -> Judge:
        """Return the judge of outputs and formulas, whose errors follow from those of the outputs to first order: by
        their slopes at rows (n, d) with outputs (n, m)."""
        if not formulas:
            return self
        slopes = np.abs(formulas.slopes(X, Y))
        error = np.concatenate([self.error, (slopes @ self.error).mean(axis=0)])

        def predict(points: np.ndarray) -> np.ndarray:
            extended: np.ndarray = np.array([formulas.extended(points, part) for part in self.predict(points)])
            return extended

        return Judge(predict, error)


@dataclass(frozen=True)
class Committee:
    """Judges with the domain of the training rows; `limit` is the largest domain score that an answer may have."""

    judges: tuple[Judge, ...]
    domain: Domain
    limit: float
    space: Space

    def loss(self, wanted: Objective, X: np.ndarray) -> np.ndarray:
        """Return the weighted mean of the judges' losses (n,) at points (n, d); NaN where one has none.

        For minimize and maximize, where a mean would not see that judges disagree, their weighted standard deviation
        is added.
        """
        losses, weights = [], []
        columns, scale = np.array(wanted.columns), np.array(wanted.scale)
        for judge in self.judges:
            outputs = judge.predict(X)
            losses += [wanted.loss(Y) for Y in outputs]
            # k members that count as one have k times its variance each.
            squared = float(((judge.error[columns] / scale) ** 2).mean()) * len(outputs)
            weights += [1 / squared] * len(outputs)
        share = np.array(weights)[:, None] / np.sum(weights)
        mean: np.ndarray = (share * losses).sum(axis=0)
        if wanted.bounded:
            return mean
        return mean + np.sqrt((share * (np.array(losses) - mean) ** 2).sum(axis=0))

    def outputs(self, X: np.ndarray) -> np.ndarray:
        """Return the weighted mean of the judges' outputs (n, m) at points (n, d), each output by its own errors."""
        weights = np.array([judge.error**-2 for judge in self.judges])
        means = np.array([judge.predict(X).mean(axis=0) for judge in self.judges])
        mean: np.ndarray = (weights[:, None, :] * means).sum(axis=0) / weights.sum(axis=0)
        return mean

    def far(self, X: np.ndarray) -> np.ndarray:
        """Return which points (n, d) lie too far from the training rows (n,); none, where all of them do."""
        score = self.domain.score(self.space.coordinates(X))
        far: np.ndarray = score > self.limit
        return far if not far.all() else np.zeros(len(X), bool)


def assemble(
    model: Any, error: np.ndarray, question: Question, levels: np.ndarray, options: Mapping[str, Any],
    rng: np.random.Generator,
) -> Committee:  # fmt: skip
    """Return the committee of a surrogate.

    Args:
        model: the surrogate; its `members(X)`, (n, k, m), are judges where it has them, its prediction where not.
        error: its mean absolute error on rows that it did not see (m,).
        question: with the space and the training rows.
        levels: how many values each input has where it is a category, 0 where it is a number (d,).
        options: trees, neighbours, domain.
    """
    chosen = {**DEFAULTS, **options}
    X, Y, space = question.X, question.measured, question.space
    rows = space.coordinates(X)

    def own(points: np.ndarray) -> np.ndarray:
        return np.moveaxis(model.members(points), 1, 0) if hasattr(model, "members") else model.predict(points)[None]

    judges = [
        Judge(own, error),
        _extra_trees(X, Y, levels, int(chosen["trees"]), rng),
        _nearest(rows, Y, int(chosen["neighbours"]), space),
    ]
    judges = [judge.with_formulas(question.formulas, X, Y) for judge in judges]
    spread = question.Y.std(axis=0)
    least = LEAST_ERROR * np.where(spread > 0, spread, 1.0)
    bounded = tuple(j._replace(error=np.maximum(j.error, least)) for j in judges)
    return Committee(bounded, Domain(rows, space.one_hot), float(chosen["domain"]), space)


def _extra_trees(X: np.ndarray, Y: np.ndarray, levels: np.ndarray, trees: int, rng: np.random.Generator) -> Judge:
    """Return a forest, judged on the rows that each tree did not see."""
    from sklearn.ensemble import ExtraTreesRegressor

    model = ExtraTreesRegressor(trees, bootstrap=True, oob_score=True, random_state=int(rng.integers(2**31)))
    fitted = standardised.fit(model, X, Y, levels)
    unseen = fitted.outputs.back(model.oob_prediction_.reshape(Y.shape))
    return Judge(lambda points: fitted.forest.predict(points)[None], np.abs(unseen - Y).mean(axis=0))


def _nearest(rows: np.ndarray, Y: np.ndarray, k: int, space: Space) -> Judge:
    """Return the mean of the k nearest rows, of coordinates (n, D), judged at each by its nearest others."""
    nearest = Nearest(rows, Y, min(k, len(rows) - 1), space.one_hot)
    judged = spread_evenly(rows, JUDGED)
    error = np.abs(nearest.of_the_others(judged) - Y[judged]).mean(axis=0)
    return Judge(lambda points: nearest.mean(space.coordinates(points))[None], error)
