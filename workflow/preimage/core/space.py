"""The input space: bounds, integers, listed values, categories, fixed inputs, and conditions on several inputs.

A point is a row of float64 in the order of the inputs; a category is its index in the declared list (`encode` and
`decode` translate). Every method that moves a point to make it valid is called by name: nothing is repaired silently.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from preimage.core.conditions import Count, Curved, Exclusion, Linear, shares
from preimage.core.inputs import Input, code, pinned
from preimage.core.pieces import hold_count, keep_off, one_side
from preimage.support import digits
from preimage.support.errors import StudyError, did_you_mean

__all__ = ["TOLERANCE", "Count", "Curved", "Exclusion", "Input", "Linear", "Space", "code"]

# An equality holds, and an inequality is met, to this share of its row's scale.
TOLERANCE = 1e-9


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
            if i.gapped and not (i.low == 0 and 0 < i.least <= i.high):
                least, ends = digits.plain(i.least), f"[{digits.plain(i.low)}, {digits.plain(i.high)}]"
                raise StudyError(f"input '{i.name}': found zero_or {least} within {ends}, expected low 0")
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
    def plain(self) -> bool:
        """Whether bounds, whole numbers, categories and linear constraints are all that there is."""
        return not (self.in_pieces or self.curved or self.listed.any())

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

    @cached_property
    def straight(self) -> Space:
        """The space without its curved constraints."""
        return replace(self, curved=()) if self.curved else self

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

    def codes_by_name(self, j: int) -> np.ndarray:
        """Return a category's codes within the bounds, in the order of their names."""
        return self._by_name[j]

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
        key = self._sides(x)
        if key is None or key not in self._pieces:
            made = self._piece(x)
            if key is None:
                return made
            if len(self._pieces) >= KEPT:
                self._pieces.clear()
            self._pieces[key] = made
        return self._pieces[key]

    @cached_property
    def _pieces(self) -> dict[bytes, Space]:
        """Pieces by what tells them apart, as searches ask for the same ones again and again."""
        return {}

    def _sides(self, x: np.ndarray) -> bytes | None:
        """Return what tells the piece of a point (d,) apart where inputs at 0 or a reference are all, or None."""
        if self.exclusions or any(count.least for count in self.counts):
            return None
        at = [x[self.at(count)] == count.reference for count in self.counts]
        return np.concatenate([self.gapped & (x == 0), *at]).tobytes()

    def _piece(self, x: np.ndarray) -> Space:
        inputs = [one_side(i, v) for i, v in zip(self.inputs, x, strict=True)]
        for count in self.counts:
            hold_count(inputs, self.at(count), count, x, self.width)
        for exclusion in self.exclusions:
            keep_off(inputs, self.at(exclusion), exclusion, x, self.width)
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
        plain = [{f.name: getattr(i, f.name) for f in fields(i)} for i in self.inputs]
        inputs = [{**values, **{key: list(values[key]) for key in lists}} for values in plain]
        return {"inputs": inputs, **{key: [c.to_dict() for c in getattr(self, key)] for key in CONDITIONS}}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Space:
        tuples = ("categories", "stated", "values")
        inputs = tuple(Input(**{**i, **{key: tuple(i[key]) for key in tuples}}) for i in value["inputs"])
        return cls(inputs, **{key: tuple(kind.from_dict(c) for c in value[key]) for key, kind in CONDITIONS.items()})


# Pieces that a space remembers.
KEPT = 4096
# What a space has beside its inputs, and of which kind.
CONDITIONS: dict[str, Any] = {"constraints": Linear, "counts": Count, "exclusions": Exclusion, "curved": Curved}
