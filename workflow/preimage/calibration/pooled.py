"""Residuals of many searches of stiff equations at once, with their derivatives, for JAX.

Solutions need numbers of steps that differ by far, and a program that takes them all in lockstep goes on until the
slowest is there. Here a few lanes take steps instead, each of a solution of its own: of one search under one
condition, first to rest where it begins there, or from the rest that all conditions share. Where one has come to its
end, its lane takes the next. Searches that have ended are left out, and so are derivatives by parameters that the
equations don't take. The steps are those of `preimage.calibration.rosenbrock`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from preimage.calibration import resting, rosenbrock, solvers, traced
from preimage.calibration.traced import Data, Form
from preimage.core.dynamics import Dynamics, Known

# Lanes: more of them have less to do with each loop, and more of them idle at its end.
FEWEST, MOST, SHARE = 8, 32, 8
# Steps of a solution at a tolerance of 1: as the order of their error has it, ten times as many at 1e-5.
STEPS = 200.0


class Tasks(NamedTuple):
    """Solutions to find, n of them.

    Attributes:
        p, y: parameters (n, q) and the states to begin with (n, k).
        dp, dy: their derivatives (n, a, q) and (n, a, k).
        last: how many of the times each is to come to (n,).
        jumps, djumps: what is added at each of the times (n, t, 2, k), and derivatives (n, a, t, 2, k); empty where the
            model has no doses.
    """

    p: Any
    dp: Any
    y: Any
    dy: Any
    last: Any
    jumps: Any
    djumps: Any


class Lane(NamedTuple):
    """A solution under way (w, ...): which it is, whether it is on the way to rest, and whether it has yet to begin;
    the time, states and their derivatives, the next step, the next of the times, steps so far; on the way to rest the
    time gone by, and for how many steps nothing has changed; and the states at rest and their derivatives."""

    task: Any
    settling: Any
    fresh: Any
    t: Any
    y: Any
    dy: Any
    h: Any
    row: Any
    steps: Any
    gone: Any
    still: Any
    rest: Any
    drest: Any


def solves(form: Form) -> bool:
    """Whether a program's equations are solved here."""
    return form.solver == solvers.IMPLICIT and not form.steps and isinstance(form.model, Dynamics)


def shared(form: Form, data: Data) -> tuple[Form, Data]:
    """Return form and data with the tolerances among the data, so that searches at all tolerances are one program."""
    return form._replace(rtol=0.0, atol=0.0), data._replace(tolerances=np.array([form.rtol, form.atol]))


def residuals_and_jacobian(form: Form, data: Data, X: Any, active: tuple[int, ...], going: Any) -> tuple[Any, Any]:
    """Return the residuals (b, r) of searches at parameters (b, d), and their derivatives (b, r, d); NaN of those that
    are not `going` (b,).

    Args:
        form, data: as of `shared`.
        active: positions of the parameters by which to derive; by the others derivatives are 0.
    """
    active = active or (0,)  # without a direction there would be no residuals either
    moving = tuple(k for k in active if k in form.taken) or active[:1]
    tasks = jax.vmap(partial(_tasks, form, data, moving))(X)
    c = tasks.p.shape[1]
    flat = jax.tree.map(lambda v: v.reshape(-1, *v.shape[2:]), tasks)
    Y, dY = _solved(form, data, flat, jnp.repeat(going, c), c if form.together else 1)
    Y, dY = (v.reshape(len(X), c, *v.shape[1:]) for v in (Y, dY))
    return jax.vmap(partial(_observed, form, data, active, moving))(X, Y, dY)


