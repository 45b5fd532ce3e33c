"""Limits of outputs for the batched engine: rounds of unconstrained searches, between which multipliers learn what each
limit costs (the method of multipliers: Nocedal and Wright 2006, Numerical Optimization, algorithm 17.4).

Losses resolve a limit no finer than the root of their rounding: scipy's SLSQP takes what is left from there
(`preimage.inversion.multistart`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from preimage.inversion import batched, ending, traced
from preimage.inversion.descents import Ends
from preimage.inversion.question import Question
from preimage.inversion.traced import Pull
from preimage.support.progress import Report

MOST_ROUNDS = 12
# Weight of a squared violation beside a typical loss, in units of the limit's scale; times `HEAVIER` where a round has
# not brought the violation down to a quarter.
FIRST_WEIGHT, HEAVIER, QUARTER, HEAVIEST = 10.0, 10.0, 0.25, 1e4


def descend(
    questions: Sequence[Question],
    owner: np.ndarray,
    X0: np.ndarray,
    movable: np.ndarray,
    units: Sequence[float],
    report: Report | None = None,
) -> Ends:
    """Search from every start (n, d) as `batched.descend` does, in rounds until limits are kept and their multipliers
    settle, or a round moves nothing."""
    pull = traced.searches(questions, owner, X0, units, weight=FIRST_WEIGHT).pull
    assert pull is not None
    slack = np.array([limit.slack / limit.scale for limit in questions[0].objective.limits])
    X, spent, active = X0.copy(), np.zeros(len(X0), int), np.arange(len(X0))
    status, message, rounds = ["ok"] * len(X0), [""] * len(X0), np.zeros(len(X0), int)
    before = np.full(len(X0), np.inf)
    for turn in range(MOST_ROUNDS):
        part = Pull(*(values[active] for values in pull))
        ends = batched.descend(questions, owner[active], X[active], movable, units, None if turn else report, part)
        moved = (X[active] != ends.X).any(axis=1)
        X[active] = ends.X
        spent[active] += ends.evaluations + 1
        rounds[active] += 1
        for k, said, why in zip(active, ends.status, ends.message, strict=True):
            status[k], message[k] = said, f"{why}, round {rounds[k]}"
        left, part = _learned(questions[0], ends.X, part)
        for values, new in zip(pull, part, strict=True):
            values[active] = new
        slow = left > QUARTER * before[active]
        pull.weight[active[slow]] = np.minimum(pull.weight[active[slow]] * HEAVIER, HEAVIEST)
        before[active] = left
        active = active[moved & ~(left <= slack.min())]
        if not len(active):
            break
    loss, violation = ending.measured(questions, owner, X)
    return Ends(X, loss, spent, status, message, violation=violation)


def _learned(question: Question, X: np.ndarray, pull: Pull) -> tuple[np.ndarray, Pull]:
    """Return how far points (n, d) are from keeping each limit, or its multiplier from being 0 beside it, at most (n,),
    and the multipliers that the points suggest."""
    Y = question.outputs(X)[:, [limit.column for limit in question.objective.limits]]
    each = [np.abs(np.maximum(over, -multiplier / pull.weight[:, None])) for over, multiplier in pull.ends(Y)]
    return np.concatenate(each, axis=1).max(axis=1), pull.learned(Y)
