"""Binary digits read as a decimal number: inputs in [0, 1], rounded, most significant first.

The output is a step function, so a model that is smooth between the steps has many inputs with the wanted output that
are no digits: a loss near 0 proves nothing here.
"""

from __future__ import annotations

import numpy as np

from preimage.problems.loading import Problem
from preimage.support.errors import StudyError


def build(dimension: int = 2) -> Problem:
    """Return the problem of `dimension` digits d1, d2, ...; raises StudyError outside 1 to 52 (a float's digits)."""
    if not 1 <= dimension <= 52:
        raise StudyError(f"problem.dimension: found {dimension}, expected 1 to 52 digits")
    place = 2.0 ** np.arange(dimension - 1, -1, -1)
    return Problem(
        name="binary_decimal",
        inputs={f"d{j + 1}": (0.0, 1.0) for j in range(dimension)},
        outputs={"number": ""},
        simulate=lambda X: (np.round(X) @ place)[:, None],
    )
