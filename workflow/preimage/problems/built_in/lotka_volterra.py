"""Predator and prey (Lotka 1925, Volterra 1926): hares and lynx, as fitted by Howard 2009 to the Hudson Bay pelts.

hare' = (growth - predation lynx) hare; lynx' = (conversion hare - decline) lynx; where both start is unknown too.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

from preimage.core.dynamics import Dynamics, Known, Parameters
from preimage.problems.loading import Problem, of_series

BOUNDS = {
    "growth": (0.1, 2.0),
    "predation": (0.001, 0.1),
    "decline": (0.1, 2.0),
    "conversion": (0.001, 0.1),
    "hare_0": (5.0, 80.0),
    "lynx_0": (0.5, 30.0),
}
START = {"growth": 0.5, "predation": 0.03, "decline": 0.5, "conversion": 0.03, "hare_0": 30.0, "lynx_0": 4.0}


def build() -> Problem:
    """Return the two species: observed are both."""
    dynamics = Dynamics(
        states=("hare", "lynx"),
        rates=rates,
        initial=initial,
        observe=observe,
        observed=("hare", "lynx"),
        columns=(("hare", "hare_thousands"), ("lynx", "lynx_thousands")),
    )
    return of_series("lotka_volterra", BOUNDS, dynamics, START)


def initial(p: Parameters, known: Known) -> Sequence[Any]:
    return p["hare_0"], p["lynx_0"]


def observe(y: Sequence[Any], p: Parameters) -> Sequence[Any]:
    return tuple(y)


def rates(t: Any, y: Sequence[Any], p: Parameters, known: Known, xp: ModuleType) -> Sequence[Any]:
    hare, lynx = y
    return (p["growth"] - p["predation"] * lynx) * hare, (p["conversion"] * hare - p["decline"]) * lynx
