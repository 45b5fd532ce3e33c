"""Methods that look for inputs with the wanted outputs, one a module.

A method's module has `invert(question, options, rng, state, report)`, which returns an `Answer`; or `invert_many`, of
questions and their answers, where many at once cost less than each alone. Whatever it proposes is checked against the
space before anyone sees it (`ask`).
"""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from preimage.core import polytope
from preimage.core.kinds import MODULES
from preimage.core.objective import Objective
from preimage.core.space import Space
from preimage.support.errors import StudyError, without_secrets

Report = Callable[..., None]


@dataclass
class Question:
    """What is asked of a method.

    Attributes:
        space: with the objective's fixed inputs pinned.
        predict: outputs (n, m) of points (n, d), by the surrogate or the simulator.
        X, Y: the training rows.
        rows: their row numbers in the source.
        on_simulator: whether `predict` is the simulator.
        gradient: outputs and their derivatives (see `preimage.surrogates.Differentiable`); None where there are none.
        traceable: the prediction for JAX (see `preimage.surrogates.Traceable`); None where there is none.
        resolution: the rounding of the model's numbers, which finite differences must be larger than.
        cancellation: what large terms of both signs lose beside that, as a share of an output's spread.
        trees: the model's arrays where it is made of trees (`preimage.trees.forest.Forest`).
        fit: the fit of a calibration (`preimage.calibration.fit.Fit`), which `predict` is of then.
        errors: what `predict` raised, by point.
    """

    space: Space
    objective: Objective
    predict: Callable[[np.ndarray], np.ndarray]
    X: np.ndarray
    Y: np.ndarray
    rows: np.ndarray
    on_simulator: bool = False
    gradient: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]] | None = None
    traceable: tuple[Callable[[Any, Any], Any], Any] | None = None
    resolution: float = float(np.finfo(float).eps)
    cancellation: float = 0.0
    trees: Any = None
    fit: Any = None
    errors: dict[bytes, str] = field(default_factory=dict)

    def wanting(self, objective: Objective) -> Question:
        """Return the same question with another objective."""
        return replace(self, objective=objective)

    def outputs(self, X: np.ndarray) -> np.ndarray:
        """Return outputs (n, m); NaN at a point where the model raises or gives no finite number."""
        try:
            return self._finite(X, np.asarray(self.predict(X), float))
        except Exception as error:
            if len(X) > 1:
                return np.concatenate([self.outputs(x[None]) for x in X])
            self.errors[X.tobytes()] = without_secrets(f"{type(error).__name__}: {error}")
            return np.full((1, self.Y.shape[1]), np.nan)

    def _finite(self, X: np.ndarray, Y: np.ndarray) -> np.ndarray:
        bad = ~np.isfinite(Y).all(axis=1)
        for x, y in zip(X[bad], Y[bad], strict=True):
            self.errors[x.tobytes()] = f"the model gave {y.tolist()}"
        return np.where(bad[:, None], np.nan, Y)

    def loss(self, X: np.ndarray) -> np.ndarray:
        """Return the objective's loss (n,) at points (n, d); NaN where there is none."""
        return self.objective.loss(self.outputs(X))

    def best_rows(self, n: int) -> np.ndarray:
        """Return the positions of the n training rows inside the space that are nearest to the objective."""
        inside = np.flatnonzero(self.space.contains(self.X))
        order = np.argsort(self.objective.loss(self.Y[inside]), kind="stable")
        return inside[order[:n]]


@dataclass(frozen=True)
class Answer:
    """What a method proposes: one entry a start or trial kept.

    Attributes:
        X: points (n, d); a row of NaN where there is none.
        evaluations: model evaluations spent on each.
        status: see `preimage.core.candidates.STATUSES`.
        message: in the method's words.
        certificate: what is proven of the question (see `preimage.core.certificates`); None where nothing is.
        history: iteration, best loss and its gradient's norm (NaN where unknown), where the method keeps them.
    """

    X: np.ndarray
    evaluations: list[int]
    status: list[str]
    message: list[str]
    certificate: Any = None
    history: Sequence[tuple[int, float, float]] = ()


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
    from preimage.inversion import ordered  # which imports this module

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
