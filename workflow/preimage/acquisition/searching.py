"""The points of a space with the largest score: random points first, then moves around the best at falling scales.

Thousands of points are scored at once, which takes no derivative and works in any space.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from preimage.acquisition.moving import Moves

# Points scored in each sweep, sweeps, and how many of the best go on.
WIDTH, SWEEPS, KEPT = 300, 25, 10
# Scale of the moves in the first sweep and the last, in shares of the inputs' ranges.
WIDE, NARROW = 0.5, 0.003

Score = Callable[[np.ndarray], np.ndarray]


def best(score: Score, moves: Moves, start: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the points (k, d) found, best first.

    Args:
        score: of valid points (n, d), (n,).
        start: valid points (j, d) to try beside the pool of `moves`.
    """
    X = np.concatenate([moves.pool, *([start, moves(start, len(moves.pool) // 2, WIDE, rng)] if len(start) else [])])
    X, value = _first(X, score(X))
    for scale in np.geomspace(WIDE, NARROW, SWEEPS):
        new = moves(X, WIDTH, float(scale), rng)
        X, value = _first(np.concatenate([X, new]), np.concatenate([value, score(new)]))
    return X


def _first(X: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(-value, kind="stable")[:KEPT]
    return X[order], value[order]
