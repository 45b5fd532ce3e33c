"""Local searches in a space in pieces: each stays in the piece where it begins, and hops to a better one beside it.

A piece is told by which inputs are 0 (or at a reference that they are counted by), and by the way round each excluded
combination. Between searches the neighbours of where each ended are looked at: one input put to 0 or taken from it, one
in the place of another, another category. The best of them is searched from, as long as that helps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from preimage.core.quickly import moved_quickly
from preimage.core.space import Space
from preimage.inversion import ending
from preimage.inversion.descents import Ends
from preimage.inversion.question import Question

HOPS = 3
# Neighbours of a point that are looked at, at most.
MOST_NEIGHBOURS = 200


def in_pieces(questions: Sequence[Question], owner: np.ndarray, X: np.ndarray) -> tuple[list[Question], np.ndarray]:
    """Return questions cut down to the pieces that points (n, d) are in, and which of them each point has (n,)."""
    space = questions[0].space
    if not space.in_pieces:
        return list(questions), owner
    asked: list[Question] = []
    places: dict[tuple[int, Space], int] = {}
    whose = np.zeros(len(X), int)
    for k, (q, x) in enumerate(zip(owner.tolist(), X, strict=True)):
        piece = space.piece(x)
        if (q, piece) not in places:
            places[q, piece] = len(asked)
            asked.append(replace(questions[q], space=piece))
        whose[k] = places[q, piece]
    return asked, whose


def moved_back(questions: Sequence[Question], owner: np.ndarray, X: np.ndarray) -> np.ndarray:
    """Return points (n, d), each moved into the piece of its question; those that can't be stay as they are."""
    out = X.copy()
    for k in np.unique(owner):
        mine = np.flatnonzero(owner == k)
        points, valid = moved_quickly(questions[k].space, X[mine])
        out[mine[valid]] = points[valid]
    return out


def hopped(
    questions: Sequence[Question], owner: np.ndarray, ends: Ends, search: Callable[[np.ndarray, np.ndarray], Ends]
) -> Ends:
    """Return the ends of searches after hops to neighbouring pieces.

    Args:
        search: of owners (n,) and starts (n, d).
    """
    space = questions[0].space
    active = np.flatnonzero([status != "failed" for status in ends.status])
    hops = np.zeros(len(ends.X), int)
    for _ in range(HOPS if space.in_pieces else 0):
        if not len(active):
            break
        starts, spent = _best_neighbours(questions, owner[active], ends.X[active])
        ends.evaluations[active] += spent
        found = ~np.isnan(starts).any(axis=1)
        active, starts = active[found], starts[found]
        if not found.any():
            break
        later = search(owner[active], starts)
        ends.evaluations[active] += later.evaluations
        nearer, as_near = later.missed < ends.missed[active], later.missed == ends.missed[active]
        better = np.flatnonzero(nearer | (as_near & (later.loss < ends.loss[active])))
        ends = _with(ends, active[better], later.at(better))
        active = active[better]
        hops[active] += 1
    words = {0: "", 1: "; from the next piece of the space"}
    message = [m + words.get(n, f"; {n} pieces of the space on") for m, n in zip(ends.message, hops, strict=True)]
    return ends._replace(message=message)


def _with(ends: Ends, at: np.ndarray, better: Ends) -> Ends:
    """Return ends with some of them replaced; what was spent stays."""
    X, loss, missed = ends.X.copy(), ends.loss.copy(), ends.missed.copy()
    X[at], loss[at], missed[at] = better.X, better.loss, better.missed
    status, message = list(ends.status), list(ends.message)
    for j, k in enumerate(at):
        status[k], message[k] = better.status[j], better.message[j]
    return ends._replace(X=X, loss=loss, status=status, message=message, violation=missed, slope=None)


def _best_neighbours(questions: Sequence[Question], owner: np.ndarray, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for each point (n, d) its neighbour that is best (n, d), NaN where there is none, and evaluations (n,)."""
    space = questions[0].space
    around = [_neighbours(space, x) for x in X]
    count = np.array([len(P) for P in around])
    P, whose = np.concatenate(around), np.repeat(np.arange(len(X)), count)
    best = np.full(X.shape, np.nan)
    if len(P):
        loss, missed = ending.measured(questions, owner[whose], P)
        order = np.lexsort((loss, missed))
        order = order[np.isfinite(loss[order])]
        places, first = np.unique(whose[order], return_index=True)
        best[places] = P[order[first]]
    return best, count


def _neighbours(space: Space, x: np.ndarray) -> np.ndarray:
    """Return valid points (n, d) in other pieces beside a point (d,)."""
    held = dict.fromkeys(np.flatnonzero(space.gapped).tolist(), 0.0)
    for count in space.counts:
        held |= {j: r for j, r in zip(space.at(count), count.reference, strict=True) if space.inputs[j].allows(r)}
    held = {j: r for j, r in held.items() if space.free[j]}
    numbers = {j: r for j, r in held.items() if not space.categorical[j]}
    away = [j for j, r in numbers.items() if x[j] != r]
    changes: list[dict[int, float]] = [{j: numbers[j]} for j in away]
    for j in (j for j in numbers if j not in away):
        i = space.inputs[j]
        # Little of it, half of what there may be, or as much as there is of another that it replaces.
        changes += [{j: i.least if i.gapped else i.low + 0.1 * (i.high - i.low)}, {j: (i.low + i.high) / 2}]
        shares = {k: (x[k] - numbers[k]) / space.width[k] for k in away}
        changes += [{j: numbers[j] + share * space.width[j], k: numbers[k]} for k, share in shares.items()]
    for j in np.flatnonzero(space.categorical & space.free).tolist():
        changes += [{j: float(c)} for c in space.codes_by_name(j) if c != x[j]]
    P = np.tile(x, (min(len(changes), MOST_NEIGHBOURS), 1))
    for p, change in zip(P, changes, strict=False):
        p[list(change)] = list(change.values())
    if not len(P):
        return P
    points, valid = moved_quickly(space, P)
    return points[valid & (points != x).any(axis=1)]
