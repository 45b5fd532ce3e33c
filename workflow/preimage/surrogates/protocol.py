"""What a model must be able to do to be inverted, what training is given, and what it leaves.

A kind's module has `train(rows, options, rng, context)`, which returns a `Trained`; `load(folder)`, which returns a
`Surrogate`; and `logged(folder)`, which says how a tracking server is to keep the model (see `preimage.tracking`).
Points are those of `preimage.core.space`; where an input is a category (`levels` above 0) its number has no order, and
a model that takes order for meaning must encode it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from preimage.data.rows import Rows
from preimage.support.errors import StudyError

# An output that varies by so many roundings of its largest value is a constant that was computed.
ROUNDINGS = 4


class Traceable(NamedTuple):
    """A prediction that JAX can trace: `function(parameters, x)` gives outputs (m,) at one point (d,).

    Functions of models of one form compare equal, so that these share compiled programs; what differs between them, and
    how large it is, is in `parameters`, a tree of arrays.
    """

    function: Callable[[Any, Any], Any]
    parameters: Any


class Surrogate(Protocol):
    """What a model must be able to do to be inverted."""

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return outputs (n, m) at points (n, d)."""

    def spread(self, X: np.ndarray) -> np.ndarray:
        """Return how far the model's members disagree, (n, m), in the outputs' units; any positive scale will do."""


class Differentiable(Surrogate, Protocol):
    """A model with derivatives, all in double precision."""

    def gradient(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return outputs (n, m) and their exact derivatives by the inputs (n, m, d) at points (n, d)."""

    def traceable(self) -> Traceable:
        """Return the prediction for JAX to trace, in float64."""


@dataclass(frozen=True)
class Trained:
    """A trained model with what its training says of itself.

    Attributes:
        save: writes the model into a folder, in formats that run no code when loaded.
        out_of_fold: for each training row, prediction and spread of a model that never saw it, each (n, m).
        parameters: the settings used, after tuning.
        trials: one row a tuning trial.
        curve: training and validation loss by epoch, where training has epochs.
        warning: what a reader of its scores and intervals must know.
        refit: trains a model of the same settings on some of the rows, or of their inputs; None where that can't be
            had, or would take long.
        without_influence: inputs that the model does not take.
    """

    surrogate: Surrogate
    save: Callable[[Path], None]
    out_of_fold: tuple[np.ndarray, np.ndarray]
    parameters: dict[str, Any]
    trials: list[dict[str, Any]] = field(default_factory=list)
    curve: list[tuple[int, float, float]] = field(default_factory=list)
    warning: str = ""
    refit: Callable[[Rows], Surrogate] | None = None
    without_influence: tuple[str, ...] = ()


def refuse_constant(name: str, surrogate: Surrogate, rows: Rows) -> None:
    """Raise StudyError where a trained model gives one number at all its rows though an output of them varies.

    All that an inverter could find or prove of such a model is false.
    """
    predicted = surrogate.predict(rows.X)
    for k, output in enumerate(rows.outputs):
        if np.ptp(rows.Y[:, k]) > ROUNDINGS * np.spacing(np.abs(rows.Y[:, k]).max()) and np.ptp(predicted[:, k]) == 0:
            low, high, said = rows.Y[:, k].min(), rows.Y[:, k].max(), predicted[0, k]
            raise StudyError(
                f"surrogate '{name}', output '{output}': found the constant {said:.6g} at all {len(rows.X)} training "
                f"rows, whose '{output}' goes from {low:.6g} to {high:.6g}; expected a model that varies: use another "
                "kind, other settings (a forest's leaves must be smaller than half the rows), or more rows"
            )
