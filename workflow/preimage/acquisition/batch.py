"""A batch of experiments for the objectives of a study, one after the other: each counts those before as under way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist

from preimage.acquisition import searching
from preimage.acquisition.aims import Aim, columns_of
from preimage.acquisition.moving import Moves
from preimage.acquisition.process import Belief, Normal
from preimage.acquisition.success import Success
from preimage.core import polytope
from preimage.core.canonical import input_order
from preimage.core.objective import Objective
from preimage.core.space import Space
from preimage.core.weighing import weighable
from preimage.support.blas import one_blas_thread
from preimage.support.errors import StudyError
from preimage.surrogates.gaussian_process import spread_out

IMPROVES, LEARNS = "improves", "learns"
# Draws of hyperparameters: as many as keep the work of a batch in bounds, at most MOST; and draws of what is true in
# all.
MOST, WORK, DRAWS = 8, 80_000, 128
# Rows that a process knows, half of them the best; and rows that its hyperparameters are drawn on.
ROWS, FITTED = 500, 200
# Random points that searches begin from; rows whose neighbourhood they look at.
POOL, BEST = 1000, 5
# Random points that are rounded where all that a search found is known.
TRIED = 20
# A row counts as a point of the space where it misses it by less than this share of a condition's scale, as by rounding
# or a batch that came out a little off.
NEAR = 0.01
# Points nearer to each other, in shares of every input's range, are the same recipe.
SAME = 1e-6


@dataclass(frozen=True)
class Wish:
    """An objective and where its answer may lie: the space with the objective's fixed inputs pinned."""

    space: Space
    objective: Objective


@dataclass(frozen=True)
class Batch:
    """Points chosen (k, d), for each the position of its wish and why: `improves` or `learns`."""

    X: np.ndarray
    wish: list[int]
    why: list[str]


