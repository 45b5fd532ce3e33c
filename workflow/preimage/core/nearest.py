"""The valid point nearest to one outside, in the sum of changes in units of each input's range; curved rows aside."""

from __future__ import annotations

import numpy as np

from preimage.core.emptiness import check_feasible
from preimage.core.program import program
from preimage.core.scaled import polish
from preimage.core.space import TOLERANCE, Space
from preimage.support.errors import StudyError

# Pieces of the space that are tried where a solver's rounding has chosen one that holds no point.
PIECES = 20


def nearest(space: Space, x: np.ndarray) -> np.ndarray:
    """Return the valid point (d,) nearest to x (d,), by a mixed-integer linear program.

    Raises StudyError where no valid point exists.
    """
    space = space.straight
    chosen, found = program(space), list[np.ndarray]()
    for _ in range(PIECES if space.in_pieces else 1):
        solution = chosen.nearest(x, found)
        if solution is None:
            break
        piece = chosen.piece(solution)
        point = polish(piece, chosen.back(solution))
        if not space.contains(point)[0] and piece is not space:
            point = _of_piece(piece, x, point)
        if space.contains(point)[0]:
            return point
        found.append(solution)
    if not found:
        check_feasible(space)
        raise StudyError(
            "constraints: the solver found no point whose counted inputs differ from 0, or their reference"
        )
    raise StudyError(f"constraints: no point within the bounds meets them to {TOLERANCE:g} of their scale")


def _of_piece(piece: Space, x: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Return the point of a piece nearest to x (d,); `point` where the piece is empty after all."""
    chosen = program(piece)
    solution = chosen.nearest(x, [])
    return point if solution is None else polish(piece, chosen.back(solution))


def moved_inside(space: Space, X: np.ndarray) -> np.ndarray:
    """Return points (n, d), those outside moved to the nearest valid ones; curved constraints aside.

    Raises StudyError where no valid point exists.
    """
    space, X = space.straight, np.array(X, float)
    outside = np.flatnonzero(~space.contains(X))
    rounded = space.rounded(X[outside])
    for k, point, valid in zip(outside, rounded, space.contains(rounded) if len(outside) else (), strict=True):
        X[k] = point if valid else nearest(space, X[k])
    return X
