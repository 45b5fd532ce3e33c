"""The space, names and units that follow from a study's `problem` and its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from preimage.core import building
from preimage.core import formulas as formulas_module
from preimage.core.formulas import Formulas
from preimage.core.space import Space
from preimage.data import tables
from preimage.data.named import stated_units
from preimage.problems import loading
from preimage.support import digits
from preimage.support.errors import StudyError, did_you_mean


class RowSummary(NamedTuple):
    """What is known of a table's rows.

    Attributes:
        ranges: smallest and largest value by input; (0, 0) for a category.
        spread, reach: standard deviation and range of each output.
        references: inputs of the rows that objectives refer to, by number.
    """

    inputs: list[str]
    outputs: list[str]
    units: dict[str, str]
    ranges: dict[str, tuple[float, float]]
    spread: list[float]
    reach: list[float]
    references: dict[str, dict[str, Any]] = {}  # noqa: RUF012

    def with_formulas(self, formulas: Formulas, Y: np.ndarray) -> RowSummary:
        """Return what is known of rows with formulas as further outputs, given both as columns (n, m + f).

        Raises StudyError for a formula that is undefined at every row.
        """
        more = Y[:, len(self.outputs) :]
        finite = [column[np.isfinite(column)] for column in more.T]
        for name, column in zip(formulas.names, finite, strict=True):
            if not len(column):
                raise StudyError(f"{formulas_module.where(name)}: it is undefined at every row of the data")
        return self._replace(
            outputs=[*self.outputs, *formulas.names],
            units={**self.units, **formulas.units},
            spread=[*self.spread, *(float(np.std(c)) for c in finite)],
            reach=[*self.reach, *(float(np.ptp(c)) for c in finite)],
        )

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> RowSummary:
        ranges = {k: (float(a), float(b)) for k, (a, b) in value["ranges"].items()}
        return cls(**{**{k: value[k] for k in cls._fields if k in value}, "ranges": ranges})

    def to_dict(self) -> dict[str, Any]:
        """Return what is known as plain values, as `from_dict` reads them."""
        return {key: value for key, value in self._asdict().items() if key != "references" or value}


class Setting(NamedTuple):
    space: Space
    inputs: list[str]
    outputs: list[str]
    units: digits.Units

    def with_formulas(self, formulas: Formulas) -> Setting:
        """Return the setting with formulas as further outputs."""
        units = digits.Units({**self.units, **formulas.units}, self.units.steps)
        return self._replace(outputs=[*self.outputs, *formulas.names], units=units)


def integers(spec: Mapping[str, Any]) -> list[str]:
    """Return the inputs of a `problem` entry that are whole numbers."""
    return [name for name, s in (spec.get("inputs") or {}).items() if s.get("integer")]


def describe(table: pa.Table, inputs: Sequence[str], outputs: Sequence[str], category: Mapping[str, Any]) -> RowSummary:
    """Return what is known of the rows of a table."""
    columns = [table[name].to_numpy() for name in outputs]
    return RowSummary(
        list(inputs),
        list(outputs),
        tables.units_of(table),
        tables.ranges(table, inputs, category),
        [float(np.std(c)) for c in columns],
        [float(np.ptp(c)) for c in columns],
    )


def formulas(spec: Mapping[str, Any], found: Setting) -> Formulas:
    """Return the formulas of a study's `problem` entry. Raises StudyError as `core.formulas.build` does."""
    return formulas_module.build(spec.get("formulas") or {}, found.space, found.outputs)


def with_formulas(table: pa.Table, found: Setting, formulas: Formulas) -> tuple[pa.Table, Setting]:
    """Return rows and setting with formulas as further outputs; null where one is undefined."""
    if not formulas:
        return table, found
    X = found.space.encode(table.select(found.inputs).to_pandas())
    Y = np.column_stack([table[name].to_numpy() for name in found.outputs])
    values = formulas.extended(X, Y)[:, len(found.outputs) :]
    for name, column in zip(formulas.names, values.T, strict=True):
        table = table.append_column(name, pa.array(column, mask=~np.isfinite(column)))
    return table, found.with_formulas(formulas)


def of_simulator(spec: Mapping[str, Any]) -> Setting:
    """Return the setting of a simulator by itself: its natural bounds, narrowed by the study."""
    found = loading.load(spec, run=False)
    assert found is not None
    rows = RowSummary(list(found.inputs), list(found.outputs), _units(found.outputs), dict(found.inputs), [], [])
    return of_rows(spec, rows, natural=True)


def of_rows(spec: Mapping[str, Any], rows: RowSummary, natural: bool = False) -> Setting:
    """Return the setting of a study with rows: where the study names no bounds, they are the rows' range.

    Args:
        natural: whether the ranges are a simulator's own, outside which nothing may be fixed.

    Raises StudyError for settings of an input or output that isn't there, and whatever a space refuses.
    """
    of_series = "ode" in spec or "curve" in spec
    for name in spec.get("outputs") or {}:
        if name not in rows.outputs and not of_series:
            raise StudyError(f"problem.outputs.{name}: no such output{did_you_mean(name, rows.outputs)}")
    units: dict[str, str] = {**rows.units, **stated_units(spec)}
    try:
        built = building.build(spec.get("inputs") or {}, spec.get("constraints") or (), rows.ranges, units, natural)
    except StudyError as error:
        raise StudyError(f"problem: {error}") from None
    return Setting(built, rows.inputs, rows.outputs, digits.Units(units, _steps(built, rows)))


def _steps(built: Space, rows: RowSummary) -> dict[str, float]:
    """Return the smallest difference that must show of each column of numbers."""
    steps = {
        i.name: float(i.integer) if not i.values else float(np.diff(i.values).min(initial=np.inf)) for i in built.inputs
    }
    whole = {i.name: digits.step(i.high - i.low, np.ptp(rows.ranges[i.name]), steps[i.name]) for i in built.inputs}
    return whole | {name: digits.step(reach) for name, reach in zip(rows.outputs, rows.reach, strict=False)}


def _units(outputs: Mapping[str, str]) -> dict[str, str]:
    return {name: unit for name, unit in outputs.items() if unit}
