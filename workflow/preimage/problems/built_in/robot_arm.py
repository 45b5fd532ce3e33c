"""The robot arm of the deep-inverse benchmark (Ren, Padilla, Malof 2020; Kruse, Ardizzone, Rother, Köthe 2021): a base
that slides, three joints, and where the hand ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

from preimage.problems.loading import Problem

SPREAD = (0.25, 0.5, 0.5, 0.5)
LENGTHS = (0.5, 0.5, 1.0)
# The inputs are normal by nature; nothing is drawn further out than this.
REACH = 5.0


def build() -> Problem:
    """Return the arm: height of the base and three angles (radians) to the position of the hand."""
    names = ("base", "angle1", "angle2", "angle3")
    return Problem(
        name="robot_arm",
        inputs={n: (-REACH * s, REACH * s) for n, s in zip(names, SPREAD, strict=True)},
        outputs={"hand_x": "", "hand_y": ""},
        simulate=simulate,
        complex_safe=True,
        draw=lambda n, rng: rng.standard_normal((n, 4)) * SPREAD,
    )


def simulate(X: np.ndarray) -> np.ndarray:
    """Return the hand's position (n, 2) at points (n, 4)."""
    import numpy as np

    a, b, c = X[:, 1], X[:, 2] - X[:, 1], X[:, 3] - X[:, 2] - X[:, 1]
    l1, l2, l3 = LENGTHS
    x = l1 * np.cos(a) + l2 * np.cos(b) + l3 * np.cos(c)
    y = X[:, 0] + l1 * np.sin(a) + l2 * np.sin(b) + l3 * np.sin(c)
    return np.column_stack([x, y])
