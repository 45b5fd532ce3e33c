"""The sine wave of the deep-inverse benchmark (Ren, Padilla, Malof 2020, NeurIPS 33): two inputs, one output, many
inputs for each output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from preimage.problems.loading import Problem

if TYPE_CHECKING:
    import numpy as np


def build() -> Problem:
    """Return y = sin(3 pi x1) + cos(3 pi x2) on [-1, 1]^2."""
    return Problem(
        name="sine_wave",
        inputs={"x1": (-1.0, 1.0), "x2": (-1.0, 1.0)},
        outputs={"y": ""},
        simulate=simulate,
        complex_safe=True,
    )


def simulate(X: np.ndarray) -> np.ndarray:
    """Return the outputs (n, 1) at points (n, 2)."""
    import numpy as np

    return (np.sin(3 * np.pi * X[:, 0]) + np.cos(3 * np.pi * X[:, 1]))[:, None]
