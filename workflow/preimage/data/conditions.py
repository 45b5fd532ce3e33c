"""Conditions of a fit: experiments that share a model, and what each of them has of its own.

A table has a row a condition: its name, and a column an input that differs between them. A cell is a number (a dose, an
initial value), the name of another input (a parameter that some conditions have of their own), or empty where the input
itself holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from preimage.data import tables
from preimage.data.notation import Notation
from preimage.data.source import Source
from preimage.data.sources import read_file
from preimage.support.errors import StudyError, did_you_mean

COLUMN = "condition"

Cell = float | str


@dataclass(frozen=True)
class Conditions:
    """The conditions of one fit.

    Attributes:
        names: of the conditions, in the table's order.
        inputs: which differ between them.
        cells: (conditions, inputs), a number or the name of the input that stands for this one.
    """

    names: tuple[str, ...]
    inputs: tuple[str, ...]
    cells: tuple[tuple[Cell, ...], ...]

    def of(self, p: Mapping[str, Any], k: int) -> dict[str, Any]:
        """Return the parameters of one condition, by name."""
        own = zip(self.inputs, self.cells[k], strict=True)
        return {**p, **{name: p[cell] if isinstance(cell, str) else cell for name, cell in own}}

    def arrays(self, parameters: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers of the cells (c, k), and where the parameter that stands there is (c, k), -1 for none."""
        shape = (len(self.names), len(self.inputs))
        numbers = [[0.0 if isinstance(cell, str) else cell for cell in row] for row in self.cells]
        which = [[parameters.index(cell) if isinstance(cell, str) else -1 for cell in row] for row in self.cells]
        return np.array(numbers, float).reshape(shape), np.array(which, int).reshape(shape)

    def positions(self, names: Sequence[str]) -> np.ndarray:
        """Return which of the conditions each name is (n,)."""
        return np.array([self.names.index(name) for name in names], int)


def read(path: str, inputs: Mapping[str, Mapping[str, Any]], notation: Notation) -> Conditions:
    """Return the conditions of a table.

    Args:
        inputs: the study's settings by input.

    Raises StudyError for a name that is missing or there twice, a column that is no input, a cell that is neither a
    number nor an input, and an input that no condition takes as it is but that the fit would search.
    """
    source = read_file(path, [], [], notation)
    columns = source.table.column_names
    if COLUMN not in columns:
        raise StudyError(f"{path}: no column '{COLUMN}' with the names{did_you_mean(COLUMN, columns)}")
    names = labels(source, COLUMN)
    if twice := [name for name in names if names.count(name) > 1]:
        raise StudyError(f"{path}, column '{COLUMN}': found '{twice[0]}' twice, expected one row per condition")
    taken = tuple(c for c in columns if c != COLUMN)
    for column in taken:
        if column not in inputs:
            raise StudyError(
                f"{path}, column '{column}': no such input{did_you_mean(column, inputs)}; declare it under "
                "`problem.inputs`, with `fixed` where every condition has a number of its own"
            )
    cells = [_cells(source, column, inputs) for column in taken]
    used = {cell for column in cells for cell in column}
    for column in taken:
        if column not in used and "fixed" not in inputs[column]:
            raise StudyError(
                f"problem.inputs.{column}: every row of {path} has another value for it, so that nothing is left to "
                "estimate; set `fixed` (any number), or leave the cell empty where it is to be estimated"
            )
    return Conditions(tuple(names), taken, tuple(zip(*cells, strict=True)) if taken else ((),) * len(names))


def labels(source: Source, column: str) -> list[str]:
    """Return the names in a column. Raises StudyError for an empty cell."""
    found = source.table[column].to_pylist()
    for k, value in enumerate(found):
        if value is None or not str(value).strip():
            raise StudyError(f"{source.place(column, k)}: found no value, expected the name of a condition")
    return [str(value).strip() for value in found]


def _cells(source: Source, column: str, inputs: Mapping[str, Any]) -> list[Cell]:
    """Return the cells of one column."""
    values = source.table[column].to_pylist()
    if all(v is None or (isinstance(v, int | float) and not isinstance(v, bool)) for v in values):
        numbers = tables.numbers(source, column, empty=True).to_numpy().tolist()
        return [column if v is None else number for v, number in zip(values, numbers, strict=True)]
    return [_cell(str(v or "").strip(), column, inputs, source.place(column, k)) for k, v in enumerate(values)]


def _cell(text: str, column: str, inputs: Mapping[str, Any], where: str) -> Cell:
    if not text:
        return column
    if text in inputs:
        return text
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not np.isfinite(number):
        raise StudyError(
            f"{where}: found '{text}', expected a number or the name of an input{did_you_mean(text, inputs)}"
        )
    return number
