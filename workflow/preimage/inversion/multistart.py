"""Inverter `multistart`: local search from many starts, by scipy one at a time or by a batched engine all at once.

A local search moves numbers. Inputs that take whole values are rounded where it ends, and the others search again from
there with those held, so that they fit the rounded values; a category stays what it was at the start. Or every
combination of these values is searched from every start (`discrete: enumerate`), and the best one kept.

On a step function, a forest say, finite differences are 0 and no start moves: the message of each start says how far it
came, and only a start that meets the objective where it is counts as `ok` (`preimage.inversion.ending`).
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from preimage.core import polytope
from preimage.core.sentences import UNMOVED
from preimage.core.space import Space
from preimage.inversion import descents, ending, epsilon, pieced
from preimage.inversion.descents import NOTHING_TO_MOVE, Ends
from preimage.inversion.kinds.multistart import Multistart
from preimage.inversion.question import Answer, Question, SearchContext, repaired
from preimage.support.errors import StudyError
from preimage.support.progress import Report

MOST_COMBINATIONS = 1000


def invert_many(questions: Sequence[Question], options: Multistart, context: SearchContext) -> list[Answer]:
    """Search for every question from `starts` points; every start is kept, one that fails with its reason.

    A trade-off is answered by such searches for single points of its front.
    """
    if questions[0].objective.front:
        return [_front(q, options, context) for q in questions]
    questions = [q.wanting(ending.narrowed(q)) for q in questions]
    n, report = options.starts, context.report
    part, parts = context.share
    mine = np.array_split(np.arange(n), parts)[part]
    found = [_starts(q, n, mine, options, context.rng) for q in questions]
    X0 = np.concatenate([X for X, _ in found])
    owner = np.repeat(np.arange(len(questions)), len(mine))
    search = partial(_search, options)
    space = questions[0].space
    way = _enumerated if options.discrete == "enumerate" else _rounded
    ends = ending.within_limits(questions, owner, way(space, questions, owner, X0, search, report), X0)

    def again(owner: np.ndarray, X: np.ndarray) -> Ends:
        return ending.within_limits(questions, owner, _rounded(space, questions, owner, X, search, None), X)

    ends = pieced.hopped(questions, owner, ends, again)
    ends = ends._replace(evaluations=ends.evaluations + found[0][1])
    if questions[0].fit is not None and parts == 1:
        ends = importlib.import_module("preimage.calibration.engine").settled(questions[0], ends)
    return [_answer(space, X0[owner == k], ends.at(np.flatnonzero(owner == k))) for k in range(len(questions))]


def _search(
    options: Multistart,
    questions: Sequence[Question],
    owner: np.ndarray,
    X0: np.ndarray,
    movable: np.ndarray,
    report: Report | None,
) -> Ends:
    """Search from every start (n, d), each for the question that `owner` (n,) names, until it has ended."""
    if options.engine == "batched" and questions[0].fit is not None:
        # Picked at run time, so that a change in it reruns only fits.
        engine = importlib.import_module("preimage.calibration.engine")
        return engine.descend(questions[0], X0, movable, options.steps, report)
    limited = bool(questions[0].objective.limits)

    def once(owner: np.ndarray, X: np.ndarray, first: bool) -> Ends:
        told = report if first else None
        if options.engine == "batched" and (first or not limited):
            from preimage.inversion import augmented, batched

            engine = augmented if limited else batched
            return engine.descend(questions, owner, X, movable, [typical_loss(q) for q in questions], told)
        return descents.descend(questions, owner, X, movable, options, told)

    return ending.until_ended(questions, owner, X0, movable, descents.way_of(questions[0], options), once)


def _front(question: Question, options: Multistart, context: SearchContext) -> Answer:
    """Search for `points` points of a front, one after the other, each from `starts` points."""

    def search(some: Sequence[Question]) -> list[Answer]:
        return invert_many(some, options, replace(context, report=None))

    def report(points: int, best: float) -> None:
        if context.report:
            context.report(options.starts * points // options.points, best)

    return epsilon.front(question, options.points, search, report)


def _starts(
    question: Question, n: int, mine: np.ndarray, options: Multistart, rng: np.random.Generator
) -> tuple[np.ndarray, int]:
    """Return those of n starts (n, d) that are of this part of the search, and the evaluations that each has cost."""
    if question.fit is not None and options.engine == "batched" and not options.start_from:
        engine = importlib.import_module("preimage.calibration.engine")
        X, spent = engine.starts(question, n, mine, options.steps, rng)
        return X, spent
    return startpoints(question, n, options.start_from, rng)[mine], 0


def startpoints(question: Question, n: int, start_from: str | None, rng: np.random.Generator) -> np.ndarray:
    """Return n starts (n, d): training rows nearest to the objective, filled up or replaced by points of the space."""
    design = question.fit is not None and not start_from
    start_from = start_from or ("latin_hypercube" if question.on_simulator else "best_rows")
    if start_from != "best_rows":
        if design:
            X = importlib.import_module("preimage.calibration.starts").design(question.space, n, rng, question.fit.logs)
        else:
            X = polytope.sample(question.space, n, rng, start_from)
        if question.fit is not None and question.space.contains(question.fit.start[None])[0]:
            X[0] = question.fit.start
        return X
    rows = _near_rows(question, n) if not question.space.plain else question.X[question.best_rows(n)]
    if len(rows) == n:
        return rows
    return np.concatenate([rows, polytope.sample(question.space, n - len(rows), rng, "latin_hypercube")])


def _near_rows(question: Question, n: int) -> np.ndarray:
    """Return starts (k, d) near the training rows that rank first, of a space that few rows are in as they are: half of
    n at most, as the others are to begin in pieces of their own."""
    order = np.argsort(question.objective.merit(question.Y), kind="stable")[:n]
    rows = polytope.near(question.space, question.X[order])
    _, first = np.unique(rows, axis=0, return_index=True)
    return rows[np.sort(first)][: -(-n // 2)]


def typical_loss(question: Question) -> float:
    """Return the size of the training rows' losses, which keeps numbers near 1: their interquartile range, that no
    single row decides; 1 where it is 0."""
    if question.fit is not None:
        return 1.0  # losses of random parameters say nothing of the scale of good ones
    loss = question.objective.loss(question.Y)
    spread = float(np.subtract(*np.quantile(loss, [0.75, 0.25]))) if len(loss) else 0.0
    return spread if np.isfinite(spread) and spread > 0 else 1.0


def together(question: Question, options: Multistart, answers: Sequence[Answer]) -> Answer:
    """Return the answer that the parts of a search make: their starts, one after the other."""
    X = np.concatenate([a.X for a in answers])
    spent, status, message, history = (
        [v for a in answers for v in getattr(a, name)] for name in ("evaluations", "status", "message", "history")
    )
    if question.fit is not None:
        engine = importlib.import_module("preimage.calibration.engine")
        ends = engine.settled(question, Ends(X, question.loss(X), np.array(spent), status, message))
        status, message = ends.status, ends.message
    return Answer(X, spent, status, message, history=history)


# -- integers and categories -------------------------------------------------------------------------------------------


def _rounded(
    space: Space, questions: Sequence[Question], owner: np.ndarray, X0: np.ndarray, search: Any, report: Report | None
) -> Ends:
    """Search with integers as numbers, round them, and search again with them held."""
    movable = questions[0].movable & ~space.categorical
    ends = _moved(space, questions, owner, X0, movable, search, report)
    again = movable & ~space.stepwise
    if not again.any() or again.sum() == movable.sum():
        return ends
    second = _moved(space, questions, owner, ends.X, again, search, None)
    spent = ends.evaluations + second.evaluations
    failed = [a == "failed" for a in second.status]
    message = [
        a if bad else f"{a}; then with whole numbers held {b}"
        for a, b, bad in zip(ends.message, second.message, failed, strict=True)
    ]
    return second._replace(evaluations=spent, message=message)


def _enumerated(
    space: Space, questions: Sequence[Question], owner: np.ndarray, X0: np.ndarray, search: Any, report: Report | None
) -> Ends:
    """Search from every start for every combination of whole values; keep each start's best."""
    free = questions[0].movable
    which = np.flatnonzero(free & space.stepwise)
    values = combinations(space, which)
    X = np.repeat(X0, len(values), axis=0)
    X[:, which] = np.tile(values, (len(X0), 1))
    X = X if space.plain else repaired(space, X)[0]
    movable = free & ~space.stepwise
    ends = _moved(space, questions, np.repeat(owner, len(values)), X, movable, search, report)
    loss = np.where(np.isfinite(ends.loss), ends.loss, np.inf)
    place = np.argsort(np.lexsort((loss, ends.missed))).reshape(len(X0), -1)
    best = ends.at(np.arange(len(X0)) * len(values) + place.argmin(axis=1))
    message = [f"best of {len(values)} combinations; {m}" if len(values) > 1 else m for m in best.message]
    return best._replace(evaluations=ends.evaluations.reshape(len(X0), -1).sum(axis=1), message=message)


