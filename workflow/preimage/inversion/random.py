"""Inverter `random`: points drawn uniformly over the space, the plainest method that can find something new."""

from __future__ import annotations

import numpy as np

from preimage.core import polytope
from preimage.inversion.kinds.random import Random
from preimage.inversion.question import Answer, Question, SearchContext


def invert(question: Question, options: Random, context: SearchContext) -> Answer:
    """Draw `evaluations` points; every one is kept."""
    n = options.evaluations
    X = polytope.sample(question.space, n, context.rng)
    if context.report:
        best = float(np.nanmin(question.merit(X), initial=np.inf))
        context.report(n, question.objective.loss_of_merit(best))
    return Answer(X, [1] * n, ["ok"] * n, [""] * n)
