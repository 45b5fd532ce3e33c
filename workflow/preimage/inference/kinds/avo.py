"""Inference method `avo`, as a study names it."""

from __future__ import annotations

from typing import ClassVar

from preimage.inference.base import InferenceMethod
from preimage.support.frozen import Whole, option


class Avo(InferenceMethod):
    """Adversarial variational optimisation: a critic and a proposal, trained for each set."""

    kind: ClassVar[str] = "avo"
    searching: ClassVar[bool] = True

    simulations: Whole = option(1_000_000, "Single samples to simulate for each set.", ge=1, le=1_000_000_000_000)
