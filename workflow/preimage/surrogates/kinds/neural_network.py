"""Surrogate `neural_network`, as a study names it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from preimage.support.frozen import Distinct, Frozen, Maybe, Number, Whole, option
from preimage.surrogates.base import Folds, SurrogateKind


class NeuralNetworkTune(Frozen):
    """Tune the learning rate, and the other options listed here, by validation loss; retrain the best setting."""

    method: Literal["grid", "hyperopt"] = option(
        "grid",
        "`grid`: train learning rates for each combination of the lists at once. `hyperopt`: TPE proposes settings.",
    )
    evaluations: Whole = option(50, "Trials; a grid divides them among the combinations.", ge=1, le=10_000)
    learning_rate: list[Annotated[Number, Field(gt=0, le=1)]] = option(
        [0.0001, 0.01], "Smallest and largest learning rate, on a logarithmic scale.", min_length=2, max_length=2
    )
    layers: Maybe[
        Distinct[Annotated[list[Annotated[Whole, Field(ge=1, le=10_000)]], Field(min_length=1, max_length=20)]]
    ] = option(
        None,
        "Widths of the hidden layers to try, one list per network. Default: those of the network.",
        min_length=1,
        max_length=100,
    )
    activation: Maybe[Distinct[Literal["selu", "relu", "elu", "gelu", "silu", "tanh", "softplus"]]] = option(
        None, "Activations to try. Default: that of the network.", min_length=1
    )
    batch: Maybe[Distinct[Annotated[Whole, Field(ge=1, le=100_000)]]] = option(
        None, "Rows in a training batch to try. Default: that of the network.", min_length=1, max_length=100
    )


class NeuralNetwork(SurrogateKind):
    """Ensemble of dense networks (Keras on JAX)."""

    kind: ClassVar[str] = "neural_network"
    differentiable: ClassVar[bool] = True
    form: ClassVar[str] = "network"

    layers: list[Annotated[Whole, Field(ge=1, le=10_000)]] = option(
        [64, 32, 16], "Width of each hidden layer.", min_length=1, max_length=20
    )
    activation: Literal["selu", "relu", "elu", "gelu", "silu", "tanh", "softplus"] = option(
        "selu", "Activation of the hidden layers."
    )
    learning_rate: Number = option(0.001, "Learning rate of the optimiser (Nadam), if not tuned.", gt=0, le=1)
    loss: Literal["mae", "mse"] = option("mae", "Mean absolute or mean squared error.")
    batch: Whole = option(16, "Rows in a training batch.", ge=1, le=100_000)
    epochs: Whole = option(2000, "Maximum number of epochs.", ge=1, le=100_000)
    patience: Whole = option(
        20,
        "Stop training after this many epochs without a better validation loss; the best weights are kept.",
        ge=1,
        le=100_000,
    )
    validation_fraction: Number = option(0.1, "Share of the training rows held out for early stopping.", gt=0, lt=1)
    members: Whole = option(
        5, "Networks in the ensemble; their mean predicts, their disagreement is the spread.", ge=1, le=1000
    )
    folds: Folds = 5
    tune: Maybe[NeuralNetworkTune] = option(None)
