"""A model's observed series at given times, by three solvers.

`by_scipy` integrates with scipy, for models of NumPy and for complex parameters; `adaptive` with diffrax (Kidger 2021,
"On neural differential equations"), which JAX differentiates exactly, as far as its tolerance goes; `fixed` takes the
classical Runge-Kutta steps that thousands of starts can take in lockstep.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from preimage.core.dynamics import Curve, Known, Model, Parameters

MOST_STEPS = 16384
# Runge-Kutta steps over the first interval of the data, after which a state's size is known.
SIZING = 8


class NoSolutionError(ArithmeticError):
    """A solver that gave up at these parameters."""


def by_scipy(
    model: Model,
    p: Parameters,
    known: Known,
    times: np.ndarray,
    at: dict[str, np.ndarray],
    method: str = "DOP853",
    rtol: float = 1e-9,
    atol: float | np.ndarray = 1e-9,
) -> np.ndarray:
    """Return the observed series (n, m) at `times` (n,), which ascend from 0 or later; complex where a parameter is.
    The absolute tolerance is one number or one a state.

    Raises NoSolutionError where the solver fails, or the rates are not finite or of the wrong shape.
    """
    if isinstance(model, Curve):
        return np.stack(np.broadcast_arrays(*model.function(at, p, np), times)[:-1], axis=1)
    from scipy.integrate import solve_ivp

    width = len(model.states)
    # A product of infinities on the way to NaN is the caller's to judge, not to be warned of.
    with np.errstate(all="ignore"):
        y0 = np.array([np.asarray(v)[()] for v in model.initial(p, known)], np.result_type(*p.values(), float))

        def rates(t: float, y: np.ndarray) -> list[Any]:
            out = list(model.rates(t, list(y), p, known, np))
            if len(out) != width or any(np.ndim(v) for v in out):
                shapes = [np.shape(v) for v in out]
                raise NoSolutionError(f"the rates at t = {t:g} have shapes {shapes}, expected {width} numbers")
            if not np.isfinite(np.array(out)).all():
                raise NoSolutionError(f"the rates at t = {t:.6g} are {[complex(v).real for v in out]}")
            return out

        end = float(times[-1])
        if end == 0:
            return np.stack([np.broadcast_to(v, 1) for v in model.observe(list(y0[:, None]), p)], axis=1)
        found = solve_ivp(rates, (0.0, end), y0, method, t_eval=times, rtol=rtol, atol=atol)
        if not found.success:
            raise NoSolutionError(
                f"the solver gave up at t = {found.t[-1] if len(found.t) else 0:.6g}: {found.message}"
            )
        return np.stack(np.broadcast_arrays(*model.observe(list(found.y), p)), axis=1)


def adaptive(
    model: Model,
    p: Parameters,
    known: Known,
    times: Any,
    at: Any,
    rtol: float,
    atol: Any,
    solver: str = "Dopri8",
    reverse: bool = False,
) -> Any:
    """Return the observed series (n, m) for JAX to trace; NaN where the solver gives up.

    Args:
        reverse: whether the derivative is to be taken backwards (for many parameters) rather than forwards.
    """
    import jax.numpy as jnp

    if isinstance(model, Curve):
        return jnp.stack(jnp.broadcast_arrays(*model.function(at, p, jnp), times)[:-1], axis=1)
    import diffrax

    term = diffrax.ODETerm(lambda t, y, args: stacked(model.rates(t, list(y), args[0], args[1], jnp)))
    y0 = stacked(model.initial(p, known)) + 0.0 * sum(p.values())
    found = diffrax.diffeqsolve(
        term,
        getattr(diffrax, solver)(),
        0.0,
        jnp.where(times[-1] > 0, times[-1], 1.0),
        None,
        y0,
        (p, known),
        saveat=diffrax.SaveAt(ts=times),
        stepsize_controller=diffrax.PIDController(rtol=rtol, atol=atol),
        adjoint=diffrax.RecursiveCheckpointAdjoint() if reverse else diffrax.ForwardMode(),
        max_steps=MOST_STEPS,
        throw=False,
    )
    good = found.result == diffrax.RESULTS.successful
    y = jnp.where(good, found.ys, jnp.nan)
    return jnp.stack(jnp.broadcast_arrays(*model.observe(list(y.T), p), times)[:-1], axis=1)


def sizes(model: Model, p: Parameters, known: Known, times: np.ndarray, largest: float) -> np.ndarray:
    """Return how large each state is (k,), for tolerances that are a share of it: the largest that it gets within the
    first interval of the data; of one that is 0 throughout, the `largest` value of the data."""
    if isinstance(model, Curve):
        return np.empty(0)
    with np.errstate(all="ignore"):
        y = np.array([float(np.real(v)) for v in model.initial(p, known)])
        found, later = np.abs(y), times[times > 0]
        h = float(later[0]) / SIZING if len(later) else 0.0

        def rates(t: float, y: np.ndarray) -> np.ndarray:
            return np.array([float(np.real(v)) for v in model.rates(t, list(y), p, known, np)])

        try:
            for t in h * np.arange(SIZING):
                a = rates(t, y)
                b = rates(t + h / 2, y + h / 2 * a)
                c = rates(t + h / 2, y + h / 2 * b)
                y = y + h / 6 * (a + 2 * b + 2 * c + rates(t + h, y + h * c))
                if not np.isfinite(y).all():
                    break
                found = np.maximum(found, np.abs(y))
        except Exception:  # the solver will say what is wrong with these rates
            pass
    return np.where(found > 0, found, largest or 1.0)


def mesh(knots: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the lengths (s,) of Runge-Kutta steps between knots (n,), `steps` each, and where they begin (s,).

    The first interval is graded: a power of time below 1 has no slope at its beginning, which would cost the method its
    order.
    """
    u = np.linspace(0, 1, steps + 1)
    t = [a + (b - a) * (u**2 if k == 0 else u) for k, (a, b) in enumerate(pairwise(knots))]
    begin = np.concatenate([part[:-1] for part in t]) if t else np.empty(0)
    return np.concatenate([np.diff(part) for part in t]) if t else np.empty(0), begin


