"""Random points of a space.

Rejection where enough of what is drawn is valid. Else pieces of the space are drawn (which inputs are 0, which way
round an exclusion), those that a program proves empty left out, and points in them by random walks; what then misses a
curved constraint is left out, or moved onto it where hardly anything meets it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from preimage.core import patterns
from preimage.core.curving import onto_curves
from preimage.core.emptiness import check_feasible, reach
from preimage.core.program import program
from preimage.core.space import Space
from preimage.core.walking import middle, walked
from preimage.support.errors import StudyError

# Rejection is exact and cheap while at least this share of draws is inside; below it a random walk takes over.
LEAST_ACCEPTED = 0.02
CLUSTERS = 10
CLUSTER_SPREAD = 0.05
# Pieces of a space that one sample comes from, at most, and points drawn to find them.
PIECES, DRAWN_FOR_PIECES = 300, 4096
# Draws that pieces are taken of, at least, where a curved constraint may hold nowhere in some.
LEAST_DRAWN = 20
# Points of which the share that meets curved constraints is counted.
SEEN = 500
# Pieces in random directions where hardly any holds a point.
DIRECTIONS = 20
# Points of walks after which too few are seen to meet curved constraints, and points that are tried to be moved there
# before that is given up.
ENOUGH, TRIED = 1024, 20


def sample(space: Space, n: int, rng: np.random.Generator, scheme: str = "uniform") -> np.ndarray:
    """Draw n points (n, d) inside bounds, allowed values and all conditions.

    Args:
        scheme: "uniform"; "latin_hypercube" (one point in each of n slices of every input; with constraints, the
            points of successive hypercubes that satisfy them; with an equality, or where under 2 % satisfy them,
            uniform); "clustered" (normal around 10 uniform centres, sd 5 % of each range).

    Uniform under constraints is rejection, or hit-and-run (Smith 1984, Operations Research 32) of n independent
    walks where rejection is hopeless. In a space in pieces each piece is as likely as its pattern: see
    `preimage.core.patterns`. Raises StudyError where no point satisfies the constraints, or none was found.
    """
    if not space.restricted:
        return _draw(space, n, rng, scheme)
    kept = _rejected(space, n, rng, scheme)
    if len(kept) >= n:
        return kept[:n]
    check_feasible(space)
    if scheme == "clustered":
        raise StudyError("sampling: clustered draws do not meet these constraints; use uniform")
    if space.in_pieces or space.curved:
        return _of_pieces(space, n, rng)
    return walked(space, _draw(space, n, rng, "uniform"), rng)


def acceptance(space: Space, rng: np.random.Generator) -> float:
    """Return the share of random points that are valid, of those that meet all but the curved constraints."""
    X = sample(space.straight, SEEN, rng)
    return float(space.contains(X).mean())


def _rejected(space: Space, n: int, rng: np.random.Generator, scheme: str) -> np.ndarray:
    """Return valid points (k, d) of those that are drawn while enough are valid."""
    kept: list[np.ndarray] = [np.empty((0, len(space.inputs)))]
    drawn = found = 0
    if not (any(c.low == c.high for c in space.constraints) or any(c.low == c.high for c in space.curved)):
        while found < n and (drawn < 4096 or found >= LEAST_ACCEPTED * drawn):
            batch = _draw(space, max(n, 1024), rng, scheme)
            batch = batch[space.contains(batch)]
            kept.append(batch)
            drawn += max(n, 1024)
            found += len(batch)
    return np.concatenate(kept)


def _draw(space: Space, n: int, rng: np.random.Generator, scheme: str) -> np.ndarray:
    """Draw n points (n, d) of the box alone, with allowed values and numbers of inputs at their references."""
    d = len(space.inputs)
    centre = np.arange(n)
    if scheme == "uniform":
        unit = rng.random((n, d))
    elif scheme == "latin_hypercube":
        slices = rng.permuted(np.tile(np.arange(n)[:, None], (1, d)), axis=0)
        unit = (slices + rng.random((n, d))) / n
    elif scheme == "clustered":
        centres = rng.random((CLUSTERS, d))
        centre = rng.integers(CLUSTERS, size=n)
        centres = centres[centre]
        # A category has no neighbours: it is the centre's.
        spread = np.where(space.categorical, 0.0, CLUSTER_SPREAD)
        unit = centres + spread * rng.standard_normal((n, d))
        while (outside := (unit < 0) | (unit > 1)).any():
            unit[outside] = (centres + spread * rng.standard_normal((n, d)))[outside]
    else:
        raise StudyError(f"sampling '{scheme}': expected uniform, latin_hypercube or clustered")
    return patterns.spread(space, unit, centre, rng)


# -- pieces ------------------------------------------------------------------------------------------------------------


def _of_pieces(space: Space, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw n points (n, d) by walks in random pieces; raise StudyError where none was found."""
    kept, missed = np.empty((0, len(space.inputs))), np.empty((0, len(space.inputs)))
    hopeless = any(c.low == c.high for c in space.curved)
    pieces = _pieces(space, n, rng)
    while len(kept) < n and pieces:
        X = _walks(pieces, max(n, len(missed)), rng)
        inside = space.contains(X)
        kept, missed = np.concatenate([kept, X[inside]]), np.concatenate([missed, X[~inside]])
        drawn = len(kept) + len(missed)
        if hopeless or (drawn >= ENOUGH and len(kept) < LEAST_ACCEPTED * drawn):
            break
    if len(kept) < n:
        kept = np.concatenate([kept, _moved(space, missed, n - len(kept))])
    if not len(kept):
        named = "; ".join(map(str, space.curved or space.conditions))
        tried = f"none of {len(missed)} random points" if len(missed) else "no point that was tried"
        raise StudyError(
            f"constraints: {tried} satisfies {named}, nor could one be moved there; whether any does is unknown: "
            "widen the constraints or the bounds"
        )
    # Where fewer were found, some come again.
    return kept[np.arange(n) % len(kept)]


