"""Inputs that an answer should change as little as possible: the reference of a counterfactual (Wachter, Mittelstadt,
Russell 2018, "Counterfactual explanations without opening the black box", Harvard Journal of Law & Technology 31)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from preimage.core.inputs import code
from preimage.core.space import Count, Space
from preimage.support import digits
from preimage.support.errors import StudyError, did_you_mean

# A change of less than this share of an input's range is none.
NO_CHANGE = 1e-9
# The output that a search is to make small.
DISTANCE = "distance to the reference"
# Distances that differ by less are as good, in ranges of an input: a hundredth of one.
AS_NEAR = 0.01
# What a search sees of a distance is rounded off this near to the reference, as a share of an input's range: a corner
# has no slope.
CORNER = 1e-3


@dataclass(frozen=True)
class Reference:
    """Inputs to be near, in the order of the space.

    Attributes:
        values: of each input (d,); a category's is its index, -1 for one that is not declared.
        widths: what a change of each input is counted in (d,): its range.
        zero_one: which inputs count 0 or 1 (d,): categories, and numbers whose range is 0.
        labels: the values as a study writes them.
        row: its number in the source; None where it was given by its inputs.
        most: how many inputs may change; None where all may.
        keep: inputs that must not change.
    """

    names: tuple[str, ...]
    values: tuple[float, ...]
    widths: tuple[float, ...]
    zero_one: tuple[bool, ...]
    labels: tuple[Any, ...]
    row: int | None = None
    most: int | None = None
    keep: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """What it is called."""
        return "the given inputs" if self.row is None else f"row {self.row}"

    @property
    def task(self) -> str:
        """What is asked, as a person would say it."""
        text = f"as near to {self.words} as possible"
        if self.most is not None:
            text += f", changing at most {self.most} input{'s' * (self.most != 1)}"
        return text + (f", keeping {', '.join(name.replace('_', ' ') for name in self.keep)}" if self.keep else "")

    @property
    def kept(self) -> dict[str, Any]:
        """The inputs that must not change, at the values that they keep."""
        return {name: label for name, label in zip(self.names, self.labels, strict=True) if name in self.keep}

    def parts(self, X: np.ndarray) -> np.ndarray:
        """Return how far points (n, d) are from it in each input (n, d): in ranges; categories 0 or 1."""
        away = np.abs(X - np.array(self.values)) / np.array(self.widths)
        return np.where(self.zero_one, np.sign(away), away)

    def distance(self, X: np.ndarray) -> np.ndarray:
        """Return the sum over the inputs of how far points (n, d) are from it, (n,)."""
        return np.asarray(self.parts(X).sum(axis=1))

    def changed(self, X: np.ndarray) -> np.ndarray:
        """Return which inputs of points (n, d) are not exactly those of the reference (n, d)."""
        return np.not_equal(X, self.values)

    @property
    def numbers(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Values, widths and which inputs count 0 or 1, as arrays (d,)."""
        return np.array(self.values), np.array(self.widths), np.array(self.zero_one)

    def snapped(self, X: np.ndarray) -> np.ndarray:
        """Return points (n, d) with changes too small to be any set back exactly."""
        return np.where(self.parts(X) < NO_CHANGE, self.values, X)

    def broken(self, space: Space) -> list[str]:
        """Return in words what of a space it does not keep to, apart from bounds that are the rows' own."""
        x = np.array([self.values])
        alone = replace(space, constraints=(), counts=(), exclusions=(), curved=())
        said = [
            f"{i.name.replace('_', ' ')} {label if isinstance(label, str) else digits.plain(label)}"
            for i, value, label in zip(self.allowed(space).inputs, self.values, self.labels, strict=True)
            if not i.allows(value)
        ]
        each = [(name, c) for name in ("constraints", "counts", "exclusions", "curved") for c in getattr(space, name)]
        return said + [str(c) for name, c in each if replace(alone, **{name: (c,)}).missed(x)[0] > 0]

    def put(self, order: Sequence[int]) -> Reference:
        """Return it with its inputs in another order (d,)."""
        parts = ("names", "values", "widths", "zero_one", "labels")
        ordered: dict[str, Any] = {name: tuple(getattr(self, name)[j] for j in order) for name in parts}
        return replace(self, **ordered)

    def allowed(self, space: Space) -> Space:
        """Return the part of a space in which no more inputs are changed than may be. Bounds that are the rows' own are
        widened to the reference."""
        inputs = [i if i.categories else i.widened(v) for i, v in zip(space.inputs, self.values, strict=True)]
        counts = () if self.most is None else (Count(self.names, 0, self.most, self.values),)
        return replace(space, inputs=tuple(inputs), counts=(*space.counts, *counts))


