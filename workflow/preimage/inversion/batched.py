"""Thousands of local searches at once: projected BFGS in one compiled JAX program, in double precision.

Each search keeps a dense approximation of the inverse Hessian over the inputs scaled to [0, 1]. At a step, inputs that
sit on a bound and would be pushed over it are held (Bertsekas 1982, "Projected Newton methods for optimization
problems with simple constraints", SIAM J. Control and Optimization 20); the others go along the quasi-Newton
direction, projected on the bounds and halved until the loss has fallen enough (Armijo). A search whose Hessian gives no
descent starts over from steepest descent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from preimage.inversion import Answer, Question, Report, repaired
from preimage.inversion_kinds import UNMOVED
from preimage.surrogates.precision import cache_compiled_programs, enable_double

enable_double()
cache_compiled_programs()

ITERATIONS = 200
HALVINGS = 20
ARMIJO = 1e-4
SMALLEST_GRADIENT = 1e-12
FIRST_STEP = 0.05
STARTS_AT_A_TIME = 4096


class State(NamedTuple):
    """One search: where it is, its loss and gradient, the inverse Hessian, iterations, evaluations, and why it rests
    (0: it goes on, 1: the projected gradient vanished, 2: no smaller loss along the direction)."""

    u: jax.Array
    f: jax.Array
    g: jax.Array
    H: jax.Array
    iterations: jax.Array
    evaluations: jax.Array
    rest: jax.Array


WHY = {0: "stopped at the limit of iterations", 1: "converged", 2: "no lower loss along the search direction"}


def descend(question: Question, X0: np.ndarray, report: Report | None = None) -> Answer:
    """Search from every start (n, d). Linear constraints are met by repair at the end, which its message tells."""
    space = question.space
    movable = space.free & ~np.array([bool(i.categories) for i in space.inputs], bool)
    if not movable.any():
        return Answer(X0, [1] * len(X0), ["ok"] * len(X0), ["nothing to move"] * len(X0))
    low, width = space.low[movable], (space.high - space.low)[movable]
    run = program(loss_along(question, movable))
    states = []
    for k in range(0, len(X0), STARTS_AT_A_TIME):
        part = X0[k : k + STARTS_AT_A_TIME]
        # Always whole batches: another shape would be compiled anew.
        padded = part if len(X0) <= STARTS_AT_A_TIME else np.resize(part, (STARTS_AT_A_TIME, part.shape[1]))
        found = run(padded)
        states.append([np.asarray(a)[: len(part)] for a in found])
        if report:
            report(k + len(part), float(np.nanmin(states[-1][1])))
    whole: Any = State(*(np.concatenate(parts) for parts in zip(*states, strict=True)))  # type: ignore[arg-type]
    X = X0.copy()
    moved = np.asarray(whole.iterations) > 0  # scaling there and back would move the others by a rounding
    ends = np.clip(low + np.asarray(whole.u) * width, space.low[movable], space.high[movable])
    X[np.ix_(moved, movable)] = ends[moved]
    return _answer(question, X0, X, whole)


def _answer(question: Question, X0: np.ndarray, X: np.ndarray, found: Any) -> Answer:
    X, notes = repaired(question.space, X)
    moved = (np.abs(X - X0) / question.space.width).max(axis=1)
    status, message = [], []
    for k, note in enumerate(notes):
        went = UNMOVED if moved[k] == 0 else f"moved {moved[k]:.3g} of an input's range"
        failed = not np.isfinite(found.f[k])
        reason = "the loss is not finite" if failed else WHY[int(found.rest[k])]
        message.append("; ".join(filter(None, [f"{went} in {int(found.iterations[k])} iterations: {reason}", note])))
        status.append("failed" if failed else "not_converged" if found.rest[k] == 0 else "ok")
    return Answer(X, [int(e) for e in found.evaluations], status, message)


def loss_along(question: Question, movable: np.ndarray) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """Return the loss as a JAX function of (scaled movable inputs, whole start): one number."""
    assert question.traceable is not None
    predict, wanted, space = question.traceable, question.objective, question.space
    low, width = jnp.array(space.low[movable]), jnp.array((space.high - space.low)[movable])
    place = np.flatnonzero(movable)

    def loss(u: jax.Array, x0: jax.Array) -> jax.Array:
        return wanted.loss(predict(x0.at[place].set(low + u * width))[None], jnp)[0]

    def start(x0: jax.Array) -> jax.Array:
        return jnp.clip((x0[place] - low) / width, 0, 1)

    loss.start = start  # type: ignore[attr-defined]
    return loss


def program(loss: Any) -> Callable[[np.ndarray], State]:
    """Return the compiled search over a batch of starts (n, d)."""
    with_gradient = jax.value_and_grad(loss)

    def begin(x0: jax.Array) -> State:
        u = loss.start(x0)
        f, g = with_gradient(u, x0)
        zero = jnp.zeros((), int)
        return State(u, f, g, _first_hessian(g), zero, zero + 1, jnp.where(jnp.isfinite(f), 0, 2))

    def advance(state: State, x0: jax.Array) -> State:
        held = ((state.u <= 0) & (state.g > 0)) | ((state.u >= 1) & (state.g < 0))
        free = jnp.where(held, 0.0, state.g)
        direction = -jnp.where(held, 0.0, state.H @ free)
        downhill = direction @ state.g < 0
        direction = jnp.where(downhill, direction, -FIRST_STEP * free / jnp.maximum(jnp.linalg.norm(free), 1e-300))
        u, f, tried = _line_search(loss, state, direction, x0)
        moved = f < state.f
        new_f, g = with_gradient(u, x0)
        H = jnp.where(downhill, state.H, _first_hessian(state.g))
        H = _bfgs(H, jnp.where(held, 0.0, u - state.u), jnp.where(held, 0.0, g - state.g))
        done = jnp.linalg.norm(free) <= SMALLEST_GRADIENT
        # Where a quasi-Newton step found nothing, steepest descent gets one chance before the search rests.
        rest = jnp.where(done, 1, jnp.where(moved | downhill, 0, 2))
        stuck = ~moved & downhill
        going = state.rest == 0
        take = going & moved & ~done
        return State(
            jnp.where(take, u, state.u),
            jnp.where(take, new_f, state.f),
            jnp.where(take, g, state.g),
            jnp.where(take, H, jnp.where(stuck, -jnp.eye(len(u)), state.H)),
            state.iterations + take,
            state.evaluations + jnp.where(going & ~done, tried + 1, 0),
            jnp.where(going, rest, state.rest),
        )

    @jax.jit
    def run(X0: jax.Array) -> State:
        def more(carry: Any) -> Any:
            return (carry[0] < ITERATIONS) & (carry[1].rest == 0).any()

        def once(carry: Any) -> Any:
            return carry[0] + 1, jax.vmap(advance)(carry[1], X0)

        return jax.lax.while_loop(more, once, (0, jax.vmap(begin)(X0)))[1]

    return lambda X0: run(jnp.asarray(X0, float))


def _first_hessian(g: jax.Array) -> jax.Array:
    """Return a multiple of the identity that makes the first step a twentieth of the range."""
    return jnp.eye(len(g)) * FIRST_STEP / jnp.maximum(jnp.linalg.norm(g), 1e-300)


def _line_search(
    loss: Any, state: State, direction: jax.Array, x0: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return the point, its loss and the evaluations of halving a projected step until the loss falls enough."""

    def at(step: jax.Array) -> tuple[jax.Array, jax.Array]:
        u = jnp.clip(state.u + step * direction, 0, 1)
        return u, loss(u, x0)

    def enough(u: jax.Array, f: jax.Array) -> jax.Array:
        return f <= state.f + ARMIJO * state.g @ (u - state.u)

    def shorter(carry: Any) -> Any:
        step, _, _, tried = carry
        u, f = at(step / 2)
        return step / 2, u, f, tried + 1

    u, f = at(jnp.ones(()))
    going = lambda c: ~enough(c[1], c[2]) & (c[3] < HALVINGS)  # noqa: E731
    _, u, f, tried = jax.lax.while_loop(going, shorter, (jnp.ones(()), u, f, jnp.ones((), int)))
    better = enough(u, f) & (f < state.f)
    return jnp.where(better, u, state.u), jnp.where(better, f, state.f), tried


def _bfgs(H: jax.Array, s: jax.Array, y: jax.Array) -> jax.Array:
    """Return the inverse Hessian after a step s with a change of gradient y; unchanged where the curvature is not
    positive."""
    curvature = s @ y
    good = curvature > 1e-12 * jnp.linalg.norm(s) * jnp.linalg.norm(y)
    rho = jnp.where(good, 1 / jnp.where(good, curvature, 1.0), 0.0)
    V = jnp.eye(len(s)) - rho * jnp.outer(s, y)
    return jnp.where(good, V @ H @ V.T + rho * jnp.outer(s, s), H)
