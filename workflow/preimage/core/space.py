"""The input space: bounds, integers, listed values, categories, fixed inputs, and conditions on several inputs.

A point is a row of float64 in the order of the inputs; a category is its index in the declared list (`encode` and
`decode` translate). Every method that moves a point to make it valid is called by name: nothing is repaired silently.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from preimage.core.conditions import Count, Curved, Exclusion, Linear, shares
from preimage.support import digits
from preimage.support.errors import StudyError, did_you_mean

__all__ = ["TOLERANCE", "Count", "Curved", "Exclusion", "Input", "Linear", "Space", "code"]

# An equality holds, and an inequality is met, to this share of its row's scale.
TOLERANCE = 1e-9
Values = np.ndarray | float
# A number that must not be what it is counted by, and has no smallest amount, keeps this share of its range away.
APART = 1e-6


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

    @property
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

    def within(self, low: float, high: float) -> Input:
        """Return the input cut down to an interval; StudyError where it has no value there."""
        if self.fixed is not None:
            return self
        low, high = float(self.above(max(low, self.low))), float(self.below(min(high, self.high)))
        if not low <= high:
            raise StudyError(f"input '{self.name}': no value left")
        gap = self.zero_or if self.gapped and low < self.least else None
        return replace(self, low=low, high=high, zero_or=gap, values=tuple(v for v in self.values if low <= v <= high))


@dataclass(frozen=True)
class Space:
    """A box of named inputs, cut by linear constraints, counts, excluded combinations and curved constraints."""

    inputs: tuple[Input, ...]
    constraints: tuple[Linear, ...] = ()
    counts: tuple[Count, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    curved: tuple[Curved, ...] = ()

    def __post_init__(self) -> None:
        names = [i.name for i in self.inputs]
        kinds = {i.name: i for i in self.inputs}
        for i in self.inputs:
            if not i.low <= i.high:
                low, high = (
                    f"{name} {digits.plain(value)}{'' if stated else ' (of the rows)'}"
                    for name, value, stated in zip(("low", "high"), (i.low, i.high), i.stated, strict=True)
                )
                raise StudyError(f"input '{i.name}': {low} is above {high}")
            if i.fixed is not None and not i.low <= i.fixed <= i.high:
                raise StudyError(
                    f"input '{i.name}': the fixed value {digits.plain(i.fixed)} is outside its bounds "
                    f"[{digits.plain(i.low)}, {digits.plain(i.high)}]"
                )
        for constraint in self.conditions:
            for name in constraint.inputs:
                if name not in kinds:
                    raise StudyError(f"constraint on unknown input '{name}'{did_you_mean(name, names)}")
                if kinds[name].categories and isinstance(constraint, Linear | Curved):
                    what = "a linear constraint" if isinstance(constraint, Linear) else "an expression"
                    raise StudyError(f"constraint on '{name}': a category has no place in {what}")

    @property
    def conditions(self) -> tuple[Linear | Count | Exclusion | Curved, ...]:
        """All conditions on several inputs."""
        return *self.constraints, *self.counts, *self.exclusions, *self.curved

    # -- shape -------------------------------------------------------------------------------------------------------

    @cached_property
    def names(self) -> list[str]:
        return [i.name for i in self.inputs]

    @cached_property
    def low(self) -> np.ndarray:
        """Lower bounds, shape (d,), fixed inputs at their value."""
        return np.array([i.lower for i in self.inputs], float)

    @cached_property
    def high(self) -> np.ndarray:
        return np.array([i.upper for i in self.inputs], float)

    @cached_property
    def width(self) -> np.ndarray:
        """Width of each input's whole range, shape (d,), 1 where it is 0: the unit of scaled distances."""
        width = np.array([i.high - i.low for i in self.inputs], float)
        return np.where(width > 0, width, 1.0)

    @cached_property
    def discrete(self) -> np.ndarray:
        """Which inputs take whole numbers only (integers and categories), shape (d,)."""
        return np.array([i.integer or bool(i.categories) for i in self.inputs], bool)

    @cached_property
    def listed(self) -> np.ndarray:
        """Which inputs take listed values only, shape (d,)."""
        return np.array([bool(i.values) for i in self.inputs], bool)

    @cached_property
    def stepwise(self) -> np.ndarray:
        """Which inputs take separate values (whole numbers, categories, listed ones), shape (d,)."""
        return self.discrete | self.listed

    @cached_property
    def gapped(self) -> np.ndarray:
        """Which inputs may be 0 or at least some amount, shape (d,)."""
        return np.array([i.gapped for i in self.inputs], bool)

    @property
    def restricted(self) -> bool:
        """Whether there are conditions on several inputs at once, which `rounded` does not see."""
        return bool(self.conditions)

    @property
    def in_pieces(self) -> bool:
        """Whether the space falls into pieces, which `piece` tells apart."""
        return bool(self.counts or self.exclusions) or bool(self.gapped.any())

    @cached_property
    def categorical(self) -> np.ndarray:
        """Which inputs are categories, shape (d,)."""
        return np.array([bool(i.categories) for i in self.inputs], bool)

    @cached_property
    def free(self) -> np.ndarray:
        """Which inputs a search may move, shape (d,)."""
        return self.low < self.high

    @cached_property
    def rows(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The constraints as (A, low, high) with A of shape (m, d)."""
        matrix = np.zeros((len(self.constraints), len(self.inputs)))
        for k, constraint in enumerate(self.constraints):
            for name, coefficient in constraint.coefficients:
                matrix[k, self.names.index(name)] += coefficient
        low = np.array([c.low for c in self.constraints], float)
        high = np.array([c.high for c in self.constraints], float)
        return matrix, low, high

    @cached_property
    def row_scale(self) -> np.ndarray:
        """The scale of each constraint, shape (m,): the largest sum of absolute terms that the bounds allow."""
        matrix, _, _ = self.rows
        reach = np.maximum(np.abs([i.low for i in self.inputs]), np.abs([i.high for i in self.inputs]))
        scale = np.abs(matrix) @ reach
        return np.where(scale > 0, scale, 1.0)

    @cached_property
    def curved_scale(self) -> np.ndarray:
        """The scale of each curved constraint, over the whole ranges of its inputs."""
        low, high = (np.array([getattr(i, end) for i in self.inputs], float) for end in ("low", "high"))
        return np.array([c.scale(low[self.at(c)], high[self.at(c)]) for c in self.curved], float)

    def at(self, condition: Linear | Count | Exclusion | Curved) -> list[int]:
        """Return the positions of a condition's inputs."""
        return [self._position[name] for name in condition.inputs]

    def columns(self, curved: Curved, X: np.ndarray) -> dict[str, np.ndarray]:
        """Return the inputs of a curved constraint at points (n, d), by name (n,)."""
        return {name: X[..., self._position[name]] for name in curved.inputs}

    @cached_property
    def _position(self) -> dict[str, int]:
        return {name: j for j, name in enumerate(self.names)}

    # -- points ------------------------------------------------------------------------------------------------------

    def scaled(self, X: np.ndarray) -> np.ndarray:
        """Map points (n, d) so that each input's range is [0, 1]; see `coordinates` for distances."""
        return (X - np.array([i.low for i in self.inputs])) / self.width

    def coordinates(self, X: np.ndarray) -> np.ndarray:
        """Map points (n, d) to (n, D), where Euclidean distance is what near and far mean here.

        A number is scaled by its range; a category is one column for each value, so that distinct categories are 1
        apart whatever their order in the list (Gower 1971, Biometrics 27, with squares added up). Of a number whose
        range is 0, whatever its unit, any other value is 1 away.
        """
        ranged = np.array([i.low < i.high for i in self.inputs], bool)
        scaled = np.where(ranged, self.scaled(X), np.sign(X - np.array([i.low for i in self.inputs])))
        columns = [
            (X[:, [j]] == np.arange(len(i.categories))) * np.sqrt(0.5) if i.categories else scaled[:, [j]]
            for j, i in enumerate(self.inputs)
        ]
        return np.hstack(columns) if columns else np.empty((len(X), 0))

    @cached_property
    def one_hot(self) -> np.ndarray:
        """Which columns of `coordinates` stand for a category's value, shape (D,)."""
        return np.repeat(self.categorical, [max(1, len(i.categories)) for i in self.inputs])

    def apart(self, A: np.ndarray, B: np.ndarray) -> np.ndarray:
        """Return how far points A and B (n, d) differ in each input (n, d): by its range; categories by 0 or 1."""
        return np.where(self.categorical, A != B, np.abs(A - B) / self.width)

    def codes(self, places: np.ndarray) -> np.ndarray:
        """Return points (n, d) whose categories are given by their places in the order of their names.

        What draws at random, or can't but see categories in some order, does so in this one: then the order of the
        list has no part in what it finds.
        """
        X = np.array(places, float)
        for j, order in self._by_name.items():
            X[:, j] = order[(X[:, j] - self.low[j]).astype(int)]
        return X

    def places(self, X: np.ndarray) -> np.ndarray:
        """Return the inverse of `codes` for points (n, d) within the bounds."""
        out = np.array(X, float)
        for j, order in self._by_name.items():
            out[:, j] = self.low[j] + np.argsort(order)[(X[:, j] - self.low[j]).astype(int)]
        return out

    @cached_property
    def _by_name(self) -> dict[int, np.ndarray]:
        """By category, its codes within the bounds in the order of their names."""
        return {
            j: np.array(sorted(range(int(i.lower), int(i.upper) + 1), key=i.categories.__getitem__))
            for j, i in enumerate(self.inputs)
            if i.categories
        }

    def rounded(self, X: np.ndarray) -> np.ndarray:
        """Return points (n, d) with every input at its nearest allowed value, whatever the conditions on several."""
        X = np.clip(np.where(self.discrete, np.round(X), X), self.low, self.high)
        for j in np.flatnonzero(self.listed | self.gapped):
            X[..., j] = self.inputs[j].nearest(X[..., j])
        return X

    def below(self, j: int, v: np.ndarray) -> np.ndarray:
        """Return the largest allowed value of input j that is not above each of some (n,); -inf where there is none."""
        return self.inputs[j].below(v)

    def above(self, j: int, v: np.ndarray) -> np.ndarray:
        """Return the smallest allowed value of input j that is not below each of some (n,); inf where there is none."""
        return self.inputs[j].above(v)

    def violation(self, X: np.ndarray) -> np.ndarray:
        """Return how far each point (n, d) is from valid, shape (n,), as the largest share of any condition's scale; 0
        inside, where rows may be missed by `TOLERANCE`."""
        X = np.atleast_2d(X)
        return np.maximum(shares(np.abs(X - self.rounded(X)), self.width).max(axis=1, initial=0.0), self.missed(X))

    def missed(self, X: np.ndarray) -> np.ndarray:
        """Return the largest share of its scale by which each point (n, d) misses a condition on several inputs."""
        worst = np.zeros(len(X))
        matrix, low, high = self.rows
        if len(matrix):
            value = X @ matrix.T
            excess = np.maximum(low - value, value - high) / self.row_scale
            worst = np.maximum(worst, np.where(excess > TOLERANCE, excess, 0.0).max(axis=1))
        for count in self.counts:
            at = self.at(count)
            worst = np.maximum(worst, count.violation(X[:, at], self.width[at], self.categorical[at]))
        for exclusion in self.exclusions:
            at = self.at(exclusion)
            worst = np.maximum(worst, exclusion.violation(X[:, at], self.width[at]))
        for curved, scale in zip(self.curved, self.curved_scale, strict=True):
            share = curved.excess(self.columns(curved, X)) / scale
            worst = np.maximum(worst, np.where(share > TOLERANCE, share, 0.0))
        return worst

    def contains(self, X: np.ndarray) -> np.ndarray:
        """Return which points (n, d) satisfy bounds, allowed values (exactly) and all conditions, shape (n,)."""
        return self.violation(X) == 0

    def fix(self, values: Mapping[str, Any]) -> Space:
        """Return the space with some inputs pinned.

        Raises StudyError for an unknown input, or a value outside bounds that were stated.
        """
        for name in values:
            if name not in self.names:
                raise StudyError(f"fixed input '{name}' is unknown{did_you_mean(name, self.names)}")
        inputs = tuple(pinned(i, code(i, values[i.name])) if i.name in values else i for i in self.inputs)
        return replace(self, inputs=inputs)

    # -- pieces ------------------------------------------------------------------------------------------------------

    def piece(self, x: np.ndarray) -> Space:
        """Return the part of the space that a valid point (d,) is in, which is in one piece; the space itself if it is.

        It has bounds, separate values, linear and curved rows only: an input that is 0 and might be at least some
        amount stays 0, or keeps its amount; one that is counted stays what it is counted by, where another one would be
        too many; and each excluded combination is kept off by the input that has most room.
        """
        if not self.in_pieces:
            return self
        inputs = [_one_side(i, v) for i, v in zip(self.inputs, x, strict=True)]
        for count in self.counts:
            _hold_count(inputs, self.at(count), count, x, self.width)
        for exclusion in self.exclusions:
            _keep_off(inputs, self.at(exclusion), exclusion, x, self.width)
        return Space(tuple(inputs), self.constraints, curved=self.curved)

    # -- tables ------------------------------------------------------------------------------------------------------

    def encode(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the inputs of a table as points (n, d); a category becomes its index."""
        columns = []
        for i in self.inputs:
            column = frame[i.name]
            if i.categories:
                column = pd.Series(pd.Categorical(column.astype(str), categories=list(i.categories)).codes)
                if (column < 0).any():
                    row = int(np.flatnonzero(column < 0)[0])
                    found = frame[i.name].iloc[row]
                    raise StudyError(
                        f"column '{i.name}', row {row + 1}: category '{found}' is not declared"
                        f"{did_you_mean(str(found), i.categories)}"
                    )
            columns.append(column.to_numpy(float))
        return np.column_stack(columns) if columns else np.empty((len(frame), 0))

    def decode(self, X: np.ndarray, prefix: str = "") -> dict[str, Any]:
        """Return points (n, d) as columns named prefix + input: float64, or text where an index is a category."""
        columns: dict[str, Any] = {}
        for j, i in enumerate(self.inputs):
            value: Any = X[:, j]
            if i.categories:
                labels = [None if np.isnan(v) else i.categories[int(v)] for v in value]
                value = pd.array(labels, dtype="str")
            columns[prefix + i.name] = value
        return columns

    def to_dict(self) -> dict[str, Any]:
        """Return the space as plain values; `from_dict` reads them back to the same floats."""
        lists = ("categories", "stated", "values")
        inputs = [{**vars(i), **{key: list(getattr(i, key)) for key in lists}} for i in self.inputs]
        return {"inputs": inputs, **{key: [c.to_dict() for c in getattr(self, key)] for key in CONDITIONS}}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Space:
        tuples = ("categories", "stated", "values")
        inputs = tuple(Input(**{**i, **{key: tuple(i[key]) for key in tuples}}) for i in value["inputs"])
        return cls(inputs, **{key: tuple(kind.from_dict(c) for c in value[key]) for key, kind in CONDITIONS.items()})


# What a space has beside its inputs, and of which kind.
CONDITIONS: dict[str, Any] = {"constraints": Linear, "counts": Count, "exclusions": Exclusion, "curved": Curved}


def _one_side(i: Input, value: float) -> Input:
    """Return an input that may be 0 or more on the side of that gap where a value is."""
    if not i.gapped:
        return i
    return replace(i, fixed=0.0, zero_or=None) if value == 0 else i.within(np.finfo(float).tiny, i.high)


def _hold_count(inputs: list[Input], at: list[int], count: Count, x: np.ndarray, width: np.ndarray) -> None:
    """Fix, or keep off their reference, so many of the inputs at these positions that a count stays met."""
    reference = dict(zip(at, count.reference, strict=True))
    if count.most < len(at):
        for j in at:
            if x[j] == reference[j]:
                inputs[j] = replace(inputs[j], fixed=reference[j])
    differ = [j for j in at if x[j] != reference[j]]
    sure = [j for j in differ if not inputs[j].allows(reference[j])]
    # Others that differ must go on doing so where too few are sure to: those that are furthest away.
    others = sorted((j for j in differ if j not in sure), key=lambda j: -abs(x[j] - reference[j]) / width[j])
    for j in others[: max(0, count.least - len(sure))]:
        inputs[j] = _kept_apart(inputs[j], reference[j], x[j], width[j])


def _kept_apart(i: Input, reference: float, value: float, width: float) -> Input:
    """Return an input cut down to the side of a reference where its value is."""
    if i.categories:
        return replace(i, fixed=float(value))
    away = 0.0 if i.values or i.whole else APART * width
    if value > reference:
        return i.within(min(value, max(reference + away, np.nextafter(reference, np.inf))), np.inf)
    return i.within(-np.inf, max(value, min(reference - away, np.nextafter(reference, -np.inf))))


def _keep_off(inputs: list[Input], at: list[int], exclusion: Exclusion, x: np.ndarray, width: np.ndarray) -> None:
    """Cut one of the inputs at these positions so that an excluded combination, which x is not, can't come about."""
    met = zip(at, exclusion.conditions, strict=True)
    unmet = [(j, c) for j, c in met if not c.met(x[j : j + 1])[0]]
    for j, c in unmet:
        if c.codes:
            inputs[j] = replace(inputs[j], fixed=float(x[j]))
            return
    if any(inputs[j].upper < c.low or inputs[j].lower > c.high for j, c in unmet):
        return
    j, c = max(unmet, key=lambda u: max(u[1].low - x[u[0]], x[u[0]] - u[1].high) / width[u[0]])
    under, over = np.nextafter(c.low, -np.inf), np.nextafter(c.high, np.inf)
    inputs[j] = inputs[j].within(-np.inf, under) if x[j] < c.low else inputs[j].within(over, np.inf)


def pinned(i: Input, value: float) -> Input:
    """Return an input fixed at a value, its range widened to it where the range is the rows' own."""
    low = i.low if i.stated[0] else min(i.low, value)
    high = i.high if i.stated[1] else max(i.high, value)
    return replace(i, low=low, high=high, fixed=value)


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
