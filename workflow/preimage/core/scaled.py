"""A space as a solver should see it, whose tolerances are absolute; and what a solver leaves of rounding, removed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from preimage.core.space import Space


class Units(NamedTuple):
    """A space as a solver should see it, whose tolerances are absolute: inputs counted from their low in units of
    their width (whole numbers in ones), rows divided by their largest coefficient."""

    offset: np.ndarray
    unit: np.ndarray
    low: np.ndarray
    high: np.ndarray
    matrix: np.ndarray
    row_low: np.ndarray
    row_high: np.ndarray

    @classmethod
    def of(cls, space: Space) -> Units:
        offset = np.array([i.low for i in space.inputs], float)
        unit = np.where(space.discrete, 1.0, space.width)
        matrix, low, high = space.rows
        largest = np.abs(matrix * unit).max(axis=1, initial=0.0)
        largest = np.where(largest > 0, largest, 1.0)
        held = matrix @ offset
        return cls(
            offset,
            unit,
            (space.low - offset) / unit,
            (space.high - offset) / unit,
            matrix * unit / largest[:, None],
            (low - held) / largest,
            (high - held) / largest,
        )

    def back(self, u: np.ndarray) -> np.ndarray:
        return self.offset + self.unit * u


# Tighter than what is accepted, so that writing and reading a point can't push it over the line.
TOLERANCE_POLISHED = 1e-13
# Steps to a curved row, beside those that whole inputs take: each doubles the digits.
NEWTON_STEPS = 20


def polish(space: Space, x: np.ndarray) -> np.ndarray:
    """Remove a solver's rounding: separate values exact, bounds exact, violated rows met to 1e-13 of their scale.

    Inputs of separate values are rounded first; the other inputs make up for it, by the smallest step in units of their
    widths that mends the rows violated so far (of curved ones, along their slopes). An input that meets a bound on the
    way stays there. The space is in one piece.
    """
    matrix, low, high = space.rows
    x = space.rounded(x)
    movable = ~space.stepwise & space.free
    scales, low, high = _ends(space, low, high)
    active = low == high
    for _ in range(len(x) + 2 + (NEWTON_STEPS if space.curved else 0)):
        value = matrix @ x
        if space.curved:
            value = np.concatenate([value, curved_values(space, x)])
        excess = np.where(value < low, value - low, np.where(value > high, value - high, 0.0))
        wrong = np.abs(excess) > TOLERANCE_POLISHED * scales
        if not (wrong.any() and movable.any()):
            break
        active = active | wrong
        width = space.width[movable]
        scale = scales[active]
        slopes = np.concatenate([matrix, curved_slopes(space, x)]) if space.curved else matrix
        part = slopes[np.ix_(active, movable)] * width / scale[:, None]
        if not (np.isfinite(part).all() and np.isfinite(excess).all()):
            break
        step = x.copy()
        step[movable] -= width * np.linalg.lstsq(part, excess[active] / scale, rcond=None)[0]
        x = np.clip(step, space.low, space.high)
        movable &= x == step
    return x


def _ends(space: Space, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return scales and both ends of all rows, the linear ones before the curved."""
    if not space.curved:
        return space.row_scale, low, high
    ends = np.array([(c.low, c.high) for c in space.curved])
    scales = np.concatenate([space.row_scale, space.curved_scale])
    return scales, np.concatenate([low, ends[:, 0]]), np.concatenate([high, ends[:, 1]])


def curved_values(space: Space, x: np.ndarray) -> np.ndarray:
    """Return the values of the curved constraints' expressions at a point (d,)."""
    return np.array([float(c.expression.evaluate(space.columns(c, x))) for c in space.curved])


def curved_slopes(space: Space, x: np.ndarray) -> np.ndarray:
    """Return the derivatives of the curved constraints' expressions at a point (d,), a row of d each."""
    slopes = np.zeros((len(space.curved), len(x)))
    for row, c in zip(slopes, space.curved, strict=True):
        found = c.expression.derivatives(space.columns(c, x))
        for name, j in zip(c.inputs, space.at(c), strict=True):
            row[j] = found[name]
    return slopes
