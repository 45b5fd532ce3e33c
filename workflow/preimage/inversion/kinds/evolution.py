"""Inverter `evolution`, as a study names it."""

from __future__ import annotations

from typing import ClassVar

from preimage.inversion.base import Inverter
from preimage.support.frozen import Whole, option


class Evolution(Inverter):
    """Differential evolution (scipy)."""

    kind: ClassVar[str] = "evolution"
    population: ClassVar[bool] = True

    evaluations: Whole = option(
        2000, "Evaluation budget; each member of the last population is a row.", ge=20, le=10_000_000
    )
