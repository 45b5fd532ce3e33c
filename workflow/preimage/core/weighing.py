"""Recipes that can be weighed: each input at a step of its own, or at three digits of its range.

A step is the study's where it names one (its values then are the only ones), else the power of ten of which the input's
range has a hundred to a thousand. All conditions hold for the rounded recipe as they do for any other point.
"""

from __future__ import annotations

import numpy as np

from preimage.core.inputs import Input
from preimage.core.space import TOLERANCE, Space

# Where no recipe of these steps is found, steps of a tenth are tried, so often.
FINER = 1
# Ways of rounding up and down that are tried where more than linear rows decide.
WAYS = 8
# Weight of a change, in steps, beside what rows miss, in shares of their scale: it decides between equal remedies.
CHANGE = 1e-9


def weighable(space: Space, X: np.ndarray, finer: int = 0) -> np.ndarray:
    """Return valid points (n, d) near valid ones, each rounded as far as the conditions let it be.

    Where an equality leaves no point on the steps, one of its inputs makes up for the others' rounding; a point that
    can't be rounded even so comes back as it is.

    Args:
        finer: how many digits more than `step_of` leaves are kept.
    """
    return np.array([_weighable(space, x, finer) for x in X]).reshape(X.shape)


def step_of(i: Input) -> float:
    """Return the step to which an input is rounded; 0 for separate values, and for one value only."""
    if i.whole or i.values or i.lower >= i.upper:
        return 0.0
    return _power(int(np.floor(np.log10(i.high - i.low))) - 2)


def _power(exponent: int) -> float:
    # As its decimals say: a negative power by multiplication is off in the last digit.
    return float(f"1e{exponent}")


def _weighable(space: Space, x: np.ndarray, finer: int) -> np.ndarray:
    steps = np.array([step_of(i) for i in space.inputs]) / 10.0**finer
    for _ in range(FINER + 1):
        grid = _Grid(space, steps, x)
        point = grid.met(grid.nearest(x))
        if space.contains(point[None])[0]:
            return point
        ways = np.random.default_rng(0).choice([-0.5, 0.5], (WAYS, len(x)))
        points = np.array([grid.met(grid.nearest(x + way * steps)) for way in ways])
        points = np.concatenate([points, grid.made_up(point)])
        points = points[space.contains(points)]
        if len(points):
            return np.asarray(points[np.argmin((np.abs(points - x) / space.width).sum(axis=1))])
        steps = steps / 10
    return x


class _Grid:
    """The steps of a space around a point (d,): an input at 0 that has a gap or is counted stays there."""

    def __init__(self, space: Space, steps: np.ndarray, x: np.ndarray) -> None:
        self.space, self.steps = space, steps
        counted = np.zeros(len(x), bool)
        counted[[j for count in space.counts for j in space.at(count)]] = True
        self.moving = (steps > 0) & ~((x == 0) & (counted | space.gapped))
        low = np.array([i.least if i.gapped else i.lower for i in space.inputs])
        size = np.where(steps > 0, steps, 1.0)
        # A step beyond a bound by rounding alone is the bound.
        self.low, self.high = np.ceil(low / size - 1e-9), np.floor(space.high / size + 1e-9)

    def nearest(self, x: np.ndarray) -> np.ndarray:
        """Return a point (d,) with each input at its nearest step."""
        size = np.where(self.moving, self.steps, 1.0)
        return self._at(np.where(self.moving, np.clip(np.round(x / size), self.low, self.high), x))

    def met(self, x: np.ndarray) -> np.ndarray:
        """Return a point (d,) on the steps moved a step at a time, each time so that rows miss least, while it helps:
        of a sum this is the method of largest remainders."""
        rows, _, _ = self.space.rows
        if not len(rows) or not self.moving.any():
            return x
        places = np.flatnonzero(self.moving)
        left = x
        for _ in range(4 * len(places)):
            missed = self._missed(x[None])[0]
            if missed <= TOLERANCE:
                break
            near = np.repeat(x[None], 2 * len(places), axis=0)
            each = np.arange(len(places))
            near[each, places] += self.steps[places]
            near[each + len(places), places] -= self.steps[places]
            near = np.array([self.nearest(p) for p in near])
            cost = self._missed(near) + CHANGE * (np.abs(near - left) / self.space.width).sum(axis=1)
            best = int(np.argmin(cost))
            if self._missed(near[best : best + 1])[0] >= missed:
                break
            x = near[best]
        return x

    def made_up(self, x: np.ndarray) -> np.ndarray:
        """Return points (k, d) in which one input of an equality makes up for what the others' rounding misses."""
        rows, low, high = self.space.rows
        found = []
        for row, value in zip(rows[low == high], low[low == high], strict=True):
            for j in np.flatnonzero(self.moving & (row != 0)):
                point = x.copy()
                point[j] += (value - row @ x) / row[j]
                found.append(point)
        return np.array(found).reshape(-1, len(x))

    def _missed(self, X: np.ndarray) -> np.ndarray:
        rows, low, high = self.space.rows
        value = X @ rows.T
        return np.asarray((np.maximum(np.maximum(low - value, value - high), 0.0) / self.space.row_scale).sum(axis=1))

    def _at(self, numbers: np.ndarray) -> np.ndarray:
        """Return a point (d,) for numbers of steps, each with the digits of its decimals."""
        out = np.array(numbers, float)
        for j in np.flatnonzero(self.moving):
            exponent = round(np.log10(self.steps[j]))
            # Divided by a power of ten rather than multiplied by one below 1, which has no exact number.
            out[j] = 0.0 + (numbers[j] * 10.0**exponent if exponent >= 0 else numbers[j] / 10.0**-exponent)
        return out
