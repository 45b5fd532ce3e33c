"""Bounds of boxes by multipliers (see `multipliers`), for a search that goes on for long.

A box whose bound is tightened costs what dozens of others cost, so that small searches are over before it would pay.
Where a search has gone on for a while, the whole box is bounded by many steps; where that is better than what thousands
of boxes have proven, the search begins again from there, each box with the multipliers of the one that it is a half of.

On 500 XGBoost trees of depth 6 in 20 inputs (`benchmarks.certified.boosted`), what was tried:

- multipliers of intervals close the gap of the whole box from 9.4 to 3.0 (the smallest output), those of single splits
  (the linear program of Mišić 2020) to 5.9, and to 4.0 with the sides that a split implies; pairs and triples of merged
  trees (Chen et al. 2019) by a tenth, and they add nothing to multipliers;
- steps in proportion to how much a tree varies reach in 100 steps what equal steps reach in 400;
- sweeps over trees that hand on their min-marginals (block-coordinate ascent) need three times as long;
- branching by what each cut would lose at the multipliers reached is worse than the cut that most best leaves
  contradict: at good multipliers, most cuts cost one side nothing.
"""

from __future__ import annotations

import numpy as np

from preimage.trees.boxes import Grid, Trees
from preimage.trees.multipliers import Parts, parts
from preimage.trees.objective import UNIT, Wanted, least_loss
from preimage.trees.relaxation import Sums, tighten
from preimage.trees.threads import over

# Boxes that a search expands before it tries multipliers.
AFTER = 2048
# Larger ensembles do without: a step would take as long as hundreds of boxes.
MOST_RUNS = 200_000
# Boxes at a time, their steps, the share of a full step to begin with, and fruitless steps until it is halved.
BATCH, STEPS, SHARE, PATIENCE = 16, 20, 0.1, 6
# The same of the whole box.
FIRST_STEPS, FIRST_SHARE, FIRST_PATIENCE = 200, 0.5, 8


class Tightening:
    """Bounds one channel of trees by multipliers.

    Attributes:
        parts: what the multipliers are of.
        steps: how many have been taken.
        no_use: loss within which of the best one rounding hides what multipliers prove; plain bounds have none.
    """

    def __init__(self, trees: Trees, grid: Grid, wanted: Wanted) -> None:
        self.trees, self.wanted, self.cells = trees, wanted, int(grid.shape.sum())
        self.parts: Parts = parts(trees, grid)
        first = (trees.roots + np.arange(len(trees.roots))) // 2  # as many nodes of earlier trees are leaves
        start, unit = float(trees.start[0]), float(np.finfo(np.float32 if trees.single else float).eps) / 2
        largest = abs(start) + float(np.maximum.reduceat(np.abs(trees.score[0]), first).sum())
        # Each addition of `predict` rounds by at most a unit of what its terms are together.
        self.sums = Sums(start, largest, 1.01 * (len(first) + 2) * max(unit, UNIT) * largest)
        self.steps = 0
        self.no_use = 2 * abs(wanted.slope) * self.sums.margin / wanted.divisor

    @property
    def none(self) -> np.ndarray:
        """Multipliers that change nothing (intervals,)."""
        return np.zeros(len(self.parts.begin), np.float32)

    def losses(
        self, lo: np.ndarray, hi: np.ndarray, prices: np.ndarray, limit: float, first: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return lower bounds of the loss on boxes (n,), and a cell of each where a good point may be (n, d).

        Args:
            prices: multipliers of each box, which are improved in place.
            limit: the loss to beat.
            first: whether these boxes are the first ones, for which more is done.
        """
        n, d = lo.shape
        target = limit * self.wanted.divisor / (self.wanted.slope * self.wanted.sign)
        total, cell, taken = np.empty(n), np.empty((n, d), np.int32), np.empty(n, np.int32)
        steps = (FIRST_STEPS, FIRST_SHARE, FIRST_PATIENCE) if first else (STEPS, SHARE, PATIENCE)
        over(
            tighten, n, self.trees, self.parts, self.sums, self.cells, target, *steps, lo, hi, prices,
            total, cell, taken,
        )  # fmt: skip
        self.steps += int(taken.sum())
        return np.array([least_loss(self.wanted, total[i : i + 1]) for i in range(n)]), cell


def can_tighten(trees: Trees, wanted: Wanted) -> bool:
    """Whether multipliers are for this question: one channel, and no more leaves than a step can look at."""
    few = len(trees.low) * min(trees.depth, trees.low.shape[1]) <= MOST_RUNS
    return bool(not np.isnan(wanted.slope) and wanted.slope and few)
