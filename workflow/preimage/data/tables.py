"""A user's table as checked columns; writing and reading our own tables.

Our own tables are parquet with the unit of each column in its field metadata. Columns are float64, or text where the
study declares categories. Everything here stays in Arrow's memory: millions of rows take no more than their bytes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from preimage.data import gaps
from preimage.data.notation import Dialect, Notation, first_inexact, hint, is_number
from preimage.data.source import Source
from preimage.data.sources import read_file
from preimage.support.errors import StudyError, did_you_mean
from preimage.support.files import replacing

# Position of each row in the source, carried along so that a row can be named to the user.
ROW = "__row__"
FEWEST_ROWS = 10
# Sentences on how a user's table was read, in its schema's metadata.
NOTES = b"notes"
# A column's unit in its field's metadata; where the study states another, also the one that the user's file says.
UNIT, FILE_UNIT = "unit", "unit_in_file"

# -- reading what a user brings ----------------------------------------------------------------------------------------


class Imported(NamedTuple):
    """A user's table.

    Attributes:
        table: its inputs, then its outputs, float64 or text.
        inputs: names; outputs: names.
        left_out: numbers of the rows that were left out because cells are empty, as the study says.
    """

    table: pa.Table
    inputs: list[str]
    outputs: list[str]
    left_out: Sequence[int]

    def sentences(self) -> list[str]:
        """Return what a user should know of how the table was read."""
        notes = (self.table.schema.metadata or {}).get(NOTES, b"").decode()
        left_out = [f"problem.table: {gaps.described(self.left_out)}, left out"] if self.left_out else []
        return [*notes.splitlines(), *left_out]


def import_table(
    spec: Mapping[str, Any], categories: Mapping[str, Any] | None = None, integers: Collection[str] = ()
) -> Imported:
    """Read a study's `problem.table`.

    Args:
        spec: {features, targets} or {file, outputs}, `ignore`, `incomplete`, and how numbers are written.
        categories: by input that is a category, {categories: its values}; its cells stay text.
        integers: inputs that are whole numbers.

    Raises StudyError naming file, column and row for anything that is not a finite number (or a declared value, in a
    category; a whole number, in integers) or would be read as another one than is written, for repeated columns,
    unequal lengths, and fewer than 10 rows.
    """
    categories = categories or {}
    parts = _parts(spec, list(categories))
    left_out = gaps.found(parts) if spec.get("incomplete") == "leave_out" else []
    parts = gaps.without(parts, left_out)
    inputs, outputs = (part.table.column_names for part in parts)
    for part, kind in zip(parts, ("input", "output"), strict=True):
        if not part.table.column_names:
            raise StudyError(f"{part.path}: no {kind} columns")
        for name in part.table.column_names:
            _check_name(part.path, name)
    for name in categories:
        if name not in inputs:
            raise StudyError(f"problem.inputs.{name}: no such input{did_you_mean(name, inputs)}")
    if len(parts[0].table) < FEWEST_ROWS:
        kinds = " below the units" if parts[0].dialect and parts[0].dialect.skipped else ""
        kinds += " without empty cells" if left_out else ""
        raise StudyError(f"{parts[0].path}: found {len(parts[0].table)} rows{kinds}, expected at least {FEWEST_ROWS}")
    columns, fields = [], []
    for part in parts:
        for field in part.table.schema:
            declared = categories.get(field.name) if field.name in inputs else None
            columns.append(
                numbers(part, field.name, f"; {gaps.HINT}") if declared is None else labels(part, field.name, declared)
            )
            if field.name in inputs and field.name in integers:
                check_whole(part, field.name, columns[-1])
            fields.append(pa.field(field.name, columns[-1].type, metadata=_unit_metadata(unit_of(field)) or None))
    said = "\n".join(dict.fromkeys(n for part in parts for n in notes(part)))
    table = pa.table(columns, pa.schema(fields, {NOTES: said.encode()} if said else None))
    return Imported(table, inputs, outputs, left_out)


def notes(source: Source) -> list[str]:
    """Return what a user should know of how a file was read, and of columns whose names are nearly the same."""
    said, folded = list(source.notes), dict[str, str]()
    for name in source.table.column_names:
        if (other := folded.setdefault(name.casefold(), name)) != name:
            said.append(f"{source.path}: columns '{other}' and '{name}' differ only in case")
    return said


def _parts(spec: Mapping[str, Any], categories: Collection[str]) -> list[Source]:
    """Return the inputs' columns and the outputs' columns, each with the file it is from."""
    ignore, notation = spec.get("ignore") or [], Notation.of(spec)
    if "file" in spec:
        whole = read_file(spec["file"], categories, ignore, notation)
        names, wanted = whole.table.column_names, list(spec["outputs"])
        whole.check_index(wanted)
        for name in [*wanted, *ignore]:
            if name not in [*names, *whole.row_labels]:
                raise StudyError(f"{spec['file']}: no column '{name}'{did_you_mean(name, names)}")
        if both := [n for n in wanted if n in ignore]:
            raise StudyError(f"{spec['file']}: column '{both[0]}' is named in both outputs and ignore")
        return [whole.select([c for c in names if c not in wanted and c not in ignore]), whole.select(wanted)]
    x, y = (read_file(spec[key], categories, ignore, notation) for key in ("features", "targets"))
    every = [*x.table.column_names, *y.table.column_names]
    for name in ignore:
        if name not in [*every, *x.row_labels, *y.row_labels]:
            raise StudyError(f"{x.path} and {y.path}: no column '{name}'{did_you_mean(name, every)}")
    x, y = (part.select([c for c in part.table.column_names if c not in ignore]) for part in (x, y))
    if len(x.table) != len(y.table):
        counts = f"{x.path} has {len(x.table)} rows and {y.path} has {len(y.table)}"
        raise StudyError(f"{counts}: expected the same number")
    if both := [n for n in x.table.column_names if n in y.table.column_names]:
        raise StudyError(f"{x.path} and {y.path}: column '{both[0]}' is in both")
    return [x, y]


def _check_name(path: str, name: str) -> None:
    if not name.strip():
        raise StudyError(f"{path}: a column has no name; ignore: ['{name}'] leaves it out")
    if name == ROW or any(ord(c) < 32 for c in name):
        raise StudyError(f"{path}: invalid column name {name!r}")


# -- cells -------------------------------------------------------------------------------------------------------------


def numbers(source: Source, name: str, remedy: str = "", empty: bool = False) -> pa.ChunkedArray:
    """Return a column as float64. Raises StudyError naming the first cell that is no finite number, and with `remedy`
    added where that is empty.

    Args:
        empty: whether cells may be empty; they are NaN then.
    """
    source.check(name)
    column = source.table[name]
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    exact = pa.types.is_integer(column.type) or pa.types.is_decimal(column.type)
    if not exact and not pa.types.is_floating(column.type) and not pa.types.is_null(column.type):
        raise StudyError(_no_number(source, name, column))
    written = column
    # As text, which is rounded to the nearest; Arrow's own cast from decimals is not.
    column = (column.cast(pa.string()) if pa.types.is_decimal(column.type) else column).cast(pa.float64(), safe=False)
    if exact and (found := first_inexact(written, column.to_numpy())):
        raise StudyError(f"{source.place(name, found[0])}: {found[1]}")
    if column.null_count and not empty:
        row = pc.index(pc.is_null(column), True).as_py()
        raise StudyError(f"{source.place(name, row)}: found no value, expected a number{remedy}")
    if empty:
        column = pc.fill_null(column, float("nan"))
        infinite = pc.is_inf(column)
        if pc.any(infinite).as_py():
            row = pc.index(infinite, True).as_py()
            raise StudyError(f"{source.place(name, row)}: found {column[row].as_py()}, expected a finite number")
        return column
    if not pc.all(pc.is_finite(column)).as_py():
        row = pc.index(pc.is_finite(column), False).as_py()
        raise StudyError(f"{source.place(name, row)}: found {column[row].as_py()}, expected a finite number")
    return column


def _no_number(source: Source, name: str, column: pa.ChunkedArray) -> str:
    """Return the sentence on the first cell that is no number, with the remedy."""
    dialect = source.dialect or Dialect(",", ".", False)
    row, found = _first_other(column, dialect)
    remedy = ""
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        remedy = "; for a category, list its values under problem.inputs"
        if source.dialect:
            remedy = hint(str(column[row]), dialect) or remedy
            if row == 0 and dialect.said.key and not dialect.skipped and _no_numbers_in_first(source.table):
                remedy += f"; if this row holds units, set `unit_row: true` under {dialect.said.key}"
    return f"{source.place(name, row)}: found {found}, expected a number{remedy}"


def _no_numbers_in_first(table: pa.Table) -> bool:
    return not any(is_number(str(column[0])) for column in table.columns)


def check_whole(source: Source, name: str, column: pa.ChunkedArray) -> None:
    """Raise StudyError naming the first fraction of a column of whole numbers."""
    fraction = pc.not_equal(column, pc.round(column))
    if (row := pc.index(fraction, True).as_py()) >= 0:
        raise StudyError(
            f"{source.place(name, row)}: found {column[row].as_py()!r}, expected a whole number, because "
            f"problem.inputs.{name} sets `integer: true`; correct the cell, or remove `integer`"
        )


def _first_other(column: pa.ChunkedArray, dialect: Dialect) -> tuple[int, str]:
    """Return the first cell that is no number: its row and how to show it."""
    for row, cell in enumerate(column):
        try:
            value = cell.as_py()
        except (ValueError, OverflowError):  # a date beyond Python's
            return row, f"a {column.type}"
        text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
        if value is None or text == "":
            return row, "no value"
        if not isinstance(value, bytes | str) or not dialect.number(text):
            return row, f"'{text[:60]}'"
    return 0, f"values of type {column.type} ('{str(column[0])[:60]}')"


def labels(source: Source, name: str, declared: Mapping[str, Any]) -> pa.ChunkedArray:
    """Return a category's column as text; raises StudyError at the first value that is not declared."""
    try:
        column = source.table[name].cast(pa.string())
    except pa.ArrowException:
        kind = source.table[name].type
        raise StudyError(f"{source.path}, column '{name}': found {kind}, expected text or numbers") from None
    known = [str(c) for c in declared["categories"]]
    strange = pc.invert(pc.is_in(column, value_set=pa.array(known)))
    if pc.any(strange).as_py():
        row = pc.index(strange, True).as_py()
        found = column[row].as_py()
        shown = f"'{found[:60]}'" if found else "no value"
        raise StudyError(
            f"{source.place(name, row)}: found {shown}, expected one of the declared categories {', '.join(known)}"
        )
    return column


