"""A model's observed series at given times, by four solvers.

`by_scipy` integrates with scipy, for models of NumPy and for complex parameters. `adaptive` is for JAX, which
differentiates it exactly, as far as its tolerance goes: diffrax (Kidger 2021, "On neural differential equations"), or
where the equations are stiff `preimage.calibration.rosenbrock`. `fixed` takes the classical Runge-Kutta steps that
thousands of starts can take in lockstep.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from preimage.calibration import resting
from preimage.calibration.course import Course, limits
from preimage.calibration.giving_up import NoSolutionError, TooLongError
from preimage.core.dynamics import Curve, Dynamics, Known, Model, Parameters

MOST_STEPS = 16384
# Calls of the rates after which scipy's solvers give up.
MOST_CALLS = 12 * MOST_STEPS
# Runge-Kutta steps over the first interval of the data, after which a state's size is known.
SIZING = 8
# Below this tolerance steps to rest come to nothing but rounding; at rest, the states have all digits whatever it is.
RESTING = 1e-10
# Steps on the way to rest, where only the size of the states counts, and how much longer each is than the one before.
TO_REST, LONGER = 40, 3.0
# Names of the solver for JAX of stiff equations, and of scipy's: of numbers, and of complex ones.
IMPLICIT, IMPLICIT_BY_SCIPY, IMPLICIT_OF_COMPLEX = "Rodas5P", "LSODA", "BDF"
# LSODA, which at times takes explicit steps for too long, is given up after this share of the calls: for BDF.
GIVEN_UP = 0.1
WHOLE = Course()


def by_scipy(
    model: Model,
    p: Parameters,
    known: Known,
    times: np.ndarray,
    at: dict[str, np.ndarray],
    method: str = "DOP853",
    rtol: float = 1e-9,
    atol: float | np.ndarray = 1e-9,
    course: Course = WHOLE,
    most_calls: int = MOST_CALLS,
) -> np.ndarray:
    """Return the observed series (n, m) at `times` (n,), which ascend from the start or later; complex where a
    parameter is. The absolute tolerance is one number or one a state.

    Raises NoSolutionError where the solver fails, or the rates are not finite or of the wrong shape.
    """
    if isinstance(model, Curve):
        return np.stack(np.broadcast_arrays(*model.function(at, p, np), times)[:-1], axis=1)
    rows, again = np.unique(times, return_inverse=True)
    # A product of infinities on the way to NaN is the caller's to judge, not to be warned of.
    with np.errstate(all="ignore"):
        dtype = np.result_type(*p.values(), float)
        if method == IMPLICIT_BY_SCIPY and dtype.kind == "c":
            method = IMPLICIT_OF_COMPLEX
        options = {"method": method, "rtol": rtol, "atol": atol}

        def solved(most_calls: int) -> np.ndarray:
            y0 = _begin(model, p, known, course.start, dtype, most_calls, options)
            jump = _jumps(model, p, course)
            return _pieces(_rates(model, p, known, most_calls), y0, rows, course, options, jump)

        try:
            y = solved(int(GIVEN_UP * most_calls) if method == IMPLICIT_BY_SCIPY else most_calls)
        except TooLongError:
            if method != IMPLICIT_BY_SCIPY:
                raise
            options["method"] = IMPLICIT_OF_COMPLEX
            y = solved(most_calls)
        found = np.stack(np.broadcast_arrays(*model.observe(list(y), p), rows)[:-1], axis=1)
    return found if len(rows) == len(times) else found[again]


def _rates(model: Dynamics, p: Parameters, known: Known, most_calls: int) -> Callable[[Any, Any], Any]:
    """Return the rates as scipy takes them. They raise NoSolutionError where they are not finite or of the wrong shape,
    and after so many calls."""
    width, calls = len(model.states), 0

    def rates(t: float, y: np.ndarray) -> list[Any]:
        nonlocal calls
        calls += 1
        if calls > most_calls:
            raise TooLongError(f"the solver had come to t = {t:.6g} after {most_calls} calls of the rates")
        out = list(model.rates(t, list(y), p, known, np))
        if len(out) != width or any(np.ndim(v) for v in out):
            shapes = [np.shape(v) for v in out]
            raise NoSolutionError(f"the rates at t = {t:g} have shapes {shapes}, expected {width} numbers")
        if not np.isfinite(np.array(out)).all():
            raise NoSolutionError(f"the rates at t = {t:.6g} are {[complex(v).real for v in out]}")
        return out

    return rates


def _begin(
    model: Dynamics,
    p: Parameters,
    known: Known,
    start: float,
    dtype: Any,
    most_calls: int,
    options: dict[str, Any],
) -> np.ndarray:
    """Return the states (k,) at the start: the initial values, or where they come to rest before it."""
    own = {**p, **model.before(p)} if model.before else p
    y0 = np.array([np.asarray(v)[()] for v in model.initial(own, known)], dtype)
    if model.before is None:
        return y0
    if model.traceable and dtype.kind != "c":
        looser = max(1.0, RESTING / options["rtol"])
        rtol, atol = looser * options["rtol"], looser * options["atol"]
        return resting.by_jax(model, p, known, start, rtol, atol, MOST_STEPS)
    rates, t = _rates(model, own, known, most_calls), np.nextafter(start, -np.inf)
    return resting.by_scipy(lambda y: rates(t, y), y0, options)


def _jumps(model: Dynamics, p: Parameters, course: Course) -> Callable[[float], tuple[Any, Any]]:
    """Return what is added to the states (k,) at a time, before they are observed and after."""
    amounts = [np.asarray(dose.amount(p))[()] for dose in model.doses]

    def at(t: float) -> tuple[Any, Any]:
        found = np.zeros((2, len(model.states)), np.result_type(*p.values(), float))
        for dose, amount, times in zip(model.doses, amounts, course.doses, strict=False):
            found[int(dose.first), dose.state] += amount * (times == t).sum()
        return found[0], found[1]

    return at


def _pieces(
    rates: Any,
    y0: np.ndarray,
    rows: np.ndarray,
    course: Course,
    options: dict[str, Any],
    jump: Callable[[float], tuple[Any, Any]],
) -> np.ndarray:
    """Return the states (k, n) at times (n,), each once, from stop to stop of a course."""
    from scipy.integrate import solve_ivp

    end = float(rows[-1])
    seen, after = jump(course.start)
    y = y0 + seen
    parts = [np.repeat(y[:, None], int(rows[0] == course.start), axis=1)]
    y, rows = y + after, rows[rows > course.start]
    for a, b in course.pieces(end) if end > course.start else ():
        mine = rows[(rows > a) & (rows <= b)]
        at = mine if len(mine) and mine[-1] == b else np.append(mine, b)
        first, last = limits(np.array(a), np.array(b))
        inside = (lambda t, y, c=first, d=last: rates(min(max(t, c), d), y)) if course.stopped else rates
        found = solve_ivp(inside, (a, b), y, t_eval=at, max_step=course.longest(a, b), **options)
        if not found.success:
            raise NoSolutionError(
                f"the solver gave up at t = {found.t[-1] if len(found.t) else a:.6g}: {found.message}"
            )
        seen, after = jump(b)
        found.y[:, -1] += seen
        y = found.y[:, -1] + after
        parts.append(found.y[:, : len(mine)])
    return np.concatenate(parts, axis=1)


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
    course: tuple[float, bool, float] = (0.0, False, np.inf),
    given: Any = (),
) -> Any:
    """Return the observed series (n, m) at times (n,), each once, for JAX to trace; NaN where the solver gives up.

    Args:
        reverse: whether the derivative is to be taken backwards (for many parameters) rather than forwards.
        course: the start, whether the solver is to begin anew at every one of the times, and the largest step.
        given: how often each dose is given at each of the times (n, d), where the model has doses.
    """
    import jax.numpy as jnp

    if isinstance(model, Curve):
        return jnp.stack(jnp.broadcast_arrays(*model.function(at, p, jnp), times)[:-1], axis=1)
    start, _, largest = course
    y0 = resting.begin(model, p, known, start, rtol, atol, MOST_STEPS)
    if solver == IMPLICIT:
        from preimage.calibration import rosenbrock

        def field(t: Any, y: Any) -> Any:
            return stacked(model.rates(t, list(y), p, known, jnp))

        steps = MOST_STEPS + 2 * len(times)
        jumps = traced_jumps(model, p, given) if model.doses else None
        y = rosenbrock.integrate(field, y0, start, times, rtol, atol, largest, steps, jumps)
    else:
        y = _by_diffrax(model, p, known, y0, times, rtol, atol, solver, reverse, course)
    return observed(model, p, y, times)


def observed(model: Dynamics, p: Parameters, y: Any, times: Any) -> Any:
    """Return the observed series (n, m) of states (n, k) at times (n,), for JAX."""
    import jax.numpy as jnp

    return jnp.stack(jnp.broadcast_arrays(*model.observe(list(y.T), p), times)[:-1], axis=1)


def traced_jumps(model: Dynamics, p: Parameters, given: Any) -> tuple[Any, Any]:
    """Return what is added to the states at each of the times (n, k), before they are observed and after, for JAX."""
    amounts = stacked([dose.amount(p) for dose in model.doses])
    places = np.eye(len(model.states))[[dose.state for dose in model.doses]]
    first = np.array([dose.first for dose in model.doses])
    return (given * ~first) @ (amounts[:, None] * places), (given * first) @ (amounts[:, None] * places)


def _by_diffrax(
    model: Dynamics,
    p: Parameters,
    known: Known,
    y0: Any,
    times: Any,
    rtol: float,
    atol: Any,
    solver: str,
    reverse: bool,
    course: tuple[float, bool, float],
) -> Any:
    """Return the states (n, k) at times (n,); NaN where the solver gives up."""
    import diffrax
    import jax.numpy as jnp

    start, stopped, largest = course
    term = diffrax.ODETerm(lambda t, y, args: stacked(model.rates(t, list(y), args[0], args[1], jnp)))
    control: Any = diffrax.PIDController(rtol=rtol, atol=atol, dtmax=largest if np.isfinite(largest) else None)
    if stopped:
        control = diffrax.ClipStepSizeController(control, jump_ts=times)
    found = diffrax.diffeqsolve(
        term,
        getattr(diffrax, solver)(),
        start,
        jnp.where(times[-1] > start, times[-1], start + 1.0),
        None,
        y0,
        (p, known),
        saveat=diffrax.SaveAt(ts=times),
        stepsize_controller=control,
        adjoint=diffrax.RecursiveCheckpointAdjoint() if reverse else diffrax.ForwardMode(),
        max_steps=MOST_STEPS + (2 * len(times) if stopped else 0),
        throw=False,
    )
    good = found.result == diffrax.RESULTS.successful
    return jnp.where(good, found.ys, jnp.nan)


def sizes(
    model: Model, p: Parameters, known: Known, times: np.ndarray, largest: float, start: float = 0.0
) -> np.ndarray:
    """Return how large each state is (k,), for tolerances that are a share of it: the largest that it gets within the
    first interval of the data; of one that is 0 throughout, the `largest` value of the data."""
    if isinstance(model, Curve):
        return np.empty(0)
    with np.errstate(all="ignore"):
        own = {**p, **model.before(p)} if model.before else p
        begin = np.array([float(np.real(v)) for v in model.initial(own, known)])
        y = begin.copy() if model.before is None else _at_rest(model, own, known, begin, start, largest)
        for dose in model.doses:
            y[dose.state] += float(np.real(dose.amount(p)))
        later = times[times > start]
        h = float(later[0] - start) / SIZING if len(later) else 0.0

        def rates(t: float, y: np.ndarray) -> np.ndarray:
            return np.array([float(np.real(v)) for v in model.rates(t, list(y), p, known, np)])

        found = _largest(_runge_kutta, rates, y, start, h)
        if model.own:  # steps that are too long for the rates make the states larger without end; these do not
            found = np.minimum(found, _largest(_implicit_euler, rates, y, start, h))
    found = np.maximum(found, np.abs(begin))
    return np.where(found > 0, found, largest or 1.0)


def _at_rest(
    model: Dynamics, p: Parameters, known: Known, begin: np.ndarray, start: float, largest: float
) -> np.ndarray:
    """Return roughly where states (k,) come to rest: by steps that grow without end, as long as they are finite."""
    rates, t = _rates(model, p, known, MOST_CALLS), np.nextafter(start, -np.inf)
    size = np.where(begin != 0, np.abs(begin), np.abs(begin).max() or largest or 1.0)
    y = begin.copy()
    try:
        fast = float(np.max(np.abs(rates(t, y)) / size))
        h = resting.FIRST / fast if fast else 1.0
        for _ in range(TO_REST):
            after = _implicit_euler(lambda s, v: np.array(rates(t, v), float), t, y, h)
            if not np.isfinite(after).all():
                break
            y, h = after, LONGER * h
    except (NoSolutionError, np.linalg.LinAlgError):  # the solver will say what is wrong with these rates
        pass
    return y


def _largest(step: Any, rates: Any, y: np.ndarray, start: float, h: float) -> np.ndarray:
    """Return the largest that each state gets in some steps, as far as they are finite."""
    found = np.abs(y)
    try:
        for t in start + h * np.arange(SIZING):
            y = step(rates, t, y, h)
            if not np.isfinite(y).all():
                break
            found = np.maximum(found, np.abs(y))
    except Exception:  # the solver will say what is wrong with these rates
        pass
    return found


def _runge_kutta(rates: Any, t: float, y: np.ndarray, h: float) -> np.ndarray:
    a = rates(t, y)
    b = rates(t + h / 2, y + h / 2 * a)
    c = rates(t + h / 2, y + h / 2 * b)
    y = y + h / 6 * (a + 2 * b + 2 * c + rates(t + h, y + h * c))
    return y


def _implicit_euler(rates: Any, t: float, y: np.ndarray, h: float) -> np.ndarray:
    """Return a step of the linearly implicit Euler method, whose Jacobian is of differences; each of a share of what
    the state is or becomes, so that no unit counts."""
    f = rates(t + h, y)
    change = 1e-6 * np.maximum(np.abs(y), np.abs(h * f))
    columns = [(rates(t + h, y + d) - f) / d.sum() if d.any() else 0 * f for d in np.diag(change)]
    return np.asarray(y + np.linalg.solve(np.eye(len(y)) - h * np.array(columns).T, h * f))


def mesh(knots: np.ndarray, steps: int, stopped: bool = False) -> tuple[np.ndarray, ...]:
    """Return the lengths (s,) of Runge-Kutta steps between knots (n,), `steps` each, and where they begin (s,); where
    rates may jump at the knots, also the first and the last time inside the interval of each step (s,).

    The first interval is graded: a power of time below 1 has no slope at its beginning, which would cost the method its
    order.
    """
    u = np.linspace(0, 1, steps + 1)
    t = [a + (b - a) * (u**2 if k == 0 else u) for k, (a, b) in enumerate(pairwise(knots))]
    begin = np.concatenate([part[:-1] for part in t]) if t else np.empty(0)
    lengths = np.concatenate([np.diff(part) for part in t]) if t else np.empty(0)
    return lengths, begin, *(np.repeat(limits(knots[:-1], knots[1:]), steps, axis=1) if stopped else ())


def fixed(model: Model, p: Parameters, known: Known, pick: Any, at: Any, grid: tuple[Any, ...], steps: int) -> Any:
    """Return the observed series (n, m) at the knots `pick` (n,) of a mesh, by the classical Runge-Kutta method."""
    import jax
    import jax.numpy as jnp

    if isinstance(model, Curve):
        return jnp.stack(jnp.broadcast_arrays(*model.function(at, p, jnp), pick)[:-1], axis=1)

    def field(t: Any, y: Sequence[Any]) -> Sequence[Any]:
        return model.rates(t, y, p, known, jnp)

    def step(y: Sequence[Any], piece: tuple[Any, ...]) -> Any:
        h, t, *inside = piece
        begin, middle, end = (jnp.clip(s, *inside) if inside else s for s in (t, t + h / 2, t + h))
        k1 = field(begin, y)
        k2 = field(middle, [a + h / 2 * b for a, b in zip(y, k1, strict=True)])
        k3 = field(middle, [a + h / 2 * b for a, b in zip(y, k2, strict=True)])
        k4 = field(end, [a + h * b for a, b in zip(y, k3, strict=True)])
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
