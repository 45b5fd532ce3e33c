"""Where the rates of a user's model jump in time: a dose that begins, a light that is switched.

The rates are asked for over a fine grid of times, with the states held. Where they change most from one time to the
next, the interval is halved again and again: the change of what is continuous goes away with it, that of a jump stays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

# Times at which rates are asked for, in all; a jump and back between two of them stays unseen.
PROBES = 4096
# Intervals that are halved, of all those in which something changes, and how often.
SUSPECTS, HALVINGS = 64, 48
# A change that is left in the last interval, as a share of that in the first: of a jump all of it stays.
LEFT = 0.5

# Times (n,) to rates (n, k).
Sweep = Callable[[np.ndarray], np.ndarray]


def found(sweep: Sweep, stops: np.ndarray, start: float, end: float) -> np.ndarray:
    """Return the times (j,), ascending, at which rates jump between start and end.

    Args:
        stops: times at which solvers begin anew anyway.
    """
    knots = np.unique(np.concatenate([[start], stops[(stops > start) & (stops < end)], [end]]))
    each = max(2, PROBES // max(1, len(knots) - 1))
    # Not at the stops themselves, where a jump is known of.
    share = (np.arange(each) + 0.5) / each
    t = (knots[:-1, None] + np.diff(knots)[:, None] * share).ravel()
    a, b = t[:-1], t[1:]
    rates = sweep(t)
    before, after = rates[:-1], rates[1:]
    change = _size(after - before, rates)
    most = np.argsort(-change, kind="stable")[:SUSPECTS]
    most = most[change[most] > 0]
    a, b, before, after = a[most], b[most], before[most], after[most]
    whole = change[most]
    for _ in range(HALVINGS):
        if not len(most):
            break
        middle = a + (b - a) / 2
        value = sweep(middle)
        first = _size(value - before, rates) >= _size(after - value, rates)
        a, before = np.where(first, a, middle), np.where(first[:, None], before, value)
        b, after = np.where(first, middle, b), np.where(first[:, None], value, after)
    jumps = _size(after - before, rates) > LEFT * whole
    at = np.unique(b[jumps])
    return at[~_beside(at, stops, end - start)]


def _size(change: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """Return the largest change (n,) of any rate, each as a share of the largest that this rate gets."""
    largest = np.abs(rates).max(axis=0)
    shares: np.ndarray = np.abs(change) / np.where(largest > 0, largest, 1.0)
    return shares.max(axis=1, initial=0.0)


def _beside(at: np.ndarray, stops: np.ndarray, whole: float) -> np.ndarray:
    """Return which times (j,) are stops but for the width of the last interval."""
    width = whole / PROBES * 2.0 ** (1 - HALVINGS) + 4 * np.spacing(np.abs(at))
    return np.asarray(np.abs(at[:, None] - stops).min(axis=1, initial=np.inf) <= width)


def sweeps_of(model: Any, known: Any) -> Callable[[Any, np.ndarray], Sweep]:
    """Return what gives the sweep of parameters by name and states (k,); all sweeps share one compiled program."""
    if not model.traceable:
        return lambda p, y: sweep_of(model, p, known, y)
    import jax
    import jax.numpy as jnp

    from preimage.calibration.solvers import stacked

    at = jax.vmap(lambda t, p, y: stacked(model.rates(t, list(y), p, known, jnp)), (0, None, None))
    traced = jax.jit(at)
    return lambda p, y: lambda t: np.nan_to_num(np.asarray(traced(t, dict(p), y)), posinf=0.0, neginf=0.0)


def sweep_of(model: Any, p: Any, known: Any, y: np.ndarray) -> Sweep:
    """Return a model's rates as a function of time, with the states (k,) held; rates that are not finite are 0."""
    if model.traceable:
        import jax
        import jax.numpy as jnp

        from preimage.calibration.solvers import stacked

        traced = jax.jit(jax.vmap(lambda t: stacked(model.rates(t, list(y), p, known, jnp))))
        return lambda t: np.nan_to_num(np.asarray(traced(t)), posinf=0.0, neginf=0.0)

    def one_by_one(t: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            rows = [[float(np.real(v)) for v in model.rates(float(s), list(y), p, known, np)] for s in t]
        return np.nan_to_num(np.array(rows), posinf=0.0, neginf=0.0)

    return one_by_one
