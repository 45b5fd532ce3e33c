"""An epidemic with a contact rate that decays: susceptible, exposed, infected, recovered and dead (SEIRD).

beta(t) = ((R0 - Rt) / (1 + (t / L)^k) + Rt) rho; S' = -beta S I / N; E' = beta S I / N - alpha E; I' = alpha E - rho I;
R' = (1 - theta) rho I; D' = theta rho I, with rho = 1 / D_rec, alpha = 1 / D_inc, t in days from the first row, where
nobody but its cases is infected.

R and D both grow with the flow rho I from 0, and nobody leaves: three states are enough, E, I and Z = R + D.
(t / L)^k goes through log t: by itself its derivative is NaN at t = 0 for k < 1, and at L = 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

from preimage.core.dynamics import Dynamics, Known, Parameters, floored
from preimage.problems.loading import Problem, of_series

# Stand-ins for t = 0 and L = 0, with finite slopes.
LEAST_TIME, LEAST_L = 1e-300, 1e-8

BOUNDS = {
    "R0": (0.0, 6.49),
    "theta": (0.01, 0.15),
    "k": (0.0, 5.0),
    "L": (0.0, 200.0),
    "Rt": (0.0, 6.49),
    "D_rec": (3.48, 18.0),
    "D_inc": (4.9, 5.9),
}
START = {"R0": 1.8, "theta": 0.04, "k": 2.0, "L": 20.0, "Rt": 1.0, "D_rec": 15.0, "D_inc": 4.9}


def build() -> Problem:
    """Return the epidemic: observed are cumulative cases, I + R + D, and deaths, D."""
    dynamics = Dynamics(
        states=("E", "I", "Z"),
        rates=rates,
        initial=initial,
        observe=observe,
        observed=("cases", "deaths"),
        cumulative=frozenset({"cases", "deaths"}),
        columns=(("cases", "ConfirmedCases"), ("deaths", "Fatalities")),
        sticky=frozenset({"k", "L"}),
        population=True,
        daily=True,
        begins=frozenset({"cases"}),
    )
    return of_series("seird", BOUNDS, dynamics, START)


def initial(p: Parameters, known: Known) -> Sequence[Any]:
    """Return E, I and Z at the first row."""
    return 0.0, known.first["cases"], 0.0


def observe(y: Sequence[Any], p: Parameters) -> Sequence[Any]:
    """Return cumulative cases, and deaths."""
    return y[1] + y[2], p["theta"] * y[2]


def rates(t: Any, y: Sequence[Any], p: Parameters, known: Known, xp: ModuleType) -> Sequence[Any]:
    """Return the derivatives of E, I and Z."""
    E, I, Z = y
    removed, onset = I / p["D_rec"], E / p["D_inc"]
    infected = reproduction(t, p, xp) * removed * (1 - (E + I + Z) / known.population)
    return infected - onset, onset - removed, removed


def reproduction(t: Any, p: Parameters, xp: ModuleType) -> Any:
    """Return beta(t) / rho: R0 at the start, half way to Rt at t = L."""
    ratio = xp.log(xp.maximum(t, LEAST_TIME)) - xp.log(floored(p["L"], LEAST_L, xp))
    return (p["R0"] - p["Rt"]) / (1 + xp.exp(p["k"] * ratio)) + p["Rt"]
