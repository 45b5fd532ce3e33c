"""Thousands of local searches at once: projected BFGS in one compiled JAX program, in double precision.

Each search keeps a dense approximation of the inverse Hessian over the inputs scaled to [0, 1]. Inputs that sit on a
bound and would be pushed over it are held (Bertsekas 1982, "Projected Newton methods for optimization problems with
simple constraints", SIAM J. Control and Optimization 20); the others go along the quasi-Newton direction, projected on
the bounds, and shorter where the loss has not fallen enough (Armijo, with the step from a parabola through what is
known). A search whose direction leads nowhere tries steepest descent once before it rests.

A turn of the program is one evaluation of each search, whichever stage it is in, so that none waits for another's line
search; every few turns those that rest make room for others.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from preimage.inversion import traced
from preimage.inversion.descents import Ends
from preimage.inversion.question import Question
from preimage.inversion.traced import Form, Model, Pull, Search
from preimage.support.progress import Report

MOST_EVALUATIONS = 500
TRIES = 6
ARMIJO = 1e-4
# A search rests where its slope is this share of the one at its start.
SMALLEST_GRADIENT = 1e-10
FIRST_STEP = 0.05
TURNS = 12
# Numbers of searches in a program: each is compiled for itself. The largest holds what still fits a processor's cache.
SLOTS = (16, 64, 256, 1024, 4096)


class State(NamedTuple):
    """One search.

    Attributes:
        u, f, g, H: scaled inputs, loss, gradient, inverse Hessian.
        direction, step, tries, steepest: of the line search under way; the trial point is u + step * direction.
        iterations, evaluations: so far.
        small: the slope at which it rests.
        rest: why it rests (0: it goes on, 1: the projected gradient vanished, 2: no smaller loss, 3: at its limit).
    """

    u: jax.Array
    f: jax.Array
    g: jax.Array
    H: jax.Array
    direction: jax.Array
    step: jax.Array
    tries: jax.Array
    steepest: jax.Array
    iterations: jax.Array
    evaluations: jax.Array
    small: jax.Array
    rest: jax.Array


WHY = {1: "converged", 2: "no lower loss along the search direction", 3: "stopped at the limit of evaluations"}


def descend(
    questions: Sequence[Question],
    owner: np.ndarray,
    X0: np.ndarray,
    movable: np.ndarray,
    units: Sequence[float],
    report: Report | None = None,
    pull: Pull | None = None,
) -> Ends:
    """Search from every start (n, d), each for the question that `owner` (n,) names; all have one kind of objective.

    Linear constraints are met by repair afterwards; limits of outputs by what `pull` says (n, ...), which the losses of
    the ends have in them then (`preimage.inversion.augmented`).
    """
    form, model = traced.form_of(questions[0], movable)
    model = jax.tree.map(jnp.asarray, model)
    whole = traced.within_pieces(traced.searches(questions, owner, X0, units), questions, owner, movable)
    whole = whole._replace(pull=pull)
    found = _run(form, model, whole, report)
    X = X0.copy()
    moved = found.iterations > 0  # scaling there and back would move the others by a rounding
    low, high = (np.array([getattr(q.space, end)[movable] for q in questions])[owner] for end in ("low", "high"))
    X[np.ix_(moved, movable)] = np.clip(low + found.u * (high - low), low, high)[moved]
    failed = ~np.isfinite(found.f)
    reasons = ["the loss is not finite" if bad else WHY[int(r)] for bad, r in zip(failed, found.rest, strict=True)]
    message = [f"in {n} iterations: {reason}" for n, reason in zip(found.iterations, reasons, strict=True)]
    status = np.where(failed, "failed", np.where(found.rest == 3, "not_converged", "ok"))
    slope = found.g * whole.unit[:, None]
    return Ends(X, found.f * whole.unit, found.evaluations, status.tolist(), message, slope=slope)


def _run(form: Form, model: Model, whole: Search, report: Report | None) -> Any:
    """Return the last state of every search, as arrays of numpy."""
    n = len(whole.unit)
    done: list[tuple[np.ndarray, Any]] = []
    active, waiting, finished, best = np.empty(0, int), 0, 0, np.inf
    state: Any = None
    while waiting < n or len(active):
        slots = next((s for s in SLOTS if s >= len(active) + n - waiting), SLOTS[-1])
        new = np.arange(waiting, min(n, waiting + slots - len(active)))
        if len(new):
            fresh = _first(_begin(form, model, _at(whole, new, slots)), len(new))
            state = fresh if not len(active) else jax.tree.map(lambda a, b: np.concatenate([a, b]), state, fresh)
            active, waiting = np.concatenate([active, new]), waiting + len(new)
        # With no smaller program to move to, all may as well run to their end.
        turns = TURNS if slots > SLOTS[0] else MOST_EVALUATIONS
        places = np.arange(len(active))
        after = _advance(form, model, _at(whole, active, slots), _at(state, places, slots), turns)
        state = _first(after, len(active))
        resting = state.rest > 0
        if not resting.any():
            continue
        done.append((active[resting], _part(state, resting)))
        best = min(best, float(np.nanmin(state.f[resting] * whole.unit[active[resting]], initial=np.inf)))
        finished += int(resting.sum())
        state, active = _part(state, ~resting), active[~resting]
        if report:
            report(finished, best)
    order = np.argsort(np.concatenate([where for where, _ in done]))
    return jax.tree.map(lambda *parts: np.concatenate(parts)[order], *(part for _, part in done))


def _at(tree: Any, index: np.ndarray, slots: int) -> Any:
    """Return the searches at these positions; the program's other slots repeat the first."""
    return _part(tree, np.concatenate([index, np.full(slots - len(index), index[0])]))


def _part(tree: Any, index: np.ndarray) -> Any:
    return jax.tree.map(lambda a: a[index], tree)


