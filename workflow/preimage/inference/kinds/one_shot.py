"""Inference method `one_shot`, as a study names it."""

from __future__ import annotations

from typing import ClassVar, Literal

from preimage.inference.base import InferenceMethod
from preimage.support.frozen import Number, Whole, option


class OneShot(InferenceMethod):
    """One network from a set of samples to the posterior, trained once; an answer needs no simulations."""

    kind: ClassVar[str] = "one_shot"
    amortised: ClassVar[bool] = True
    # Whether densities of training are truncated to the prior's support; benchmarks show what that is worth.
    truncated: ClassVar[bool] = True

    simulations: Whole = option(100_000_000, "Single samples to simulate in training.", ge=1, le=1_000_000_000_000)
    passes: Whole = option(
        1, "Number of training passes over the sets; above 1, all sets stay in memory.", ge=1, le=1000
    )
    hidden: Whole = option(24, "Width of the layers that encode a set of samples.", ge=1, le=4096)
    features: Literal["both", "learned", "pooled"] = option(
        "both",
        "Features of a set that the network receives: the mean of learned features of each sample, "
        "statistics of the whole set, or both.",
    )
    covariance: Literal["full", "diagonal"] = option("full", "Covariance of the normal posterior.")
    batch: Whole = option(64, "Problems in one update; each is a set of samples.", ge=1, le=100_000)
    learning_rate: Number = option(0.003, "Maximum learning rate.", gt=0, le=1)
    draws: Whole = option(1000, "Draws per answer.", ge=1, le=1_000_000)
