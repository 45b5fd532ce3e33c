"""The least there is to learn by inversion: an observation x = a y + b of a latent y, with a = 2 and b = -4.

Inputs are what is observed and outputs what is behind it (see `preimage.surrogates.latent`), so the simulator gives
the y of an x. The range of x is that of y in [-10, 10].
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

from preimage.problems.loading import Problem

SLOPE, INTERCEPT = 2.0, -4.0
LATENT = (-10.0, 10.0)


def observed(y: np.ndarray, slope: float = SLOPE, intercept: float = INTERCEPT) -> np.ndarray:
    """Return the observations of latent values, of any shape."""
    import numpy as np

    return slope * np.asarray(y) + intercept


def build() -> Problem:

    low, high = (SLOPE * y + INTERCEPT for y in LATENT)
    return Problem(
        name="linear_latent",
        inputs={"x": (low, high)},
        outputs={"y": ""},
        simulate=lambda X: (X - INTERCEPT) / SLOPE,
        complex_safe=True,
    )
