"""The throw with drag of the deep-inverse benchmark (Ren, Padilla, Malof 2020; Kruse et al. 2021): where does it land?

This is the exact landing, the root of the height; `ballistics_stepped` is the literature's, on a grid of times.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

from preimage.problems.loading import Problem

GRAVITY, DRAG, MASS = 9.81, 0.25, 0.2
NEWTON_STEPS = 60


def build() -> Problem:
    """Return the throw: start (x, height), angle (degrees) and speed to the place of landing."""
    return described("ballistics", lambda X: landing(X)[:, None])


def described(name: str, simulate: Callable[[np.ndarray], np.ndarray]) -> Problem:
    """Return the problem around a rule for the landing."""
    return Problem(
        name=name,
        inputs={"x": (-2.5, 2.5), "height": (0.0, 4.0), "angle": (9.0, 81.0), "speed": (0.0, 60.0)},
        outputs={"landing": ""},
        simulate=simulate,
        integers=frozenset({"speed"}),
        draw=draw,
    )


def draw(n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw throws (n, 4): x ~ N(0, 0.5), height ~ max(0, N(1.5, 0.5)), angle ~ U(9, 81), speed ~ Poisson(15)."""
    import numpy as np

    return np.column_stack(
        [
            rng.normal(0, 0.5, n),
            np.maximum(0, rng.normal(1.5, 0.5, n)),
            rng.uniform(9, 81, n),
            rng.poisson(15, n),
        ]
    )


def position(X: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where throws (n, 4) are at times t (n,) or (n, k): x and height, in the shape of t."""
    import numpy as np

    X = X.reshape(len(X), 4, *([1] * (np.ndim(t) - 1)))
    x, height, angle, speed = X[:, 0], X[:, 1], np.radians(X[:, 2]), X[:, 3]
    E = np.expm1(-DRAG * t / MASS)
    across = x - speed * np.cos(angle) * MASS / DRAG * E
    fall = (GRAVITY * MASS + speed * np.sin(angle) * DRAG) * E + GRAVITY * t * DRAG
    return across, height - MASS / DRAG**2 * fall


def landing(X: np.ndarray) -> np.ndarray:
    """Return where throws (n, 4) land, (n,).

    The height is concave in time, so Newton's method from a time after the landing falls to the root without ever
    passing it; that time follows from the height's asymptote, a fall at terminal speed.
    """
    import numpy as np

    angle, speed = np.radians(X[:, 2]), X[:, 3]
    lift = GRAVITY * MASS + speed * np.sin(angle) * DRAG
    t = (X[:, 1] + MASS / DRAG**2 * lift) * DRAG / (GRAVITY * MASS)
    for _ in range(NEWTON_STEPS):
        _, height = position(X, t)
        rate = MASS / DRAG * (lift / MASS * np.exp(-DRAG * t / MASS) - GRAVITY)
        t = np.maximum(t - np.where(rate < 0, height / np.where(rate < 0, rate, 1.0), 0.0), 0.0)
    return position(X, t)[0]
