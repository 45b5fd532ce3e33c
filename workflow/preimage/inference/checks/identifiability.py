"""Which combinations of parameters do the samples tell, and which not: posterior against prior width, by direction.

Directions are the principal ones of the posterior's covariance on the scale where the prior has sd 1 in every direction
(`Prior.to_z`), so a width is a share of the prior's. A posterior that is thin but curved, such as one along a curve,
looks wide in all directions that it bends through: linear combinations are all that is seen here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from preimage.inference.checks.features import TINY
from preimage.inference.checks.weighted import moments

# Above this share of the prior's width the samples say next to nothing, above the lower one they say little.
UNIDENTIFIED = 0.9
WEAK = 0.5
# A parameter has a part in a direction from this coefficient on.
PART = 0.2
# A parameter is told together with others where its posterior is wider than `TOLD` of its prior's width, and would be
# at most `TOGETHER` of that, were the others known: half of its variance is theirs.
TOLD = 0.1
TOGETHER = 0.7


class Direction(NamedTuple):
    """A combination of parameters: unit vector (d,) on the scale of the prior, and the posterior's sd along it."""

    vector: np.ndarray
    width: float


def covariance(z: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the covariance (d, d) of one answer's draws (k, d), given on the scale of the prior, about their mean."""
    return moments(z, weights)[1]


def directions(covariances: np.ndarray | Sequence[np.ndarray]) -> list[Direction]:
    """Return the principal directions of one covariance (d, d), or of the mean of several (sets, d, d), widest first.

    Over sets drawn from the prior, squared widths of exact answers are the shares of the prior's variance that remain.
    """
    matrix = np.asarray(covariances, dtype=float)
    matrix = matrix if matrix.ndim == 2 else matrix.mean(axis=0)
    values, vectors = np.linalg.eigh(matrix)
    # Signs are free: the largest part is positive, so that the same answer gives the same words.
    signs = np.sign(np.take_along_axis(vectors, np.abs(vectors).argmax(axis=0)[None], axis=0))
    found = (vectors * signs).T
    order = range(len(values) - 1, -1, -1)
    return [Direction(found[j], float(np.sqrt(max(values[j], 0.0)))) for j in order]


def given_others(found: Sequence[Direction]) -> np.ndarray:
    """Return, for all directions of one answer, how wide each parameter would be were the others known, as a share of
    its own width, (d,): 1 where it is told apart from them; linear, as directions are."""
    vectors = np.array([d.vector for d in found])
    squares = np.maximum([d.width for d in found], TINY)[:, None] ** 2
    wide, narrow = (squares * vectors**2).sum(axis=0), 1 / (vectors**2 / squares).sum(axis=0)
    return np.sqrt(narrow / wide)


def words(found: Sequence[Direction], names: Sequence[str]) -> list[str]:
    """Return a sentence for each direction that the samples tell little of; none where all are identified."""
    said = []
    for vector, width in found:
        if width > WEAK:
            how = "not identified" if width > UNIDENTIFIED else "weakly identified"
            said.append(f"{combination(vector, names)}: {how}, {100 * width:.0f} % as wide as the prior")
    return said


def combination(vector: np.ndarray, names: Sequence[str]) -> str:
    """Return a direction (d,) in words, such as "0.71 energy − 0.71 coupling", in prior sds of each."""
    parts = [(float(c), n) for c, n in zip(vector, names, strict=True) if abs(c) >= PART]
    if len(parts) == 1:
        return parts[0][1]
    text = " ".join(f"{'−' if c < 0 else '+'} {abs(c):.2f} {n}" for c, n in parts)
    return text.removeprefix("+ ")
