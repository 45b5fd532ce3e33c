"""Functions that optimisers are compared on, each with its optimum moved to a random place of its box.

Formulas and boxes are those of Surjanovic and Bingham, "Virtual Library of Simulation Experiments: Test Functions and
Datasets" (Simon Fraser University, 2013). Every optimum is moved, so that no method gains by trying the centre first.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from preimage.problems.loading import Minimum, Problem, shifted


def _paraboloid(Z: np.ndarray) -> np.ndarray:
    return (Z**2).sum(axis=1)


def _rosenbrock(Z: np.ndarray) -> np.ndarray:
    return (100 * (Z[:, 1:] - Z[:, :-1] ** 2) ** 2 + (Z[:, :-1] - 1) ** 2).sum(axis=1)


def _ackley(Z: np.ndarray) -> np.ndarray:
    root = np.sqrt((Z**2).mean(axis=1))
    return -20 * np.exp(-0.2 * root) - np.exp(np.cos(2 * np.pi * Z).mean(axis=1)) + 20 + np.e


def _rastrigin(Z: np.ndarray) -> np.ndarray:
    return (Z**2 - 10 * np.cos(2 * np.pi * Z) + 10).sum(axis=1)


def _levy(Z: np.ndarray) -> np.ndarray:
    W = 1 + (Z - 1) / 4
    first, last = W[:, 0], W[:, -1]
    inner = ((W[:, :-1] - 1) ** 2 * (1 + 10 * np.sin(np.pi * W[:, :-1] + 1) ** 2)).sum(axis=1)
    return np.sin(np.pi * first) ** 2 + inner + (last - 1) ** 2 * (1 + np.sin(2 * np.pi * last) ** 2)


def _styblinski_tang(Z: np.ndarray) -> np.ndarray:
    """As usual, with its least value added, so that 0 is the best here too."""
    return (Z**4 - 16 * Z**2 + 5 * Z).sum(axis=1) / 2 + 39.16616570377142 * Z.shape[1]


# By name: the function, half the width of its box, the middle of its box, and each coordinate of its minimum.
LANDSCAPES: dict[str, tuple[Callable[[np.ndarray], np.ndarray], float, float, float]] = {
    "paraboloid": (_paraboloid, 100.0, 0.0, 0.0),
    "rosenbrock": (_rosenbrock, 7.5, 2.5, 1.0),
    "ackley": (_ackley, 32.768, 0.0, 0.0),
    "rastrigin": (_rastrigin, 5.12, 0.0, 0.0),
    "levy": (_levy, 10.0, 0.0, 1.0),
    "styblinski_tang": (_styblinski_tang, 5.0, 0.0, -2.903534027771177),
}


def build(name: str, dimension: int, rng: np.random.Generator) -> Problem:
    """Return a landscape in `dimension` inputs, its minimum (0) moved to a place drawn by `rng`."""
    function, half, middle, optimum = LANDSCAPES[name]
    found = Problem(
        name=name,
        inputs={f"x{j + 1}": (middle - half, middle + half) for j in range(dimension)},
        outputs={"y": ""},
        simulate=lambda X: function(np.asarray(X, float))[:, None],
        minimum={"y": Minimum((optimum,) * dimension, 0.0)},
    )
    return shifted(found, rng)