def _first(tree: Any, count: int) -> Any:
    return jax.tree.map(lambda a: np.asarray(a)[:count], tree)


@partial(jax.jit, static_argnames="form")
def _begin(form: Form, model: Model, searches: Search) -> State:
    def one(search: Search) -> State:
        u = traced.start(form, model, search)
        f, g = jax.value_and_grad(partial(traced.loss, form, model, search))(u)
        zero, H = jnp.zeros((), int), _first_hessian(g)
        direction, _ = _direction(u, g, H)
        slope = _projected(u, g)
        rest = jnp.where(~jnp.isfinite(f), 2, jnp.where(slope == 0, 1, 0))
        small = SMALLEST_GRADIENT * slope
        return State(u, f, g, H, direction, jnp.ones(()), zero, jnp.array(True), zero, zero + 1, small, rest)

    return jax.vmap(one)(searches)


@partial(jax.jit, static_argnames="form")
def _advance(form: Form, model: Model, searches: Search, states: State, turns: int) -> State:
    def turn(search: Search, s: State) -> State:
        u = jnp.clip(s.u + s.step * s.direction, 0, 1)
        f, g = jax.value_and_grad(partial(traced.loss, form, model, search))(u)
        good = (f < s.f) & (f <= s.f + ARMIJO * s.g @ (u - s.u))
        spent = s._replace(evaluations=s.evaluations + 1)
        after = jax.tree.map(partial(jnp.where, good), _accepted(spent, u, f, g), _rejected(spent, f))
        after = after._replace(
            rest=jnp.where((after.rest == 0) & (after.evaluations >= MOST_EVALUATIONS), 3, after.rest)
        )
        return jax.tree.map(partial(jnp.where, s.rest == 0), after, s)

    def more(carry: Any) -> Any:
        return (carry[0] < turns) & (carry[1].rest == 0).any()

    def once(carry: Any) -> Any:
        return carry[0] + 1, jax.vmap(turn)(searches, carry[1])

    return jax.lax.while_loop(more, once, (0, states))[1]


def _accepted(s: State, u: jax.Array, f: jax.Array, g: jax.Array) -> State:
    """The trial point is the new one: learn the curvature, choose the next direction."""
    held = _held(s.u, s.g)
    step, change = jnp.where(held, 0.0, u - s.u), jnp.where(held, 0.0, g - s.g)
    # The first curvature seen sets the scale of the whole matrix (Nocedal and Wright 2006, equation 6.20).
    curvature = step @ change
    scale = jnp.where(curvature > 0, curvature / jnp.maximum(change @ change, 1e-300), 1.0)
    H = _bfgs(jnp.where((s.iterations == 0) & (curvature > 0), scale * jnp.eye(len(u)), s.H), step, change)
    direction, steepest = _direction(u, g, H)
    H = jnp.where(steepest, _first_hessian(g), H)
    rest = jnp.where(_projected(u, g) <= s.small, 1, 0)
    zero = jnp.zeros((), int)
    return State(u, f, g, H, direction, jnp.ones(()), zero, steepest, s.iterations + 1, s.evaluations, s.small, rest)


def _rejected(s: State, f: jax.Array) -> State:
    """The loss has not fallen enough: a shorter step, another direction where that fails, or rest."""
    slope = s.step * (s.g @ s.direction)
    share = -slope / (2 * (f - s.f - slope))
    share = jnp.where(jnp.isfinite(share), jnp.clip(share, 0.1, 0.5), 0.1)
    out_of_tries = s.tries + 1 >= TRIES
    H = _first_hessian(s.g)
    fallback, _ = _direction(s.u, s.g, H)
    return s._replace(
        H=jnp.where(out_of_tries, H, s.H),
        direction=jnp.where(out_of_tries, fallback, s.direction),
        step=jnp.where(out_of_tries, 1.0, s.step * share),
        tries=jnp.where(out_of_tries, 0, s.tries + 1),
        steepest=s.steepest | out_of_tries,
        rest=jnp.where(out_of_tries & s.steepest, 2, 0),
    )


def _held(u: jax.Array, g: jax.Array) -> jax.Array:
    return ((u <= 0) & (g > 0)) | ((u >= 1) & (g < 0))


def _projected(u: jax.Array, g: jax.Array) -> jax.Array:
    """Return the length of the gradient along the inputs that may move."""
    return jnp.linalg.norm(jnp.where(_held(u, g), 0.0, g))


def _direction(u: jax.Array, g: jax.Array, H: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the way to go, and whether it is that of steepest descent because the other led upwards."""
    held = _held(u, g)
    free = jnp.where(held, 0.0, g)
    newton = -jnp.where(held, 0.0, H @ free)
    steepest = ~(newton @ g < 0)
    return jnp.where(steepest, -FIRST_STEP * free / jnp.maximum(jnp.linalg.norm(free), 1e-300), newton), steepest


def _first_hessian(g: jax.Array) -> jax.Array:
    """Return a multiple of the identity that makes the first step a twentieth of the range."""
    return jnp.eye(len(g)) * FIRST_STEP / jnp.maximum(jnp.linalg.norm(g), 1e-300)


def _bfgs(H: jax.Array, s: jax.Array, y: jax.Array) -> jax.Array:
    """Return the inverse Hessian after a step s with a change of gradient y; unchanged where the curvature is not
    positive."""
    curvature = s @ y
    good = curvature > 1e-12 * jnp.linalg.norm(s) * jnp.linalg.norm(y)
    rho = jnp.where(good, 1 / jnp.where(good, curvature, 1.0), 0.0)
    V = jnp.eye(len(s)) - rho * jnp.outer(s, y)
    return jnp.where(good, V @ H @ V.T + rho * jnp.outer(s, s), H)
