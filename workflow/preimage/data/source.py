"""A file of a user's that was read: its columns, where each cell is, and what can't be taken as it was read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa

from preimage.data.dialects import line_of
from preimage.data.notation import Dialect
from preimage.support.errors import StudyError


class Source(NamedTuple):
    """A file that was read.

    Attributes:
        table: its columns, with their units as metadata of their fields.
        dialect: None for parquet and workbooks.
        kept: where some rows were left out, the others' positions in the file.
        doubts: by column of numbers, the first row (from 0) of a cell that can't be taken as it was read, and why.
        notes: what a user should know of how it was read, one sentence each.
        row_labels: names of the index of a DataFrame, which are not columns.
    """

    path: str
    table: pa.Table
    dialect: Dialect | None = None
    kept: Sequence[int] | None = None
    doubts: Mapping[str, tuple[int, str]] = {}
    notes: tuple[str, ...] = ()
    row_labels: tuple[str, ...] = ()

    def select(self, names: Sequence[str]) -> Source:
        return self._replace(table=self.table.select(names))

    def place(self, name: str, row: int) -> str:
        """Say where the cell of a column at a row (from 0) is; rows are counted from 1 below title and units."""
        return self._place(name, row if self.kept is None else int(self.kept[row]))

    def check_index(self, names: Collection[str]) -> None:
        """Raise StudyError where one of the columns that are looked for is the index of a DataFrame."""
        if found := [name for name in self.row_labels if name in names]:
            raise StudyError(f"{self.path}: '{found[0]}' is the index of a DataFrame; save it after reset_index()")

    def check(self, name: str) -> None:
        """Raise StudyError where a cell of a column of numbers can't be taken as it was read."""
        if name in self.doubts:
            row, said = self.doubts[name]
            raise StudyError(f"{self._place(name, row)}: {said}")

    def _place(self, name: str, row: int) -> str:
        line = line_of(self.path, self.dialect, row) if self.dialect else None
        return f"{self.path}, column '{name}', row {row + 1}{f' (line {line})' if line else ''}"


def first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
