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
    """What a program is compiled for, beside shapes: the model's form, the objective's loss and outputs, and which
    inputs move."""

    predict: Callable[[Any, Any], Any]
    loss_of: Callable[[Any, Goal, Any], Any]
    columns: tuple[int, ...]
    movable: tuple[int, ...]


class Model(NamedTuple):
    """Numbers that all searches of a program share: the model's parameters, and lower bound and width of the movable
    inputs (k,)."""

    parameters: Any
    low: Any
    width: Any


class Search(NamedTuple):
    """Numbers of one search: its start (d,), the goal, and the unit of its loss."""

    x0: Any
    goal: Goal
    unit: Any


def form_of(question: Question, movable: np.ndarray) -> tuple[Form, Model]:
    """Return the form of a question's searches, and what they share."""
    assert question.traceable is not None
    predict, parameters = question.traceable
    wanted, space = question.objective, question.space
    model = Model(parameters, space.low[movable], (space.high - space.low)[movable])
    return Form(predict, type(wanted).loss_of, wanted.columns, tuple(np.flatnonzero(movable).tolist())), model


def searches(questions: Sequence[Question], owner: np.ndarray, X0: np.ndarray, units: Sequence[float]) -> Search:
    """Return the numbers of every search (n, ...), from starts (n, d) of the questions that `owner` (n,) names."""
    goals = [q.objective.goal for q in questions]
    goal = Goal(*(np.array([getattr(g, part) for g in goals])[owner] for part in Goal._fields))
    return Search(np.asarray(X0, float), goal, np.asarray(units, float)[owner])


def start(form: Form, model: Model, x0: Any) -> Any:
    """Return the movable inputs of a point (d,), scaled to [0, 1] (k,)."""
    return jnp.clip((x0[jnp.array(form.movable)] - model.low) / model.width, 0, 1)


def loss(form: Form, model: Model, search: Search, u: jax.Array) -> jax.Array:
    """Return the loss at scaled movable inputs u (k,), in the search's unit."""
    x = search.x0.at[jnp.array(form.movable)].set(model.low + u * model.width)
    Y = form.predict(model.parameters, x)[jnp.array(form.columns)]
    return form.loss_of(Y, search.goal, jnp) / search.unit
