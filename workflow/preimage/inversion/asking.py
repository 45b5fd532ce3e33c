"""Questions put to a method: whatever it proposes is checked against the space before anyone sees it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from preimage.core.objective import Varied
from preimage.inversion import counterfactual, ordered, varied
from preimage.inversion.base import Inverter
from preimage.inversion.logarithmic import Logarithms
from preimage.inversion.question import Answer, Question, SearchContext
from preimage.support.errors import StudyError
from preimage.support.progress import Report


def ask(
    inverter: Inverter,
    questions: Sequence[Question],
    rng: np.random.Generator,
    state: Path | None = None,
    report: Report | None = None,
) -> list[tuple[Answer, np.ndarray]]:
    """Put questions to a method; return its answer to each and the predicted outputs (n, m).

    Args:
        questions: they differ in nothing but the values that their objectives want.

    Raises RuntimeError where a method proposes a point outside the space: that is a fault of ours, not of the input;
    StudyError where every start failed.
    """
    asked = propose(inverter, questions, SearchContext(rng, state, report))
    refuse_failed(inverter.kind, asked)
    return asked


def propose(
    inverter: Inverter, questions: Sequence[Question], context: SearchContext
) -> list[tuple[Answer, np.ndarray]]:
    """Put questions to a method as `ask` does, though every start may fail: of a part of them that says little."""
    if isinstance(questions[0].objective, Varied) and not inverter.baseline:
        searched = [varied.searched(q, inverter.follows_slopes) for q in questions]
        answers = [varied.spent(q, a) for q, a in zip(questions, _answers(inverter, searched, context), strict=True)]
    else:
        answers = _answers(inverter, questions, context)
    return [_checked(inverter.kind, q, answer) for q, answer in zip(questions, answers, strict=True)]


def _answers(inverter: Inverter, questions: Sequence[Question], context: SearchContext) -> list[Answer]:
    """Return a method's answers, which has seen the inputs in an order that is not the table's."""
    order = ordered.of(questions[0])
    logarithms = Logarithms.of(getattr(questions[0].fit, "logarithmic", ()), questions[0].space)
    if logarithms:  # of fits, whose parameters have no other order
        answers = inverter.invert_many([logarithms.put(q) for q in questions], context)
        return [replace(a, X=logarithms.undone(a.X)) for a in answers]
    invert = inverter.invert_many
    if questions[0].objective.near and not (inverter.needs_trees or inverter.needs_bounds):
        invert = partial(counterfactual.invert_many, inverter)
    if (order == np.arange(len(order))).all():
        return invert(questions, context)
    asked = [ordered.put(q, order) for q in questions]
    back = np.argsort(order)
    return [replace(a, X=a.X[:, back]) for a in invert(asked, context)]


def refuse_failed(kind: str, asked: Sequence[tuple[Answer, np.ndarray]]) -> None:
    """Raise StudyError where every start failed."""
    if all(status == "failed" for answer, _ in asked for status in answer.status):
        said = Counter(m for answer, _ in asked for m in answer.message)
        reasons = "; ".join(f"{m} ({n} times)" for m, n in said.items())
        raise StudyError(f"{kind}: every start failed: {reasons}")


def _checked(kind: str, question: Question, answer: Answer) -> tuple[Answer, np.ndarray]:
    valid = ~np.isnan(answer.X).any(axis=1)
    if (outside := question.space.violation(answer.X[valid])).any():
        raise RuntimeError(f"{kind} proposed a point outside the space (violation {outside.max():g})")
    Y = np.full((len(answer.X), question.Y.shape[1]), np.nan)
    if valid.any():
        Y[valid] = question.outputs(answer.X[valid])
    status, message = list(answer.status), list(answer.message)
    for k in np.flatnonzero(valid & np.isnan(Y).any(axis=1)):
        status[k], message[k] = "failed", question.errors.get(answer.X[k : k + 1].tobytes(), "no finite output")
    return replace(answer, status=status, message=message), Y
