"""Inverter `neural_adjoint`: Adam on the inputs of a differentiable model from random starts, with a boundary loss that
keeps them where the training rows were (Ren, Padilla, Malof 2020, "Benchmarking deep inverse models over time, and the
neural-adjoint method", NeurIPS 33). A comparison: `multistart` with exact gradients goes on to the last digit.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from preimage.core import polytope
from preimage.inversion import pieced, traced
from preimage.inversion.descents import NOTHING_TO_MOVE
from preimage.inversion.ending import Judge
from preimage.inversion.kinds.neural_adjoint import NeuralAdjoint
from preimage.inversion.multistart import typical_loss
from preimage.inversion.question import Answer, Question, SearchContext, repaired
from preimage.inversion.traced import Form, Model, Search
from preimage.support.progress import Report

STEPS = 300
# Limits of outputs draw by a penalty of this curvature outside, in units of a typical loss and of the limit's scale,
# and by what their multipliers have learned so many times on the way.
CURVATURE, LESSONS = 10.0, 10
AT_A_TIME = 4096
RATE, DECAY1, DECAY2, TINY = 0.01, 0.9, 0.999, 1e-8


def invert_many(questions: Sequence[Question], options: NeuralAdjoint, context: SearchContext) -> list[Answer]:
    """Descend for every question from `starts` uniform points for 300 steps; what ends outside is clipped, and
    says so."""
    space, n = questions[0].space, options.starts
    starts = [polytope.sample(q.space, n, context.rng) for q in questions]
    movable = space.free & ~space.categorical
    if not movable.any():
        return [Answer(X0, [1] * n, ["ok"] * n, [NOTHING_TO_MOVE] * n) for X0 in starts]
    owner, units = np.repeat(np.arange(len(questions)), n), [typical_loss(q) for q in questions]
    asked, whose = pieced.in_pieces(questions, owner, np.concatenate(starts))
    whole = traced.searches(questions, owner, np.concatenate(starts), units, weight=CURVATURE)
    U = _descend(questions[0], traced.within_pieces(whole, asked, whose, movable), movable, context.report)
    return [
        _answer(q, asked, whose[k * n : (k + 1) * n], X0, U[k * n : (k + 1) * n], movable)
        for k, (q, X0) in enumerate(zip(questions, starts, strict=True))
    ]


def _answer(
    question: Question,
    asked: Sequence[Question],
    whose: np.ndarray,
    X0: np.ndarray,
    U: np.ndarray,
    movable: np.ndarray,
) -> Answer:
    """Return the answer that the scaled ends of searches (n, k) make, each in the space of the one asked (n,)."""
    space, X = question.space, X0.copy()
    outside = np.abs(np.clip(U, 0, 1) - U).max(axis=1)
    low, high = (np.array([getattr(q.space, end)[movable] for q in asked])[whose] for end in ("low", "high"))
    X[:, movable] = low + np.clip(U, 0, 1) * (high - low)
    X = np.clip(X, space.low, space.high)
    X, notes = repaired(space, X if space.plain else pieced.moved_back(asked, whose, X))
    message = [
        "; ".join(filter(None, [f"{STEPS} steps", f"clipped by {o:.3g} of an input's range" if o else "", note]))
        for o, note in zip(outside, notes, strict=True)
    ]
    # What meets the objective is a solution, however Adam got there; the rest has to be a minimum.
    Y = question.outputs(X)
    met = question.objective.met(Y) if question.objective.bounded else np.zeros(len(X), bool)
    far, spent, status = np.flatnonzero(~met), np.full(len(X), STEPS + 2), np.full(len(X), "ok", object)
    if not len(far):
        return Answer(X, spent.tolist(), status.tolist(), message)
    slope = np.full((len(far), int(movable.sum())), np.nan)
    violation = question.objective.violation(Y[far])
    # Where repair has left the piece, the end is judged in another one.
    asked, whose = pieced.in_pieces([question], np.zeros(len(far), int), X[far])
    found = Judge(asked, movable, "exact")(whose, X[far], question.loss(X[far]), slope, violation)
    spent[far] += 1 + found.evaluations
    for k, reason in zip(far, found.reason, strict=True):
        if reason:
            status[k], message[k] = "not_converged", f"{message[k]}; {reason}"
    return Answer(X, spent.tolist(), status.tolist(), message)


def _descend(question: Question, whole: Search, movable: np.ndarray, report: Report | None) -> np.ndarray:
    """Return where every search ended, in scaled movable inputs (n, k)."""
    form, model = traced.form_of(question, movable)
    rows = question.space.scaled(question.X)[:, movable]
    middle, half = rows.mean(axis=0), np.ptp(rows, axis=0) / 2
    parts, best, n = [], np.inf, len(whole.unit)
    size = min(n, AT_A_TIME)
    for start in range(0, n, size):
        # Always whole batches: another shape would be compiled anew.
        at = np.arange(start, start + size).clip(max=n - 1)
        U, losses = _program(form, model, jax.tree.map(lambda a: a[at], whole), middle, half)  # noqa: B023
        parts.append(np.asarray(U))
        best = min(best, float(np.nanmin(losses * whole.unit[at], initial=np.inf)))
        if report:
            report(min(n, start + size), best)
    return np.concatenate(parts)[:n]


@partial(jax.jit, static_argnames="form")
def _program(form: Form, model: Model, searches: Search, middle: Any, half: Any) -> tuple[jax.Array, jax.Array]:
    """Return scaled ends (n, k) and their losses (n,)."""

    def one(search: Search) -> tuple[jax.Array, jax.Array]:
        limited = search.pull is not None

        def seen(u: jax.Array) -> jax.Array:
            # A limit must be kept where the answer will be.
            return jnp.clip(u, 0, 1) if limited else u

        def total(u: jax.Array, search: Search) -> jax.Array:
            beyond = jnp.abs(traced.in_whole(model, search, u) - middle) - half
            return traced.loss(form, model, search, seen(u)) + jnp.maximum(beyond, 0).sum()

        def step(search: Search, carry: Any, t: jax.Array) -> tuple[Any, None]:
            u, m, v = carry
            g = jax.grad(total)(u, search)
            m, v = DECAY1 * m + (1 - DECAY1) * g, DECAY2 * v + (1 - DECAY2) * g * g
            scaled = (m / (1 - DECAY1**t)) / (jnp.sqrt(v / (1 - DECAY2**t)) + TINY)
            return (u - RATE * scaled, m, v), None

        u = traced.start(form, model, search)
        zero = jnp.zeros_like(u)

        def lesson(carry: Any, times: jax.Array) -> tuple[Any, None]:
            taught = search._replace(pull=carry[1])
            way = jax.lax.scan(partial(step, taught), carry[0], times)[0]
            return (way, traced.learned(form, model, taught, seen(way[0])).pull), None

        times = jnp.arange(1.0, STEPS + 1).reshape(LESSONS if limited else 1, -1)
        (u, *_), pull = jax.lax.scan(lesson, ((u, zero, zero), search.pull), times)[0]
        return u, traced.loss(form, model, search._replace(pull=pull), u)

    return jax.vmap(one)(searches)
