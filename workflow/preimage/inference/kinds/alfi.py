"""Inference method `alfi`, as a study names it."""

from __future__ import annotations

from typing import ClassVar, Literal

from preimage.inference.base import InferenceMethod
from preimage.support.frozen import Flag, Maybe, Number, Whole, option


class Alfi(InferenceMethod):
    """ALFI: a recurrent network, trained over many problems, that proposes parameters, simulates at them and proposes
    anew.
    """

    kind: ClassVar[str] = "alfi"
    amortised: ClassVar[bool] = True

    simulations: Whole = option(100_000_000, "Single samples to simulate in training.", ge=1, le=1_000_000_000_000)
    passes: Whole = option(
        1,
        "How often the one-shot start is trained on each of its sets; above 1 all are kept in memory. No use "
        "with `refine: false`.",
        ge=1,
        le=1000,
    )
    refine: Flag = option(
        True,
        "Start from the answer of a one-shot network that is trained before and frozen; `false` is the plain "
        "form, which starts from the prior.",
    )
    simulated: Flag = option(
        True,
        "Whether the network sees what it simulates; `false` is the ablation that the study adds by itself, "
        "as `<name>_blind`.",
    )
    steps: Maybe[Whole] = option(None, "Proposals on the way. Default 2, of the plain form 6.", ge=1, le=1000)
    step_draws: Whole = option(8, "Parameters drawn from each proposal.", ge=1, le=10_000)
    step_samples: Whole = option(32, "Samples simulated at each of them.", ge=1, le=1_000_000)
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
