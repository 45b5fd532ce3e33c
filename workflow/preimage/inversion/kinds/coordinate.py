"""Inverter `coordinate`, as a study names it."""

from __future__ import annotations

from typing import ClassVar

from preimage.inversion.base import Inverter
from preimage.support.frozen import Whole, option


class Coordinate(Inverter):
    """Descent by exact line searches, on a tree model."""

    kind: ClassVar[str] = "coordinate"
    needs_trees: ClassVar[bool] = True
    finds_nearest: ClassVar[bool] = False
    takes_variation: ClassVar[bool] = False
    plain_only: ClassVar[bool] = True

    starts: Whole = option(
        100,
        "Starts; half of them (rounded up) are the training rows nearest to the objective, the others "
        "random; each is a row.",
        ge=1,
        le=1_000_000,
    )
