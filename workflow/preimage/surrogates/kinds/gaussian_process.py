"""Surrogate `gaussian_process`, as a study names it."""

from __future__ import annotations

from typing import ClassVar, Literal

from preimage.support.frozen import Whole, option
from preimage.surrogates.base import Folds, SurrogateKind


class GaussianProcess(SurrogateKind):
    """Gaussian process with one length scale per input."""

    kind: ClassVar[str] = "gaussian_process"
    differentiable: ClassVar[bool] = True
    form: ClassVar[str] = "process"

    kernel: Literal["rbf", "matern52"] = option(
        "rbf", "Covariance: squared exponential, or Matérn 5/2 for rougher outputs."
    )
    rows: Whole = option(
        10_000, "Maximum number of training rows; above it, an evenly spread subset is used.", ge=10, le=20_000
    )
    hyperparameter_rows: Whole = option(800, "Rows for fitting length scales and noise.", ge=10, le=5000)
    restarts: Whole = option(3, "Starts of the fit of length scales and noise.", ge=1, le=100)
    folds: Folds = 5
