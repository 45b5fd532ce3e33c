"""Inference method `abc_rejection`, as a study names it."""

from __future__ import annotations

from typing import ClassVar

from preimage.inference.base import InferenceMethod
from preimage.support.frozen import Whole, option


class AbcRejection(InferenceMethod):
    """Approximate Bayesian computation by rejection: keeps the simulations of the bank whose statistics are nearest,
    adjusted by regression.
    """

    kind: ClassVar[str] = "abc_rejection"
    banked: ClassVar[bool] = True

    simulations: Whole = option(5_000_000, "Single samples in the bank.", ge=1, le=1_000_000_000_000)
