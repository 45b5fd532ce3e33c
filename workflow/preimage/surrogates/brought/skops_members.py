"""The models that a model of scikit-learn is the mean of: itself, or those of a VotingRegressor or a BaggingRegressor,
with the steps that stand before each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from preimage.surrogates.brought.skops_scalers import inverse
from preimage.surrogates.brought.supported import BAGGING, VOTING


class Member(NamedTuple):
    """A model, and what it is to the whole.

    Attributes:
        share: its weight in the mean.
        steps: what stands before it, the first first.
        factor, shift: of its outputs, before they are averaged.
    """

    model: Any
    share: float
    steps: tuple[Any, ...]
    factor: np.ndarray
    shift: np.ndarray


class Some:
    """The step that gives a model of a BaggingRegressor its own columns."""

    def __init__(self, columns: Sequence[int]) -> None:
        self.columns = np.asarray(columns, int)

    def transform(self, X: Any) -> np.ndarray:
        return np.asarray(X)[:, self.columns]


def members(model: Any) -> list[Member]:
    """Return the models that a fitted model is the mean of. Raises StudyError, by name, for what has no bounds."""
    return list(_within(Member(model, 1.0, (), np.ones(1), np.zeros(1))))


def _within(member: Member) -> Iterator[Member]:
    model, name = member.model, type(member.model).__name__
    if name == "Pipeline":
        steps = tuple(step for _, step in model.steps[:-1])
        yield from _within(member._replace(model=model.steps[-1][1], steps=(*member.steps, *steps)))
    elif name == "TransformedTargetRegressor":
        factor, shift = inverse(model.transformer_)
        yield from _within(
            member._replace(
                model=model.regressor_, factor=member.factor * factor, shift=member.factor * shift + member.shift
            )
        )
    elif name == VOTING:
        count = len(model.estimators_)
        weights = np.ones(count) if model.weights is None else np.asarray(model._weights_not_none, float)
        for own, share in zip(model.estimators_, (weights / weights.sum()).tolist(), strict=True):
            yield from _within(member._replace(model=own, share=member.share * share))
    elif name == BAGGING:
        share = member.share / len(model.estimators_)
        for own, columns in zip(model.estimators_, model.estimators_features_, strict=True):
            yield from _within(member._replace(model=own, share=share, steps=(*member.steps, Some(columns))))
    else:
        yield member