def combinations(space: Space, which: np.ndarray) -> np.ndarray:
    """Return every combination of whole values of the inputs at these positions (c, k). Raises StudyError for over
    1,000 of them."""
    inputs = [space.inputs[j] for j in which]
    values = [i.allowed if i.values else np.arange(i.lower, i.upper + 1) for i in inputs]
    if (count := float(np.prod([float(len(v)) for v in values]))) > MOST_COMBINATIONS:
        names = ", ".join(space.names[k] for k in which)
        raise StudyError(f"discrete: enumerate: found {count:.6g} combinations of {names}, expected at most "
                         f"{MOST_COMBINATIONS}; use round")  # fmt: skip
    return np.array(list(product(*values)), float)


def _moved(
    space: Space,
    questions: Sequence[Question],
    owner: np.ndarray,
    X0: np.ndarray,
    movable: np.ndarray,
    search: Any,
    report: Report | None,
) -> Ends:
    """Search, and move what ended outside the constraints, or between whole numbers, into the space."""
    asked, whose = pieced.in_pieces(questions, owner, X0)
    if movable.any():
        ends = search(asked, whose, X0, movable, report)
    else:
        ends = Ends(X0, np.full(len(X0), np.nan), np.ones(len(X0), int), ["ok"] * len(X0), [NOTHING_TO_MOVE] * len(X0))
    X, notes = repaired(space, ends.X if space.plain else pieced.moved_back(asked, whose, ends.X))
    loss, missed = ends.loss.copy(), ends.missed.copy()
    stale = np.flatnonzero((ends.X != X).any(axis=1) | np.isnan(loss) & np.array([s == "ok" for s in ends.status]))
    for k in np.unique(owner[stale]):
        mine = stale[owner[stale] == k]
        loss[mine], missed[mine] = ending.measured(questions, owner[mine], X[mine])
    message = ["; ".join(filter(None, [m, note])) for m, note in zip(ends.message, notes, strict=True)]
    return ends._replace(X=X, loss=loss, message=message, violation=missed)


def _answer(space: Space, X0: np.ndarray, ends: Ends) -> Answer:
    moved = np.abs((ends.X - X0) / space.width).max(axis=1)
    message = []
    for share, said, status in zip(moved, ends.message, ends.status, strict=True):
        went = UNMOVED if share == 0 else f"moved {share:.3g} of an input's range"
        message.append(said if status == "failed" or said.startswith(NOTHING_TO_MOVE) else f"{went} {said}")
    return Answer(ends.X, [int(e) for e in ends.evaluations], ends.status, message, history=ends.history)
