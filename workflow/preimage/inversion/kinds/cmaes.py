"""Inverter `cmaes`, as a study names it."""

from __future__ import annotations

from typing import ClassVar

from preimage.inversion.base import Inverter
from preimage.support.frozen import Whole, option


class Cmaes(Inverter):
    """CMA-ES, restarted with doubled populations (IPOP)."""

    kind: ClassVar[str] = "cmaes"

    evaluations: Whole = option(2000, "Evaluation budget; the best point of each run is a row.", ge=20, le=10_000_000)

    @property
    def kept(self) -> int:
        """Each run has twice the population of the one before."""
        return self.evaluations.bit_length()
