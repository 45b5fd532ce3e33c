"""What a round adds to the data: the simulations that are likely to teach most about the answer.

A part of a batch, stated here, is candidates of the inverters: what the surrogate believes, which a simulation confirms
or refutes. The others need no belief in the surrogate: they have the largest expected improvement, or are where least
is known, by Gaussian processes of the outputs (`preimage.acquisition.batch`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from preimage.acquisition import batch
from preimage.acquisition.batch import IMPROVES, LEARNS, Wish
from preimage.acquisition.success import Success
from preimage.core.neighbours import Tree
from preimage.core.objective import Objective
from preimage.core.space import Space
from preimage.support.errors import StudyError

CANDIDATE = "candidate"
# In the space's coordinates: points nearer than SAME are one point; candidates of a batch lie APART.
SAME, APART = 1e-6, 0.05
# Of the part that does not explore, this share is candidates. A surrogate that is wrong offers false ones, and one
# that is right needs few.
CANDIDATES = 0.25


@dataclass(frozen=True)
class Ask:
    """One objective put to one surrogate.

    Attributes:
        space: with the objective's fixed inputs pinned.
        candidates: the inverters' points (k, d), best first by prediction.
    """

    space: Space
    objective: Objective
    candidates: np.ndarray


@dataclass(frozen=True)
class Batch:
    """Points to simulate (n, d), with the reason for each: candidate, improves or learns."""

    X: np.ndarray
    why: list[str]


def acquire(
    asks: Sequence[Ask],
    X: np.ndarray,
    Y: np.ndarray,
    n: int,
    explore: float,
    rng: np.random.Generator,
    failed: np.ndarray | None = None,
) -> Batch:
    """Choose n points to simulate, for each ask in turn.

    Args:
        X, Y: the training rows (k, d) and (k, m).
        explore: share of the batch that explores, 0 to 1, rounded to whole points.
        failed: points at which the simulator has failed (f, d), the like of which are avoided.

    No point is a training row or twice in the batch, and all satisfy the space. There are fewer than n where the
    space has no more to offer (whole numbers and categories run out). Raises StudyError where nothing is asked.
    """
    if not asks:
        raise StudyError("relearning: no inverter works on a surrogate, so there is nothing to simulate")
    exploring = round(explore * n)
    failures = np.empty((0, X.shape[1])) if failed is None else failed
    chosen = _candidates(asks, X, int(np.ceil(CANDIDATES * (n - exploring))), failures)
    left = n - len(chosen)
    whole = max((ask.space for ask in asks), key=lambda space: int(space.free.sum()))
    wishes = list({ask.objective.name: Wish(ask.space, ask.objective) for ask in asks}.values())
    found, _ = batch.choose(whole, wishes, X, Y, left, exploring / max(left, 1), rng, chosen, failures)
    return Batch(np.concatenate([chosen, found.X]), [CANDIDATE] * len(chosen) + found.why)


def _candidates(asks: Sequence[Ask], X: np.ndarray, n: int, failed: np.ndarray) -> np.ndarray:
    """Return up to n candidates (k, d) of the asks in turn, each the best that is neither known nor near another, and
    likely to succeed."""
    known = np.concatenate([X, failed])
    points: list[np.ndarray] = []
    for k in range(n):
        ask = asks[k % len(asks)]
        valid = ask.candidates[ask.space.contains(ask.candidates)]
        free = _gap(ask.space, known, valid) >= SAME
        if len(failed):
            free &= Success(ask.space, X, failed).weight(valid) > 0
        if points:
            free &= _gap(ask.space, np.array(points), valid) >= APART
        if free.any():
            points.append(valid[np.argmax(free)])
    return np.array(points).reshape(-1, X.shape[1])


def _gap(space: Space, known: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return how far points (n, d) are from the nearest known one (n,)."""
    if not len(points):
        return np.empty(0)
    return Tree(space.coordinates(known), space.one_hot).query(space.coordinates(points), 1)[0][:, 0]


__all__ = ["CANDIDATE", "IMPROVES", "LEARNS", "Ask", "Batch", "acquire"]
