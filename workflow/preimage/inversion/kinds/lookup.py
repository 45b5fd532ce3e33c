"""Inverter `lookup`, as a study names it."""

from __future__ import annotations

from typing import ClassVar

from preimage.inversion.base import Inverter
from preimage.support.frozen import Whole, option


class Lookup(Inverter):
    """The training rows whose measured outputs are nearest to the objective; for a trade-off, the rows' own front."""

    kind: ClassVar[str] = "lookup"
    baseline: ClassVar[bool] = True
    finds_fronts: ClassVar[bool] = True

    rows: Whole = option(
        1,
        "Number of nearest training rows to return; each is a row. For a trade-off: the rows' whole front.",
        ge=1,
        le=1_000_000,
    )

    @property
    def kept(self) -> int:
        return self.rows

    @property
    def simulations(self) -> int | None:
        return self.rows
