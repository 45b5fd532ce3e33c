"""Surrogate `linear`, as a study names it."""

from __future__ import annotations

from typing import ClassVar

from preimage.support.frozen import Number, option
from preimage.surrogates.base import Folds, SurrogateKind


class Linear(SurrogateKind):
    """Linear regression by least squares."""

    kind: ClassVar[str] = "linear"
    differentiable: ClassVar[bool] = True
    form: ClassVar[str] = "planes"

    penalty: Number = option(
        0,
        "Ridge penalty on the coefficients of standardised inputs, as a share of the number of rows.",
        ge=0,
        le=1_000_000,
    )
    folds: Folds = 5
