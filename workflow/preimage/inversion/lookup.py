"""Inverter `lookup`: the training rows whose measured outputs are nearest to the objective, those that keep its limits
first.

It costs nothing and its answer has been seen to work once: the baseline that every other method must beat.
"""

from __future__ import annotations

import numpy as np

from preimage.core.objective import Pareto
from preimage.core.objective.reference import DISTANCE
from preimage.inversion.kinds.lookup import Lookup
from preimage.inversion.question import Answer, Question, SearchContext
from preimage.support import digits


def invert(question: Question, options: Lookup, context: SearchContext) -> Answer:
    """Return the nearest `rows` inside bounds and constraints; none, with a status, where there is no such row."""
    best = question.best_rows(options.rows)
    if isinstance(question.objective, Pareto):
        best = question.best_rows(len(question.X))
        best = best[question.objective.best(question.Y[best])]
    if not len(best):
        nothing = np.full((1, len(question.space.inputs)), np.nan)
        return Answer(nothing, [0], ["no_answer"], ["no training row satisfies the bounds and constraints"])
    wanted = question.objective
    of_rows = [c for o, c in zip(wanted.outputs, wanted.columns, strict=True) if o != DISTANCE]
    columns = list(dict.fromkeys([*of_rows, *(limit.column for limit in wanted.limits)]))
    steps = [digits.step(float(np.ptp(question.Y[:, c]))) for c in columns]
    measured = [", ".join(map(digits.plain, question.Y[k, columns], steps)) for k in best]
    message = [f"row {question.rows[k]} of the data, measured {m}" for k, m in zip(best, measured, strict=True)]
    return Answer(question.X[best], [0] * len(best), ["ok"] * len(best), message)
