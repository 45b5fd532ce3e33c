"""A forest as a mixed-integer program for HiGHS: a binary for each cut, and a share of each leaf (Misic 2020,
Operations Research 68, with inputs that take any number).

An input may lie at a cut on either side of it, which changes nothing but whether an optimum is attained.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from preimage.core.space import Space
from preimage.trees.forest import Forest


class Sum(NamedTuple):
    """A sum over inputs (d,), and a multiple of the forest's output."""

    slope: np.ndarray
    weight: float


class Split(NamedTuple):
    """A cut of an input, and the leaves on either side of it."""

    input: int
    at: float
    left: list[int]
    right: list[int]


class Row(NamedTuple):
    """A linear row of the program: factors by variable, and its ends."""

    factors: dict[int, float]
    low: float
    high: float


def least(
    forest: Forest, space: Space, wanted: Sum, limits: Sequence[tuple[Sum, float, float]], seconds: float
) -> float | None:
    """Return the least value of a sum where others lie within their limits, by HiGHS; None where it ends without.

    The forest has one output; the space has bounds and linear constraints alone.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array

    splits, trees = _read(forest)
    cuts = sorted({(s.input, s.at) for s in splits if space.low[s.input] <= s.at < space.high[s.input]})
    d, c, n = len(space.inputs), len(cuts), len(forest.values)
    start, each = float(forest.start[0]) / forest.divisor, forest.values[:, 0] / forest.divisor

    def factors(of: Sum) -> np.ndarray:
        return np.r_[of.slope, np.zeros(c), of.weight * each]

    rows = [*_of_cuts(space, cuts), *_of_leaves(space, splits, trees, cuts)]
    rows += [Row(dict(enumerate(row)), a, b) for row, a, b in zip(*space.rows, strict=True)]
    rows += [Row(dict(enumerate(factors(of))), a - of.weight * start, b - of.weight * start) for of, a, b in limits]
    at = [(k, i, v) for k, row in enumerate(rows) for i, v in row.factors.items() if v]
    k, i, v = (np.array(part) for part in zip(*at, strict=True))
    matrix = csr_array((v, (k, i)), shape=(len(rows), d + c + n))
    found = milp(
        factors(wanted),
        integrality=np.r_[np.zeros(d), np.ones(c), np.zeros(n)],
        bounds=Bounds(np.r_[space.low, np.zeros(c + n)], np.r_[space.high, np.ones(c + n)]),
        constraints=LinearConstraint(matrix, [row.low for row in rows], [row.high for row in rows]),
        options={"time_limit": seconds, "mip_rel_gap": 1e-9},
    )
    return float(found.fun) + wanted.weight * start if found.status == 0 else None


def _of_cuts(space: Space, cuts: list[tuple[int, float]]) -> Iterator[Row]:
    """Yield what makes a cut's binary 1 where its input is at most the cut, and 0 where it is at least that."""
    for y, (j, at) in enumerate(cuts, len(space.inputs)):
        yield Row({j: 1.0, y: space.high[j] - at}, -np.inf, space.high[j])
        yield Row({j: 1.0, y: at - space.low[j]}, at, np.inf)
    for y, (a, b) in enumerate(pairwise(cuts), len(space.inputs)):
        if a[0] == b[0]:
            yield Row({y: 1.0, y + 1: -1.0}, -np.inf, 0.0)


def _of_leaves(
    space: Space, splits: list[Split], trees: list[list[int]], cuts: list[tuple[int, float]]
) -> Iterator[Row]:
    """Yield what makes one leaf of each tree count, on the side of each cut where the input lies."""
    first = len(space.inputs) + len(cuts)
    place = {cut: y for y, cut in enumerate(cuts, len(space.inputs))}
    for leaves in trees:
        yield Row({first + leaf: 1.0 for leaf in leaves}, 1.0, 1.0)
    for split in splits:
        left, right = ({first + leaf: 1.0 for leaf in leaves} for leaves in (split.left, split.right))
        y = place.get((split.input, split.at))
        if y is None:
            yield Row(right if split.at >= space.high[split.input] else left, 0.0, 0.0)
        else:
            yield Row({**left, y: -1.0}, -np.inf, 0.0)
            yield Row({**right, y: 1.0}, -np.inf, 1.0)


def _read(forest: Forest) -> tuple[list[Split], list[list[int]]]:
    """Return all cuts of a forest, and the leaves of each tree."""
    splits: list[Split] = []

    def leaves(node: int) -> list[int]:
        if forest.feature[node] < 0:
            return [int(forest.right[node])]
        left, right = leaves(node + 1), leaves(int(forest.right[node]))
        splits.append(Split(int(forest.feature[node]), float(forest.threshold[node]), left, right))
        return left + right

    return splits, [leaves(int(root)) for root in forest.roots]
