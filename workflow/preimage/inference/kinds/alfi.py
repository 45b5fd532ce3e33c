"""Inference method `alfi`, as a study names it."""

from __future__ import annotations

from typing import ClassVar, Literal

from preimage.inference.base import InferenceMethod
from preimage.support.frozen import Flag, Maybe, Number, Whole, option


class Alfi(InferenceMethod):
    """ALFI: a recurrent network, trained on many problems, that proposes parameters, simulates at them and proposes
    again.
    """

    kind: ClassVar[str] = "alfi"
    amortised: ClassVar[bool] = True
    # Whether densities of training are truncated to the prior's support; benchmarks show what that is worth.
    truncated: ClassVar[bool] = True

    simulations: Whole = option(100_000_000, "Single samples to simulate in training.", ge=1, le=1_000_000_000_000)
    passes: Whole = option(
        1,
        "Number of training passes of the one-shot start over its sets; above 1, all sets stay in memory. "
        "No effect with `refine: false`.",
        ge=1,
        le=1000,
    )
    refine: Flag = option(
        True,
        "Start from the answer of a one-shot network, trained first and then frozen; `false` is the plain "
        "form, which starts from the prior.",
    )
    simulated: Flag = option(
        True,
        "Whether the network receives its simulations; `false` is the ablation that the study adds "
        "automatically, as `<name>_blind`.",
    )
    steps: Maybe[Whole] = option(
        None, "Number of successive proposals. Default 2, for the plain form 6.", ge=1, le=1000
    )
    step_draws: Whole = option(8, "Parameters to draw from each proposal.", ge=1, le=10_000)
    step_samples: Whole = option(32, "Samples to simulate at each of them.", ge=1, le=1_000_000)
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
