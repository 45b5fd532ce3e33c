"""One input of a space: its bounds, and the values that it may take between them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from preimage.support import digits
from preimage.support.errors import StudyError, did_you_mean

Values = np.ndarray | float


@dataclass(frozen=True)
class Input:
    """One input. `low` and `high` bound it (for a category: 0 and the last index); `fixed` pins it.

    `stated` says which of the two bounds holds as it stands; the other is the rows' range, which an input may be fixed
    outside of. `values` are all that it may take, in order, where it may not take others; `zero_or` is the smallest
    value beside 0 (values that have such a gap need no `zero_or`).
    """

    name: str
    low: float
    high: float
    integer: bool = False
    categories: tuple[str, ...] = ()
    fixed: float | None = None
    unit: str = ""
    stated: tuple[bool, bool] = (True, True)
    values: tuple[float, ...] = ()
    zero_or: float | None = None

    @property
    def lower(self) -> float:
        return self.low if self.fixed is None else self.fixed

    @property
    def upper(self) -> float:
        return self.high if self.fixed is None else self.fixed

    # -- allowed values ----------------------------------------------------------------------------------------------

    @property
    def whole(self) -> bool:
        """Whether it takes whole numbers only; a category does."""
        return self.integer or bool(self.categories)

    @property
    def gapped(self) -> bool:
        """Whether it may be 0 or at least `zero_or`, and both are open."""
        return self.zero_or is not None and self.fixed is None

    @property
    def least(self) -> float:
        """The smallest value beside 0 of an input that has a gap."""
        least = self.zero_or or 0.0
        return float(np.ceil(least)) if self.whole else least

    @cached_property
    def allowed(self) -> np.ndarray:
        """The listed values within the bounds, in order; none where values are not listed."""
        return np.array([v for v in self.values if self.lower <= v <= self.upper], float)

    def below(self, v: Values) -> np.ndarray:
        """Return the largest allowed value that is not above each of some (n,); -inf where there is none."""
        v = np.asarray(v, float)
        if self.values:
            at = np.searchsorted(self.allowed, v, side="right")
            return np.where(np.isnan(v), np.nan, np.concatenate([[-np.inf], self.allowed])[at])
        found = np.minimum(np.floor(v) if self.whole else v, self.upper)
        if self.gapped:
            found = np.where((found > 0) & (found < self.least), 0.0, found)
        return np.where(found < self.lower, -np.inf, found)

    def above(self, v: Values) -> np.ndarray:
        """Return the smallest allowed value that is not below each of some (n,); inf where there is none."""
        v = np.asarray(v, float)
        if self.values:
            at = np.searchsorted(self.allowed, v, side="left")
            return np.where(np.isnan(v), np.nan, np.concatenate([self.allowed, [np.inf]])[at])
        found = np.maximum(np.ceil(v) if self.whole else v, self.lower)
        if self.gapped:
            found = np.where((found > 0) & (found < self.least), self.least, found)
        return np.where(found > self.upper, np.inf, found)

    def nearest(self, v: Values) -> np.ndarray:
        """Return the allowed value nearest to each of some (n,), the smaller one of two."""
        v = np.clip(v, self.lower, self.upper)
        low, high = self.below(v), self.above(v)
        return np.where(v - low <= high - v, low, high)

    def allows(self, value: float) -> bool:
        """Return whether a value is one that it may take."""
        return self.lower <= value <= self.upper and bool(self.nearest(value) == value)

    def widened(self, value: float) -> Input:
        """Return the input with a range that holds a value, where the range is the rows' own."""
        low = self.low if self.stated[0] else min(self.low, value)
        high = self.high if self.stated[1] else max(self.high, value)
        return self if (low, high) == (self.low, self.high) else replace(self, low=low, high=high)

    def within(self, low: float, high: float) -> Input:
        """Return the input cut down to an interval; StudyError where it has no value there."""
        if self.fixed is not None:
            return self
        low, high = float(self.above(max(low, self.low))), float(self.below(min(high, self.high)))
        if not low <= high:
            raise StudyError(f"input '{self.name}': no value left")
        gap = self.zero_or if self.gapped and low < self.least else None
        return replace(self, low=low, high=high, zero_or=gap, values=tuple(v for v in self.values if low <= v <= high))


def pinned(i: Input, value: float) -> Input:
    """Return an input fixed at a value, its range widened to it where the range is the rows' own."""
    return replace(i.widened(value), fixed=value)


def code(i: Input, value: Any) -> float:
    """Return a study's value for an input as a number: itself, or the index of a category."""
    if i.categories:
        if str(value) not in i.categories:
            raise StudyError(f"input '{i.name}': '{value}' is no category{did_you_mean(str(value), i.categories)}")
        return float(i.categories.index(str(value)))
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise StudyError(f"input '{i.name}': found '{value}', expected a number")
    if i.integer and value != round(value):
        raise StudyError(f"input '{i.name}': found {digits.plain(value)}, expected a whole number")
    if i.values and value not in i.values:
        near = digits.plain(float(replace(i, fixed=None).nearest(value)))
        raise StudyError(f"input '{i.name}': found {digits.plain(value)}, expected one of its values; nearest: {near}")
    if i.zero_or is not None and 0 < value < i.zero_or:
        least = digits.plain(i.zero_or)
        raise StudyError(f"input '{i.name}': found {digits.plain(value)}, expected 0 or at least {least}")
    return float(value)