def _pieces(space: Space, n: int, rng: np.random.Generator) -> Counter[Space]:
    """Return pieces of a space that hold points, curved constraints aside, by how often n draws came upon each; the
    space itself where it is whole."""
    if not space.in_pieces:
        return Counter([space.straight])
    free, n = replace(space, constraints=(), curved=()), max(n, LEAST_DRAWN if space.curved else 1)
    X = _draw(space, DRAWN_FOR_PIECES, rng, "uniform")
    drawn: Counter[Space] = Counter()
    empty: set[Space] = set()
    for x in X[free.contains(X)]:
        piece = space.straight.piece(x)
        if piece in empty or (piece not in drawn and (_beyond_curves(space, piece) or middle(piece) is None)):
            empty.add(piece)
        else:
            drawn[piece] += 1
        if drawn.total() >= n or max(len(drawn), len(empty)) >= PIECES:
            break
    if drawn:
        return drawn
    # Pieces that hold a point are rare: those that are best in random directions hold one.
    whole = program(space)
    found = [whole.random(rng) for _ in range(DIRECTIONS)]
    pieces = [whole.piece(solution) for solution in found if solution is not None]
    return Counter(p for p in pieces if middle(p) is not None)


def _beyond_curves(space: Space, piece: Space) -> bool:
    """Return whether a curved constraint can't hold anywhere within the bounds of a piece."""
    return any(
        low > c.high or high < c.low for c, (low, high) in zip(space.curved, reach(piece, space.curved), strict=True)
    )


def _walks(pieces: Counter[Space], n: int, rng: np.random.Generator) -> np.ndarray:
    """Return n points (n, d) by walks, of each piece its share, in random order."""
    shares = np.array(list(pieces.values()), float) / pieces.total()
    found = []
    for piece, count in zip(pieces, rng.multinomial(n, shares), strict=True):
        if count:
            X = _draw(piece, int(count), rng, "uniform")
            found.append(walked(piece, X, rng) if piece.constraints else X)
    return rng.permutation(np.concatenate(found))


def _moved(space: Space, X: np.ndarray, n: int) -> np.ndarray:
    """Return up to n of the points (k, d) moved onto the curved constraints, of those that can be."""
    found: list[np.ndarray] = []
    for k, x in enumerate(X):
        point = onto_curves(space, x)
        if point is not None:
            found.append(point)
        if len(found) >= n or (not found and k >= TRIED):
            break
    return np.array(found).reshape(-1, len(space.inputs))
