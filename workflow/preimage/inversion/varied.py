"""Questions whose inputs vary in production, as searches and tables take them.

A search sees a model of one output, what its objective makes of the outputs at all draws around a point (and of a
second, how well these keep its limits). So every method works on every model, and on a simulator, as it does where
nothing varies, at `DRAWS` times the evaluations. A method that follows slopes sees a loss that has some, the others
what ranks candidates in the end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from preimage.core.formulas import NONE
from preimage.core.judging import Judged, outputs_around, parts
from preimage.core.objective import Draws, Goal, Varied, quantile_at
from preimage.inversion.question import Answer, Question

MET = "all of production meets the objective"


def searched(question: Question, with_slopes: bool) -> Question:
    """Return the question that a search is put instead of one with variation: of a model with a single output.

    Its training rows are taken as if nothing varied.
    """
    wanted, draws = question.objective, question.draws
    assert isinstance(wanted, Varied) and draws is not None

    def predict(X: np.ndarray) -> np.ndarray:
        if np.iscomplexobj(X):
            return wanted.followed(outputs_around(question.predict, draws, X), with_slopes)
        return np.concatenate([wanted.followed(_outputs(question, part), with_slopes) for part in parts(X, draws)])

    slopes = with_slopes and question.gradient is not None
    return replace(
        question,
        objective=wanted.searched(),
        predict=predict,
        Y=wanted.followed(question.Y[:, None], with_slopes),
        gradient=_gradient(question, wanted, draws) if slopes else None,
        traceable=_traceable(question, wanted, draws) if slopes and question.traceable is not None else None,
        trees=None,
        formulas=NONE,
        draws=None,
        errors=question.errors,
    )


def _outputs(question: Question, X: np.ndarray) -> np.ndarray:
    """Return the outputs (n, q, m) of the draws around points (n, d), and keep what follows from them."""
    wanted, draws = question.objective, question.draws
    assert isinstance(wanted, Varied) and draws is not None
    Y = outputs_around(question.outputs, draws, X)
    for x, loss, missed in zip(X, *wanted.judged(Y), strict=True):
        question.judged[x.tobytes()] = (float(loss), float(missed))
    return Y


def judge(question: Question, X: np.ndarray) -> Judged:
    """Judge points (n, d), of which a search knows most already."""
    wanted, draws = question.objective, question.draws
    assert isinstance(wanted, Varied) and draws is not None
    has = ~np.isnan(X).any(axis=1)
    new = np.array([has[k] and x.tobytes() not in question.judged for k, x in enumerate(X)], bool)
    for part in parts(X[new], draws) if new.any() else ():
        _outputs(question, part)
    nothing = (np.nan, np.nan)
    loss, violation = np.array([question.judged.get(x.tobytes(), nothing) for x in X], float).reshape(-1, 2).T
    return Judged(loss, violation, wanted.value(loss))


def settled(answer: Answer, found: Judged, wanted: Varied) -> tuple[list[str], list[str]]:
    """Return status and message of each candidate: one that all of production meets is an answer, however flat its
    loss; one that too few draws have numbers at is none."""
    status, message = list(answer.status), list(answer.message)
    for k, loss in enumerate(found.loss):
        if status[k] == "not_converged" and wanted.of_shares and loss == 0:
            status[k], message[k] = "ok", f"{MET}; {message[k]}"
        elif status[k] in ("ok", "not_converged") and np.isnan(loss):
            status[k], message[k] = "failed", f"no number for too much of production; {message[k]}"
    return status, message


def spent(question: Question, answer: Answer) -> Answer:
    """Return the answer to `searched` with the evaluations of the model that it took."""
    draws = question.draws
    assert draws is not None
    return replace(answer, evaluations=[n * len(draws.absolute) for n in answer.evaluations])


def _gradient(question: Question, wanted: Varied, draws: Draws) -> Any:
    own = question.gradient
    assert own is not None

    def gradient(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = [one(part) for part in parts(X, draws)]
        Y, slopes = (np.concatenate(part) for part in zip(*found, strict=True))
        return Y, slopes

    def one(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        P = draws.around(X)
        n, q, d = P.shape
        Y, J = own(P.reshape(n * q, d))
        Y = Y.reshape(n, q, -1)
        slope = np.einsum("nkqm,nqmd->nkqd", wanted.followed_slope(Y), J.reshape(n, q, -1, d))
        return wanted.followed(Y, with_slopes=True), np.einsum("nkqd,qd->nkd", slope, draws.derivative(d))

    return gradient


class Numbers(NamedTuple):
    """What `Traced` works on: the model's parameters, the draws, and the numbers of the objective and its limits."""

    own: Any
    absolute: Any
    relative: Any
    absent: Any
    goal: Goal
    low: Any
    high: Any
    scale: Any
    penalty: Any


@dataclass(frozen=True)
class Traced:
    """`Varied.followed` of a model's outputs for JAX to trace: a function of (`Numbers`, one point (d,)) that gives
    (1,), or (2,) with limits of a direction.

    Those of models and objectives of one form compare equal, so that they share compiled programs.

    Attributes:
        predict: of the model.
        columns: positions of the inputs that vary.
        loss_of, outputs: of the objective of a single point.
        limits: positions of the outputs that have limits.
        of_shares: see `Varied`.
    """

    predict: Callable[[Any, Any], Any]
    columns: tuple[int, ...]
    loss_of: Callable[[Any, Goal, Any], Any]
    outputs: tuple[int, ...]
    limits: tuple[int, ...]
    of_shares: bool

    def __call__(self, numbers: Numbers, x: Any) -> Any:
        import jax
        import jax.numpy as jnp

        columns = np.array(self.columns)
        at = x[columns]
        step = jnp.where(numbers.absent & (at == 0), 0.0, numbers.absolute + numbers.relative * at)
        P = jnp.broadcast_to(x, (len(step), len(x))).at[:, columns].add(step)
        Y = jax.vmap(lambda p: self.predict(numbers.own, p))(P)
        losses = self.loss_of(Y[:, np.array(self.outputs)], numbers.goal, jnp)
        below, above, part = quantile_at(len(step))
        ordered = jnp.sort(losses)
        loss = losses.mean() if self.of_shares else ordered[below] + part * (ordered[above] - ordered[below])
        if not self.limits:
            return loss[None]
        y = Y[:, np.array(self.limits)]
        excess = jnp.maximum(numbers.low - y, y - numbers.high) / numbers.scale
        if self.of_shares:
            return (loss + numbers.penalty * (jnp.maximum(excess, 0.0) ** 2).sum(axis=1).mean())[None]
        return jnp.stack([loss, jnp.sort(excess.max(axis=1))[above]])


def _traceable(question: Question, wanted: Varied, draws: Draws) -> tuple[Traced, Numbers]:
    assert question.traceable is not None
    predict, own = question.traceable
    limits, aim = wanted.base.limits, wanted.aim
    columns = tuple(int(j) for j in draws.columns)
    low, high, scale = (np.array([getattr(limit, name) for limit in limits]) for name in ("low", "high", "scale"))
    penalty = np.array(wanted.penalty)
    numbers = Numbers(own, draws.absolute, draws.relative, draws.absent, aim.goal, low, high, scale, penalty)
    own_columns = tuple(limit.column for limit in limits)
    return Traced(predict, columns, type(aim).loss_of, aim.columns, own_columns, wanted.of_shares), numbers
