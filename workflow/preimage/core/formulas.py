"""Formulas of a study: exact functions of inputs and outputs. Whatever comes after training sees them as further
outputs, behind those that were measured or simulated; models train on these alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from preimage.core.expressions import Expression
from preimage.core.space import Space
from preimage.support.errors import StudyError

LONGEST_NAME = 100
# A range of a name: its smallest and its largest value.
Ranges = Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class Formula:
    """One formula: a name that is used like an output's, and what it comes to."""

    name: str
    expression: Expression
    unit: str = ""


@dataclass(frozen=True)
class Formulas:
    """The formulas of a study, in its order: one may take inputs, outputs and formulas before it.

    Attributes:
        inputs, outputs: names of the columns of X (n, d) and Y (n, m).
    """

    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    each: tuple[Formula, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.each)

    @cached_property
    def names(self) -> list[str]:
        return [f.name for f in self.each]

    @property
    def units(self) -> dict[str, str]:
        """The unit of each formula that has one."""
        return {f.name: f.unit for f in self.each if f.unit}

    @cached_property
    def of_inputs(self) -> frozenset[str]:
        """Formulas of inputs alone: what they come to is known before anything is predicted."""
        known, found = set(self.inputs), set()
        for formula in self.each:
            if known.issuperset(formula.expression.names):
                known.add(formula.name)
                found.add(formula.name)
        return frozenset(found)

    @property
    def taken(self) -> frozenset[str]:
        """Inputs that some formula takes."""
        return frozenset(name for f in self.each for name in f.expression.names) & set(self.inputs)

    # -- values ------------------------------------------------------------------------------------------------------

    def extended(self, X: Any, Y: Any, xp: Any = np) -> Any:
        """Return outputs (..., m) followed by the formulas' values (..., m + f), at points (..., d).

        Args:
            xp: numpy, or jax.numpy where JAX traces it; complex numbers are taken as such.
        """
        columns = self._columns(X, Y)
        for formula in self.each:
            columns[formula.name] = formula.expression.evaluate(columns, xp)
        return xp.concatenate([Y, xp.stack([columns[name] for name in self.names], axis=-1)], axis=-1)

    def extended_gradient(self, X: np.ndarray, Y: np.ndarray, slopes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return outputs and formulas (n, m + f) and their derivatives by the inputs (n, m + f, d), given those of the
        outputs (n, m, d): the chain rule."""
        units = (np.broadcast_to(row, X.shape) for row in np.eye(X.shape[1]))
        return self._chained(X, Y, dict(zip(self.inputs, units, strict=True)), slopes)

    def _chained(
        self, X: np.ndarray, Y: np.ndarray, of_inputs: dict[str, np.ndarray], of_outputs: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return outputs and formulas (n, m + f) and their derivatives (n, m + f, k) by whatever those of the inputs,
        (n, k) each, and of the outputs, (n, m, k), are by."""
        columns = self._columns(X, Y)
        slopes = of_inputs | {name: of_outputs[:, k] for k, name in enumerate(self.outputs)}
        for formula in self.each:
            columns[formula.name] = formula.expression.evaluate(columns)
            parts = formula.expression.derivatives(columns)
            slopes[formula.name] = np.sum([part[:, None] * slopes[name] for name, part in parts.items()], axis=0)
        names = [*self.outputs, *self.names]
        return np.stack([columns[n] for n in names], axis=1), np.stack([slopes[n] for n in names], axis=1)

    def slopes(self, X: np.ndarray, Y: np.ndarray) -> np.ndarray:
        """Return the formulas' derivatives by the outputs (n, f, m) at points (n, d) with outputs (n, m)."""
        n, m = Y.shape
        whole = np.broadcast_to(np.eye(m), (n, m, m))
        return self._chained(X, Y, dict.fromkeys(self.inputs, np.zeros((n, m))), whole)[1][:, m:]

    def _columns(self, X: Any, Y: Any) -> dict[str, Any]:
        columns = {name: X[..., j] for j, name in enumerate(self.inputs)}
        return columns | {name: Y[..., k] for k, name in enumerate(self.outputs)}

    # -- bounds ------------------------------------------------------------------------------------------------------

    def bounds(
        self, X_low: np.ndarray, X_high: np.ndarray, Y_low: np.ndarray, Y_high: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return what outputs and formulas can reach (n, m + f) over boxes of inputs (n, d) with outputs within
        (n, m): ends that no value is beyond (see `Expression.bounds`)."""
        low, high = self._columns(X_low, Y_low), self._columns(X_high, Y_high)
        for formula in self.each:
            low[formula.name], high[formula.name] = formula.expression.bounds(low, high)
        names = [*self.outputs, *self.names]
        return np.stack([low[name] for name in names], axis=1), np.stack([high[name] for name in names], axis=1)

    def intervals(self, X: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the intervals of outputs (n, m) at points (n, d) followed by those of the formulas (n, m + f): by
        interval arithmetic; of inputs alone both ends are the value."""
        least, most = self.bounds(X, X, low, high)
        exact = [k for k, name in enumerate(self.names, len(self.outputs)) if name in self.of_inputs]
        value = self.extended(X, low)[:, exact]
        least[:, exact], most[:, exact] = value, value
        return least, most

    # -- checks ------------------------------------------------------------------------------------------------------

    def check(self, ranges: Ranges) -> None:
        """Raise StudyError where a formula is undefined somewhere in the ranges of inputs and outputs.

        Args:
            ranges: by name; what takes a name without one is not checked.
        """
        low, high = ({name: ends[k] for name, ends in ranges.items()} for k in (0, 1))
        for formula in self.each:
            formula.expression.check(low, high, where(formula.name))
            if low.keys() >= set(formula.expression.names):
                a, b = formula.expression.bounds(low, high)
                low[formula.name], high[formula.name] = float(a), float(b)


NONE = Formulas()


def build(entries: Mapping[str, Mapping[str, Any]], space: Space, outputs: Sequence[str]) -> Formulas:
    """Return the formulas of a study's `problem.formulas`.

    Raises:
        StudyError: for a name that an input or output has, an expression that can't be read (see `Expression.parse`),
            one that takes a category, itself or a formula after it.
    """
    numbers = [i.name for i in space.inputs if not i.categories]
    categories = {i.name for i in space.inputs if i.categories}
    names, found = [*numbers, *outputs], list[Formula]()
    for name, entry in entries.items():
        if not name.strip() or not name.isprintable() or len(name) > LONGEST_NAME:
            raise StudyError(f"problem.formulas: found the name {name[:50]!r}, expected 1 to {LONGEST_NAME} characters")
        for taken, what in ((space.names, "an input"), (outputs, "an output")):
            if name in taken:
                raise StudyError(f"problem.formulas.{name}: {what} has this name; use another for the formula")
        # Known names that can't be taken have messages of their own.
        expression = Expression.parse(entry["expression"], {*names, *categories, *entries}, where(name))
        for used in expression.names:
            if used in categories:
                raise StudyError(f"{where(name)}: '{used}' is a category, which has no place in an expression")
            if used not in names:
                which = "itself" if used == name else f"'{used}', which is defined after it"
                remedy = "name inputs, outputs and formulas before it" if used == name else f"put '{used}' before it"
                raise StudyError(f"{where(name)}: found {which}; {remedy}")
        found.append(Formula(name, expression, entry.get("unit") or ""))
        names.append(name)
    return Formulas(tuple(space.names), tuple(outputs), tuple(found)) if found else NONE


def where(name: str) -> str:
    """Return the key of a formula's expression, as messages name it."""
    return f"problem.formulas.{name}.expression"
