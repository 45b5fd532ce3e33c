"""The sine wave of the deep-inverse benchmark (Ren, Padilla, Malof 2020, NeurIPS 33): two inputs, one output, many
inputs for each output."""

from __future__ import annotations

import numpy as np

from preimage.problems.loading import Problem


def build() -> Problem:
    """Return y = sin(3 pi x1) + cos(3 pi x2) on [-1, 1]^2."""
    return Problem(
        name="sine_wave",
        inputs={"x1": (-1.0, 1.0), "x2": (-1.0, 1.0)},
        outputs={"y": ""},
        simulate=lambda X: (np.sin(3 * np.pi * X[:, 0]) + np.cos(3 * np.pi * X[:, 1]))[:, None],
        complex_safe=True,
    )
