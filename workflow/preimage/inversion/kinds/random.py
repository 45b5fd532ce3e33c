"""Inverter `random`, as a study names it."""

from __future__ import annotations

from typing import ClassVar

from preimage.inversion.base import Inverter
from preimage.support.frozen import Whole, option


class Random(Inverter):
    """Uniform random search."""

    kind: ClassVar[str] = "random"
    finds_fronts: ClassVar[bool] = True

    evaluations: Whole = option(500, "Points; each is a row.", ge=1, le=10_000_000)
