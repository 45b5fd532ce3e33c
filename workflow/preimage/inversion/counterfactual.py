"""The nearest change of a reference that gives what is wanted, by any method that searches.

The method is asked another question: to make the distance to the reference small, which is one more output, under
limits of the outputs. What it finds is settled then, so that nothing is changed that need not be: each change is
returned to the reference where the target stays met without it, or where the others make up for it at less distance;
then each is made as small as it can be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from preimage.core.formulas import NONE
from preimage.core.objective import Minimize, Objective
from preimage.core.objective.reference import AS_NEAR, DISTANCE, Reference, rounded, rounded_slope
from preimage.inversion.base import Inverter
from preimage.inversion.question import Answer, Question, SearchContext

# Candidates that are settled, the nearest that meet the target; fewer where each evaluation is a simulation.
SETTLED, SIMULATED = 100, 3
# Halvings with which a change is made small, and the largest factor by which the others make up for one.
HALVINGS, COARSE_HALVINGS, STRETCH = 30, 10, 1.25
# Factors that changes are enlarged by until a target that was just missed is met.
FURTHER = (1 + 1e-6, 1.001, 1.01, 1.05, STRETCH)
ROUNDS = 3


@dataclass(frozen=True)
class WithDistance:
    """A model's JAX function with the distance to a reference behind its outputs."""

    function: Callable[[Any, Any], Any]

    def __call__(self, parameters: Any, x: Any) -> Any:
        import jax.numpy as jnp

        own, (values, widths, zero_one) = parameters
        return jnp.concatenate([self.function(own, x), rounded(x, values, widths, zero_one, jnp)[None]])


def invert_many(inverter: Inverter, questions: Sequence[Question], context: SearchContext) -> list[Answer]:
    """Return a method's answers to questions whose objectives are to be near a reference, settled."""
    answers = inverter.invert_many([put(q) for q in questions], context)
    if inverter.baseline:
        return answers
    return [settled(q, a) for q, a in zip(questions, answers, strict=True)]


