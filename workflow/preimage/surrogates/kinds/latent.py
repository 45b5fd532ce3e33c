"""Surrogate `latent`, as a study names it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from preimage.support.frozen import Flag, Frozen, Maybe, Number, Whole, option
from preimage.surrogates.base import Folds, SurrogateKind


class LatentInner(Frozen):
    """How to find a prediction: minimise the squared distance between the decoder's output and the inputs."""

    method: Literal["gradient_descent", "momentum", "adam", "lbfgs"] = option("lbfgs", "Method.")
    steps: Whole = option(12, "Steps.", ge=1, le=100_000)
    rate: Maybe[Number] = option(
        None, "Step width. Default: 0.05, momentum 0.02; `lbfgs` finds its own.", gt=0, le=1000
    )
    start: Number = option(0, "Initial value of every latent coordinate, in standard deviations if standardised.")
    prior: Number = option(
        0,
        "Weight of a penalty on the latent's squared norm, which makes the answer unique where the decoder does not.",
        ge=0,
    )


class LatentOuter(Frozen):
    """How to train the decoder."""

    method: Literal["gradient_descent", "momentum", "adam", "lbfgs"] = option("lbfgs", "Method.")
    iterations: Whole = option(200, "Iterations.", ge=1, le=1_000_000)
    rate: Maybe[Number] = option(
        None, "Step width. Default: 0.05, momentum 0.02; `lbfgs` finds its own.", gt=0, le=1000
    )


class Latent(SurrogateKind):
    """Inverts a decoder: predicts the outputs that explain the inputs best."""

    kind: ClassVar[str] = "latent"
    differentiable: ClassVar[bool] = True
    inverts_decoder: ClassVar[bool] = True

    decoder: Literal["linear", "network"] = option(
        "network", "The function from outputs to inputs to learn and invert."
    )
    layers: list[Annotated[Whole, Field(ge=1, le=10_000)]] = option(
        [16, 16], "Width of each hidden layer of a network.", min_length=1, max_length=20
    )
    standardised: Flag = option(True, "Standardise inputs and outputs; `false` keeps their own units.")
    inner: LatentInner = option(LatentInner())
    outer: LatentOuter = option(LatentOuter())
    gradient: Literal["implicit", "unrolled"] = option(
        "implicit", "Derivatives of predictions: by the implicit function theorem, or through every inner step."
    )
    begin: Literal["regression", "random"] = option(
        "regression", "Initial parameters: a plain regression of inputs on outputs, or random ones."
    )
    folds: Folds = 5
