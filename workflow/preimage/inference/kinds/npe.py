"""Inference method `npe`, as a study names it."""

from __future__ import annotations

from typing import ClassVar, Literal

from preimage.inference.base import InferenceMethod
from preimage.support.frozen import Maybe, Number, Whole, option


class Npe(InferenceMethod):
    """Neural posterior estimation by flow matching, for posteriors of any shape."""

    kind: ClassVar[str] = "npe"
    banked: ClassVar[bool] = True
    amortised: ClassVar[bool] = True

    simulations: Maybe[Whole] = option(
        None,
        "Single samples to simulate; those of the first round come from the bank. Default: 10,000 sets.",
        ge=1,
        le=1_000_000_000_000,
    )
    rounds: Whole = option(
        1,
        "Number of parts of the budget; each observation spends all but the first where its posterior has its mass.",
        ge=1,
        le=100,
    )
    updates: Whole = option(
        6000,
        "Training updates of the network. It uses fewer if its regions turn out too narrow, a sign of overfitting.",
        ge=1,
        le=10_000_000,
    )
    width: Whole = option(128, "Width of the flow's layers.", ge=1, le=4096)
    hidden: Whole = option(24, "Width of the layers that encode a set of samples.", ge=1, le=4096)
    features: Literal["both", "learned", "pooled"] = option(
        "both",
        "Features of a set that the network receives: the mean of learned features of each sample, "
        "statistics of the whole set, or both.",
    )
    batch: Whole = option(256, "Sets in one update.", ge=1, le=100_000)
    learning_rate: Number = option(0.001, "Maximum learning rate.", gt=0, le=1)
    draws: Whole = option(1000, "Draws per answer.", ge=1, le=1_000_000)
