"""The course of an equation's solution: from when, and where its solvers begin anew.

A solver that chooses its steps by their error steps over what lies between two of its looks: an infusion of minutes
among rows hours apart. The rates of a user's model may jump, so that solvers begin anew at every row, at every time
that the study states, and wherever the rates were seen to jump; to both sides of it they are asked for the limit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

# Stops nearer to each other than this share of the whole course are one.
TOGETHER = 1e-12


@dataclass(frozen=True)
class Course:
    """Where solvers begin, and begin anew.

    Attributes:
        start: the model's time at which the initial values hold.
        stops: times (k,), ascending, at which the rates may jump; none where a solver steps freely.
        largest: the largest step.
        parts: the fewest steps between two stops.
        doses: times at which each of the model's doses is given (k,); each of them is the start or a stop.
    """

    start: float = 0.0
    stops: np.ndarray = field(default_factory=lambda: np.empty(0))
    largest: float = np.inf
    parts: int = 1
    doses: tuple[np.ndarray, ...] = ()

    @property
    def stopped(self) -> bool:
        return bool(len(self.stops))

    def at(self, rows: np.ndarray, others: np.ndarray) -> Course:
        """Return the same course with stops at rows and at other times, of which those beside a row are that row."""
        rows = np.unique(rows)
        near = TOGETHER * max(abs(rows[-1] - self.start), abs(rows[-1]))
        apart = np.abs(np.asarray(others, float)[:, None] - rows).min(axis=1, initial=np.inf) > near
        others = np.unique(np.asarray(others, float)[apart])
        others = others[np.diff(others, prepend=-np.inf) > near]
        return replace(self, stops=np.unique(np.concatenate([rows, others])))

    def dosed(self, doses: Sequence[np.ndarray]) -> Course:
        """Return the same course with doses at times (k,), which are the start or among the stops, or beside one of
        them."""
        places = np.unique(np.append(self.stops, self.start))
        return replace(self, doses=tuple(places[np.abs(places - t[:, None]).argmin(axis=1)] for t in doses))

    def given(self, times: np.ndarray) -> np.ndarray:
        """Return how often each dose is given at times (n, k)."""
        return np.stack([(times[:, None] == t).sum(axis=1) for t in self.doses], axis=1).astype(float)

    def finer(self, parts: int) -> Course:
        """Return the same course with so many steps at least between two stops."""
        return replace(self, parts=parts)

    def longest(self, begin: float, end: float) -> float:
        """Return the largest step between two stops."""
        return min(self.largest, (end - begin) / self.parts if self.parts > 1 else np.inf)

    def inside(self, end: float) -> np.ndarray:
        """Return the stops between start and end."""
        return self.stops[(self.stops > self.start) & (self.stops < end)]

    def knots(self, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return times (n,) with the stops between them, each once, and where each is among these (n,)."""
        begin = [self.start] * any((t == self.start).any() for t in self.doses)
        knots = np.unique(np.concatenate([times, begin, self.inside(float(times.max(initial=-np.inf)))]))
        return knots, np.searchsorted(knots, times)

    def fine(self, knots: np.ndarray, steps: int) -> np.ndarray:
        """Return knots (n,) with more between them where so many steps from one to the next would be too long."""
        if not np.isfinite(self.largest) or len(knots) < 2:
            return knots
        many = np.ceil(np.diff(knots) / (self.largest * steps)).astype(int)
        parts = [np.linspace(a, b, n, endpoint=False) for (a, b), n in zip(pairwise(knots), many, strict=True)]
        return np.append(np.concatenate(parts), knots[-1])

    def pieces(self, end: float) -> Iterator[tuple[float, float]]:
        """Yield the intervals from stop to stop, from the start to an end."""
        yield from pairwise([self.start, *self.inside(end).tolist(), end])


def limits(begin: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and the last times inside intervals."""
    return np.nextafter(begin, np.inf), np.nextafter(end, -np.inf)