def rounded(X: Any, values: Any, widths: Any, zero_one: Any, xp: Any = np) -> Any:
    """Return the distance of points (..., d) to a reference's numbers, its corners rounded off, shape (...,): what a
    search follows. Complex points are taken as such, so that a complex step gives the derivative."""
    away = (X - values) / widths
    smooth = xp.sqrt(away * away + CORNER**2) - CORNER
    return xp.where(zero_one, 1.0 * (away.real != 0), smooth).sum(axis=-1)


def rounded_slope(X: np.ndarray, values: np.ndarray, widths: np.ndarray, zero_one: np.ndarray) -> np.ndarray:
    """Return the derivative (n, d) of `rounded` at points (n, d)."""
    away = (X - values) / widths
    return np.where(zero_one, 0.0, away / np.sqrt(away * away + CORNER**2) / widths)


def build(where: str, entry: Mapping[str, Any], space: Space, rows: Mapping[str, Mapping[str, Any]]) -> Reference:
    """Build the reference of an objective's entry.

    Args:
        where: the entry's key, as messages name it.
        space: before anything is fixed for the objective.
        rows: inputs of the rows that objectives refer to, by number.

    Raises StudyError for a row that is not there, and inputs that are unknown, missing or impossible.
    """
    asked = entry["closest_to"]
    inputs = rows[str(asked["row"])] if "row" in asked else asked["inputs"]
    key = f"{where}.closest_to.inputs"
    for name in inputs:
        if name not in space.names:
            raise StudyError(f"{key}: unknown input '{name}'{did_you_mean(name, space.names)}")
    labels, values = [], []
    for i in space.inputs:
        if i.name not in inputs and i.fixed is None:
            raise StudyError(f"{key}: missing input '{i.name}'; expected every input that is not fixed")
        value = inputs.get(i.name, i.fixed)
        if i.name not in inputs and i.categories:
            value = i.categories[int(value)]
        labels.append(value)
        values.append(_value(i, value, key, "row" in asked))
    keep = tuple(entry.get("keep") or ())
    zero_one = [bool(i.categories) or i.low == i.high for i in space.inputs]
    found = Reference(
        tuple(space.names), tuple(values), tuple(space.width.tolist()), tuple(zero_one), tuple(labels),
        asked.get("row"), entry.get("change_at_most"), keep,
    )  # fmt: skip
    _check_kept(where, found, entry.get("fixed") or {}, space)
    return found


def _value(i: Any, value: Any, key: str, measured: bool) -> float:
    """Return an input's value as a number. A measured one may be between steps, and of a category that is not
    declared."""
    if measured:
        if not i.categories:
            return float(value)
        return float(i.categories.index(str(value))) if str(value) in i.categories else -1.0
    try:
        return code(i, value)
    except StudyError as error:
        raise StudyError(f"{key}: {error}") from None


def _check_kept(where: str, found: Reference, fixed: Mapping[str, Any], space: Space) -> None:
    for name in found.keep:
        if name not in found.names:
            raise StudyError(f"{where}.keep: unknown input '{name}'{did_you_mean(name, found.names)}")
        if name in fixed:
            raise StudyError(f"{where}.keep: '{name}' is also under fixed; expected it under one of them")
        i, value = next((i, v) for i, v in zip(space.inputs, found.values, strict=True) if i.name == name)
        if i.fixed is not None and i.fixed != value:
            raise StudyError(f"{where}.keep: '{name}' is fixed at another value under problem.inputs; leave it out")
        if not i.widened(value).allows(value):
            raise StudyError(
                f"{where}.keep: '{name}' is {found.kept[name]} in {found.words}, which problem.inputs does not allow; "
                "leave it out, or allow that value"
            )
    if len(found.keep) == len(found.names):
        raise StudyError(f"{where}.keep: found every input; expected at least one that may change")
