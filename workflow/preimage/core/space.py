"""The input space: bounds, integers, categories, fixed inputs and linear constraints.

A point is a row of float64 in the order of the inputs; a category is its index in the declared list (`encode` and
`decode` translate). Every method that moves a point to make it valid is called by name: nothing is repaired silently.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from preimage.support import digits
from preimage.support.errors import StudyError, did_you_mean

# An equality holds, and an inequality is met, to this share of its row's scale.
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Input:
    """One input. `low` and `high` bound it (for a category: 0 and the last index); `fixed` pins it.

    `stated` says which of the two bounds holds as it stands; the other is the rows' range, which an input may be fixed
    outside of.
    """

    name: str
    low: float
    high: float
    integer: bool = False
    categories: tuple[str, ...] = ()
    fixed: float | None = None
    unit: str = ""
    stated: tuple[bool, bool] = (True, True)

    @property
    def lower(self) -> float:
        return self.low if self.fixed is None else self.fixed

    @property
    def upper(self) -> float:
        return self.high if self.fixed is None else self.fixed


@dataclass(frozen=True)
class Linear:
    """A linear constraint low <= sum of coefficient * input <= high; an equality where low equals high."""

    coefficients: tuple[tuple[str, float], ...]
    low: float = -np.inf
    high: float = np.inf

    def __str__(self) -> str:
        terms = " + ".join(f"{digits.plain(c)} {name}" for name, c in self.coefficients)
        if self.low == self.high:
            return f"{terms} = {digits.plain(self.low)}"
        left = f"{digits.plain(self.low)} <= " if np.isfinite(self.low) else ""
        right = f" <= {digits.plain(self.high)}" if np.isfinite(self.high) else ""
        return f"{left}{terms}{right}"


@dataclass(frozen=True)
class Space:
    """A box of named inputs, cut by linear constraints."""

    inputs: tuple[Input, ...]
    constraints: tuple[Linear, ...] = ()

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
        for constraint in self.constraints:
            for name, _ in constraint.coefficients:
                if name not in kinds:
                    raise StudyError(f"constraint on unknown input '{name}'{did_you_mean(name, names)}")
                if kinds[name].categories:
                    raise StudyError(f"constraint on '{name}': a category has no place in a linear constraint")

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

    def violation(self, X: np.ndarray) -> np.ndarray:
        """Return how far each point (n, d) is from valid, shape (n,): 0 inside, in units of each row's scale."""
        X = np.atleast_2d(X)
        worst = np.maximum(self.low - X, X - self.high).max(axis=1, initial=0.0)
        if self.discrete.any():
            part = X[:, self.discrete]
            worst = np.maximum(worst, np.abs(part - np.round(part)).max(axis=1))
        matrix, low, high = self.rows
        if len(matrix):
            value = X @ matrix.T
            excess = np.maximum(low - value, value - high) / self.row_scale
            worst = np.maximum(worst, np.where(excess > TOLERANCE, excess, 0.0).max(axis=1))
        return worst

    def contains(self, X: np.ndarray) -> np.ndarray:
        """Return which points (n, d) satisfy bounds (exactly), whole numbers and constraints, shape (n,)."""
        return self.violation(X) == 0

    def fix(self, values: Mapping[str, Any]) -> Space:
        """Return the space with some inputs pinned.

        Raises StudyError for an unknown input, or a value outside bounds that were stated.
        """
        for name in values:
            if name not in self.names:
                raise StudyError(f"fixed input '{name}' is unknown{did_you_mean(name, self.names)}")
        inputs = tuple(_pinned(i, code(i, values[i.name])) if i.name in values else i for i in self.inputs)
        return Space(inputs, self.constraints)

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
        lists = ("categories", "stated")
        inputs = [{**vars(i), **{key: list(getattr(i, key)) for key in lists}} for i in self.inputs]
        constraints = [
            {
                "coefficients": [list(c) for c in constraint.coefficients],
                "low": constraint.low if np.isfinite(constraint.low) else None,
                "high": constraint.high if np.isfinite(constraint.high) else None,
            }
            for constraint in self.constraints
        ]
        return {"inputs": inputs, "constraints": constraints}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Space:
        tuples = ("categories", "stated")
        inputs = tuple(Input(**{**i, **{key: tuple(i[key]) for key in tuples}}) for i in value["inputs"])
        constraints = tuple(
            Linear(
                tuple((name, float(c)) for name, c in row["coefficients"]),
                -np.inf if row["low"] is None else row["low"],
                np.inf if row["high"] is None else row["high"],
            )
            for row in value["constraints"]
        )
        return cls(inputs, constraints)


def _pinned(i: Input, value: float) -> Input:
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
    return float(value)


def build(
    settings: Mapping[str, Mapping[str, Any]],
    constraints: Sequence[Mapping[str, Any]],
    bounds: Mapping[str, tuple[float, float]],
    units: Mapping[str, str] | None = None,
    natural: bool = False,
) -> Space:
    """Build the space of a study's `inputs` and `constraints`.

    Args:
        settings: per input the study's keys (low, high, integer, categories, fixed, unit); inputs may be left out.
        constraints: the study's list, each {linear: {name: coefficient}, at_most | at_least | equals: number}.
        bounds: every input in order, with the range to use where the study names none (the training rows' range).
        units: the table's own units, used where the study names none.
        natural: whether `bounds` are a problem's own, which nothing may be fixed outside of, rather than the rows'.

    Raises StudyError for an unknown input, low above high, a fixed value outside its bounds, a wrong constraint.
    """
    for name in settings:
        if name not in bounds:
            raise StudyError(f"inputs.{name}: no such input{did_you_mean(name, bounds)}")
    inputs = tuple(
        _input(name, settings.get(name) or {}, bounds[name], (units or {}).get(name, ""), natural) for name in bounds
    )
    rows = tuple(
        Linear(
            tuple((name, float(c)) for name, c in row["linear"].items()),
            float(row.get("equals", row.get("at_least", -np.inf))),
            float(row.get("equals", row.get("at_most", np.inf))),
        )
        for row in constraints
    )
    return Space(inputs, rows)


def _input(name: str, settings: Mapping[str, Any], default: tuple[float, float], unit: str, natural: bool) -> Input:
    unit = settings.get("unit", unit)
    fixed = settings.get("fixed")
    categories = tuple(str(c) for c in settings.get("categories", ()))
    if categories:
        bare = Input(name, 0.0, len(categories) - 1.0, False, categories, None, unit)
        return replace(bare, fixed=None if fixed is None else code(bare, fixed))
    integer = bool(settings.get("integer", False))
    low, high = (float(settings.get(key, default[k])) for k, key in enumerate(("low", "high")))
    if integer:
        low, high = float(np.ceil(low)), float(np.floor(high))
    stated = (natural or "low" in settings, natural or "high" in settings)
    free = Input(name, low, high, integer, (), None, unit, stated)
    # A value outside the rows' range is the user's business (a warning says so); one outside bounds that the study
    # itself states is a contradiction, which Space refuses.
    return free if fixed is None else _pinned(free, code(free, fixed))
