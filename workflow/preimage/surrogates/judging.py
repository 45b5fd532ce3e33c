"""A model on rows that it never saw: held out once, or every row by cross-validation of the whole training.

In nested cross-validation (Varma and Simon 2006, BMC Bioinformatics 7) every step of training, tuning included, is done
again without the rows that judge it. Which rows stand together is chance; repeats in other parts average it out
(Krstajic et al. 2014, Journal of Cheminformatics 6).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from preimage.data.rows import Rows
from preimage.surrogates import intervals
from preimage.surrogates.metrics import coverage, metrics
from preimage.surrogates.protocol import Trained

Train = Callable[[Rows], Trained]


class Said(NamedTuple):
    """Predictions of rows by models that never saw them, and the ends of their intervals, (n, m) each."""

    predicted: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class Judged:
    """What was said of the rows, once or in several repeats, and one trained model with rows that it never saw, which
    may be trained again to learn more."""

    said: Sequence[Said]
    model: Trained
    train: Rows
    test: Rows

    def scores(self, truth: Rows) -> dict[str, dict[str, float | None]]:
        """Return the errors by output (`surrogates.metrics.metrics`), means over the repeats."""
        each = [metrics(truth.Y, said.predicted, truth.outputs) for said in self.said]
        return {o: {name: _mean([e[o][name] for e in each]) for name in each[0][o]} for o in truth.outputs}

    def coverage(self, truth: Rows) -> list[float]:
        """Return the share of rows inside their intervals by output (m,), means over the repeats."""
        return np.mean([coverage(truth.Y, said.low, said.high) for said in self.said], axis=0).tolist()


def held_out(trained: Trained, train: Rows, test: Rows) -> Judged:
    """Judge a model by test rows that were held out."""
    fitted = intervals.fit(train.Y, *trained.out_of_fold)
    predicted = trained.surrogate.predict(test.X)
    said = Said(predicted, *fitted.at(predicted, trained.surrogate.spread(test.X)))
    return Judged([said], trained, train, test)


def cross_validated(
    train: Train, rows: Rows, folds: Sequence[np.ndarray], report: Callable[[int], None] | None = None
) -> Judged:
    """Judge a way of training by all rows, each by a model that was trained without its fold.

    Args:
        folds: for each repeat, the fold of each row (n,).
        report: told how many models are trained so far.
    """
    repeats, done = [], 0
    for fold in folds:
        said = Said(*(np.empty(rows.Y.shape) for _ in range(3)))
        for k in np.unique(fold):
            at = np.flatnonzero(fold == k)
            known = rows.part(np.flatnonzero(fold != k))
            last = held_out(train(known), known, rows.part(at))
            for whole, part in zip(said, last.said[0], strict=True):
                whole[at] = part
            done += 1
            if report:
                report(done)
        repeats.append(said)
    return Judged(repeats, last.model, last.train, last.test)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return float(np.mean(known)) if known else None
