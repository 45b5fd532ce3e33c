"""Inverter `hyperopt`: the tree-structured Parzen estimator over the free inputs; every trial is kept.

The estimator looks at nothing but the order of losses: with limits of outputs, what keeps them comes first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from hyperopt import hp

from preimage.core.space import Input, Space
from preimage.inversion.kinds.hyperopt import Hyperopt
from preimage.inversion.question import Answer, Question, SearchContext, repaired
from preimage.support import tpe


def invert(question: Question, options: Hyperopt, context: SearchContext) -> Answer:
    """Run `evaluations` trials; a trial that violates the constraints is repaired first, and its message says so."""
    space, wanted, told = question.space, question.objective, context.report
    if not space.free.any():
        return Answer(space.low[None], [1], ["ok"], ["every input is fixed"])

    def evaluate(values: dict[str, float]) -> float:
        x = _point(space, values)[None]
        return float(question.merit(repaired(space, x)[0] if space.constraints else x)[0])

    report = None if told is None else lambda done, best: told(done, wanted.loss_of_merit(best))
    trials = tpe.search(_expressions(space), evaluate, options.evaluations, context.rng, context.state, report)
    X, message = repaired(space, np.array([_point(space, t.values) for t in trials]))
    return Answer(X, [1] * len(X), ["ok"] * len(X), message)


def _expressions(space: Space) -> dict[str, Any]:
    """Return hyperopt's expression of each free input; labels are positions, as names may be anything."""
    return {str(j): _expression(str(j), i) for j, i in enumerate(space.inputs) if space.free[j]}


def _expression(label: str, i: Input) -> Any:
    if i.categories:
        return hp.choice(label, list(range(len(i.categories))))
    if i.integer:
        return hp.uniformint(label, i.low, i.high)
    return hp.uniform(label, i.low, i.high)


def _point(space: Space, values: Mapping[str, float]) -> np.ndarray:
    x = space.low.copy()
    for label, value in values.items():
        x[int(label)] = value
    return space.codes(np.clip(np.where(space.discrete, np.round(x), x), space.low, space.high)[None])[0]
