"""Inverter `hyperopt`, as a study names it."""

from __future__ import annotations

from typing import ClassVar

from preimage.inversion.base import Inverter
from preimage.support.frozen import Whole, option


class Hyperopt(Inverter):
    """Tree-structured Parzen estimator (hyperopt's TPE)."""

    kind: ClassVar[str] = "hyperopt"

    evaluations: Whole = option(500, "Trials; each is a row.", ge=1, le=100_000)
