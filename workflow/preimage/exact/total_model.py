"""Sums of models that vary smoothly as a model of boxes (`exact.model`): ends and planes of each are added up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from preimage.core.space import Space
from preimage.exact.model import Side
from preimage.exact.smooth import PLANES, Predict, SmoothModel


class TotalModel(SmoothModel):
    """The sum of models on boxes of a space.

    Args:
        models: each bounds its own part of the sides' sums.
        reach: how large each output of the sum may be (m,).
    """

    def __init__(
        self, models: Sequence[SmoothModel], reach: np.ndarray, space: Space, sides: Sequence[Side], predict: Predict
    ) -> None:
        super().__init__(space, sides, predict)
        self.models = tuple(models)
        # A few roundings where the parts' predictions are added up.
        self.off = PLANES * (np.abs(self.of_sides(len(reach))) @ reach)
        self.margin = self.off + np.sum([model.margin for model in models], axis=0)

    def _ends(self, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        parts = [model._ends(start, end) for model in self.models]
        ends, worth, plane, slope = (np.sum(arrays, axis=0) for arrays in zip(*parts, strict=True))
        by_plane = plane + self.sign * np.abs(slope).sum(axis=2) * (1 + PLANES)
        ends = self.sign * np.minimum(self.sign * ends, self.sign * by_plane)
        return ends + self.sign * self.off, worth, plane + self.sign * self.off, slope
