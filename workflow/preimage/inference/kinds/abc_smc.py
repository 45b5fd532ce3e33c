"""Inference method `abc_smc`, as a study names it."""

from __future__ import annotations

from typing import ClassVar

from preimage.inference.base import InferenceMethod
from preimage.support.frozen import Whole, option


class AbcSmc(InferenceMethod):
    """Approximate Bayesian computation in rounds (population Monte Carlo)."""

    kind: ClassVar[str] = "abc_smc"
    searching: ClassVar[bool] = True

    simulations: Whole = option(5_000_000, "Single samples to simulate for each set.", ge=1, le=1_000_000_000_000)
