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
        return float(question.merit(repaired(space, x)[0] if space.restricted else x)[0])

    report = None if told is None else lambda done, best: told(done, wanted.loss_of_merit(best))
    trials = tpe.search(_expressions(space), evaluate, options.evaluations, context.rng, context.state, report)
    X, message = repaired(space, np.array([_point(space, t.values) for t in trials]))
    return Answer(X, [1] * len(X), ["ok"] * len(X), message)


def _expressions(space: Space) -> dict[str, Any]:
    """Return hyperopt's expression of each free input; labels are positions, as names may be anything.

    An input that may be 0, or is counted by a value, is that or another one, which is a choice of its own.
    """
    at = _references(space)
    found = {}
    for j in np.flatnonzero(space.free).tolist():
        other = _expression(str(j), space.inputs[j], at.get(j))
        found[str(j)] = hp.choice(f"{j}?", [at[j], other]) if j in at else other
    return found


def _references(space: Space) -> dict[int, float]:
    """Return by position the value of each free input that is a choice of its own."""
    found = dict.fromkeys(np.flatnonzero(space.gapped).tolist(), 0.0)
    for count in space.counts:
        if count.most < len(count.inputs):
            found |= {j: r for j, r in zip(space.at(count), count.reference, strict=True) if space.inputs[j].allows(r)}
    return {j: r for j, r in found.items() if space.free[j] and not space.categorical[j]}


def _expression(label: str, i: Input, reference: float | None) -> Any:
    if i.categories:
        return hp.choice(label, list(range(len(i.categories))))
    if i.values:
        return hp.uniformint(label, 0, len(i.allowed) - 1)
    low = i.least if i.gapped and reference == 0 else i.low
    return hp.uniformint(label, low, i.high) if i.integer else hp.uniform(label, low, i.high)


def _point(space: Space, values: Mapping[str, float]) -> np.ndarray:
    x = space.low.copy()
    for j, reference in _references(space).items():
        x[j] = reference
    for label, value in values.items():
        if not label.endswith("?"):
            i = space.inputs[int(label)]
            x[int(label)] = i.allowed[int(value)] if i.values else value
    return space.codes(space.rounded(x)[None])[0]
