"""How does `minimize` get its derivatives? Measured on the loss at hand: the error of each way against a reference in
80-bit arithmetic, what it costs, and where L-BFGS-B ends with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize

from preimage.calibration import reference
from preimage.calibration.fit import Fit
from preimage.calibration.giving_up import NoSolutionError
from preimage.calibration.solvers import IMPLICIT
from preimage.core.space import Space
from preimage.support.masking import without_secrets

COMPLEX_STEP = 1e-30
STEPS = np.logspace(-12, -1, 23)
ITERATIONS = 100
# The fastest of so many is what a gradient takes, whatever else the machine does.
TIMED = 5
# How far from the best parameters towards the middle of their bounds derivatives are taken: differences need room.
INWARD = 0.05


@dataclass
class Way:
    """One way to a derivative: a solver with its tolerance, and a rule; counts its solutions of the equations."""

    rule: str
    solver: str
    tolerance: float
    calls: int = field(default=0, init=False)

    @property
    def name(self) -> str:
        return f"{self.solver} {self.tolerance:g}, {self.rule}"

    def loss(self, fit: Fit, x: np.ndarray) -> Any:
        self.calls += 1
        try:
            return fit.by_scipy(x, method=self.solver, rtol=self.tolerance, atol=min(self.tolerance, 1e-6))
        except NoSolutionError:
            return np.nan


# What scipy does unasked, then tighter solvers, then derivatives without differences.
WAYS = (
    ("2-point", "RK45", 1e-3),
    ("3-point", "RK45", 1e-3),
    ("3-point", "LSODA", 1e-6),
    ("2-point", "DOP853", 1e-6),
    ("3-point", "DOP853", 1e-6),
    ("3-point", "DOP853", 1e-9),
    ("cs", "DOP853", 1e-6),
    ("cs", "DOP853", 1e-9),
    ("exact", "Tsit5", 1e-6),
    ("exact", "Dopri8", 1e-9),
)
# The same of stiff equations, on which explicit solvers do not get anywhere.
STIFF_WAYS = (
    ("2-point", "LSODA", 1e-3),
    ("3-point", "LSODA", 1e-6),
    ("3-point", "LSODA", 1e-9),
    ("exact", IMPLICIT, 1e-6),
    ("exact", IMPLICIT, 1e-9),
)
STIFF_CURVES = (("LSODA", 1e-3), ("LSODA", 1e-9))
CURVES = (("RK45", 1e-3), ("LSODA", 1e-6), ("DOP853", 1e-6), ("DOP853", 1e-9))


class Unit:
    """A fit over its free parameters scaled to [0, 1]."""

    def __init__(self, fit: Fit, space: Space, x: np.ndarray) -> None:
        self.fit, self.x, self.free = fit, x, space.free
        self.low, self.width = space.low[space.free], (space.high - space.low)[space.free]

    def point(self, u: np.ndarray) -> np.ndarray:
        x = self.x.astype(u.dtype)
        x[self.free] = self.low + u * self.width
        return x

    def scaled(self, x: np.ndarray) -> np.ndarray:
        return np.clip((x[self.free] - self.low) / self.width, 0, 1)


def measure(fit: Fit, space: Space, best: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, float], str]:
    """Return what is found of each way, errors against the step of differences, milliseconds by way, and what the
    reference is.

    Args:
        best: parameters (d,), near which derivatives are taken.
    """
    unit = Unit(fit, space, best)
    u = unit.scaled(best) + INWARD * (0.5 - unit.scaled(best))
    right, said = _reference(unit, u)
    rows, times = [], {}
    for rule, solver, tolerance in STIFF_WAYS if fit.implicit else WAYS:
        if (rule == "exact" and not fit.model.traceable) or (rule == "cs" and not _complex_safe(unit, u)):
            continue
        way = Way(rule, solver, tolerance)
        gradient = slope_of(way, unit)
        gradient(u)  # compiles
        way.calls = 0
        found, calls = gradient(u)[1], way.calls
        times[way.name] = 1000 * min(_seconds(gradient, u) for _ in range(TIMED))
        rows.append(
            {
                "rule": rule,
                "solver": solver,
                "tolerance": tolerance,
                "way": way.name,
                "error": float(np.abs(found - right).max() / np.abs(right).max()),
                "calls": calls,
                **_ended(gradient, unit, way),
            }
        )
    return pd.DataFrame(rows), pd.DataFrame(_curves(unit, u, right)), times, said


def _seconds(gradient: Callable[..., Any], u: np.ndarray) -> float:
    started = time.perf_counter()
    gradient(u)
    return time.perf_counter() - started


def slope_of(way: Way, unit: Unit) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
    """Return the loss and its derivative as functions of the scaled parameters, by one way."""
    if way.rule == "exact":
        return _exact(way, unit)
    if way.rule == "cs":
        return lambda u: _complex(way, unit, u)
    h = np.finfo(float).eps ** (1 / 2 if way.rule == "2-point" else 1 / 3)
    return lambda u: _differences(way, unit, u, h)


def _exact(way: Way, unit: Unit) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
    from preimage.calibration import traced

    fit = replace(unit.fit, rtol=way.tolerance, atol=min(way.tolerance, 1e-6), solver=way.solver)

    def both(u: np.ndarray) -> tuple[float, np.ndarray]:
        way.calls += 1
        f, g = traced.value_and_gradient(fit.form, fit.data, unit.point(u))
        return float(f), np.asarray(g)[unit.free] * unit.width

    return both


def _complex(way: Way, unit: Unit, u: np.ndarray) -> tuple[float, np.ndarray]:
    found = [way.loss(unit.fit, unit.point(u + 1j * COMPLEX_STEP * e)) for e in np.eye(len(u))]
    return float(np.real(found[0])), np.imag(found) / COMPLEX_STEP


def _differences(way: Way, unit: Unit, u: np.ndarray, h: float) -> tuple[float, np.ndarray]:
    """Return forward differences, or central ones; turned inwards at a bound, where central ones become one-sided."""
    f = float(way.loss(unit.fit, unit.point(u)))
    out = np.empty(len(u))
    for k, e in enumerate(np.eye(len(u))):
        if way.rule == "2-point":
            step = h if u[k] + h <= 1 else -h
            out[k] = (way.loss(unit.fit, unit.point(u + step * e)) - f) / step
            continue
        a, b = (-h, h) if h <= u[k] <= 1 - h else (h, 2 * h) if u[k] < h else (-2 * h, -h)
        fa, fb = (way.loss(unit.fit, unit.point(u + s * e)) for s in (a, b))
        out[k] = ((fa - f) / a * b - (fb - f) / b * a) / (b - a)
    return f, out


def _ended(gradient: Callable[..., Any], unit: Unit, way: Way) -> dict[str, Any]:
    """Return where L-BFGS-B ends with this derivative from the first start, by the reference loss."""
    start = unit.scaled(unit.fit.start)
    way.calls = 0
    bounds, options = [(0.0, 1.0)] * len(start), {"maxiter": ITERATIONS}
    try:
        found = minimize(gradient, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    except (ValueError, ArithmeticError) as error:
        return {"final_loss": np.nan, "iterations": 0, "final_calls": way.calls, "message": without_secrets(str(error))}
    return {
        "final_loss": float(unit.fit.reference(unit.point(found.x)[None])[0]),
        "iterations": int(found.nit),
        "final_calls": way.calls,
        "message": str(found.message),
    }


def _curves(unit: Unit, u: np.ndarray, right: np.ndarray) -> Iterator[dict[str, Any]]:
    for solver, tolerance in STIFF_CURVES if unit.fit.implicit else CURVES:
        for rule in ("2-point", "3-point"):
            way = Way(rule, solver, tolerance)
            for h in STEPS:
                error = np.abs(_differences(way, unit, u, h)[1] - right).max() / np.abs(right).max()
                yield {"rule": rule, "solver": solver, "tolerance": tolerance, "step": h, "error": float(error)}


def _complex_safe(unit: Unit, u: np.ndarray) -> bool:
    try:
        return bool(np.iscomplexobj(unit.fit.by_scipy(unit.point(u + 0j))))
    except Exception:
        return False


def _reference(unit: Unit, u: np.ndarray) -> tuple[np.ndarray, str]:
    """Return the derivative to judge by, and what it is."""
    if unit.fit.implicit:
        return _stiff_reference(unit, u)
    try:
        found = reference.gradient(unit.fit, unit.point(u))
        return found[unit.free] * unit.width, "complex steps in 80-bit arithmetic, by an extrapolation solver"
    except Exception:
        tight = Way("exact" if unit.fit.model.traceable else "3-point", "Dopri8", 1e-12)
        if tight.rule == "exact":
            return slope_of(tight, unit)(u)[1], "tangents through the solver Dopri8 at tolerance 1e-12"
        tight.solver = "DOP853"
        return slope_of(tight, unit)(u)[1], "central differences through the solver DOP853 at tolerance 1e-12"


def _stiff_reference(unit: Unit, u: np.ndarray) -> tuple[np.ndarray, str]:
    """Return the derivative to judge by where equations are stiff, and what it is."""
    if unit.fit.model.traceable:
        way = Way("exact", IMPLICIT, 1e-11)
        return slope_of(way, unit)(u)[1], f"tangents through the solver {IMPLICIT} at tolerance 1e-11"
    return slope_of(Way("3-point", "BDF", 1e-12), unit)(u)[1], "central differences through the solver BDF at 1e-12"
