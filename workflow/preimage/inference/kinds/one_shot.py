"""Inference method `one_shot`, as a study names it."""

from __future__ import annotations

from typing import ClassVar, Literal

from preimage.inference.base import InferenceMethod
from preimage.support.frozen import Number, Whole, option


class OneShot(InferenceMethod):
    """One network from a set of samples to the posterior, trained once; it simulates nothing for an answer."""

    kind: ClassVar[str] = "one_shot"
    amortised: ClassVar[bool] = True

    simulations: Whole = option(100_000_000, "Single samples to simulate in training.", ge=1, le=1_000_000_000_000)
    passes: Whole = option(1, "How often it is trained on each set; above 1 all are kept in memory.", ge=1, le=1000)
    hidden: Whole = option(24, "Width of the layers that read a set of samples.", ge=1, le=4096)
    features: Literal["both", "learned", "pooled"] = option(
        "both",
        "What of a set the network sees: the mean of what it learns of each sample, statistics of the whole "
        "set, or both.",
    )
    covariance: Literal["full", "diagonal"] = option("full", "Covariance of the posterior's normal form.")
    batch: Whole = option(64, "Problems in one update; each is a set of samples.", ge=1, le=100_000)
    learning_rate: Number = option(0.003, "Largest learning rate.", gt=0, le=1)
    draws: Whole = option(1000, "Draws of each answer.", ge=1, le=1_000_000)
