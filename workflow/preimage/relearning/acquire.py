"""What a round adds to the data: the simulations that are likely to teach most about the answer.

A batch has two parts in a stated proportion. The first goes where the answer may lie: candidates of the inverters,
which is what the surrogate believes, and points where the losses seen so far, interpolated, are small, which needs no
belief in the surrogate. The second explores: where the prediction interval is widest, and beyond the data's edge.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from preimage.core.candidates import DOMAIN_LIMIT
from preimage.core.domain import Domain
from preimage.core.neighbours import Tree
from preimage.core.objective import Objective
from preimage.core.space import Space
from preimage.relearning import pool
from preimage.relearning.interpolated import Interpolation, smallest
from preimage.support.errors import StudyError

CANDIDATE, INTERPOLATED, SPREAD, EDGE = "candidate", "interpolated", "spread", "edge"
# In the space's coordinates: points nearer than SAME are one point; candidates of a batch lie APART.
SAME, APART = 1e-6, 0.05
# Of the part that does not explore, this share is candidates. A surrogate that is wrong offers false ones, and one
# that is right needs few.
CANDIDATES = 0.25
# Interpolated points of a batch keep away from all that is known, by shares of the largest gap from 0 to this.
FARTHEST = 0.3
DRAWS = 2000
# Rows that the search begins from.
BEST = 20

Interval = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Ask:
    """One objective put to one surrogate.

    Attributes:
        space: with the objective's fixed inputs pinned.
        interval: predicted outputs and the ends of their intervals, each (n, m), at points (n, d).
        candidates: the inverters' points (k, d), best first by prediction.
    """

    space: Space
    objective: Objective
    interval: Interval
    candidates: np.ndarray


@dataclass(frozen=True)
class Batch:
    """Points to simulate (n, d), with the reason for each: candidate, interpolated, spread or edge."""

    X: np.ndarray
    why: list[str]


def acquire(
    asks: Sequence[Ask], X: np.ndarray, Y: np.ndarray, n: int, explore: float, rng: np.random.Generator
) -> Batch:
    """Choose n points to simulate, for each ask in turn.

    Args:
        X, Y: the training rows (k, d) and (k, m).
        explore: share of the batch that explores, 0 to 1, rounded to whole points.

    No point is a training row or twice in the batch, and all satisfy the space. There are fewer than n where the
    space has no more to offer (whole numbers and categories run out). Raises StudyError where nothing is asked.
    """
    if not asks:
        raise StudyError("relearning: no inverter works on a surrogate, so there is nothing to simulate")
    choices = [_Choice(ask, X, Y, rng) for ask in asks]
    points: list[np.ndarray] = []
    why: list[str] = []
    for k, (reason, share) in enumerate(plan(n, explore)):
        known = np.concatenate([X, *(p[None] for p in points)])
        found = choices[k % len(choices)].pick(reason, share, known, points, rng)
        if found is not None:
            points.append(found[0])
            why.append(found[1])
    return Batch(np.array(points).reshape(-1, X.shape[1]), why)


def plan(n: int, explore: float) -> list[tuple[str, float]]:
    """Return for each of n picks its reason, and the share of the largest gap by which it keeps away."""
    exploring = round(explore * n)
    candidates = int(np.ceil(CANDIDATES * (n - exploring)))
    others = n - exploring - candidates
    return [
        *[(CANDIDATE, 0.0)] * candidates,
        *[(INTERPOLATED, FARTHEST * (k / max(1, others - 1)) ** 2) for k in range(others)],
        *[((SPREAD, EDGE)[k % 2], 0.0) for k in range(exploring)],
    ]


class _Choice:
    """What one ask may pick from."""

    def __init__(self, ask: Ask, X: np.ndarray, Y: np.ndarray, rng: np.random.Generator) -> None:
        self.ask, space = ask, ask.space
        self.candidates = ask.candidates[space.contains(ask.candidates)]
        loss = ask.objective.merit(Y)
        finite = np.isfinite(loss)
        self.interpolation = Interpolation(space, X[finite], loss[finite])
        inside = np.flatnonzero(space.contains(X) & finite)
        self.draws = pool.everywhere(space, DRAWS, rng)
        best = X[inside[np.argsort(loss[inside], kind="stable")[:BEST]]]
        if not space.plain:  # few rows are in it as they are
            order = np.argsort(np.where(finite, loss, np.inf), kind="stable")
            best = pool.valid(space, X[order[: min(BEST, int(finite.sum()))]])
        self.start = best if len(best) else self.draws[:BEST]
        self.predicted, low, high = ask.interval(self.draws)
        self.width = _relative(high - low, ask.objective.columns)
        rows, draws = space.coordinates(X), space.coordinates(self.draws)
        self.edge = Domain(rows, space.one_hot).score(draws) >= DOMAIN_LIMIT
        self.gap = _gap(space, X, self.draws)

    def pick(
        self, reason: str, share: float, known: np.ndarray, picked: list[np.ndarray], rng: np.random.Generator
    ) -> tuple[np.ndarray, str] | None:
        """Return a point (d,) and its reason; where a reason has nothing left to give, the next one serves."""
        if reason == CANDIDATE and (x := self._candidate(known, picked)) is not None:
            return x, reason
        if reason in (CANDIDATE, INTERPOLATED):
            apart = max(SAME, share * float(self.gap.max()))
            if (x := smallest(self.interpolation, self.start, known, apart, rng)) is not None:
                return x, INTERPOLATED
        x = self._exploring(reason == EDGE, known)
        return None if x is None else (x, EDGE if reason == EDGE else SPREAD)

    def _candidate(self, known: np.ndarray, picked: list[np.ndarray]) -> np.ndarray | None:
        """Return the best candidate that is neither known nor near one picked already."""
        if not len(self.candidates):
            return None
        free = _gap(self.ask.space, known, self.candidates) >= SAME
        if picked:
            free &= _gap(self.ask.space, np.array(picked), self.candidates) >= APART
        return self.candidates[np.argmax(free)] if free.any() else None

    def _exploring(self, edge: bool, known: np.ndarray) -> np.ndarray | None:
        """Return the draw with the widest interval, or that with the smallest predicted loss beyond the data's edge.

        A pick nearer to a draw than its nearest row narrows the interval there in proportion.
        """
        gap = _gap(self.ask.space, known, self.draws)
        free = gap >= SAME
        beyond = self.edge & (gap >= APART)
        if not free.any():
            return None
        if edge and beyond.any():
            score, free = self.ask.objective.merit(self.predicted), beyond
        else:
            score = -self.width * np.minimum(1.0, gap / np.maximum(self.gap, SAME))
        return self.draws[np.argmin(np.where(free, score, np.inf))]


def _gap(space: Space, known: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return how far points (n, d) are from the nearest known one (n,)."""
    return Tree(space.coordinates(known), space.one_hot).query(space.coordinates(points), 1)[0][:, 0]


def _relative(width: np.ndarray, columns: Sequence[int]) -> np.ndarray:
    """Return widths of intervals (n, m) as one number a point (n,): each output in units of its mean, averaged."""
    part = width[:, list(columns)]
    # That of a formula may be infinite, as where a divisor's interval holds 0: as wide as the widest that is not.
    part = np.where(np.isfinite(part), part, np.where(np.isfinite(part), part, 0.0).max(axis=0))
    return (part / np.maximum(part.mean(axis=0), 1e-300)).mean(axis=1)