def taken(model: Dynamics, names: Sequence[str], known: Known, start: float) -> tuple[set[str], set[str]]:
    """Return the names of the parameters that equations take, in their rates, initial values or doses; and of those
    that their rest before the start takes."""
    y = [1.0] * len(model.states)

    def at_rest(p: dict[str, Any]) -> list[Any]:
        own = {**p, **model.before(p)} if model.before else p
        return [*model.initial(own, known), *(model.rates(start, y, own, known, jnp) if model.before else [])]

    def later(p: dict[str, Any]) -> list[Any]:
        return [*model.rates(start, y, p, known, jnp), *(dose.amount(p) for dose in model.doses)]

    def names_in(part: Any) -> set[str]:
        def call(*values: Any) -> list[Any]:
            return [jnp.asarray(v, float) for v in part(dict(zip(names, values, strict=True)))]

        program = jax.make_jaxpr(call)(*[1.0] * len(names)).jaxpr
        needed = _needed(program)
        return {name for name, v in zip(names, program.invars, strict=True) if v in needed}

    rest = names_in(at_rest)
    return rest | names_in(later), rest


def _needed(program: Any) -> set[Any]:
    """Return the variables of a traced program that its results depend on."""
    found = {v for v in program.outvars if not hasattr(v, "val")}
    for equation in reversed(program.eqns):
        if found & set(equation.outvars):
            found |= {v for v in equation.invars if not hasattr(v, "val")}
    return found


def _tasks(form: Form, data: Data, moving: tuple[int, ...], x: Any) -> Tasks:
    """Return the solutions of one search (c, ...) at parameters (d,)."""
    directions = jnp.eye(len(form.names))[np.array(moving, int)]

    def start(x: Any) -> Any:
        p = traced.by_condition(form, data, x)
        return jax.vmap(partial(_begin, form, data))(p)

    (p, y, jumps), (dp, dy, djumps) = jax.vmap(lambda d: jax.jvp(start, (x,), (d,)), out_axes=(None, 1))(directions)
    return Tasks(p, dp, y, dy, _last(data, len(p)), jumps, djumps)


def _begin(form: Form, data: Data, p: dict[str, Any]) -> tuple[Any, Any, Any]:
    """Return the parameters of one condition (q,), its initial states (k,), and what doses add at each of the times
    (t, 2, k)."""
    model = form.model
    assert isinstance(model, Dynamics)
    own = {**p, **model.before(p)} if model.before else p
    y = solvers.stacked(model.initial(own, data.known)) + 0.0 * sum(p.values())
    jumps = jnp.stack(solvers.traced_jumps(model, p, data.given), axis=1) if model.doses else jnp.zeros(1)
    return jnp.stack([p[name] for name in form.names]), y, jumps


def _last(data: Data, c: int) -> Any:
    """Return how many of the times each condition has rows in (c,), or before one."""
    if not len(data.own):
        return jnp.full(c, len(data.times))
    return jnp.zeros(c, int).at[data.own[2]].max(data.rows + 1)


def _observed(
    form: Form, data: Data, active: tuple[int, ...], moving: tuple[int, ...], x: Any, Y: Any, dY: Any
) -> tuple[Any, Any]:
    """Return the residuals of one search (r,) and their derivatives (r, d), given its states (c, t, k) and theirs
    (c, a, t, k)."""

    def fun(x: Any, Y: Any) -> Any:
        return traced.residuals(form, data, x, states=Y)

    directions, parts = jnp.eye(len(form.names)), list[Any]()
    still = [k for k in active if k not in moving]
    slopes = jax.vmap(lambda d, dy: jax.jvp(fun, (x, Y), (d, dy)), (0, 1), (None, 1))
    r, J = slopes(directions[np.array(moving)], dY)
    parts.append((moving, J))
    if still:
        r, J = jax.vmap(lambda d: jax.jvp(fun, (x, Y), (d, jnp.zeros_like(Y))), out_axes=(None, 1))(
            directions[np.array(still)]
        )
        parts.append((still, J))
    out = jnp.zeros((len(r), len(form.names)))
    for places, J in parts:
        out = out.at[:, np.array(places)].set(J)
    return r, out


