"""Inference method `maximum_likelihood`, as a study names it."""

from __future__ import annotations

from typing import ClassVar

from preimage.inference.base import InferenceMethod
from preimage.support.frozen import Whole, option


class MaximumLikelihood(InferenceMethod):
    """Maximum likelihood, if the simulator's likelihood is known; a point estimate."""

    kind: ClassVar[str] = "maximum_likelihood"

    starts: Whole = option(8, "Local searches, from the best of many points.", ge=1, le=10_000)
