"""Is a fit solved where a search ended? One test for every engine, free of units.

The relative offset of Bates and Watts (1981, Technometrics 23): what part of the residuals lies in the plane of their
derivatives, which a Gauss-Newton step would take away. At a least-squares solution it is 0, whatever the scales of
parameters and data; below a millionth, the parameters are within a millionth of their standard errors. Rounding, or the
tolerance of an equation's solver, sets a floor.
"""

from __future__ import annotations

import numpy as np

OFFSET = 1e-6
# Directions of the scaled columns below this share of the largest are lost in rounding.
BLURRED = 1e-8
# Ends whose losses differ by no more than this share are one optimum.
SAME = 1e-6
SLOPED, BLIND = "the loss still has a slope here", "no parameter has an effect here"
LOCAL = "a local optimum"
LONE = "the best of {} starts, and none but this came to it: more starts may find a better one"
# So many starts ought to find the best optimum more than once.
MANY = 10


def why_not(r: np.ndarray, J: np.ndarray, u: np.ndarray, moves: np.ndarray, noise: float) -> list[str]:
    """Return the reason why each of n ends is not a solution; empty where it is.

    Args:
        r, J: residuals (n, r) and their derivatives (n, r, d) by the parameters scaled to [0, 1].
        u, moves: scaled parameters, and which of them move, (n, d) each.
        noise: norm of what residuals are uncertain by.
    """
    offset, seen = offsets(np.nan_to_num(r), np.nan_to_num(J), u, moves)
    size = np.linalg.norm(r, axis=1)
    solved = (offset <= OFFSET * size) | (offset <= noise) | (size <= noise)
    said = np.where(solved, "", SLOPED)
    said[moves.any(axis=1) & (seen <= 0) & (size > noise)] = BLIND
    return [str(s) for s in said]


def offsets(r: np.ndarray, J: np.ndarray, u: np.ndarray, moves: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the norm (n,) of the residuals' part in the plane of their derivatives by the parameters that may move,
    those on a bound whose slope leads outwards left out; and the largest of the columns' norms (n,)."""
    g = np.einsum("nrd,nr->nd", J, r)
    held = ~moves | ((u <= 0) & (g > 0)) | ((u >= 1) & (g < 0))
    norms = np.linalg.norm(J, axis=1)
    A = np.where(held[:, None], 0.0, J / np.where(norms > 0, norms, 1.0)[:, None])
    if not A.size:
        return np.zeros(len(r)), np.zeros(len(r))
    left, singular, _ = np.linalg.svd(A, full_matrices=False)
    clear = singular > BLURRED * singular.max(axis=1, keepdims=True)
    along = np.where(clear, np.einsum("nrk,nr->nk", left, r), 0.0)
    return np.linalg.norm(along, axis=1), np.where(moves, norms, 0.0).max(axis=1)


def doubts(loss: np.ndarray, noise: float, known: float = np.inf) -> list[str]:
    """Return of the losses (n,) of all ends of a fit why each is not to be trusted, though its slope is gone: it is
    worse than the best; or, of many, none came to the same, so that there may be a better one yet (Boender and Rinnooy
    Kan 1987, Mathematical Programming 37: optima seen once speak of others not seen). Nothing of the others.

    Args:
        known: a loss that is had without a search.
    """
    best = float(np.min(loss[np.isfinite(loss)], initial=known))
    worse = ~(np.sqrt(loss) <= np.sqrt(best * (1 + SAME)) + noise)
    if len(loss) >= MANY and (~worse).sum() == 1:
        return [LONE.format(len(loss)) if not bad else _worse(one, best) for one, bad in zip(loss, worse, strict=True)]
    return [_worse(one, best) if bad else "" for one, bad in zip(loss, worse, strict=True)]


def _worse(loss: float, best: float) -> str:
    return f"{LOCAL}: its loss is {f'{loss / best:.6g} times the best' if best else 'larger than the best, 0'}"
