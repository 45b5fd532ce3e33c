"""The loss of a search for JAX to trace: what decides a compiled program apart from the numbers that it works on.

A study asks one model for hundreds of targets, and every round asks a model of the same form: all of them share a
program, because weights, bounds and targets are arguments of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from preimage.core.objective import Goal
from preimage.inversion.question import Question
from preimage.support.jax_setup import cache_compiled_programs, enable_double

enable_double()
cache_compiled_programs()


class Form(NamedTuple):
    """What a program is compiled for, beside shapes: the model's form, the objective's loss and outputs, which inputs
    move, and which outputs have limits."""

    predict: Callable[[Any, Any], Any]
    loss_of: Callable[[Any, Goal, Any], Any]
    columns: tuple[int, ...]
    movable: tuple[int, ...]
    limited: tuple[int, ...] = ()


class Model(NamedTuple):
    """Numbers that all searches of a program share: the model's parameters, and lower bound and width of the movable
    inputs (k,)."""

    parameters: Any
    low: Any
    width: Any


class Pull(NamedTuple):
    """What draws a search to the limits of outputs: the terms of an augmented Lagrangian (Rockafellar 1973, J.
    Optimization Theory and Applications 12; Nocedal and Wright 2006, Numerical Optimization, 17.4).

    Attributes:
        low, high, scale: of each limit (k,).
        below, above: multipliers of its ends (k,).
        weight: of squared violations.
    """

    low: Any
    high: Any
    scale: Any
    below: Any
    above: Any
    weight: Any

    def ends(self, Y: Any) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
        """Return how far limited outputs (..., k) are beyond each end, in units of the scale, and its multiplier."""
        return ((self.low - Y) / self.scale, self.below), ((Y - self.high) / self.scale, self.above)

    def learned(self, Y: Any, xp: Any = np) -> Pull:
        """Return the pull with the multipliers that limited outputs (..., k) suggest."""
        weight = xp.asarray(self.weight)[..., None]
        below, above = (xp.maximum(multiplier + weight * over, 0) for over, multiplier in self.ends(Y))
        return self._replace(below=below, above=above)


class Search(NamedTuple):
    """Numbers of one search: its start (d,), the goal, the unit of its loss, what draws it to limits, and where it has
    its own, lower bound and width of the movable inputs (k,), of which those of width 0 don't move."""

    x0: Any
    goal: Goal
    unit: Any
    pull: Pull | None = None
    bounds: tuple[Any, Any] | None = None


def form_of(question: Question, movable: np.ndarray) -> tuple[Form, Model]:
    """Return the form of a question's searches, and what they share."""
    assert question.traceable is not None
    predict, parameters = question.traceable
    wanted, space = question.objective, question.space
    model = Model(parameters, space.low[movable], (space.high - space.low)[movable])
    moves, limited = tuple(np.flatnonzero(movable).tolist()), tuple(limit.column for limit in wanted.limits)
    return Form(predict, type(wanted).loss_of, wanted.columns, moves, limited), model


def searches(
    questions: Sequence[Question],
    owner: np.ndarray,
    X0: np.ndarray,
    units: Sequence[float],
    weight: float = 0.0,
) -> Search:
    """Return the numbers of every search (n, ...), from starts (n, d) of the questions that `owner` (n,) names.

    Args:
        weight: of squared violations of limits at first, in units of the loss and of each limit's scale.
    """
    goals = [q.objective.goal for q in questions]
    goal = Goal(*(np.array([getattr(g, part) for g in goals])[owner] for part in Goal._fields))
    n, limits, pull = len(X0), questions[0].objective.limits, None
    if limits:
        low, high, scale = (np.tile([getattr(m, name) for m in limits], (n, 1)) for name in ("low", "high", "scale"))
        pull = Pull(low, high, scale, np.zeros_like(low), np.zeros_like(low), np.full(n, weight))
    return Search(np.asarray(X0, float), goal, np.asarray(units, float)[owner], pull)


def within_pieces(search: Search, questions: Sequence[Question], owner: np.ndarray, movable: np.ndarray) -> Search:
    """Return searches with the bounds of their own questions' spaces, where these are pieces of one."""
    first = questions[0].space
    if all(q.space is first for q in questions) and first.free[movable].all():
        return search
    low = np.array([questions[k].space.low[movable] for k in owner])
    return search._replace(bounds=(low, np.array([questions[k].space.high[movable] for k in owner]) - low))


def start(form: Form, model: Model, search: Search) -> Any:
    """Return the movable inputs of a search's start, scaled to [0, 1] (k,)."""
    x = search.x0[jnp.array(form.movable)]
    if search.bounds is None:
        return jnp.clip((x - model.low) / model.width, 0, 1)
    low, width = search.bounds
    return jnp.clip((x - low) / jnp.where(width > 0, width, 1.0), 0, 1)


def in_whole(model: Model, search: Search, u: Any) -> Any:
    """Return scaled movable inputs of a search (k,) as shares of the whole space's ranges."""
    return u if search.bounds is None else (search.bounds[0] + u * search.bounds[1] - model.low) / model.width


def loss(form: Form, model: Model, search: Search, u: jax.Array) -> jax.Array:
    """Return the loss at scaled movable inputs u (k,), in the search's unit, with what draws it to limits."""
    Y = form.predict(model.parameters, _point(form, model, search, u))
    value = form.loss_of(Y[jnp.array(form.columns)], search.goal, jnp) / search.unit
    return value if search.pull is None else value + _drawn(Y[jnp.array(form.limited)], search.pull)


def _point(form: Form, model: Model, search: Search, u: jax.Array) -> jax.Array:
    low, width = (model.low, model.width) if search.bounds is None else search.bounds
    return search.x0.at[jnp.array(form.movable)].set(low + u * width)


def _drawn(Y: jax.Array, pull: Pull) -> jax.Array:
    """Return the augmented Lagrangian's terms of limited outputs (k,)."""
    total = jnp.zeros(())
    for over, multiplier in pull.ends(Y):
        felt = jnp.maximum(multiplier + pull.weight * over, 0)
        total += ((felt**2 - multiplier**2) / (2 * pull.weight)).sum()
    return total


def learned(form: Form, model: Model, search: Search, u: jax.Array) -> Search:
    """Return a search whose multipliers have learned from the outputs at scaled movable inputs u (k,)."""
    if search.pull is None:
        return search
    Y = form.predict(model.parameters, _point(form, model, search, u))[jnp.array(form.limited)]
    return search._replace(pull=search.pull.learned(Y, jnp))
