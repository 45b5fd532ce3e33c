"""Learning a line x = a y + b by inversion with derivatives written by hand, as people did before they had autodiff.

The prediction h(x) is y after some gradient steps of width ALPHA on (x - a y - b)^2 from START. Its derivatives by a
and b follow the same steps: A = dy/da and B = dy/db begin at 0 and are carried along. Both may be taken over a number
of steps of their own, and this is where the trap is: `training` with 20 steps in the loss and 10 in its derivative, the
setting that is reproduced here, still ends well; a loss of 10 steps does not, although its derivative is the right one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from preimage.problems.built_in.linear_latent import INTERCEPT, SLOPE, observed

ALPHA, BETA = 0.05, 0.005
PREDICTION_STEPS, DERIVATIVE_STEPS, ITERATIONS = 20, 10, 2500
START = 2.0
LATENTS = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
# Below this slope, steps of width ALPHA take too long; the slope is kept above.
LEAST_SLOPE = 0.5
SLOPES = (1.5, 3.5)


class Course(NamedTuple):
    """Parameters and loss before each iteration and at the end (iterations + 1,)."""

    a: np.ndarray
    b: np.ndarray
    loss: np.ndarray


def predicted(
    a: float, b: float, x: np.ndarray, steps: int, start: float = START
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return y after `steps` gradient steps for observations of any shape, and its derivatives by a and b."""
    x = np.asarray(x, float)
    g, A, B = np.full_like(x, start), np.zeros_like(x), np.zeros_like(x)
    for _ in range(steps):
        g, A, B = (
            g + 2 * ALPHA * a * (x - a * g - b),
            A - 2 * ALPHA * (-x + 2 * a * g + a * a * A + b),
            B - 2 * ALPHA * (a * a * B + a),
        )
    return g, A, B


def training(
    a: float,
    b: float = 0.0,
    prediction: int = PREDICTION_STEPS,
    derivative: int = DERIVATIVE_STEPS,
    iterations: int = ITERATIONS,
) -> Course:
    """Return the course of gradient descent of width BETA on the sum of (y - h(x))^2 over the pairs of LATENTS.

    Args:
        a, b: where it begins.
        prediction, derivative: steps that the loss and its derivative go through.
    """
    x = observed(LATENTS)
    course = np.empty((3, iterations + 1))
    for k in range(iterations + 1):
        error = predicted(a, b, x, prediction)[0] - LATENTS
        course[:, k] = a, b, error @ error
        _, A, B = predicted(a, b, x, derivative)
        a, b = max(a - BETA * 2 * (error @ A), LEAST_SLOPE), b - BETA * 2 * (error @ B)
    return Course(*course)


def fixed_point(steps: int, start: float = START) -> tuple[float, float]:
    """Return the a and b at which a prediction of so many steps is right for every pair.

    After n steps y is (1 - q) y* + q start, with y* = (x - b) / a, q = (1 - 2 ALPHA a^2)^n. That is the true y for all
    x where a = 2 (1 - q) and b = -4 + 2 q start: the parameters make up for the way that the steps have not gone.
    """
    a = SLOPE
    for _ in range(200):
        q = (1 - 2 * ALPHA * a * a) ** steps
        a = SLOPE * (1 - q)
    return a, INTERCEPT + SLOPE * q * start
