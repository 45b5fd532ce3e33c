"""Inference method `nes`, as a study names it."""

from __future__ import annotations

from typing import ClassVar

from preimage.inference.base import InferenceMethod
from preimage.support.frozen import Whole, option


class Nes(InferenceMethod):
    """Separable natural evolution strategies: one search per set."""

    kind: ClassVar[str] = "nes"
    searching: ClassVar[bool] = True

    simulations: Whole = option(128_000, "Single samples to simulate for each set.", ge=1, le=1_000_000_000_000)