def _solved(form: Form, data: Data, tasks: Tasks, going: Any, together: int) -> tuple[Any, Any]:
    """Return the states at all times (n, t, k) and their derivatives (n, a, t, k); NaN where there are none, and of
    tasks that are not `going` (n,).

    Args:
        together: how many tasks in a row share their rest. One lane takes them all, unless lanes would be idle.
    """
    n, (a, k), t = len(tasks.p), tasks.dy.shape[1:], len(data.times)
    w = min(n, max(FEWEST, min(MOST, n // SHARE)))
    share = jnp.where(2 * going.sum() >= w * together, together, 1)
    leads = going & (jnp.arange(n) % share == 0)
    order, many = jnp.argsort(~leads, stable=True), leads.sum()
    # A place more, where lanes without a task write.
    out = jnp.full((n + 1, t, k), jnp.nan), jnp.full((n + 1, t, a, k), jnp.nan)
    first = jnp.where(jnp.arange(w) < many, order[:w], n)
    turn = jax.vmap(partial(_turn, form, data), in_axes=0)

    def more(carry: Any) -> Any:
        return (carry[0].task < n).any()

    def once(carry: Any) -> Any:
        lanes, taken, (Y, dY) = carry
        mine = jax.tree.map(lambda v: v[jnp.minimum(lanes.task, n - 1)], tasks)
        after, (row, y, dy), ended = turn(lanes, mine)
        there = row < t
        places = jnp.where(there, lanes.task, n), jnp.where(there, row, 0)
        Y, dY = Y.at[places].set(y), dY.at[places].set(dy)
        ended = ended & (lanes.task < n)
        whole = ended & (after.settling | ((lanes.task + 1) % share == 0))
        place = taken + jnp.cumsum(whole) - 1
        new = jnp.where(place < many, order[jnp.minimum(place, n - 1)], n)
        if together > 1:
            rested = after.rest, after.drest
            again = _lanes(form, tasks, lanes.task + 1)._replace(settling=jnp.zeros(w, bool), y=rested[0], dy=rested[1])
            after = _renewed(after, again._replace(rest=rested[0], drest=rested[1]), ended & ~whole)
        return _renewed(after, _lanes(form, tasks, new), whole), taken + whole.sum(), (Y, dY)

    lanes = _lanes(form, tasks, first)
    _, _, (Y, dY) = jax.lax.while_loop(more, once, (lanes, jnp.minimum(w, many), out))
    return Y[:n], jnp.swapaxes(dY[:n], 1, 2)


def _lanes(form: Form, tasks: Tasks, which: Any) -> Lane:
    """Return lanes (w,) at the beginning of their tasks."""
    at, w = jnp.minimum(which, len(tasks.p) - 1), which.shape
    zero = jnp.zeros(w, int)
    start = jnp.full(w, form.course[0])
    settling = jnp.full(w, isinstance(form.model, Dynamics) and form.model.before is not None)
    y, dy = tasks.y[at], tasks.dy[at]
    return Lane(which, settling, jnp.ones(w, bool), start, y, dy, 0.0 * start, zero, zero, 0.0 * start, zero, y, dy)


def _renewed(lanes: Lane, others: Lane, where: Any) -> Lane:
    """Return lanes (w,), some of them replaced."""
    return jax.tree.map(lambda a, b: jnp.where(where.reshape(-1, *[1] * (a.ndim - 1)), b, a), lanes, others)


def _rates(form: Form, data: Data, s: Lane, p: Any) -> Any:
    """Return the rates of the states by time and states, with parameters (q,); on the way to rest those of before."""
    model, named = form.model, dict(zip(form.names, p, strict=True))
    assert isinstance(model, Dynamics)
    before = jnp.nextafter(jnp.asarray(form.course[0], float), -jnp.inf)
    if model.before:
        named |= {k: jnp.where(s.settling, v, named[k]) for k, v in model.before(named).items()}
    return lambda t, y: solvers.stacked(
        model.rates(jnp.where(s.settling, before, t) if model.before else t, list(y), named, data.known, jnp)
    )


def _next_step(form: Form, data: Data, s: Lane, mine: Tasks, begin: Any) -> tuple[Any, Any, Any, tuple[Any, Any]]:
    """Return the step that a lane would take, what of it is left to the next of the times, whether it comes to that,
    and between which times rates are asked."""
    assert isinstance(form.model, Dynamics)
    (start, _, largest), times, rests = form.course, data.times, form.model.before is not None
    rtol, atol = data.tolerances[0], data.tolerances[1] * data.sizes
    field, end = _rates(form, data, s, mine.p), times[s.row]
    h = jnp.minimum(rosenbrock.first_step(field, start, s.y, times[mine.last - 1], atol, rtol), largest)
    if rests:
        before = jnp.nextafter(jnp.asarray(start, float), -jnp.inf)
        to_rest = rosenbrock.first_to_rest(lambda y: field(before, y), s.y, *resting.limits(rtol, atol)[:2])
        h = jnp.where(s.settling, to_rest, h)
    h = jnp.where(s.fresh, h, s.h)
    length, there = rosenbrock.stretch(s.t, h, end)
    inside = jnp.nextafter(begin, jnp.inf), jnp.nextafter(end, -jnp.inf)
    if rests:
        length, there = jnp.where(s.settling, h, length), there & ~s.settling
        inside = jnp.where(s.settling, -jnp.inf, inside[0]), jnp.where(s.settling, jnp.inf, inside[1])
    return h, length, there, inside


def _turn(form: Form, data: Data, s: Lane, mine: Tasks) -> tuple[Lane, tuple[Any, Any, Any], Any]:
    """Return a lane a step on; which of the times it has come to (or their number, for none), with the states there and
    their derivatives; and whether it has ended."""
    model, (start, _, largest), times = form.model, form.course, data.times
    assert isinstance(model, Dynamics)
    rtol, atol = data.tolerances[0], data.tolerances[1] * data.sizes
    loose_rtol, loose_atol, most_to_rest = resting.limits(rtol, atol)
    begins = jnp.concatenate([jnp.full(1, start), times[:-1]])
    begin, end = begins[s.row], times[s.row]
    rests = model.before is not None
    h, length, there, inside = _next_step(form, data, s, mine, begin)

    def step(y: Any, p: Any) -> tuple[Any, Any]:
        return rosenbrock.step(_rates(form, data, s, p), s.t, y, length, inside)

    after, dafter, wrong = jax.vmap(
        lambda dy, dp: jax.jvp(step, (s.y, mine.p), (dy, dp), has_aux=True), out_axes=(None, 0, None)
    )(s.dy, mine.dp)
    error = rosenbrock.off(s.y, after, wrong, rtol, atol)
    good, arrived, lost, t, grown = rosenbrock.judged(s.t, h, begin, end, length, there, error, largest)
    gone, still, settled, restless = s.gone, s.still, s.settling, s.settling
    if rests:
        well, gone, h_rest, still = rosenbrock.rested(s.y, after, wrong, s.gone, h, s.still, loose_rtol, loose_atol)
        good, grown = jnp.where(s.settling, well, good), jnp.where(s.settling, h_rest, grown)
        arrived, lost, t = arrived & ~s.settling, lost & ~s.settling, jnp.where(s.settling, s.t, t)
        settled = s.settling & (still >= rosenbrock.DOUBLINGS)
        restless = s.settling & ~settled & (s.steps + 1 >= most_to_rest)
    y, dy = jnp.where(good, after, s.y), jnp.where(good, dafter, s.dy)
    seen, dseen = y, dy
    if model.doses:
        jump, djump = mine.jumps[s.row], mine.djumps[:, s.row]
        seen, dseen = y + jump[0], dy + djump[:, 0]
        y = jnp.where(arrived, seen + jump[1], y)
        dy = jnp.where(arrived, dseen + djump[:, 1], dy)
    row = s.row + arrived
    most = jnp.minimum(solvers.MOST_STEPS, STEPS * rtol**-0.2) + 2 * len(times)
    steps = jnp.where(settled, 0, s.steps + 1)
    ended = lost | restless | (row >= mine.last) | (~s.settling & (steps >= most))
    rest, drest = jnp.where(settled, y, s.rest), jnp.where(settled, dy, s.drest)
    lane = Lane(s.task, s.settling & ~settled, settled, t, y, dy, grown, jnp.minimum(row, len(times) - 1), steps, gone,
                still, rest, drest)  # fmt: skip
    return lane, (jnp.where(arrived, s.row, len(times)), seen, dseen), ended