def fixed(model: Model, p: Parameters, known: Known, pick: Any, at: Any, grid: tuple[Any, Any], steps: int) -> Any:
    """Return the observed series (n, m) at the knots `pick` (n,) of a mesh, by the classical Runge-Kutta method."""
    import jax
    import jax.numpy as jnp

    if isinstance(model, Curve):
        return jnp.stack(jnp.broadcast_arrays(*model.function(at, p, jnp), pick)[:-1], axis=1)

    def field(t: Any, y: Sequence[Any]) -> Sequence[Any]:
        return model.rates(t, y, p, known, jnp)

    def step(y: Sequence[Any], piece: tuple[Any, Any]) -> Any:
        h, t = piece
        k1 = field(t, y)
        k2 = field(t + h / 2, [a + h / 2 * b for a, b in zip(y, k1, strict=True)])
        k3 = field(t + h / 2, [a + h / 2 * b for a, b in zip(y, k2, strict=True)])
        k4 = field(t + h, [a + h * b for a, b in zip(y, k3, strict=True)])
        y = [a + h / 6 * (b + 2 * c + 2 * d + e) for a, b, c, d, e in zip(y, k1, k2, k3, k4, strict=True)]
        return y, y

    zero = 0.0 * sum(p.values())
    y0 = [v + zero for v in model.initial(p, known)]
    _, after = jax.lax.scan(step, y0, grid)
    y = [jnp.concatenate([a[None], b])[pick * steps] for a, b in zip(y0, after, strict=True)]
    return jnp.stack(jnp.broadcast_arrays(*model.observe(y, p), y[0])[:-1], axis=1)


def stacked(values: Sequence[Any]) -> Any:
    import jax.numpy as jnp

    return jnp.stack([jnp.asarray(v, float) for v in values])