class Beliefs:
    """What is believed of the outputs that objectives take.

    Args:
        X, Y: measured rows (n, d) and (n, m); those with an output that is not finite are left out.
        rank: numbers in whose order rows are kept where there are too many (n,).
    """

    def __init__(
        self, space: Space, X: np.ndarray, Y: np.ndarray, columns: Sequence[int], rank: np.ndarray,
        rng: np.random.Generator,
    ) -> None:  # fmt: skip
        usable = np.isfinite(Y[:, columns]).all(axis=1) & np.isfinite(X).all(axis=1)
        if usable.sum() < 2:
            raise StudyError(f"next: {int(usable.sum())} rows with finite outputs, expected at least 2")
        self.space, self.columns = space, list(columns)
        self.order: np.ndarray | None = None
        by_name, source = _by_name(space)
        Z = space.coordinates(X)[:, by_name]
        self.rows = _kept(Z, np.where(usable, rank, np.inf), usable, rng)
        fitted = rng.permutation(len(self.rows))[:FITTED]
        # An input that neither rows nor candidates vary has no length scale.
        varies = np.isin(source, np.flatnonzero(space.free | (np.ptp(X[self.rows], axis=0) > 0)))
        self.used, shared = by_name[varies], pd.factorize(source[varies])[0]
        processes = int(np.clip(WORK // len(self.rows) ** 2, 1, MOST))
        self.X, Z = X[self.rows], Z[self.rows][:, varies]
        self.of = {
            c: Belief(Z, Y[self.rows, c], shared, fitted, processes, DRAWS // processes, rng) for c in self.columns
        }

    def at(self, X: np.ndarray, columns: Sequence[int]) -> dict[int, Normal]:
        """Return what is true at points (n, d) given each draw, by output."""
        Z = self._coordinates(X)
        return {c: self.of[c].at(Z) for c in columns}

    def predict(self, X: np.ndarray, columns: Sequence[int]) -> dict[int, Normal]:
        """Return means and standard deviations (n, p) of new measurements at points (n, d), by output; the points are
        in the order of inputs of whoever asked for the batch."""
        Z = self._coordinates(X if self.order is None else X[:, self.order])
        return {c: self.of[c].predict(Z) for c in columns}

    def spread(self, X: np.ndarray, columns: Sequence[int]) -> np.ndarray:
        """Return how uncertain outputs are at points (n, d), in units of their standard deviations, averaged (n,)."""
        Z = self._coordinates(X)
        return np.asarray(np.mean([self.of[c].spread(Z) / self.of[c].scale for c in columns], axis=0))

    def add(self, x: np.ndarray, rng: np.random.Generator) -> None:
        """Count a point (d,) as under way."""
        for belief in self.of.values():
            belief.add(self._coordinates(x[None])[0], rng)
        self.X = np.vstack([self.X, x])

    def true(self, width: int) -> np.ndarray:
        """Return what is true at the known points (n, m, s), NaN for outputs that no objective takes."""
        first = self.of[self.columns[0]].true
        out = np.full((len(first), width, first.shape[1]), np.nan)
        for c in self.columns:
            out[:, c] = self.of[c].true
        return out

    def _coordinates(self, X: np.ndarray) -> np.ndarray:
        return self.space.coordinates(X)[:, self.used]


def choose(
    space: Space, wishes: Sequence[Wish], X: np.ndarray, Y: np.ndarray, n: int, explore: float,
    rng: np.random.Generator, pending: np.ndarray | None = None, failed: np.ndarray | None = None,
) -> tuple[Batch, Beliefs]:  # fmt: skip
    """Choose n experiments, for each wish in turn, the last `explore` of them where least is known.

    Args:
        space: without what single objectives fix.
        X, Y: measured rows (k, d) and (k, m).
        explore: share of the batch, 0 to 1, rounded to whole points.
        pending: points that are under way already (j, d).
        failed: points at which nothing could be measured (f, d); the like of them are avoided, and they are not chosen.

    Points are valid, can be weighed (`preimage.core.weighing`), and none is a row or twice in the batch. There are
    fewer than n where the space has no more. Raises StudyError where fewer than two rows have outputs.
    """
    columns = columns_of([w.objective for w in wishes])
    # Inputs in an order of their own, by which all is drawn.
    order = input_order(X, Y, np.array([len(i.categories) for i in space.inputs]))
    back = np.argsort(order)
    space, X = _ordered(space, order), X[:, order]
    wishes = [replace(w, space=_ordered(w.space, order)) for w in wishes]
    with one_blas_thread():
        rank = np.min([np.argsort(np.argsort(_merit(w.objective, Y))) for w in wishes], axis=0)
        beliefs = Beliefs(space, X, Y, columns, rank, rng)
        failures = np.empty((0, X.shape[1])) if failed is None else failed[:, order]
        success = Success(space, X, failures)
        # Of many wishes no more get their turn than there are experiments.
        places = [_Place(w, X, Y, rng) for w in wishes[:n]]
        found: list[tuple[np.ndarray, int, str]] = []
        waiting = np.empty((0, X.shape[1])) if pending is None else pending[:, order]
        for x in waiting:
            beliefs.add(x, rng)
        for k in range(n):
            at = k % len(wishes)
            why = IMPROVES if k < n - round(explore * n) else LEARNS
            known = np.concatenate([X, failures, waiting, *(p[None] for p, _, _ in found)])
            x = places[at].pick(beliefs, success, why, known, rng)
            if x is not None:
                found.append((x, at, why))
                beliefs.add(x, rng)
    points = np.array([x for x, _, _ in found]).reshape(-1, X.shape[1])
    beliefs.order = order
    return Batch(points[:, back], [at for _, at, _ in found], [why for _, _, why in found]), beliefs


class _Place:
    """Where one wish looks."""

    def __init__(self, wish: Wish, X: np.ndarray, Y: np.ndarray, rng: np.random.Generator) -> None:
        self.wish, space = wish, wish.space
        self.moves = Moves(space, polytope.sample(space, POOL, rng))
        near = np.flatnonzero(space.violation(X) <= NEAR)
        first = X[near[np.argsort(_merit(wish.objective, Y[near]), kind="stable")[:BEST]]]
        self.start = polytope.near(space, first)

    def pick(
        self, beliefs: Beliefs, success: Success, why: str, known: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray | None:
        """Return the best point (d,) that is not known (k, d), as it can be weighed; None where none is left."""
        space, objective = self.wish.space, self.wish.objective.nominal
        if why == IMPROVES:
            true = beliefs.true(1 + max(beliefs.columns))
            counts = space.violation(beliefs.X) <= NEAR
            aim = Aim.of(objective, true, counts, rng)

            def value(P: np.ndarray) -> np.ndarray:
                with np.errstate(divide="ignore"):
                    return aim.score(beliefs.at(P, aim.columns)) + np.log(success.weight(P))
        else:

            def value(P: np.ndarray) -> np.ndarray:
                return beliefs.spread(P, columns_of([objective])) * success.weight(P)

        def score(P: np.ndarray) -> np.ndarray:
            return np.where(_new(space, P, known), value(P), -np.inf) if len(P) else np.empty(0)

        found = weighable(space, searching.best(score, self.moves, self.start, rng))
        points = found[_new(space, found, known)]
        if not len(points):
            pool = self.moves.pool
            points = weighable(space, pool[np.argsort(-score(pool), kind="stable")[:TRIED]])
            points = points[_new(space, points, known)]
        if not len(points):
            return None
        x = points[np.argmax(value(points))]
        self.start = np.concatenate([self.start, x[None]])
        return np.asarray(x)


def _by_name(space: Space) -> tuple[np.ndarray, np.ndarray]:
    """Return the columns of coordinates (D,) with a category's values in the order of their names, and the input that
    each column comes from."""
    columns, source = list[int](), list[int]()
    for j, i in enumerate(space.inputs):
        names = sorted(range(len(i.categories)), key=i.categories.__getitem__) or [0]
        columns += [len(source) + k for k in names]
        source += [j] * len(names)
    return np.array(columns), np.array(source)


def _ordered(space: Space, order: np.ndarray) -> Space:
    return replace(space, inputs=tuple(space.inputs[j] for j in order))


def _merit(objective: Objective, Y: np.ndarray) -> np.ndarray:
    merit = np.asarray(objective.merit(Y), float)
    return np.where(np.isfinite(merit), merit, np.inf)


def _new(space: Space, P: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return which points (n, d) differ from all known ones (k, d) in some input."""
    if not len(P):
        return np.zeros(0, bool)
    return np.asarray(cdist(space.coordinates(P), space.coordinates(known), "chebyshev").min(axis=1) > SAME)


def _kept(Z: np.ndarray, rank: np.ndarray, usable: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the positions of at most `ROWS` usable rows: the best by rank, and others that cover the rest evenly."""
    rows = np.flatnonzero(usable)
    if len(rows) <= ROWS:
        return rows
    order = rows[np.argsort(rank[rows], kind="stable")]
    best, rest = order[: ROWS // 2], np.sort(order[ROWS // 2 :])
    return np.sort(np.concatenate([best, rest[spread_out(Z[rest], ROWS - len(best), rng)]]))
