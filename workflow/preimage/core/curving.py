"""Points moved onto curved constraints, within the piece of the space that they are in."""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import Any

import numpy as np

from preimage.core.scaled import curved_slopes, curved_values, polish
from preimage.core.space import Space

# What the solver aims at inside of a curved row, as a share of its scale, so that its rounding does not miss it.
INSIDE = 1e-11


def onto_curves(space: Space, x: np.ndarray, nearest: bool = False) -> np.ndarray | None:
    """Return a valid point (d,) near one that meets all but the curved constraints; None where none was found.

    First by Newton's steps along the violated rows; then, or for the `nearest` in any case, by sequential quadratic
    programming (SLSQP) from there.

    Args:
        nearest: whether to look for the nearest point (by squared distances of scaled inputs), not only a near one.
    """
    piece = space.piece(x)
    quick = polish(piece, x)
    valid = [quick] if space.contains(quick)[0] else []
    if valid and not nearest:
        return quick
    # Newton's steps may have led far away; from the point itself the way may be blocked.
    for start in (x, *valid):
        point = polish(piece, _descended(piece, x, start))
        if space.contains(point)[0]:
            valid.append(point)
    return min(valid, key=lambda p: float((((p - x) / space.width) ** 2).sum()), default=None)


def _descended(piece: Space, x: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Return where SLSQP ends that looks for the point (d,) of a piece nearest to x, from another one."""
    from scipy.optimize import minimize

    movable = ~piece.stepwise & piece.free
    if not movable.any():
        return start
    low, width = piece.low[movable], (piece.high - piece.low)[movable]
    # Distances count in the whole ranges, which a piece may have cut.
    weight = width / piece.width[movable]
    wanted = (x[movable] - low) / width

    def point(u: np.ndarray) -> np.ndarray:
        moved = start.copy()
        moved[movable] = low + u * width
        return np.clip(moved, piece.low, piece.high)

    def distance(u: np.ndarray) -> tuple[float, np.ndarray]:
        away = weight * (u - wanted)
        return float(away @ away), 2 * weight * away

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = minimize(
            distance,
            np.clip((start[movable] - low) / width, 0, 1),
            jac=True,
            method="SLSQP",
            bounds=[(0.0, 1.0)] * int(movable.sum()),
            constraints=_rows(piece, point, movable, width),
            options={"ftol": 1e-12, "maxiter": 50},
        )
    return point(found.x) if np.isfinite(found.x).all() else start


def _rows(piece: Space, point: Any, movable: np.ndarray, width: np.ndarray) -> list[dict[str, Any]]:
    """Return the piece's rows for SLSQP, in shares of their scales: equalities, then inequalities as at least 0."""
    matrix, bottom, top = piece.rows
    ends = np.array([(c.low, c.high) for c in piece.curved]).reshape(-1, 2)
    low, high = np.concatenate([bottom, ends[:, 0]]), np.concatenate([top, ends[:, 1]])
    scale = np.concatenate([piece.row_scale, piece.curved_scale])
    equal, under, over = low == high, np.isfinite(low), np.isfinite(high)
    under, over = under & ~equal, over & ~equal
    margin = np.where(np.arange(len(low)) < len(bottom), 0.0, INSIDE)

    @lru_cache(maxsize=1)
    def values(key: bytes) -> np.ndarray:
        x = point(np.frombuffer(key))
        found = np.concatenate([matrix @ x, curved_values(piece, x)])
        return np.where(np.isfinite(found), found, 1e6 * scale) / scale

    @lru_cache(maxsize=1)
    def slopes(key: bytes) -> np.ndarray:
        x = point(np.frombuffer(key))
        found = np.concatenate([matrix, curved_slopes(piece, x)])[:, movable] * width / scale[:, None]
        return np.where(np.isfinite(found), found, 0.0)

    def missed(u: np.ndarray) -> np.ndarray:
        return (values(u.tobytes()) - low / scale)[equal]

    def left(u: np.ndarray) -> np.ndarray:
        found = values(u.tobytes())
        return np.concatenate([(found - low / scale - margin)[under], (high / scale - found - margin)[over]])

    def left_slopes(u: np.ndarray) -> np.ndarray:
        found = slopes(u.tobytes())
        return np.concatenate([found[under], -found[over]])

    rows: list[dict[str, Any]] = []
    if equal.any():
        rows.append({"type": "eq", "fun": missed, "jac": lambda u: slopes(u.tobytes())[equal]})
    if under.any() or over.any():
        rows.append({"type": "ineq", "fun": left, "jac": left_slopes})
    return rows
