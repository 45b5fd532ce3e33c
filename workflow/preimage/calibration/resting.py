"""States that have come to rest before the origin (pre-equilibration): under parameters of their own, from the initial
values, for as long as it takes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from preimage.calibration.giving_up import NoSolutionError
from preimage.core.dynamics import Dynamics, Known, Parameters

# The first time, as a share of that in which the states would change by all of themselves; each is so many times the
# one before.
FIRST, LONGER, MOST = 1e-3, 10.0, 60
# At rest are states that change by no more than so many times their tolerance from one time to the next, twice.
STILL, TWICE = 1.0, 2
# The tightest tolerance of the solver for JAX on the way to rest: at rest the states have all digits whatever it is,
# and a tighter one is nothing but rounding where rates are far apart. And its most steps at a tolerance of 1: as the
# order of its error has it, ten times as many at 1e-5. States that need more would never come to rest.
TIGHTEST, STEPS = 1e-7, 26.0
RESTLESS = "the states do not come to rest before the start"


def begin(model: Dynamics, p: Parameters, known: Known, start: Any, rtol: Any, atol: Any, most_steps: int) -> Any:
    """Return the states (k,) at the start for JAX to trace: the initial values, or where they come to rest before it;
    NaN where they don't."""
    import jax.numpy as jnp

    from preimage.calibration import rosenbrock

    own = {**p, **model.before(p)} if model.before else p
    y0 = jnp.stack([jnp.asarray(v, float) for v in model.initial(own, known)]) + 0.0 * sum(p.values())
    if model.before is None:
        return y0
    t = jnp.nextafter(jnp.asarray(start, float), -jnp.inf)

    def rates(y: Any) -> Any:
        return jnp.stack([jnp.asarray(v, float) for v in model.rates(t, list(y), own, known, jnp)])

    rtol, atol, most = limits(rtol, atol)
    return rosenbrock.settle(rates, y0, rtol, atol, jnp.minimum(most_steps, most))


def limits(rtol: Any, atol: Any) -> tuple[Any, Any, Any]:
    """Return the tolerances of the solver for JAX on the way to rest, given those of the fit, and its most steps."""
    import jax.numpy as jnp

    looser = jnp.maximum(1.0, TIGHTEST / rtol)
    return looser * rtol, looser * atol, STEPS * (looser * rtol) ** -0.2


def by_jax(
    model: Dynamics, p: Parameters, known: Known, start: float, rtol: float, atol: Any, most_steps: int
) -> np.ndarray:
    """Return the states (k,) at rest of a model that JAX traces: its exact derivatives get there where differences,
    multiplied by times without end, do not. Raises NoSolutionError where they don't come to rest."""
    atol = np.broadcast_to(np.asarray(atol, float), len(model.states))
    found = np.asarray(_compiled(model, most_steps)(dict(p), known, start, rtol, atol))
    if not np.isfinite(found).all():
        raise NoSolutionError(RESTLESS)
    return found


@lru_cache(maxsize=8)
def _compiled(model: Dynamics, most_steps: int) -> Callable[..., Any]:
    import jax

    return jax.jit(lambda p, known, start, rtol, atol: begin(model, p, known, start, rtol, atol, most_steps))


def by_scipy(rates: Callable[[np.ndarray], Any], y0: np.ndarray, options: dict[str, Any]) -> np.ndarray:
    """Return the states (k,) in which the equations come to rest from y0 (k,). Raises NoSolutionError where they don't.

    Args:
        rates: of the states alone; options: of `scipy.integrate.solve_ivp`.
    """
    from scipy.integrate import solve_ivp

    y, speed = y0, np.abs(np.array(rates(y0)))
    size = options["atol"] + options["rtol"] * np.abs(y0)
    fast = float((speed / size).max(initial=0.0))
    if not fast:
        return y0
    t, still = FIRST * max(float((np.abs(y0) / size).max()), 1.0) / fast, 0
    for _ in range(MOST):
        found = solve_ivp(lambda _, v: rates(v), (0.0, t), y, **options)
        if not found.success:
            raise NoSolutionError(f"the solver gave up on the way to rest: {found.message}")
        after = found.y[:, -1]
        size = options["atol"] + options["rtol"] * np.maximum(np.abs(y), np.abs(after))
        still = still + 1 if (np.abs(after - y) <= STILL * size).all() else 0
        y, t = after, LONGER * t
        if still == TWICE:
            return y
    raise NoSolutionError(RESTLESS)
