"""The throw of `ballistics` as the literature simulates it: the last of 1,500 steps over 0 to 6 s before the height is
negative. Its output jumps by a step's way, so no smooth model can meet it exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

from preimage.problems.built_in.ballistics import described, position
from preimage.problems.loading import Problem

STEPS, SECONDS = 1500, 6.0
ROWS_AT_A_TIME = 1000


def build() -> Problem:
    return described("ballistics_stepped", simulate)


def simulate(X: np.ndarray) -> np.ndarray:
    """Return the landing (n, 1) of throws (n, 4)."""
    import numpy as np

    return np.concatenate(
        [_some(X[k : k + ROWS_AT_A_TIME]) for k in range(0, len(X), ROWS_AT_A_TIME)] or [np.empty((0, 1))]
    )


def _some(X: np.ndarray) -> np.ndarray:
    import numpy as np

    t = np.tile(np.linspace(0, SECONDS, STEPS), (len(X), 1))
    across, height = position(X, t)
    # Only the fall counts: a throw from height 0 may touch it on its way up by rounding.
    fallen = (height < 0) & (np.arange(STEPS) > height.argmax(axis=1)[:, None])
    last = np.where(fallen.any(axis=1), fallen.argmax(axis=1), STEPS) - 1
    return across[np.arange(len(X)), last][:, None]
