"""Surrogate `random_forest`, as a study names it."""

from __future__ import annotations

from typing import ClassVar

from preimage.support.frozen import Frozen, Maybe, Number, Whole, option
from preimage.surrogates.base import SurrogateKind


class RandomForestTune(Frozen):
    """Tune by hyperopt, cross-validated on the training rows; overrides `max_depth`, `min_samples_leaf` and
    `max_features`.
    """

    evaluations: Whole = option(30, "Trials.", ge=1, le=100_000)


class RandomForest(SurrogateKind):
    """Random forest (scikit-learn)."""

    kind: ClassVar[str] = "random_forest"
    made_of_trees: ClassVar[bool] = True

    trees: Whole = option(100, "Number of trees.", ge=1, le=10_000)
    max_depth: Maybe[Whole] = option(None, "Maximum depth of a tree; default unlimited.", ge=1)
    min_samples_leaf: Whole = option(1, "Minimum number of training rows in a leaf.", ge=1)
    max_features: Number = option(1, "Share of inputs tried at each split.", gt=0, le=1)
    folds: Whole = option(
        5,
        "Folds of the cross-validation behind the prediction intervals and the scores of tuning trials.",
        ge=2,
        le=100,
    )
    tune: Maybe[RandomForestTune] = option(None)
