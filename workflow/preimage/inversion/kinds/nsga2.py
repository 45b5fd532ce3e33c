"""Inverter `nsga2`, as a study names it."""

from __future__ import annotations

from typing import ClassVar

from preimage.inversion.base import Inverter
from preimage.support.frozen import Whole, option


class Nsga2(Inverter):
    """NSGA-II, for the front of a trade-off (`pareto`): a population that keeps what nothing else dominates, evenly
    spread."""

    kind: ClassVar[str] = "nsga2"
    population: ClassVar[bool] = True
    finds_points: ClassVar[bool] = False
    finds_fronts: ClassVar[bool] = True

    evaluations: Whole = option(
        5000,
        "Evaluation budget; each point of the front of all that were tried is a row, up to 1,000.",
        ge=20,
        le=10_000_000,
    )
    members: Whole = option(100, "Size of the population.", ge=4, le=10_000)
