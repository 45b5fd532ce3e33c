"""Models whose outputs vary smoothly, on boxes: nothing is attained all over a box, so each is split while it is open.

Best-first search, limits, formulas and conditions are those of trees (`exact.search`); only bounds and splits differ.
A box is split in halves along the input that is worth most to the first end that matters.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

import numpy as np

from preimage.core.space import Space
from preimage.exact import region
from preimage.exact.kernels import over
from preimage.exact.model import Side
from preimage.support.numba_cache import numba

Predict = Callable[[np.ndarray], np.ndarray]
# A box is not split along an input of which it has less than this share of the range.
FINEST = 1e-10
# Beyond what rounding in a plane's terms may amount to, as a share of their sizes.
PLANES = 1e-13


class SmoothModel(ABC):
    """A model on boxes of a space. The state of a box is, for each of k ends, the end that was proven for it or a box
    around it; what halving each input is worth to it (d,); and a plane that the sum is never beyond: a constant, and
    the slope by each input (d,).

    Attributes:
        margin: how far rounding may have moved each end outward, (k,).

    Args:
        predict: the outputs (n, m) at points (n, d), by the model itself.
    """

    attained: ClassVar[bool] = False
    margin: np.ndarray

    def __init__(self, space: Space, sides: Sequence[Side], predict: Predict) -> None:
        self.space, self.sides, self.predict = space, tuple(sides), predict
        self.sign = np.array([side.sign for side in sides], float)
        self.region = region.region(space)

    def of_sides(self, outputs: int) -> np.ndarray:
        """Return the weights of the outputs in the sum of each side (k, m)."""
        return np.array([side.weights for side in self.sides], float).reshape(len(self.sides), outputs)

    @abstractmethod
    def _ends(self, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return what is known of the sums on boxes (n, d), in the order of `sides`: their ends (n, k); what halving
        each input is worth (n, k, d); and planes that they are not beyond: the values in the middle of the box (n, k),
        and the slopes over inputs scaled to [-1, 1] in the box (n, k, d)."""

    def fresh(self, n: int) -> np.ndarray:
        """Return the state of n boxes of which nothing is known, (n, size)."""
        state = np.zeros((n, len(self.sides), 2 + 2 * len(self.space.inputs)))
        state[:, :, 0] = state[:, :, 1] = self.sign * np.inf
        return state.reshape(n, -1)

    def bound(self, start: np.ndarray, end: np.ndarray, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends of the sums on boxes (n, d), in the order of `sides` (n, k), and that all of these boxes are
        possible (n,); their state is brought up to date in place."""
        known, d = self._parts(state), start.shape[1]
        ends, worth, plane, slope = self._ends(start, end)
        ends = self.sign * np.minimum(self.sign * ends, self.sign * known[:, :, 0])
        middle, half = (start / 2 + end / 2)[:, None], ((end - start) / 2)[:, None]
        slope = np.divide(slope, half, out=np.zeros_like(slope), where=half > 0)
        # A rounding of each product, and of the middle and the half width in it.
        off = PLANES * (np.abs(plane) + (np.abs(slope) * (np.abs(middle) + half)).sum(axis=2))
        known[:, :, 0], known[:, :, 1] = ends, plane - (slope * middle).sum(axis=2) + self.sign * off
        known[:, :, 2 : 2 + d], known[:, :, 2 + d :] = worth, slope
        return ends, np.ones(len(start), bool)

    def planes(self, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return planes that the sums are not beyond on boxes of a state, in the order of `sides`: constants (n, k) and
        slopes by the inputs (n, k, d)."""
        known, d = self._parts(state), len(self.space.inputs)
        return known[:, :, 1], known[:, :, 2 + d :]

    def known(self, state: np.ndarray) -> np.ndarray:
        """Return the ends (n, k) that a state keeps."""
        return np.ascontiguousarray(self._parts(state)[:, :, 0])

    def note(self, state: np.ndarray, ends: np.ndarray) -> None:
        """Keep ends (n, k) that were proven otherwise in a state."""
        each = 2 + 2 * len(self.space.inputs)
        state[:, : each * len(self.sides) : each] = ends

    def _parts(self, state: np.ndarray) -> np.ndarray:
        """Return what is known of each end: itself, the plane's constant, what halves are worth, and the slopes."""
        k, each = len(self.sides), 2 + 2 * len(self.space.inputs)
        return state[:, : k * each].reshape(len(state), k, each)

    def split(
        self, start: np.ndarray, end: np.ndarray, state: np.ndarray, order: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return where boxes (n, d) are split: the input (n,), -1 where no end matters or none is wide enough, and the
        last value on the left (n,)."""
        worth = np.ascontiguousarray(self._parts(state)[:, :, 2 : 2 + start.shape[1]])
        input_, at = np.empty(len(start), np.int32), np.empty(len(start))
        over(_split, len(start), self.region, FINEST * self.space.width, worth, start, end, order, input_, at)
        return input_, at

    def common(self, start: np.ndarray, end: np.ndarray, state: np.ndarray, order: np.ndarray) -> None:
        """Leave boxes that `split` gains nothing of as they are: where no end matters, all of a box is alike."""
        return

    def points(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Return points of one box (k, d) that are likely to be such as the model is asked about: any are."""
        return np.empty((0, len(start)))


@numba.njit(cache=True, nogil=True)
def _split(begin, stop, region_, finest, worth, start, end, order, input_, at):  # type: ignore[no-untyped-def]
    for i in range(begin, stop):
        input_[i], at[i] = -1, 0.0
        if order.shape[1] == 0 or order[i, 0] < 0:
            continue
        most, widest = -1.0, 0.0
        for j in range(start.shape[1]):
            width = end[i, j] - start[i, j]
            if width <= finest[j]:
                continue
            middle = region.below(region_, j, start[i, j] / 2.0 + end[i, j] / 2.0)
            if not start[i, j] <= middle < end[i, j]:
                continue
            value, wide = worth[i, order[i, 0], j], width / finest[j]
            if value > most or (value == most and wide > widest):
                most, widest, input_[i], at[i] = value, wide, j, middle
