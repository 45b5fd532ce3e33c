"""A model that is asked only near its data: boxes without an input near a training row, or common enough, are dropped
(see `trees.domain`)."""

from __future__ import annotations

import numpy as np

from preimage.exact.kernels import over
from preimage.exact.model import BoxModel, Side
from preimage.exact.tree_model import TreeModel
from preimage.support.numba_cache import numba
from preimage.trees.domain import ROUNDING, Domain

# Training rows nearest to a box, whose nearest points of it are offered.
OFFERED = 4


class Guarded:
    """A model of boxes within a domain."""

    def __init__(self, model: BoxModel, domain: Domain) -> None:
        self.model, self.domain = model, domain
        self.sides, self.margin, self.attained = model.sides, model.margin, model.attained
        self.paths: TreeModel | None = None
        if domain.common is not None:
            self.paths = TreeModel(domain.common.paths, domain.space, [Side((1.0,), 1.0)])
        self._own = model.fresh(1).shape[1]

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the outputs (n, m) at points (n, d)."""
        return self.model.predict(X)

    def fresh(self, n: int) -> np.ndarray:
        """Return the state of n boxes of which nothing is known, (n, size): the model's, then that of the paths."""
        own = self.model.fresh(n)
        return own if self.paths is None else np.hstack([own, self.paths.fresh(n)])

    def bound(self, start: np.ndarray, end: np.ndarray, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends of the sums on boxes (n, d), and which of these may hold an input of the domain (n,)."""
        own, of_paths = self._parts(state)
        ends, possible = self.model.bound(start, end, own)
        state[:, : self._own] = own
        if self.paths is not None and self.domain.common is not None:
            longest, _ = self.paths.bound(start, end, of_paths)
            state[:, self._own :] = of_paths
            possible = possible & (longest[:, 0] >= self.domain.common.least)
        if self.domain.near is not None:
            near, space, found = self.domain.near, self.domain.space, np.empty(len(start), bool)
            most = near.most * (1 + ROUNDING)
            over(_near, len(start), near.data, space.width, space.categorical, most, start, end, found)
            possible = possible & found
        return ends, possible

    def split(
        self, start: np.ndarray, end: np.ndarray, state: np.ndarray, order: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return where the model splits boxes, and where it gains nothing, where their longest paths do."""
        own, of_paths = self._parts(state)
        input_, at = self.model.split(start, end, own, order)
        if self.paths is not None:
            first = np.zeros((len(start), 1), np.int32)
            other = self.paths.split(start, end, of_paths, first)
            input_, at = (np.where(input_ < 0, b, a) for a, b in zip((input_, at), other, strict=True))
        return input_, at

    def common(self, start: np.ndarray, end: np.ndarray, state: np.ndarray, order: np.ndarray) -> None:
        """Shrink boxes, in place, to where all ends that matter are attained at once, and the longest paths."""
        own, of_paths = self._parts(state)
        self.model.common(start, end, own, order)
        if self.paths is not None:
            self.paths.common(start, end, of_paths, np.zeros((len(start), 1), np.int32))

    def points(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Return points of one box (k, d) that are likely to be in the domain: those nearest to training rows."""
        if self.domain.near is None:
            return np.empty((0, len(start)))
        space, moved = self.domain.space, np.clip(self.domain.near.data, start, end)
        away = space.apart(moved, self.domain.near.data)
        return moved[np.argsort((away**2).sum(axis=1), kind="stable")[:OFFERED]]

    def _parts(self, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.ascontiguousarray(state[:, : self._own]), np.ascontiguousarray(state[:, self._own :], np.int32)


@numba.njit(cache=True, nogil=True)
def _near(begin, stop, data, width, category, most, start, end, found):  # type: ignore[no-untyped-def]
    """Fill in which boxes begin to stop of (n, d) some row is near to, (n,): beyond rounding, none of another is."""
    for i in range(begin, stop):
        found[i] = False
        for r in range(len(data)):
            square = 0.0
            for j in range(start.shape[1]):
                x = data[r, j]
                away = start[i, j] - x if x < start[i, j] else x - end[i, j] if x > end[i, j] else 0.0
                if category[j]:
                    square += away > 0
                else:
                    away /= width[j]
                    square += away * away
                if square > most:
                    break
            if square <= most:
                found[i] = True
                break
