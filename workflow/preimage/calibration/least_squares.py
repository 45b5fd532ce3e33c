"""Bounded least squares from many starts at once, in one compiled JAX program.

Levenberg-Marquardt with Moré's scaling (1978, "The Levenberg-Marquardt algorithm: implementation and theory") over
parameters scaled to [0, 1], all starts in lockstep: damping is a share of each column's own norm, and steps, gains and
convergence are shares of the loss, so that no unit matters. A parameter that a step would carry out of its bounds is
set on the bound and the others' step solved again (an active set, as in Bertsekas 1982). Parameters that are sticky at
a lower bound of 0 may only halve in a step: there the model forgets them, their slope vanishes, and a search that
landed on that edge would stay.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from preimage.calibration import pooled, traced
from preimage.calibration.traced import Data, Form

MOST_ITERATIONS = 200
# Iterations between two reports of progress.
CHUNK = 20
# A search rests after so many steps that brought less than this share of the loss.
QUIET, LITTLE = 15, 1e-6
# Where a step promises no more than this share of the loss, numbers of double precision can't tell whether it keeps it.
ROUNDING = 1e-15
# Damping, in units of the squared norms of the columns; those norms fall by no more than this in a step.
DAMPING, LEAST_DAMPING, FORGETTING = 1e-2, 1e-14, 0.1
TIGHTENINGS = 4


class Box(NamedTuple):
    """Bounds (d,), the share of its value that a parameter must keep in a step (d,), the norm of what residuals are
    uncertain by, beyond rounding, and the share of the loss that a step has to bring."""

    low: Any
    width: Any
    keep: Any
    noise: Any = np.float64(0.0)
    little: Any = np.float64(LITTLE)


class State(NamedTuple):
    """Searches under way (b, ...): scaled parameters, residuals, their derivatives and the columns' scale, loss,
    damping and what it grows by next, gradient norm, quiet steps, evaluations, why they rest (see `WHY`), which
    parameters move."""

    u: Any
    r: Any
    J: Any
    D: Any
    f: Any
    damping: Any
    growth: Any
    slope: Any
    quiet: Any
    evaluations: Any
    rest: Any
    moves: Any


class Found(NamedTuple):
    """Where n searches ended: parameters (n, d), loss, evaluations and reason of each; scaled parameters (n, d),
    residuals (n, r) and their derivatives by these (n, r, d); loss and gradient norm of the best by iteration (k, 3).
    """

    X: np.ndarray
    loss: np.ndarray
    evaluations: np.ndarray
    rest: np.ndarray
    u: np.ndarray
    r: np.ndarray
    J: np.ndarray
    history: list[tuple[int, float, float]]


WHY = {0: "stopped at the limit of iterations", 1: "no step promises a smaller loss", 2: "no more progress"}


def minimise(
    form: Form,
    data: Data,
    X0: np.ndarray,
    box: Box,
    movable: np.ndarray,
    report: Callable[[int, float, float], None] | None = None,
    iterations: int = MOST_ITERATIONS,
    only: np.ndarray | None = None,
) -> Found:
    """Search from every start (n, d).

    Args:
        movable: which parameters move, (d,) or (n, d).
        only: the starts to search from (n,); there is no loss at the others. Default: all.
        report: called with iteration, best loss and its projected gradient's norm.
    """
    u = np.clip((X0 - box.low) / box.width, 0, 1)
    moves = np.broadcast_to(movable, X0.shape)
    active = tuple(np.flatnonzero(moves.any(axis=0)).tolist())
    if pooled.solves(form):
        form, data = pooled.shared(form, data)
    unseen = _unseen(u, moves, traced.many(form, data))
    if only is not None:
        unseen = unseen._replace(rest=np.where(only, unseen.rest, 2))
    state, _ = _advance(form, data, box, unseen, 1, active)
    history, done = [], 0
    while done < iterations and (np.asarray(state.rest) == 0).any():
        state, trace = _advance(form, data, box, state, min(CHUNK, iterations - done), active)
        best, slope = (np.asarray(part) for part in trace)
        kept = np.isfinite(best)
        history += [(done + int(k) + 1, float(best[k]), float(slope[k])) for k in np.flatnonzero(kept)]
        done += int(kept.sum())
        if not kept.any():
            break
        if report:
            report(done, history[-1][1], history[-1][2])
    s = State(*map(np.array, state))  # copies: what JAX hands out can't be written to
    X = np.where(moves, np.clip(box.low + s.u * box.width, box.low, box.low + box.width), X0)
    return Found(X, s.f, s.evaluations, s.rest, s.u, s.r, s.J, history)


def _at(form: Form, data: Data, box: Box, active: tuple[int, ...], u: Any, going: Any) -> tuple[Any, Any]:
    """Return the residuals (b, r) of searches and their derivatives (b, r, d) by scaled parameters (b, d); anything of
    those that are not `going` (b,)."""
    X = box.low + box.width * u
    if pooled.solves(form):
        r, J = pooled.residuals_and_jacobian(form, data, X, active, going)
    else:
        r, J = jax.vmap(lambda x: traced.residuals_and_jacobian(form, data, x, active))(X)
    return r, J * box.width


def _rest(form: Form, data: Data, box: Box, u: Any) -> Any:
    return traced.rest(form, data, box.low + box.width * u)


def _unseen(u: np.ndarray, moves: np.ndarray, residuals: int) -> State:
    """Return searches that have yet to see their starts: without slopes they stay there for one step, which sees them.

    So that one program does it all; of types that it returns too, or it would be compiled twice.
    """
    b, d = u.shape
    zero, one, unknown = np.zeros(b, int), np.ones(b), np.full(b, np.inf)
    r, J, D = np.zeros((b, residuals)), np.zeros((b, residuals, d)), np.ones((b, d))
    return State(u, r, J, D, unknown, one, one, unknown, zero, zero, zero, moves)


@partial(jax.jit, static_argnums=(0, 5))
def _advance(
    form: Form, data: Data, box: Box, state: State, turns: int, active: tuple[int, ...]
) -> tuple[State, tuple[Any, Any]]:
    """Return the searches some iterations on, and the best loss and its gradient norm after each (NaN where none was
    needed).

    Args:
        active: positions of the parameters that move in any of the searches.
    """
    step = jax.vmap(partial(_step, box))
    at = partial(_at, form, data, box, active)
    rest = jax.vmap(partial(_rest, form, data, box)) if form.noises else None
    empty = jnp.full(CHUNK, jnp.nan)

    def more(carry: Any) -> Any:
        return (carry[0] < turns) & (carry[1].rest == 0).any()

    def once(carry: Any) -> Any:
        k, s, (best, slope) = carry
        s = _turn(s, step, at, rest, box)
        leader = jnp.nanargmin(s.f)
        return k + 1, s, (best.at[k].set(s.f[leader]), slope.at[k].set(s.slope[leader]))

    _, state, trace = jax.lax.while_loop(more, once, (0, state, (empty, empty)))
    return state, trace


def _turn(s: State, step: Any, at: Any, rest: Any, box: Box) -> State:
    """Return the searches one iteration on: a step is taken where it lowers the loss; elsewhere the damping grows.

    A step that promises less than the loss can resolve is taken where the loss stays the same but for its noise: there
    derivatives say more than losses. One that promises less than rounding is the last, with little damping. A search
    that had not seen its start sees it, and rests where there is no loss.
    """
    v, slope, promised = step(s.u, s.r, s.J, s.D, s.damping, s.moves)
    r, J = at(v, s.rest == 0)
    J = jnp.where(s.moves[:, None, :], J, 0.0)
    f = (r**2).sum(1) if rest is None else (r**2).sum(1) + rest(v)
    going, first = s.rest == 0, s.evaluations == 0
    fine = promised <= ROUNDING * s.f
    blur = ROUNDING * s.f + 2 * box.noise * jnp.sqrt(jnp.abs(s.f))
    better = ((f < s.f) | ((promised <= blur) & (f <= s.f + blur))) & jnp.isfinite(J).all((1, 2)) & going
    gain = (s.f - f) / promised
    quiet = jnp.where(better & (s.f - f > box.little * s.f), 0, s.quiet + 1)
    rest = jnp.where(fine & (s.damping <= DAMPING), 1, jnp.where(quiet >= QUIET, 2, 0))
    rest = jnp.where(going, rest, s.rest)
    rest = jnp.where(first, jnp.where(better, 0, 2), rest)
    # Nielsen 1999, "Damping parameter in Marquardt's method".
    eased = jnp.where(promised <= blur, 0.1, jnp.clip(1 - (2 * gain - 1) ** 3, 0.1, 2.0))
    damping = jnp.where(first, DAMPING, s.damping * jnp.where(better, eased, s.growth)).clip(LEAST_DAMPING)
    norms = jnp.sqrt((J**2).sum(1))
    return State(
        jnp.where(better[:, None], v, s.u),
        jnp.where(better[:, None], r, s.r),
        jnp.where(better[:, None, None], J, s.J),
        jnp.where(first[:, None], norms, jnp.where(better[:, None], jnp.maximum(norms, FORGETTING * s.D), s.D)),
        jnp.where(better, f, s.f),
        damping,
        jnp.where(better | first, 2.0, 2 * s.growth),
        jnp.where(going & ~first, slope, s.slope),
        jnp.where(first, 0, quiet),
        s.evaluations + going,
        rest,
        s.moves,
    )


def _step(box: Box, u: Any, r: Any, J: Any, D: Any, damping: Any, moves: Any) -> tuple[Any, Any, Any]:
    """Return the next point of one search, the norm of its projected gradient (of the sum of squares, halved), and by
    how much the linearised residuals promise to lower the loss."""
    size = jnp.where(D > 0, D, 1.0)
    A = J / size  # columns of one size: the equations are as well conditioned as scaling can make them
    g, H = A.T @ r, A.T @ A + damping * jnp.eye(len(u))
    held = ~moves | ((u <= 0) & (g > 0)) | ((u >= 1) & (g < 0))
    slope = jnp.abs(jnp.where(held, 0.0, g * size)).max()
    d = jnp.zeros_like(u)
    for _ in range(TIGHTENINGS):
        M = jnp.where(held[:, None] | held[None], 0.0, H) + jnp.diag(1.0 * held)
        b = jnp.where(held, d * size, -g - H @ jnp.where(held, d * size, 0.0))
        full = jax.scipy.linalg.solve(M, b, assume_a="pos") / size
        out = (u + full < box.keep * u) | (u + full > 1)
        d = jnp.where(moves, jnp.clip(u + full, box.keep * u, 1) - u, 0.0)
        held = held | out
    change = J @ d
    return u + d, slope, -(change @ (2 * r + change))
