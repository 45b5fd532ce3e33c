"""A valid point in a box that is near the data, or the proof that there is none.

Rows of the data are projected onto what constraints leave of the box (`forest_projection`). Of whole numbers, where
there are few, all are tried; else the box is split where the projection is no whole number, until a part holds a point
or all are proven to hold none. Without data the point asked for is any, near the middle.

Everything holds to a tolerance: constraints to `space.TOLERANCE` of their scale, distances to rounding.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from preimage.core import polytope
from preimage.core.space import Space
from preimage.support.errors import StudyError
from preimage.trees import projection, trimming
from preimage.trees.domain import Near, square

# Parts of a box that are looked at before it is left undecided.
PARTS = 3000
# Points of whole numbers, times rows, that are tried one by one.
POINTS = 200_000


class _Part(NamedTuple):
    """A part of the box, and which rows may be near it."""

    start: np.ndarray
    end: np.ndarray
    rows: np.ndarray


def near_point(space: Space, near: Near, start: np.ndarray, end: np.ndarray) -> np.ndarray | None:
    """Return a point (d,) between `start` and `end` that is near the data; None where it is proven that there is none.

    Raises StudyError where neither is found in `PARTS` parts of the box.
    """
    finder = _Finder(space, near, start, end)
    parts = [_Part(start, end, np.arange(len(near.data)))]
    for _ in range(PARTS):
        if not parts:
            return None
        point = finder.look(parts.pop(), parts)
        if point is not None:
            return point
    if parts:
        raise StudyError("a valid input near the data can't be told from none")
    return None


def valid_point(space: Space, start: np.ndarray, end: np.ndarray) -> np.ndarray | None:
    """Return a point (d,) of the space between `start` and `end`, near the middle; None where it is proven empty.

    Raises StudyError where neither is certain.
    """
    middle = np.where(space.discrete, np.floor((start + end) / 2), start / 2 + end / 2)
    middle = np.clip(middle, start, end)
    if space.contains(middle)[0]:
        return middle
    inside = _within(space, start, end)
    point = polytope.polish(inside, middle)
    if space.contains(point)[0]:
        return point
    reach = float(np.linalg.norm((end - start) / space.width))
    try:
        return near_point(space, Near(middle[None], 2 * reach), start, end)
    except StudyError:  # whole numbers of which a solver may know more
        if polytope.proven_empty(inside):
            return None
        return np.asarray(polytope.repair(inside, middle[None])[0][0])


class _Finder:
    """What is asked of every part of one box."""

    def __init__(self, space: Space, near: Near, start: np.ndarray, end: np.ndarray) -> None:
        self.space, self.near = space, near
        self.rows = trimming.rows(space)
        self.inside = _within(space, start, end)

    def look(self, part: _Part, parts: list[_Part]) -> np.ndarray | None:
        """Return a valid point of the part that is near; where it may have one elsewhere, add its own parts."""
        space, near = self.space, self.near
        start, end = part.start.copy(), part.end.copy()
        if not trimming.trim(self.rows, start, end):
            return None
        data = near.data[part.rows]
        moved = np.clip(data, start, end)
        moved = np.where(space.discrete, np.round(moved), moved)
        # Of the box each of these is the nearest point to its row, in what is computed too: no margin is needed.
        away = square(space, moved, data)
        order = np.argsort(away, kind="stable")[: int((away <= near.most).sum())]
        valid = np.flatnonzero(space.contains(moved[order])) if len(order) else order
        if len(valid):
            return np.asarray(moved[order[valid[0]]])
        if not len(order) or not space.constraints:
            return None
        return self._projected(_Part(start, end, part.rows[order]), moved[order], parts)

    def _projected(self, part: _Part, moved: np.ndarray, parts: list[_Part]) -> np.ndarray | None:
        start, end, rows = part
        whole = self.space.discrete & (start < end) & ~self.space.categorical
        numbers = ~(self.space.discrete | self.space.categorical) & (start < end)
        if not numbers.any() and len(rows) * np.prod(end[whole] - start[whole] + 1) <= POINTS:
            return self._tried(part, moved, whole)
        state, points = self._project(part, not whole.any())
        for k in np.flatnonzero(state != projection.FAR):
            point = self._taken(np.where(self.space.categorical, moved[k], points[k]))
            if point is not None:
                return point
        left = np.flatnonzero(state != projection.FAR)
        if len(left):
            self._split(part._replace(rows=rows[left]), points[left[0]], whole, parts)
        return None

    def _tried(self, part: _Part, moved: np.ndarray, whole: np.ndarray) -> np.ndarray | None:
        """Try all whole numbers there are; other inputs have one value, or for a category that of the row."""
        start, end, rows = part
        axes = [np.arange(a, b + 1) for a, b in zip(start[whole], end[whole], strict=True)]
        points = np.tile(start, (int(np.prod([len(a) for a in axes])), 1))
        points[:, whole] = np.stack([g.ravel() for g in np.meshgrid(*axes, indexing="ij")], axis=1)
        points = points[self.space.contains(points)]
        for k, row in enumerate(self.near.data[rows]):
            X = np.where(self.space.categorical, moved[k], points)
            enough = np.flatnonzero(square(self.space, X, row) <= self.near.most)
            if len(enough):
                return np.asarray(X[enough[0]])
        return None

    def _project(self, part: _Part, first: bool) -> tuple[np.ndarray, np.ndarray]:
        """Return of each row whether the part is near it (`forest_projection`), and the points (n, d) that are nearest
        where whole numbers need not be."""
        space, near, (start, end, rows) = self.space, self.near, part
        data, unit, number = near.data[rows], space.width, ~space.categorical
        fixed = square(space, np.where(number, data, np.clip(data, start, end)), data)
        limit = near.most - fixed
        state = np.full(len(rows), projection.OPEN)
        multipliers, step = np.zeros((len(rows), len(self.rows.matrix))), np.zeros_like(data)
        start, end = np.where(number, start, -np.inf), np.where(number, end, np.inf)
        projection.project(self.rows, data, unit, start, end, limit, first, state, multipliers, step)
        if not (first and (state == projection.NEAR).any()):
            for k in np.flatnonzero(state == projection.OPEN):
                state[k], step[k] = self._exactly(data[k], start - data[k], end - data[k], limit[k])
        return state, data + step

    def _exactly(self, row: np.ndarray, least: np.ndarray, most: np.ndarray, limit: float) -> tuple[int, np.ndarray]:
        matrix, held = self.rows.matrix, self.rows.matrix @ row
        low, high, half = self.rows.least - held, self.rows.most - held, self.rows.tolerance / 2
        reach, used, step = np.sqrt(limit), np.isfinite(least), np.zeros(len(row))
        multipliers, step[used] = projection.least_distance(
            matrix[:, used], low + half, high - half, reach * self.space.width[used], least[used], most[used]
        )
        bound = projection.least_square(matrix, low, high, self.space.width, least, most, reach**2 * multipliers)
        return (projection.FAR if bound > limit else projection.OPEN), step

    def _taken(self, x: np.ndarray) -> np.ndarray | None:
        """Return the point, or one that meets the constraints more exactly, where it is valid and near."""
        x = np.clip(np.where(self.space.discrete, np.round(x), x), self.inside.low, self.inside.high)
        for point in (polytope.polish(self.inside, x), x):
            if self.space.contains(point)[0] and self.near.holds(self.space, point[None])[0]:
                return np.asarray(point)
        return None

    def _split(self, part: _Part, x: np.ndarray, whole: np.ndarray, parts: list[_Part]) -> None:
        """Add two parts: where whole numbers are open, beside the point where it is least one; else halves."""
        start, end, rows = part
        off = np.where(whole, np.abs(x - np.round(x)), -1.0)
        if whole.any() and off.max() > 1e-6:
            j = int(np.argmax(off))
            cut = np.floor(x[j])
        else:
            wide = np.where(whole if whole.any() else ~self.space.discrete, (end - start) / self.space.width, -1.0)
            j = int(np.argmax(wide))
            cut = start[j] / 2 + end[j] / 2
            cut = np.floor(cut) if whole[j] else min(max(cut, start[j]), np.nextafter(end[j], -np.inf))
        left, right = end.copy(), start.copy()
        left[j], right[j] = cut, cut + 1 if whole[j] else np.nextafter(cut, np.inf)
        halves = [_Part(start, left, rows), _Part(right, end, rows)]
        parts += halves if x[j] > cut else halves[::-1]  # the nearer one is looked at first


def _within(space: Space, start: np.ndarray, end: np.ndarray) -> Space:
    """Return the space cut down to a box."""
    inputs = tuple(
        replace(i, low=float(a), high=float(b), integer=bool(whole), categories=(), fixed=None, stated=(True, True))
        for i, a, b, whole in zip(space.inputs, start, end, space.discrete, strict=True)
    )
    return replace(space, inputs=inputs)