# -- our own tables ----------------------------------------------------------------------------------------------------


def unit_of(field: pa.Field, key: str = UNIT) -> str:
    return ((field.metadata or {}).get(key.encode()) or b"").decode(errors="replace")


def units_of(table: pa.Table) -> dict[str, str]:
    """Return the unit of each column that names one."""
    return {f.name: unit_of(f) for f in table.schema if unit_of(f)}


def _unit_metadata(unit: str, key: str = UNIT) -> dict[str, str]:
    return {key: unit} if unit else {}


def with_units(table: pa.Table, units: Mapping[str, str]) -> pa.Table:
    """Return the table with units in its fields' metadata; a unit already there stays unless named anew, and then is
    kept as the one that the user's files say."""
    fields = []
    for f in table.schema:
        own = unit_of(f)
        shown = units.get(f.name) or own
        in_file = unit_of(f, FILE_UNIT) or (own if own != shown else "")
        metadata = {**_unit_metadata(shown), **_unit_metadata(in_file, FILE_UNIT)}
        fields.append(pa.field(f.name, f.type, metadata=metadata or None))
    return table.cast(pa.schema(fields))


def numbered(table: pa.Table, left_out: Collection[int] = ()) -> pa.Table:
    """Return the table with the source's row numbers (from 1) in front; those of `left_out` are not in it."""
    rows = np.arange(1, len(table) + len(left_out) + 1)
    return table.add_column(0, ROW, pa.array(np.setdiff1d(rows, list(left_out)), pa.int64()))


def write(path: str | Path, table: pa.Table) -> None:
    with replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read(path: str | Path, columns: Sequence[str] | None = None) -> pa.Table:
    return pq.ParquetFile(path).read(columns=columns)


def ranges(table: pa.Table, inputs: Sequence[str], categories: Collection[str] = ()) -> dict[str, tuple[float, float]]:
    """Return (smallest, largest) of each input; (0, 0) for a category, whose range its list gives."""
    out = {}
    for name in inputs:
        if name in categories:
            out[name] = (0.0, 0.0)
        else:
            extremes = pc.min_max(table[name]).as_py()
            out[name] = (extremes["min"], extremes["max"])
    return out
