"""Planes as a model of boxes (`exact.model`): their ends are those of each input's own term, and rows are all that
there is to search (`exact.slanted`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from preimage.core.space import Space
from preimage.exact.forms import Planes
from preimage.exact.model import Side
from preimage.exact.smooth import Predict, SmoothModel

# Beyond what rounding in the sum of a plane's terms may be, as a share of their sizes.
ROUNDED = 1e-13
UNIT = 2.0**-53


class PlaneModel(SmoothModel):
    """Planes on boxes of a space."""

    def __init__(self, form: Planes, space: Space, sides: Sequence[Side], predict: Predict) -> None:
        super().__init__(space, sides, predict)
        weights = self.of_sides(len(form.base))
        columns, k, d = form.columns, len(sides), len(space.inputs)
        by_column, at = weights @ form.slopes.T, 0
        self.base, self.slope = weights @ form.base, np.zeros((k, d))
        # Of each category, what each of its values adds (k, values).
        self.added: dict[int, np.ndarray] = {}
        for j, levels, centre, scale in zip(*columns, strict=True):
            if levels:
                self.added[int(j)] = by_column[:, at : at + levels]
            else:
                self.slope[:, j] = by_column[:, at] / scale
                self.base -= by_column[:, at] * centre / scale
            at += max(levels, 1)
        self.margin = (ROUNDED + form.roundings * UNIT) * (np.abs(weights) @ sizes(form, space))

    def _ends(self, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        plane = self.base + (start / 2 + end / 2) @ self.slope.T + self.sign * self.margin
        slope = self.slope * ((end - start) / 2)[:, None]
        worth = np.abs(slope)
        for j, added in self.added.items():
            for k, sign in enumerate(self.sign):
                codes = np.arange(added.shape[1])
                open_ = (codes >= start[:, [j]]) & (codes <= end[:, [j]])
                best = np.where(open_, sign * added[k], -np.inf).max(axis=1)
                worth[:, k, j] = best - np.where(open_, sign * added[k], np.inf).min(axis=1)
                plane[:, k] += sign * best
        return plane + self.sign * np.abs(slope).sum(axis=2), worth, plane, slope


def sizes(form: Planes, space: Space) -> np.ndarray:
    """Return how large the terms of each output may be in a space, together (m,)."""
    c = form.columns
    low, high = (end[c.inputs] for end in (space.low, space.high))
    largest = (np.maximum(np.abs(low), np.abs(high)) + np.abs(c.centre)) / c.scale
    at = np.repeat(np.where(c.levels > 0, 1.0, largest), np.maximum(c.levels, 1))
    if form.sizes is not None and form.base_sizes is not None:
        return np.asarray(form.base_sizes + at @ form.sizes)
    return np.asarray(np.abs(form.base) + at @ np.abs(form.slopes))
