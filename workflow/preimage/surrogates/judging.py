"""A model on rows that it never saw: held out once, or every row by cross-validation of the whole training.

In nested cross-validation (Varma and Simon 2006, BMC Bioinformatics 7) every step of training, tuning included, is done
again without the rows that judge it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from preimage.data.rows import Rows
from preimage.data.split import folds
from preimage.surrogates import intervals
from preimage.surrogates.protocol import Trained

Train = Callable[[Rows], Trained]


@dataclass(frozen=True)
class Judged:
    """Predictions of rows and the ends of their intervals, (n, m) each, and one trained model with rows that it never
    saw, which may be trained again to learn more."""

    predicted: np.ndarray
    low: np.ndarray
    high: np.ndarray
    model: Trained
    train: Rows
    test: Rows


def held_out(trained: Trained, train: Rows, test: Rows) -> Judged:
    """Judge a model by test rows that were held out."""
    fitted = intervals.fit(train.Y, *trained.out_of_fold)
    predicted = trained.surrogate.predict(test.X)
    return Judged(predicted, *fitted.at(predicted, trained.surrogate.spread(test.X)), trained, train, test)


def cross_validated(train: Train, rows: Rows, count: int, rng: np.random.Generator) -> Judged:
    """Judge a way of training by all rows, each by a model that was trained without its fold."""
    fold = folds(rows.group, count, rng)
    predicted, low, high = (np.empty(rows.Y.shape) for _ in range(3))
    for k in np.unique(fold):
        at = np.flatnonzero(fold == k)
        known = rows.part(np.flatnonzero(fold != k))
        last = held_out(train(known), known, rows.part(at))
        predicted[at], low[at], high[at] = last.predicted, last.low, last.high
    return Judged(predicted, low, high, last.model, last.train, last.test)
