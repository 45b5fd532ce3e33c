"""Fronts by searches for points: first the best of each output alone, then the best of the first output while the
others keep to limits (the epsilon-constraint method: Haimes, Lasdon, Wismer 1971, IEEE Transactions on Systems, Man,
and Cybernetics 1). Unlike weighted sums, limits also reach the parts of a front that are curved inwards.

With two outputs the next limit halves the largest gap that the front has so far; with three, limits form a grid.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np

from preimage.core.objective import Limit, Minimize, Pareto
from preimage.core.objective.base import DEFAULT_TOLERANCE
from preimage.inversion.question import Answer, Question

# What another output counts, beside 1 for the one that is made as good as it gets (Mavrotas 2009, Applied Mathematics
# and Computation 213).
AUGMENTED = 1e-3

Search = Callable[[Sequence[Question]], Sequence[Answer]]


def front(question: Question, points: int, search: Search, report: Callable[[int, float], None]) -> Answer:
    """Return where all the searches for a front ended, one entry each.

    Args:
        points: how many points of the front to search for.
        search: answers questions of points that differ in the values of their limits alone.
        report: told how many points were searched for, and the best loss.
    """
    wanted, found, tried = question.objective, list[Answer](), set[tuple[float, ...]]()
    assert isinstance(wanted, Pareto)
    for k in range(len(wanted.outputs)):
        found += search([question.wanting(_best(question, wanted, k, {}))])
    while levels := _levels(question, wanted, found, points - len(found), tried):
        tried.update(levels)
        found += search([question.wanting(_best(question, wanted, 0, dict(enumerate(v, 1)))) for v in levels])
        report(len(found), float(np.nanmin(question.loss(_points(found)), initial=np.inf)))
    return Answer(
        np.concatenate([a.X for a in found]),
        *([v for a in found for v in getattr(a, name)] for name in ("evaluations", "status", "message")),
    )


def _points(found: Sequence[Answer]) -> np.ndarray:
    X = np.concatenate([a.X for a in found])
    return X[~np.isnan(X).any(axis=1)]


def _levels(
    question: Question, wanted: Pareto, found: Sequence[Answer], left: int, tried: set[tuple[float, ...]]
) -> list[tuple[float, ...]]:
    """Return the limits to search with next, as shares of each output but the first; none where all is done."""
    if left <= 0:
        return []
    Y = question.outputs(_points(found))
    F = wanted.shares(Y[wanted.best(Y)])
    if len(F) < 2:
        return []
    if F.shape[1] > 2:
        return [] if tried else _grid(F, left)
    F = F[np.argsort(F[:, 1], kind="stable")]
    gaps, middles = np.ptp(np.stack([F[:-1], F[1:]]), axis=0).max(axis=1), (F[:-1, 1] + F[1:, 1]) / 2
    # A gap whose middle has been tried is one of the front itself. Half of the gaps at a time: smaller ones can wait.
    open_gaps = [k for k in np.argsort(-gaps, kind="stable") if gaps[k] > 0 and (middles[k],) not in tried]
    large = [k for k in open_gaps if gaps[k] >= gaps[open_gaps[0]] / 2][:left]
    return [(float(middles[k]),) for k in large]


def _grid(F: np.ndarray, left: int) -> list[tuple[float, ...]]:
    """Return limits inside the ranges that the front (n, 3) has so far, evenly spaced, as many as fit into `left`."""
    low, high, each = F.min(axis=0)[1:], F.max(axis=0)[1:], int(np.sqrt(left))
    shares = (np.arange(each) + 1) / (each + 1)
    return [tuple((low + np.array(at) * (high - low)).tolist()) for at in product(shares, shares)]


def _best(question: Question, wanted: Pareto, k: int, levels: dict[int, float]) -> Minimize:
    """Return the objective that makes output k as good as it gets, while outputs keep to levels in shares.

    The others count a little too, in shares: what is best in one output alone may be dominated.
    """
    sign, scale, n = wanted.goal.low, wanted.goal.scale, len(wanted.outputs)
    weights = sign / scale * np.where(np.arange(n) == k, 1.0, AUGMENTED)
    limits = tuple(_limit(wanted, j, share) for j, share in levels.items())
    middle = float(np.median(question.Y[:, list(wanted.columns)] @ weights)) if len(question.Y) else 0.0
    both = tuple(weights.tolist())
    return Minimize(
        wanted.name, wanted.outputs, wanted.columns, both, both, (DEFAULT_TOLERANCE,), (1.0,) * n, wanted.fixed,
        limits=(*wanted.limits, *limits), middle=middle,
    )  # fmt: skip


def _limit(wanted: Pareto, k: int, share: float) -> Limit:
    shares = np.zeros((1, len(wanted.outputs)))
    shares[0, k] = share
    value = float(wanted.outputs_at(shares)[0, k])
    low, high = (-np.inf, value) if wanted.low[k] > 0 else (value, np.inf)
    return Limit(wanted.outputs[k], wanted.columns[k], low, high, wanted.scale[k])
