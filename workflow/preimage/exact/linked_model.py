"""Trees whose sum a rising function makes the output of, as a model of boxes (`exact.model`).

The ends of each output's sum are those of `tree_model`; the output's are the function of them, moved outward by what
rounding may have done. Where several outputs are added, each has ends of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from preimage.core.space import Space
from preimage.exact.linked_trees import LinkedTrees
from preimage.exact.model import Side
from preimage.exact.smooth import Predict
from preimage.exact.tree_model import TreeModel
from preimage.trees.links import linked, off


class LinkedModel:
    """Trees with links on boxes of a space.

    Args:
        predict: the outputs (n, m) at points (n, d), by the model itself.
    """

    attained: ClassVar[bool] = True

    def __init__(self, form: LinkedTrees, space: Space, sides: Sequence[Side], predict: Predict) -> None:
        self.form, self.sides, self.predict = form, tuple(sides), predict
        m, places = len(form.links), dict[Side, int]()
        # Of each side, the outputs that it takes: place of their end in the sums, number, and weight.
        self.parts = [
            [
                (places.setdefault(Side(_one(m, k), side.sign * np.sign(w)), len(places)), k, w)
                for k, w in enumerate(side.weights)
                if w
            ]
            for side in sides
        ]
        self.raw = TreeModel(form.forest, space, tuple(places))
        self.of_sum = form.off()
        low, high = _ends_of(form, space)
        most = [off(link, low[[k]], high[[k]], self.of_sum[k], form.eps)[0] for k, link in enumerate(form.links)]
        self.margin = np.array([sum(abs(w) * most[k] for _, k, w in part) for part in self.parts], float)

    def fresh(self, n: int) -> np.ndarray:
        """Return the state of n boxes of which nothing is known, (n, size)."""
        return self.raw.fresh(n)

    def bound(self, start: np.ndarray, end: np.ndarray, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends of the sums on boxes (n, d), in the order of `sides` (n, k), and that all of these boxes are
        possible (n,); their state is brought up to date in place."""
        raw, possible = self.raw.bound(start, end, state)
        ends = np.zeros((len(start), len(self.sides)))
        for s, part in enumerate(self.parts):
            for place, k, w in part:
                ends[:, s] += w * outward(self.form, k, raw[:, place], self.raw.sides[place].sign, self.of_sum[k])
        return ends, possible

    def split(
        self, start: np.ndarray, end: np.ndarray, state: np.ndarray, order: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return where boxes (n, d) are best split, as `TreeModel.split` does."""
        return self.raw.split(start, end, state, self._raw_order(order))

    def common(self, start: np.ndarray, end: np.ndarray, state: np.ndarray, order: np.ndarray) -> None:
        """Shrink boxes (n, d), in place, to where all ends that matter are attained at once."""
        self.raw.common(start, end, state, self._raw_order(order))

    def points(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Return points of one box (k, d) that are likely to be such as trees are asked about: any are."""
        return self.raw.points(start, end)

    def _raw_order(self, order: np.ndarray) -> np.ndarray:
        """Return which ends of the outputs' sums matter where these sides do (n, k): -1 behind the last."""
        most = max([len(part) for part in self.parts], default=0)
        places = np.full((len(self.sides) + 1, most), -1, np.int32)
        for s, part in enumerate(self.parts):
            places[s, : len(part)] = [place for place, _, _ in part]
        found = places[order].reshape(len(order), -1)  # the last row is of -1
        return np.take_along_axis(found, np.argsort(found < 0, axis=1, kind="stable"), axis=1)


def outward(form: LinkedTrees, k: int, raw: np.ndarray, sign: float, of_sum: float) -> np.ndarray:
    """Return an output of sums (n,), moved by what rounding may have done towards a sign."""
    found = linked(form.links[k], raw.astype(form.forest.start.dtype))
    by = off(form.links[k], raw - of_sum, raw + of_sum, of_sum, form.eps)
    return found + sign * by


def reach(form: LinkedTrees, space: Space) -> np.ndarray:
    """Return how large each output may be in a space, (m,)."""
    low, high = _ends_of(form, space)
    of_sum, found = form.off(), np.empty(len(low))
    for k in range(len(low)):
        ends = (outward(form, k, low[[k]], -1.0, of_sum[k]), outward(form, k, high[[k]], 1.0, of_sum[k]))
        found[k] = max(abs(float(end[0])) for end in ends)
    return found


def _ends_of(form: LinkedTrees, space: Space) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of each output's sum in a space, (m,) each."""
    m = len(form.links)
    sides = [Side(_one(m, k), sign) for sign in (-1.0, 1.0) for k in range(m)]
    whole = TreeModel(form.forest, space, sides)
    ends, _ = whole.bound(space.low[None].copy(), space.high[None].copy(), whole.fresh(1))
    return ends[0, :m], ends[0, m:]


def _one(m: int, k: int) -> tuple[float, ...]:
    return tuple(np.eye(m)[k].tolist())
