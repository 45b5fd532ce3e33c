"""The loss of a fit for JAX to trace: what decides a compiled program, apart from the numbers that it works on.

Fits of one model to series of one length share their programs: data, bounds and weights are arguments.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from preimage.calibration import likelihoods, losses, priors, solvers
from preimage.calibration.likelihoods import Noise
from preimage.calibration.priors import Prior
from preimage.core.dynamics import Dynamics, Known, Model
from preimage.support.jax_setup import cache_compiled_programs, enable_double

enable_double()
cache_compiled_programs()

# From so many parameters on, a derivative is cheaper backwards than forwards.
MANY_PARAMETERS = 30


class Form(NamedTuple):
    """What a program is compiled for.

    Attributes:
        names: of the parameters, in order.
        loss: see `preimage.calibration.losses`.
        columns: positions of the series that the loss takes.
        steps: Runge-Kutta steps between rows; 0 for the adaptive solver, with its tolerances.
        course: the start, whether solvers begin anew at every one of the times, and the largest step.
        logs: which parameters are given by their logarithms to base 10; empty where none is.
        noises: of each of the columns where the loss is a likelihood; empty otherwise.
        own: parameters that differ between conditions; empty where there are none.
        priors: of parameters that have one.
        taken: positions of the parameters that stiff equations take.
        together: whether they begin in the same states at rest under all conditions.
    """

    model: Model
    names: tuple[str, ...]
    loss: str
    columns: tuple[int, ...]
    solver: str
    rtol: float
    atol: float
    steps: int = 0
    course: tuple[float, bool, float] = (0.0, False, float("inf"))
    logs: tuple[bool, ...] = ()
    noises: tuple[Noise, ...] = ()
    own: tuple[str, ...] = ()
    priors: tuple[Prior, ...] = ()
    taken: tuple[int, ...] = ()
    together: bool = False


class Data(NamedTuple):
    """Numbers of a fit.

    Attributes:
        times: when the adaptive solver is to say what there is, each once.
        pick: which of the knots of fixed steps, or of a curve's rows, each row that counts is (n,).
        weights, wanted: of the rows that count (n,), and observed values (n, m) on the loss's scale.
        grid: the mesh of fixed steps.
        at: columns that a curve takes.
        sizes: of the states (k,), which the absolute tolerance is a share of.
        rows: which of the times each row that counts is (n,); empty where they are the same.
        cells: what differences are multiplied by (n, c) instead of by their row's weight, where cells are empty; of a
            likelihood, where they are not.
        own: of the parameters that differ between conditions, numbers (c, k) and which parameter stands there (c, k),
            -1 for none; and the condition of each row that counts (n,). Empty where there are no conditions.
        given: how often each dose is given at each of the times (t, d); empty where there are none.
        stated: what columns of noise say of the rows that count (n,), by key.
        tolerances: relative and absolute, where they are not the form's.
    """

    known: Known
    times: Any
    pick: Any
    weights: Any
    wanted: Any
    grid: Any
    at: Any
    sizes: Any
    rows: Any = ()
    cells: Any = ()
    own: Any = ()
    given: Any = ()
    stated: Any = ()
    tolerances: Any = ()


def named(form: Form, x: Any) -> dict[str, Any]:
    """Return parameters (d,) by name, logarithms undone."""
    logs = form.logs or (False,) * len(form.names)
    return {name: 10.0**v if log else v for name, v, log in zip(form.names, x, logs, strict=True)}


def many(form: Form, data: Data) -> int:
    """Return how many residuals there are."""
    more = sum(bool(noise.name) for noise in form.noises) + len(form.priors)
    return len(data.wanted) * len(form.columns) + more


def series(form: Form, data: Data, x: Any, reverse: bool = False, states: Any = None) -> Any:
    """Return the model's series (n, m) in the rows that count, at parameters (d,).

    Args:
        states: of each condition at all times (c, t, k), where they are known.
    """
    each = jax.vmap(lambda q, y: _solved(form, data, q, reverse, y), (0, None if states is None else 0))
    found = each(by_condition(form, data, x), states)
    if len(data.own):
        return found[data.own[2], data.rows]
    return found[0][data.rows] if len(data.rows) else found[0]


def by_condition(form: Form, data: Data, x: Any) -> dict[str, Any]:
    """Return parameters (d,) by name, by condition (c,); of a fit without conditions there is one."""
    p = named(form, x)
    if not len(data.own):
        return {name: jnp.asarray(v)[None] for name, v in p.items()}
    own = _own(data, p)
    same = {name: jnp.broadcast_to(v, len(own)) for name, v in p.items()}
    return {**same, **dict(zip(form.own, own.T, strict=True))}


def _own(data: Data, p: Mapping[str, Any]) -> Any:
    """Return the parameters that differ between conditions (c, k)."""
    numbers, which, _ = data.own
    return jnp.where(which >= 0, jnp.stack(list(p.values()))[which], numbers)


def _by_row(form: Form, data: Data, x: Any) -> dict[str, Any]:
    """Return parameters (d,) by name, those that differ between conditions by row that counts (n,); and columns of
    noise by key."""
    p = {**named(form, x), **dict(data.stated)}
    return {**p, **dict(zip(form.own, _own(data, named(form, x))[data.own[2]].T, strict=True))} if len(data.own) else p


def _solved(form: Form, data: Data, p: Mapping[str, Any], reverse: bool, states: Any = None) -> Any:
    """Return the series of one condition at all times."""
    if states is not None:
        assert isinstance(form.model, Dynamics)
        return solvers.observed(form.model, p, states, data.times)
    if form.steps:
        return solvers.fixed(form.model, p, data.known, data.pick, data.at, data.grid, form.steps)
    atol = form.atol * data.sizes
    times, course = data.times, form.course
    settings = form.rtol, atol, form.solver, reverse, course, data.given
    return solvers.adaptive(form.model, p, data.known, times, data.at, *settings)


def residuals(form: Form, data: Data, x: Any, reverse: bool = False, states: Any = None) -> Any:
    """Return the residuals whose squares sum to the loss, at parameters (d,)."""
    columns = jnp.array(form.columns)
    modelled = losses.scaled(form.loss, series(form, data, x, reverse, states)[:, columns], jnp)
    if form.noises:
        wanted = data.wanted[:, columns]
        p = _by_row(form, data, x)
        found = likelihoods.residuals(form.loss, modelled, wanted, data.cells, form.noises, p, jnp)
        own = [priors.residuals(form.priors, named(form, x), jnp)] if form.priors else []
        return jnp.concatenate([found, *own]) if own else found
    weight = data.cells if len(data.cells) else jnp.sqrt(data.weights / len(form.columns))[:, None]
    return ((modelled - data.wanted[:, columns]) * weight).ravel()


def rest(form: Form, data: Data, x: Any) -> Any:
    """Return what the loss is above the sum of the squares of the residuals, at parameters (d,); it has no slope: that
    of the residuals is right."""
    wanted = data.wanted[:, jnp.array(form.columns)]
    return jax.lax.stop_gradient(
        likelihoods.rest(form.loss, wanted, data.cells, form.noises, _by_row(form, data, x), jnp)
    )


def loss(form: Form, data: Data, x: Any, reverse: bool = False) -> Any:
    found = (residuals(form, data, x, reverse) ** 2).sum()
    return found + rest(form, data, x) if form.noises else found


@partial(jax.jit, static_argnums=0)
def losses_at(form: Form, data: Data, X: Any) -> Any:
    """Return the losses (n,) at parameters (n, d)."""
    return jax.vmap(partial(loss, form, data))(X)


@partial(jax.jit, static_argnums=0)
def series_at(form: Form, data: Data, X: Any) -> Any:
    """Return the series (n, rows, m) at parameters (n, d)."""
    return jax.vmap(partial(series, form, data))(X)


@partial(jax.jit, static_argnums=0)
def sensitivities(form: Form, data: Data, x: Any, directions: Any) -> tuple[Any, Any]:
    """Return the series that the loss takes, on its scale (n, c), at parameters (d,), and their derivatives (n, c, k)
    along directions (k, d)."""

    def fun(v: Any) -> Any:
        return losses.scaled(form.loss, series(form, data, v)[:, jnp.array(form.columns)], jnp)

    return jax.vmap(lambda d: jax.jvp(fun, (x,), (d,)), out_axes=(None, -1))(directions)


@partial(jax.jit, static_argnums=0)
def value_and_gradient(form: Form, data: Data, x: Any) -> tuple[Any, Any]:
    """Return the loss and its derivative (d,) at parameters (d,): by a tangent a parameter where they are few,
    backwards where they are many."""
    if len(form.names) >= MANY_PARAMETERS and form.solver != solvers.IMPLICIT:
        return jax.value_and_grad(lambda v: loss(form, data, v, reverse=True))(x)
    r, J = residuals_and_jacobian(form, data, x)
    found = (r**2).sum()
    return (found + rest(form, data, x) if form.noises else found), 2 * J.T @ r


def residuals_and_jacobian(form: Form, data: Data, x: Any, active: tuple[int, ...] | None = None) -> tuple[Any, Any]:
    """Return the residuals (r,) and their derivatives (r, d), in one pass forwards.

    Args:
        active: positions of the parameters by which to derive; by the others derivatives are 0. Default: all.
    """
    fun, directions = partial(residuals, form, data), np.eye(len(form.names))
    if active is None or not active:  # without a direction there would be no residuals either
        return jax.vmap(lambda d: jax.jvp(fun, (x,), (d,)), out_axes=(None, 1))(jnp.asarray(directions))
    r, J = jax.vmap(lambda d: jax.jvp(fun, (x,), (d,)), out_axes=(None, 1))(jnp.asarray(directions[list(active)]))
    return r, jnp.zeros((len(r), len(form.names))).at[:, jnp.array(active)].set(J)
