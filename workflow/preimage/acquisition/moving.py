"""Small moves inside a space, from valid points to valid points: steps that stop at the walls, and exchanges.

Inputs that equalities tie together move along what these leave free: two at a time where that is possible, so that a
mixture can lose one component and nothing else, or all at once. An input of separate values goes to a neighbour, or to
the value of another point; one at 0 that has a gap or is counted stays there unless two inputs change places. What
then misses a condition is left out, which is cheaper than to repair it.
"""

from __future__ import annotations

import numpy as np

from preimage.core import polytope
from preimage.core.space import Space

# Steps are between exp(-3) of a scale and all of it.
SPAN = 3.0
# Shares of the moves that change one input, some and all; that exchange two of those tied; that swap two inputs.
CHANGED, EXCHANGES, SWAPS = (0.0, 0.3, 1.0), 0.6, 0.15
# Of moves fewer than this share of which are valid, so many are repaired.
FEWEST, REPAIRED = 0.05, 30


class Moves:
    """Moves of one space.

    Args:
        pool: valid points (k, d), which separate values are taken from.
    """

    def __init__(self, space: Space, pool: np.ndarray) -> None:
        self.space, self.pool = space, pool
        rows, low, high = space.rows
        equal = (low == high) & np.any(rows != 0, axis=1)
        self.rows, self.ends = rows[~equal], (low[~equal], high[~equal])
        equalities = rows[equal] * space.width
        self.tied = np.any(equalities != 0, axis=0) & space.free & ~space.stepwise
        self.loose = space.free & ~self.tied & ~space.stepwise
        self.separate = np.flatnonzero(space.free & space.stepwise)
        self.pairs, self.basis = _exchanges(equalities, self.tied), _free(equalities, self.tied)
        zero = np.array([i.gapped for i in space.inputs])
        zero[[j for count in space.counts for j in space.at(count)]] = True
        self.held = zero

    def __call__(self, start: np.ndarray, n: int, scale: float, rng: np.random.Generator) -> np.ndarray:
        """Return up to n valid points around some (k, d), by steps of up to a scale, in shares of the ranges."""
        X = start[rng.integers(len(start), size=n)]
        steps = self._steps(n, rng) * scale * np.exp(rng.uniform(-SPAN, 0, (n, 1))) * self.space.width
        steps = np.where(self.held & (X == 0), 0.0, steps)
        X = self._stopped(X, steps)
        self._separate(X, rng)
        self._swapped(X, rng)
        X = self.space.rounded(X)
        valid = self.space.contains(X)
        if valid.mean() >= FEWEST:
            return X[valid]
        return np.concatenate([X[valid], polytope.near(self.space, X[~valid][:REPAIRED])])

    def _steps(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Return directions (n, d) in shares of the ranges, along what equalities leave free."""
        d = len(self.space.inputs)
        steps, places = np.zeros((n, d)), np.flatnonzero(self.loose)
        if len(places):
            moved = rng.random((n, len(places))) < rng.choice(CHANGED, (n, 1))
            moved[np.arange(n), rng.integers(len(places), size=n)] = True
            if self.tied.any():
                moved &= rng.random((n, 1)) < 0.5
            steps[:, places] = moved * rng.standard_normal((n, len(places)))
        if len(self.basis):
            directions = rng.standard_normal((n, len(self.basis))) @ self.basis
            if len(self.pairs):
                exchange = rng.random((n, 1)) < EXCHANGES
                pairs = self.pairs[rng.integers(len(self.pairs), size=n)] * rng.choice([-1.0, 1.0], (n, 1))
                directions = np.where(exchange, pairs, directions)
            steps += directions
        return steps

    def _stopped(self, X: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """Return points (n, d) after steps (n, d) of which no part goes through a wall."""
        low, high = self.space.low, self.space.high
        with np.errstate(divide="ignore", invalid="ignore"):
            room = np.where(steps > 0, (high - X) / steps, np.where(steps < 0, (low - X) / steps, np.inf))
            length = np.minimum(1.0, np.where(self.tied, room, np.inf).min(axis=1, initial=np.inf))
            if len(self.rows):
                at, speed = X @ self.rows.T, steps @ self.rows.T
                ends = np.where(speed > 0, self.ends[1] - at, self.ends[0] - at)
                room = np.where(speed != 0, ends / speed, np.inf)
                length = np.minimum(length, np.where(np.isnan(room), np.inf, room).min(axis=1))
        return np.clip(X + np.maximum(length, 0.0)[:, None] * steps, low, high)

    def _separate(self, X: np.ndarray, rng: np.random.Generator) -> None:
        """Move inputs of separate values of points (n, d), each in one of so many points as there are such inputs."""
        for j in self.separate.tolist():
            at = np.flatnonzero(rng.random(len(X)) < 1 / (len(self.separate) + 1))
            value, other = X[at, j], self.pool[rng.integers(len(self.pool), size=len(at)), j]
            if not self.space.categorical[j]:
                eps = 1e-9 * self.space.width[j]
                up, down = self.space.above(j, value + eps), self.space.below(j, value - eps)
                beside = np.where(rng.random(len(at)) < 0.5, up, down)
                other = np.where(np.isfinite(beside) & (rng.random(len(at)) < 0.7), beside, other)
            X[at, j] = np.where(self.held[j] & (value == 0), value, other)

    def _swapped(self, X: np.ndarray, rng: np.random.Generator) -> None:
        """Let an input at 0 of some points (n, d), where it is gapped or counted, change places with another one."""
        places = np.flatnonzero(self.held)
        if len(places) < 2:
            return
        at = np.flatnonzero(rng.random(len(X)) < SWAPS)
        i, j = (places[rng.integers(len(places), size=len(at))] for _ in range(2))
        X[at, i], X[at, j] = X[at, j], X[at, i]


def _free(equalities: np.ndarray, tied: np.ndarray) -> np.ndarray:
    """Return orthonormal directions (k, d) of the tied inputs that leave all equalities (m, d) as they are."""
    places = np.flatnonzero(tied)
    if not len(places):
        return np.empty((0, len(tied)))
    _, singular, right = np.linalg.svd(equalities[:, places])
    rank = int((singular > 1e-12 * singular.max(initial=1.0)).sum())
    out = np.zeros((len(places) - rank, len(tied)))
    out[:, places] = right[rank:]
    return out


def _exchanges(equalities: np.ndarray, tied: np.ndarray) -> np.ndarray:
    """Return directions (k, d) in which two tied inputs alone move and all equalities (m, d) stay as they are."""
    found, places = [], np.flatnonzero(tied)
    for k, i in enumerate(places):
        for j in places[k + 1 :]:
            row = equalities[np.argmax(np.abs(equalities[:, i]))]
            if row[j] != 0:
                step = np.zeros(len(tied))
                step[i], step[j] = row[j], -row[i]
                step /= np.abs(step).max()
                if np.abs(equalities @ step).max() <= 1e-12 * np.abs(equalities).max():
                    found.append(step)
    return np.array(found).reshape(-1, len(tied))
