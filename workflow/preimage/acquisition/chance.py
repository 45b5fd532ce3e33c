"""The chance that a new measurement meets an objective, of predictive distributions of its outputs.

The distributions are normal, one for each draw of a process's hyperparameters, and the outputs independent given the
draw. Where a study has models, theirs are better: calibrated and joint (`preimage.evidence.chance`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.special import ndtr

from preimage.acquisition.improvement import log_between
from preimage.acquisition.process import Normal
from preimage.core.objective import Direction, Objective, Values


def of(objective: Objective, at: Mapping[int, Normal], best: float | None = None) -> np.ndarray:
    """Return the chance (n,) that all conditions of an objective are met at once; NaN where it has none.

    Args:
        at: predicted outputs by column: means and standard deviations (n, p).
        best: the smallest loss of the measured rows that count, which a direction is to beat.
    """
    p = np.ones(next(iter(at.values())).mean.shape)
    for limit in objective.limits:
        p = p * np.exp(log_between(limit.low, limit.high, *at[limit.column]))
    if isinstance(objective, Values):
        ends = zip(objective.columns, objective.low, objective.high, objective.margin, strict=True)
        for column, low, high, margin in ends:
            p = p * np.exp(log_between(low - margin, high + margin, *at[column]))
    elif isinstance(objective, Direction) and best is not None:
        weights = objective.sign * objective.goal.low
        parts = [at[c] for c in objective.columns]
        mean = sum(w * part.mean for w, part in zip(weights, parts, strict=True))
        deviation = np.sqrt(sum((w * part.deviation) ** 2 for w, part in zip(weights, parts, strict=True)))
        p = p * ndtr((best - mean) / deviation)
    elif not objective.limits:
        return np.full(len(p), np.nan)
    return np.asarray(p.mean(axis=1))
