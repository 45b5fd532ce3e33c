"""What the benchmarks of inversion share: a trained model of a built-in problem, questions to it, and true losses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from preimage.core import objective
from preimage.core.candidates import inputs_of
from preimage.core.space import Input, Space
from preimage.data.generate import generate
from preimage.data.rows import Rows
from preimage.inversion import asking
from preimage.inversion.base import Inverter
from preimage.inversion.committee import Committee
from preimage.inversion.question import Question
from preimage.inversion.table import frame
from preimage.problems.loading import Problem
from preimage.support.progress import TrainingContext
from preimage.surrogates.base import SurrogateKind
from preimage.surrogates.protocol import Trained

# The studies' defaults, with fewer folds: nothing here is about intervals.
SPECS: dict[str, dict[str, Any]] = {
    "neural_network": {
        "layers": [64, 32, 16], "activation": "selu", "learning_rate": 1e-3, "loss": "mae", "batch": 16,
        "epochs": 2000, "patience": 20, "validation_fraction": 0.1, "members": 5, "folds": 2, "tune": None,
    },
    "gaussian_process": {"kernel": "rbf", "rows": 2000, "hyperparameter_rows": 800, "restarts": 3, "folds": 5},
    "random_forest": {
        "trees": 100, "max_depth": None, "min_samples_leaf": 1, "max_features": 1.0, "folds": 2, "tune": None,
    },
}  # fmt: skip


class World(NamedTuple):
    """A problem, training rows X (n, d) and Y (n, m), the space that they span, and a model of them."""

    problem: Problem
    space: Space
    X: np.ndarray
    Y: np.ndarray
    trained: Trained


def rows(problem: Problem, samples: int, rng: np.random.Generator, noise: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Draw rows (n, d), (n, m) as a study would."""
    space = Space(tuple(Input(n, *ends, n in problem.integers) for n, ends in problem.inputs.items()))
    table = generate(problem, space, samples, rng, noise=noise).table.to_pandas()
    return table[list(problem.inputs)].to_numpy(), table[list(problem.outputs)].to_numpy()


def world(
    problem: Problem, samples: int, kind: str, rng: np.random.Generator, noise: float = 0.0, **more: Any
) -> World:
    """Draw rows and train a model on them."""
    X, Y = rows(problem, samples, rng, noise)
    options = SurrogateKind.of({"kind": kind, **SPECS[kind], **more})
    trained = options.train(Rows.plain(X, Y), rng, TrainingContext(2))
    ends = zip(problem.inputs, X.min(axis=0), X.max(axis=0), strict=True)
    return World(problem, Space(tuple(Input(n, a, b, n in problem.integers) for n, a, b in ends)), X, Y, trained)


def questions(w: World, goals: np.ndarray) -> list[Question]:
    """Return a question a target (targets, m)."""
    outputs = list(w.problem.outputs)
    table = {"t": objective.Targets(outputs, goals)}
    wanted = objective.build_all({"t": {"targets": ""}}, outputs, tables=table)
    model: Any = w.trained.surrogate
    first = Question(
        w.space, wanted["t.0"], model.predict, w.X, w.Y, np.arange(len(w.X)),
        gradient=getattr(model, "gradient", None), traceable=getattr(model, "traceable", lambda: None)(),
    )  # fmt: skip
    return [first.wanting(each) for each in wanted.values()]


def ranked(
    w: World, asked: list[Question], kind: str, options: Mapping[str, Any], rng: np.random.Generator,
    committee: Committee | None = None,
) -> tuple[list[np.ndarray], int]:  # fmt: skip
    """Return the candidates (k, d) of every target, in order of their rank, and the evaluations spent in all."""
    found, spent = [], 0
    answers = asking.ask(Inverter.of({"kind": kind, **options}), asked, rng)
    for question, (answer, predicted) in zip(asked, answers, strict=True):
        table = frame(answer, predicted, question, list(w.problem.outputs), committee)
        spent += int(table["evaluations"].sum())
        table = table[table["rank"].notna()].sort_values("rank")
        found.append(w.space.encode(inputs_of(table, w.space)))
    return found, spent
