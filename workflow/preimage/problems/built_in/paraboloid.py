"""The bowl: y is the sum of squares of d inputs in [-100, 100]; its minimum is 0 at the origin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from preimage.problems.loading import Minimum, Problem
from preimage.support.errors import StudyError

if TYPE_CHECKING:
    import numpy as np


def build(dimension: int = 2) -> Problem:
    """Return the bowl in `dimension` inputs x1, x2, ...; raises StudyError below 1."""
    if dimension < 1:
        raise StudyError(f"problem.dimension: found {dimension}, expected 1 or more")
    return Problem(
        name="paraboloid",
        inputs={f"x{j + 1}": (-100.0, 100.0) for j in range(dimension)},
        outputs={"y": ""},
        simulate=simulate,
        complex_safe=True,
        minimum={"y": Minimum((0.0,) * dimension, 0.0)},
    )


def simulate(X: np.ndarray) -> np.ndarray:
    """Return the sums of squares (n, 1) at points (n, d)."""
    import numpy as np

    return (np.asarray(X) ** 2).sum(axis=1, keepdims=True)