def put(question: Question) -> Question:
    """Return the question for the smallest distance to the reference, under the objective's limits."""
    near, gradient, predict = _near(question), question.gradient, question.predict
    numbers = near.numbers
    away = rounded(question.X, *numbers)
    changed = replace(
        question,
        predict=lambda X: np.column_stack([predict(X), rounded(X, *numbers)]),
        Y=np.column_stack([question.Y, away]),
        objective=_smallest_distance(question.objective, question.Y.shape[1], away),
        trees=None,
        form=None,
        formulas=NONE,
        errors=question.errors,
    )
    if gradient is not None:

        def with_distance(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            Y, slopes = gradient(X)
            more = rounded_slope(X, *numbers)[:, None]
            return np.column_stack([Y, rounded(X, *numbers)]), np.concatenate([slopes, more], axis=1)

        changed = replace(changed, gradient=with_distance)
    if question.traceable is not None:
        function, parameters = question.traceable
        changed = replace(changed, traceable=(WithDistance(function), (parameters, numbers)))
    return changed


def _near(question: Question) -> Reference:
    assert question.objective.near is not None
    return question.objective.near


def _smallest_distance(wanted: Objective, column: int, away: np.ndarray) -> Objective:
    span = float(np.ptp(away)) if len(away) else 1.0
    middle = float(np.median(away)) if len(away) else 0.0
    one = (1.0,)
    return Minimize(
        wanted.name, (DISTANCE,), (column,), one, one, (AS_NEAR,), one, wanted.fixed, None, span or 1.0, wanted.limits,
        middle,
    )  # fmt: skip


# -- settling ----------------------------------------------------------------------------------------------------------


def settled(question: Question, answer: Answer) -> Answer:
    """Return an answer whose best candidates change nothing that they need not, and whose others have no change that is
    too small to be one."""
    near, X = _near(question), answer.X.copy()
    there = np.flatnonzero(~np.isnan(X).any(axis=1))
    snapped = near.snapped(X[there])
    valid = question.space.contains(snapped)
    X[there[valid]] = snapped[valid]
    violation = question.objective.violation(question.outputs(X[there]))
    most = SIMULATED if question.on_simulator else SETTLED
    chosen = there[np.lexsort((near.distance(X[there]), violation))[:most]]
    settler = _Settler(question)
    before = near.changed(X[chosen]).sum(axis=1)
    X[chosen] = settler.settled(X[chosen])
    spent, message = np.array(answer.evaluations), list(answer.message)
    spent[there] += 1
    spent[chosen] += settler.calls
    for k, was in zip(chosen, before, strict=True):
        now = int(near.changed(X[k : k + 1]).sum())
        said = f"changes {now} of {len(near.names)} inputs" + (f", not {was}" if now < was else "")
        message[k] = "; ".join(filter(None, [message[k], said]))
    return replace(answer, X=X, evaluations=spent.tolist(), message=message)


class _Settler:
    """Points that meet the target, brought nearer to the reference step by step; `calls` counts the steps."""

    def __init__(self, question: Question) -> None:
        self.question, self.near, self.calls = question, _near(question), 0
        self.halvings = COARSE_HALVINGS if question.on_simulator else HALVINGS
        self.reference = np.array(self.near.values)

    def settled(self, X: np.ndarray) -> np.ndarray:
        """Return points (n, d) that meet the target and are as near as can be; those that miss it by more than larger
        changes make up for stay where they are."""
        X = X.copy()
        good = self._good(X)
        for factor in FURTHER if not good.all() else ():
            trial = self._stretched(X, np.full(len(X), factor))
            reached = ~good & self._good(trial)
            X[reached], good = trial[reached], good | reached
        if good.any():
            X[good] = self._nearer(X[good])
        return X

    def _nearer(self, X: np.ndarray) -> np.ndarray:
        """Return points (n, d) that meet the target as near as steps of each kind bring them, no change needless."""
        for _ in range(ROUNDS):
            X = self._along_the_way(self._smaller(self._returned(X)))
        for _ in range(X.shape[1]):
            before, X = X, self._returned(X)
            if (before == X).all():
                break
        return X

    def _good(self, X: np.ndarray) -> np.ndarray:
        """Return which points (n, d) are valid and meet the target (n,); all are asked at once."""
        self.calls += 1
        good = self.question.space.contains(X)
        if good.any():
            good[good] = self.question.objective.violation(self.question.outputs(X[good])) == 0
        return good

    def _returned(self, X: np.ndarray) -> np.ndarray:
        """Return each change to the reference, the smallest first, where the others do without it or make up for it."""
        X, rows = X.copy(), np.arange(len(X))
        for j in np.argsort(self.near.parts(X), axis=1, kind="stable").T:
            changed = X[rows, j] != self.reference[j]
            trial = X.copy()
            trial[rows, j] = self.reference[j]
            good = changed & self._good(trial)
            X[good] = trial[good]
            if (left := changed & ~good).any():
                X[left] = self._made_up_for(X[left], trial[left])
        return X

    def _made_up_for(self, X: np.ndarray, short: np.ndarray) -> np.ndarray:
        """Return points `short` (n, d) of the target with their changes enlarged until they meet it, where that is
        nearer than points X (n, d), which are returned where it is not."""
        good, trial = np.ones(len(X), bool), self._stretched(short, np.full(len(X), STRETCH))
        good &= self._good(trial)
        low, high = np.ones(len(X)), np.full(len(X), STRETCH)
        for _ in range(self.halvings if good.any() else 0):
            middle = (low + high) / 2
            enough = self._good(self._stretched(short, middle))
            low, high = np.where(enough, low, middle), np.where(enough, middle, high)
        found = self._stretched(short, high)
        better = good & (self.near.distance(found) < self.near.distance(X)) & self._good(found)
        return np.where(better[:, None], found, X)

    def _stretched(self, X: np.ndarray, factor: np.ndarray) -> np.ndarray:
        """Return points whose changes of numbers are larger by factors (n,), at allowed values."""
        space = self.question.space
        moved = self.reference + factor[:, None] * (X - self.reference)
        keep = space.categorical | (self.reference == X)
        return np.where(keep, X, space.rounded(np.where(keep, X, moved)))

    def _smaller(self, X: np.ndarray) -> np.ndarray:
        """Make each change of a number as small as halving finds, the largest first."""
        X, rows = X.copy(), np.arange(len(X))
        categorical = self.question.space.categorical
        for j in np.argsort(-self.near.parts(X), axis=1, kind="stable").T:
            low, high = self.reference[j], X[rows, j]
            for _ in range(self.halvings):
                trial = X.copy()
                trial[rows, j] = (low + high) / 2
                trial[rows, j] = self.question.space.rounded(trial)[rows, j]
                middle = trial[rows, j]
                open_ = (middle != low) & (middle != high) & ~categorical[j]
                open_ &= np.abs(high - low) > np.array(self.near.widths)[j] * 1e-9
                if not open_.any():
                    break
                good = open_ & self._good(trial)
                high, low = np.where(good, middle, high), np.where(open_ & ~good, middle, low)
                X[rows, j] = high
        return X

    def _along_the_way(self, X: np.ndarray) -> np.ndarray:
        """Make all changes of numbers smaller at once: on the way to the reference linear constraints stay kept."""
        low, high = np.zeros(len(X)), np.ones(len(X))
        for _ in range(self.halvings):
            middle = (low + high) / 2
            good = self._good(self._stretched(X, middle))
            low, high = np.where(good, low, middle), np.where(good, middle, high)
        found = self._stretched(X, high)
        nearer = self.near.distance(found) < self.near.distance(X)
        return np.where((nearer & self._good(found))[:, None], found, X)
