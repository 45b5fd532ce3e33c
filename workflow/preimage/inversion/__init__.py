"""Methods that look for inputs with the wanted outputs, one a module.

A method's module has `invert(question, options, rng, state, report)`, which returns an `Answer`; or `invert_many`, of
questions and their answers, where many at once cost less than each alone. Whatever it proposes is checked against the
space before anyone sees it (`ask`).
"""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from preimage.core import polytope
from preimage.core.kinds import MODULES
from preimage.core.space import Space
from preimage.inversion import ordered
from preimage.inversion.question import Answer, Question, Report
from preimage.support.errors import StudyError

__all__ = ["Answer", "Question", "Report", "ask", "planned", "propose", "refuse_failed", "repaired"]


def ask(
    kind: str,
    questions: Sequence[Question],
    options: Mapping[str, Any],
    rng: np.random.Generator,
    state: Path | None = None,
    report: Report | None = None,
) -> list[tuple[Answer, np.ndarray]]:
    """Put questions to a method; return its answer to each and the predicted outputs (n, m).

    Args:
        questions: they differ in nothing but the values that their objectives want. A method that has `invert_many`
            gets them all at once.

    Raises RuntimeError where a method proposes a point outside the space: that is a fault of ours, not of the input;
    StudyError where every start failed.
    """
    asked = propose(kind, questions, options, rng, state, report)
    refuse_failed(kind, asked)
    return asked


def propose(
    kind: str,
    questions: Sequence[Question],
    options: Mapping[str, Any],
    rng: np.random.Generator,
    state: Path | None = None,
    report: Report | None = None,
) -> list[tuple[Answer, np.ndarray]]:
    """Put questions to a method as `ask` does, though every start may fail: of a part of them (`options["part"]`, its
    number from 0 and how many there are) that says little."""
    order = ordered.of(questions[0])
    if (order == np.arange(len(order))).all():
        answers = _answers(kind, questions, options, rng, state, report)
    else:
        asked = [ordered.put(q, order) for q in questions]
        back = np.argsort(order)
        answers = [replace(a, X=a.X[:, back]) for a in _answers(kind, asked, options, rng, state, report)]
    return [_checked(kind, q, answer) for q, answer in zip(questions, answers, strict=True)]


def _answers(
    kind: str,
    questions: Sequence[Question],
    options: Mapping[str, Any],
    rng: np.random.Generator,
    state: Path | None,
    report: Report | None,
) -> list[Answer]:
    module = importlib.import_module(f"preimage.inversion.{MODULES[kind]}")
    if hasattr(module, "invert_many"):
        found: list[Answer] = module.invert_many(questions, options, rng, state, report)
        return found
    if len(questions) == 1:
        return [module.invert(questions[0], options, rng, state, report)]
    answers = []
    for k, (question, own) in enumerate(zip(questions, rng.spawn(len(questions)), strict=True)):
        later = partial(_later, report, k * planned(options)) if report else None
        answers.append(module.invert(question, options, own, None, later))
    return answers


def refuse_failed(kind: str, asked: Sequence[tuple[Answer, np.ndarray]]) -> None:
    """Raise StudyError where every start failed."""
    if all(status == "failed" for answer, _ in asked for status in answer.status):
        said = Counter(m for answer, _ in asked for m in answer.message)
        reasons = "; ".join(f"{m} ({n} times)" for m, n in said.items())
        raise StudyError(f"{kind}: every start failed: {reasons}")


def planned(options: Mapping[str, Any]) -> int:
    """Return how many evaluations, boxes or starts a method is to do for a question, for a progress bar."""
    return int(options.get("evaluations") or options.get("boxes") or options.get("starts") or 1)


def _later(report: Report, before: int, done: int, best: float) -> None:
    report(before + done, best)


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


def repaired(space: Space, X: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Move points (n, d) into the space where they are outside; return them with a message that says so."""
    X, moved = polytope.repair(space, X)
    return X, [f"repaired: moved {m:.3g} of the inputs' ranges to satisfy the constraints" if m else "" for m in moved]
