"""Binary digits read as a decimal number: inputs in [0, 1], rounded, most significant first.

The output is a step function, so a model that is smooth between the steps has many inputs with the wanted output that
are no digits: a loss near 0 proves nothing here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from preimage.problems.loading import Problem
from preimage.support.errors import StudyError

if TYPE_CHECKING:
    import numpy as np


def build(dimension: int = 2) -> Problem:
    """Return the problem of `dimension` digits d1, d2, ...; raises StudyError outside 1 to 52 (a float's digits)."""
    if not 1 <= dimension <= 52:
        raise StudyError(f"problem.dimension: found {dimension}, expected 1 to 52 digits")
    return Problem(
        name="binary_decimal",
        inputs={f"d{j + 1}": (0.0, 1.0) for j in range(dimension)},
        outputs={"number": ""},
        simulate=simulate,
    )


def simulate(X: np.ndarray) -> np.ndarray:
    """Return the numbers (n, 1) of digits (n, d)."""
    import numpy as np

    return (np.round(X) @ 2.0 ** np.arange(X.shape[1] - 1, -1, -1))[:, None]
