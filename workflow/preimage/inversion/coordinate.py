"""Inverter `coordinate`: descent on a forest by exact line searches, from the best training rows and random points."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from preimage.core import polytope
from preimage.inversion.kinds.coordinate import Coordinate
from preimage.inversion.limited_lines import Descent
from preimage.inversion.question import Answer, Question, SearchContext
from preimage.trees.boxes import build_walked
from preimage.trees.line_search import Lines, descend, lines
from preimage.trees.objective import reduce

# Starts that descend at once: fixed, so that results don't depend on cores.
TOGETHER = 64


def invert(question: Question, options: Coordinate, context: SearchContext) -> Answer:
    """Descend from `starts` points; every start is kept. An evaluation is one line searched."""
    rng = context.rng
    descent = _descent(question, lines(question.space, rng))
    starts = startpoints(question, options.starts, rng)
    ends, spent = [], []
    best = np.inf
    for k in range(0, len(starts), TOGETHER):
        X, n = descent(starts[k : k + TOGETHER], rng)
        # Many small steps along a constraint may have left it by their rounding.
        X, _ = polytope.repair(question.space, X)
        ends.append(X)
        spent += n.tolist()
        best = min(best, float(question.loss(X).min()))
        if context.report:
            context.report(len(spent), best)
    X = np.concatenate(ends)
    moved = question.space.apart(X, starts)
    message = [
        f"{n} lines; moved {m:.3g} of an input's range"
        for n, m in zip(spent, moved.max(axis=1, initial=0.0), strict=True)
    ]
    return Answer(X, spent, ["ok"] * len(X), message)


def _descent(question: Question, directions: Lines) -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """Return the descent of points (n, d), given random numbers: compiled where the loss is of the trees alone."""
    trees, wanted = question.trees, question.objective
    if wanted.limits or max(wanted.columns) >= trees.values.shape[1]:
        return Descent(question, directions).descend
    sought, channels = reduce(wanted, trees)
    return partial(descend, *build_walked(trees, question.space, channels), sought, question.space, directions)


def startpoints(question: Question, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return n starts (n, d): the better half training rows nearest to the objective, the others uniform."""
    rows = question.X[question.best_rows((n + 1) // 2)]
    return np.concatenate([rows, polytope.sample(question.space, n - len(rows), rng)])
