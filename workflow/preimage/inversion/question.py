"""What is asked of a method, what it is given to work with, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from preimage.core import polytope
from preimage.core.formulas import NONE, Formulas
from preimage.core.objective import Draws, Objective
from preimage.core.space import Space
from preimage.support import spending
from preimage.support.errors import without_secrets
from preimage.support.progress import Report


@dataclass
class Question:
    """What is asked of a method.

    Attributes:
        space: with the objective's fixed inputs pinned.
        predict: outputs (n, m) of points (n, d), by the surrogate or the simulator.
        X, Y: the training rows.
        rows: their row numbers in the source.
        on_simulator: whether `predict` is the simulator.
        gradient: outputs and derivatives (see `preimage.surrogates.protocol.Differentiable`); None without.
        traceable: the prediction for JAX (see `preimage.surrogates.protocol.Traceable`); None where there is none.
        resolution: the rounding of the model's numbers, which finite differences must be larger than.
        cancellation: what large terms of both signs lose beside that, as a share of an output's spread.
        trees: the model's arrays where it is made of trees (`preimage.trees.forest.Forest`).
        form: the model's arrays where exact searches can bound it on boxes (`preimage.exact.forms.Form`).
        formulas: the study's formulas, which are the last columns of `predict` and Y; trees and forms know nothing of
            them.
        fit: the fit of a calibration (`preimage.calibration.fit.Fit`), which `predict` is of then.
        without_influence: inputs that neither the model nor a formula takes.
        draws: how inputs vary, where the objective is one with variation (`preimage.core.objective.Varied`).
        errors: what `predict` raised, by point.
        judged: loss and violation of points whose draws were asked for, where inputs vary.
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
    form: Any = None
    formulas: Formulas = NONE
    fit: Any = None
    without_influence: tuple[str, ...] = ()
    draws: Draws | None = None
    errors: dict[bytes, str] = field(default_factory=dict)
    judged: dict[bytes, tuple[float, float]] = field(default_factory=dict)

    @property
    def measured(self) -> np.ndarray:
        """The outputs of the training rows without formulas (n, m)."""
        return self.Y[:, : self.Y.shape[1] - len(self.formulas.each)]

    @property
    def movable(self) -> np.ndarray:
        """Which inputs a search has reason to move (d,): those that are free; where nothing ties inputs to one another,
        only those with an influence."""
        idle = () if self.space.conditions else self.without_influence
        return self.space.free & ~np.isin(self.space.names, list(idle))

    def wanting(self, objective: Objective) -> Question:
        """Return the same question with another objective."""
        return replace(self, objective=objective, judged={})

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
            self.errors[x.tobytes()] = spending.account().why(x) or f"the model gave {y.tolist()}"
        return np.where(bad[:, None], np.nan, Y)

    def loss(self, X: np.ndarray) -> np.ndarray:
        """Return the objective's loss (n,) at points (n, d); NaN where there is none."""
        return self.objective.loss(self.outputs(X))

    def merit(self, X: np.ndarray) -> np.ndarray:
        """Return what a search that sees one number minimises (n,) at points (n, d); NaN where there is none."""
        return self.objective.merit(self.outputs(X))

    def best_rows(self, n: int) -> np.ndarray:
        """Return the positions of the n training rows inside the space that are nearest to the objective, in its order:
        those that keep its limits first."""
        inside = np.flatnonzero(self.space.contains(self.X))
        order = np.argsort(self.objective.ranking(self.Y[inside]), kind="stable")
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


@dataclass(frozen=True)
class SearchContext:
    """What a method is given to work with.

    Attributes:
        rng: all that is random comes from it.
        state: a file where the search keeps what it has found, so that one that was killed goes on.
        report: told the work done so far and the best loss.
        part: the number, from 0, of the part of the work that is to be done, and how many parts there are; None where
            all of it is to be done at once.
    """

    rng: np.random.Generator
    state: Path | None = None
    report: Report | None = None
    part: tuple[int, int] | None = None

    @property
    def share(self) -> tuple[int, int]:
        """The part, where all of the work is the first of one."""
        return self.part or (0, 1)

    def each(self, questions: Sequence[Question], planned: int) -> Iterator[SearchContext]:
        """Yield the context of each question, each of `planned` work."""
        for k, own in enumerate(self.rng.spawn(len(questions))):
            later = partial(_later, self.report, k * planned) if self.report else None
            yield replace(self, rng=own, state=None, report=later)


def _later(report: Report, before: int, done: int, best: float) -> None:
    report(before + done, best)


def repaired(space: Space, X: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Move points (n, d) into the space where they are outside; return them with a message that says so."""
    X, moved = polytope.repair(space, X, quickly=True)
    return X, [f"repaired: moved {m:.3g} of the inputs' ranges to satisfy the constraints" if m else "" for m in moved]
