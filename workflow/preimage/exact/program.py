"""The least sum over inputs on a box cut by linear rows, by a linear program: a point, and multipliers that prove it.

The solver's word counts for nothing: the point is checked by who asked, and the multipliers' bound is computed anew
(`exact.affine.dual`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from preimage.exact.affine import Terms


class Solution(NamedTuple):
    """A point (d,), None where the solver has none, and multipliers of the rows (m,)."""

    x: np.ndarray | None
    multipliers: np.ndarray


def minimum(
    terms: Terms, matrix: np.ndarray, low: np.ndarray, high: np.ndarray, start: np.ndarray, end: np.ndarray
) -> Solution:
    """Return the point of the box [start, end] with low <= matrix @ x <= high where the sum is least.

    Whole numbers and gaps are left aside. An input whose reference lies inside its interval is split there in two.
    """
    if not len(matrix):
        return Solution(alone(terms, start, end), np.zeros(0))
    from scipy.optimize import linprog

    width = np.where(end > start, end - start, 1.0)
    kinked = np.flatnonzero((terms.weight > 0) & ~terms.category & (start < terms.reference) & (terms.reference < end))
    sign = np.where(terms.reference <= start, 1.0, -1.0) * np.where(terms.category, 0.0, terms.weight)
    cost = terms.slope + sign
    cost[kinked] = terms.slope[kinked] - terms.weight[kinked]
    bounds = np.column_stack([np.zeros(len(start)), np.where(end > start, 1.0, 0.0)])
    bounds[kinked, 1] = (terms.reference[kinked] - start[kinked]) / width[kinked]
    extra = (terms.slope[kinked] + terms.weight[kinked]) * width[kinked]
    part = matrix * width
    largest = np.abs(part).max(axis=1)
    largest = np.where(largest > 0, largest, 1.0)
    A = np.hstack([part, part[:, kinked]]) / largest[:, None]
    held = matrix @ start
    least, most = (low - held) / largest, (high - held) / largest
    c = np.r_[cost * width, extra]
    unit = float(np.abs(c).max()) or 1.0
    upper, lower = np.isfinite(most), np.isfinite(least)
    found = linprog(
        c / unit,
        A_ub=np.vstack([A[upper], -A[lower]]),
        b_ub=np.r_[most[upper], -least[lower]],
        bounds=np.vstack([bounds, np.column_stack([np.zeros(len(kinked)), 1.0 - bounds[kinked, 1]])]),
        method="highs",
    )
    multipliers = np.zeros(len(matrix))
    if found.x is None:
        return Solution(None, multipliers)
    marginals = -np.asarray(found.ineqlin.marginals) * unit
    multipliers[upper] += marginals[: upper.sum()]
    multipliers[lower] -= marginals[upper.sum() :]
    u = found.x[: len(start)].copy()
    u[kinked] += found.x[len(start) :]
    return Solution(np.clip(start + u * width, start, end), multipliers / largest)


def against(matrix: np.ndarray, low: np.ndarray, high: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return multipliers of the rows (m,) that may prove that no point of the box keeps to all of them: those that
    missing the rows by as little as possible has."""
    from scipy.optimize import linprog

    width = np.where(end > start, end - start, 1.0)
    part = matrix * width
    largest = np.abs(part).max(axis=1, initial=0.0)
    largest = np.where(largest > 0, largest, 1.0)
    held = matrix @ start
    least, most = (low - held) / largest, (high - held) / largest
    upper, lower = np.isfinite(most), np.isfinite(least)
    A = part / largest[:, None]
    missed = np.full((int(upper.sum() + lower.sum()), 1), -1.0)
    found = linprog(
        np.r_[np.zeros(len(start)), 1.0],
        A_ub=np.hstack([np.vstack([A[upper], -A[lower]]), missed]),
        b_ub=np.r_[most[upper], -least[lower]],
        bounds=[*((0.0, 1.0 if b > a else 0.0) for a, b in zip(start, end, strict=True)), (None, None)],
        method="highs",
    )
    multipliers = np.zeros(len(matrix))
    if found.x is not None:
        marginals = -np.asarray(found.ineqlin.marginals)
        multipliers[upper] += marginals[: upper.sum()]
        multipliers[lower] -= marginals[upper.sum() :]
    return multipliers / largest


def alone(terms: Terms, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return the points (n, d) of boxes where each input's own term is least, whatever rows say."""
    near = np.clip(terms.reference, start, end)
    weight = np.where(terms.category, 0.0, terms.weight)
    x = np.where(terms.slope < -weight, end, np.where(terms.slope > weight, start, near))
    plain = (weight == 0) & ~(terms.category & (terms.weight > 0))
    return np.where(plain, np.where(terms.slope < 0, end, start), np.where(terms.category, near, x))
