"""Surrogate `latent_classes`, as a study names it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from preimage.support.frozen import Frozen, Number, Whole, option
from preimage.surrogates.base import Folds, SurrogateKind


class LatentClassesInner(Frozen):
    """How to find a latent value: minimise the squared distance between the decoder's output and the inputs."""

    method: Literal["gradient_descent", "momentum", "adam", "lbfgs"] = option("gradient_descent", "Method.")
    steps: Whole = option(15, "Steps.", ge=1, le=100_000)
    rate: Number = option(0.25, "Step width; `lbfgs` finds its own, in units of this.", gt=0, le=1000)
    start: Number = option(0, "Initial value of every latent coordinate.")
    prior: Number = option(0, "Weight of a penalty on the latent's squared norm.", ge=0)


class LatentClassesOuter(Frozen):
    """How to train the decoders."""

    method: Literal["gradient_descent", "momentum", "adam", "lbfgs"] = option("adam", "Method.")
    iterations: Whole = option(60, "Iterations.", ge=1, le=1_000_000)
    rate: Number = option(0.001, "Step width; `lbfgs` finds its own, in units of this.", gt=0, le=1000)


class LatentClasses(SurrogateKind):
    """Inverts one decoder per class: predicts the class whose decoder explains the inputs best."""

    kind: ClassVar[str] = "latent_classes"
    differentiable: ClassVar[bool] = True
    inverts_decoder: ClassVar[bool] = True

    latent: Whole = option(12, "Latent coordinates per class.", ge=1, le=1000)
    layers: list[Annotated[Whole, Field(ge=1, le=10_000)]] = option(
        [24], "Width of each hidden layer of the decoders.", min_length=1, max_length=20
    )
    inner: LatentClassesInner = option(LatentClassesInner())
    outer: LatentClassesOuter = option(LatentClassesOuter())
    folds: Folds = 3
