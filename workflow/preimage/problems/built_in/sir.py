"""Susceptible, infected, recovered (Kermack and McKendrick 1927), for an outbreak in a small population.

S' = -contact S I; I' = contact S I - recovery I; R' = recovery I. How many were susceptible at the start is unknown;
the first row says who was infected and recovered.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

from preimage.core.dynamics import Dynamics, Known, Parameters
from preimage.problems.loading import Problem, of_series

BOUNDS = {"contact": (1e-4, 0.2), "recovery": (0.01, 2.0), "susceptible": (5.0, 300.0)}
START = {"contact": 0.02, "recovery": 0.3, "susceptible": 40.0}


def build() -> Problem:
    """Return the outbreak: observed are those infected and those recovered."""
    dynamics = Dynamics(
        states=("S", "I", "R"),
        rates=rates,
        initial=initial,
        observe=observe,
        observed=("infected", "recovered"),
        columns=(("infected", "infected"), ("recovered", "recovered")),
        daily=True,
        begins=frozenset({"infected", "recovered"}),
    )
    return of_series("sir", BOUNDS, dynamics, START)


def initial(p: Parameters, known: Known) -> Sequence[Any]:
    return p["susceptible"], known.first["infected"], known.first["recovered"]


def observe(y: Sequence[Any], p: Parameters) -> Sequence[Any]:
    return y[1], y[2]


def rates(t: Any, y: Sequence[Any], p: Parameters, known: Known, xp: ModuleType) -> Sequence[Any]:
    S, I, _ = y
    infected, recovered = p["contact"] * S * I, p["recovery"] * I
    return -infected, infected - recovered, recovered
