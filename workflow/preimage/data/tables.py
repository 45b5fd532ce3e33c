"""Reading a user's tables, parquet or CSV, into checked columns; writing and reading our own.

Our own tables are parquet with the unit of each column in its field metadata. Columns are float64, or text where the
study declares categories. Everything here stays in Arrow's memory: millions of rows take no more than their bytes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from preimage.errors import StudyError, did_you_mean
from preimage.files import replacing

# Position of each row in the source, carried along so that a row can be named to the user.
ROW = "__row__"
FEWEST_ROWS = 10


# -- reading what a user brings ----------------------------------------------------------------------------------------


def import_table(spec: Mapping[str, Any], categories: Collection[str] = ()) -> tuple[pa.Table, list[str], list[str]]:
    """Read a study's `problem.table`.

    Args:
        spec: {features, targets} or {file, outputs}, and `ignore`.
        categories: inputs that are categories; they stay text.

    Returns:
        The table (inputs, then outputs, float64 or text), the inputs' names, the outputs' names.

    Raises StudyError naming file, column and row for anything that is not a finite number (or text, in a category),
    for repeated columns, unequal lengths, and fewer than 10 rows.
    """
    ignore = spec.get("ignore") or []
    if "file" in spec:
        whole = _read(spec["file"])
        wanted = list(spec["outputs"])
        for name in [*wanted, *ignore]:
            if name not in whole.column_names:
                raise StudyError(f"{spec['file']}: no column '{name}'{did_you_mean(name, whole.column_names)}")
        inputs = [c for c in whole.column_names if c not in wanted and c not in ignore]
        parts = [(spec["file"], whole.select(inputs)), (spec["file"], whole.select(wanted))]
    else:
        parts = [(spec[key], _read(spec[key])) for key in ("features", "targets")]
        parts = [(path, t.select([c for c in t.column_names if c not in ignore])) for path, t in parts]
        (path_x, x), (path_y, y) = parts
        if len(x) != len(y):
            raise StudyError(f"{path_x} has {len(x)} rows and {path_y} has {len(y)}: expected the same number")
        if both := set(x.column_names) & set(y.column_names):
            raise StudyError(f"{path_x} and {path_y}: column '{min(both)}' is in both")
    inputs, outputs = (t.column_names for _, t in parts)
    if not inputs:
        raise StudyError(f"{parts[0][0]}: no input columns")
    for name in [*inputs, *outputs]:
        _check_name(parts[0 if name in inputs else 1][0], name)
    if len(parts[0][1]) < FEWEST_ROWS:
        raise StudyError(f"{parts[0][0]}: found {len(parts[0][1])} rows, expected at least {FEWEST_ROWS}")
    columns, fields = [], []
    for path, part in parts:
        for field in part.schema:
            column = _text(part, field.name, path) if field.name in categories else _numbers(part, field.name, path)
            columns.append(column)
            fields.append(pa.field(field.name, column.type, metadata=_unit_metadata(unit_of(field))))
    return pa.table(columns, pa.schema(fields)), inputs, outputs


def _check_name(path: str, name: str) -> None:
    if not name.strip():
        raise StudyError(f"{path}: a column has no name")
    if name == ROW or any(ord(c) < 32 for c in name):
        raise StudyError(f"{path}: column name {name!r} can't be used")


def _read(path: str) -> pa.Table:
    file = Path(path)
    if file.is_dir():
        raise StudyError(f"{path}: found a directory, expected a parquet or CSV file")
    if not file.exists():
        beside = [p.name for p in file.parent.iterdir() if p.is_file()] if file.parent.is_dir() else []
        raise StudyError(f"{path}: no such file{did_you_mean(file.name, beside) if beside else ''}")
    try:
        with file.open("rb") as stream:
            magic = stream.read(4)
        if not magic:
            raise StudyError(f"{path}: the file is empty")
        is_parquet = magic == b"PAR1" or file.suffix.lower() in (".parquet", ".pq")
        table = _read_parquet(path) if is_parquet else _read_csv(path)
    except OSError as error:
        raise StudyError(f"{path}: {error.strerror or error}") from None
    names = table.column_names
    if repeated := [n for n in names if names.count(n) > 1]:
        raise StudyError(f"{path}: column '{repeated[0]}' is there {names.count(repeated[0])} times")
    if not len(table):
        raise StudyError(f"{path}: found no rows")
    return table


def _read_parquet(path: str) -> pa.Table:
    try:
        table = pq.ParquetFile(path).read()
    except (pa.ArrowException, OSError) as error:
        raise StudyError(f"{path}: corrupt or truncated parquet ({str(error).splitlines()[0]})") from None
    # pandas keeps its index as a column of this name; it is no input.
    return table.select([c for c in table.column_names if not re.fullmatch(r"__index_level_\d+__", c)])


def _read_csv(path: str) -> pa.Table:
    delimiter, decimal = _dialect(path)
    ragged: list[Any] = []

    def note(row: Any) -> str:
        ragged.append(row)
        return "error"

    def read(threads: bool) -> pa.Table:
        return pyarrow.csv.read_csv(
            path,
            pyarrow.csv.ReadOptions(use_threads=threads),
            pyarrow.csv.ParseOptions(delimiter=delimiter, invalid_row_handler=note),
            pyarrow.csv.ConvertOptions(decimal_point=decimal, check_utf8=True, true_values=[], false_values=[]),
        )

    try:
        try:
            return read(True)
        except pa.ArrowInvalid:
            if not ragged:
                raise
            ragged.clear()
            return read(False)  # one thread: only then is the row numbered
    except pa.ArrowInvalid as error:
        if ragged:
            row = ragged[0]
            where = f"line {row.number}" if row.number is not None else f"the row '{row.text[:60]}'"
            raise StudyError(
                f"{path}, {where}: found {row.actual_columns} cells, expected {row.expected_columns}"
            ) from None
        raise StudyError(f"{path}: not a CSV table ({str(error).splitlines()[0]})") from None


def _dialect(path: str) -> tuple[str, str]:
    """Return the delimiter and the decimal sign, from the head of the file."""
    with Path(path).open("rb") as stream:
        head = stream.read(65536).decode("utf-8-sig", errors="replace")
    lines = head.splitlines()
    title = lines[0] if lines else ""
    delimiter = max(",;\t", key=title.count)
    cells = [c.strip() for line in lines[1:] for c in line.split(delimiter)]
    comma = delimiter != "," and any(re.fullmatch(r"[-+]?\d+,\d+([eE][-+]?\d+)?", c) for c in cells)
    return delimiter, "," if comma else "."


def _place(path: str, name: str, row: int) -> str:
    line = "" if Path(path).suffix.lower() in (".parquet", ".pq") else f" (line {row + 2})"
    return f"{path}, column '{name}', row {row + 1}{line}"


def _numbers(table: pa.Table, name: str, path: str) -> pa.ChunkedArray:
    column = table[name]
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    number = pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_decimal(column.type)
    if not number and not pa.types.is_null(column.type):
        row, found = _first_text(column)
        hint = "; for a category, list its values under problem.inputs" if pa.types.is_string(column.type) else ""
        raise StudyError(f"{_place(path, name, row)}: found {found}, expected a number{hint}")
    column = column.cast(pa.float64(), safe=False)
    if column.null_count:
        row = pc.index(pc.is_null(column), True).as_py()
        raise StudyError(f"{_place(path, name, row)}: found no value, expected a number")
    if not pc.all(pc.is_finite(column)).as_py():
        row = pc.index(pc.is_finite(column), False).as_py()
        raise StudyError(f"{_place(path, name, row)}: found {column[row].as_py()}, expected a finite number")
    return column


def _first_text(column: pa.ChunkedArray) -> tuple[int, str]:
    """Return the first cell that is no number: its row and how to show it."""
    for row, cell in enumerate(column):
        value = cell.as_py()
        try:
            float(value)
        except (TypeError, ValueError):
            return row, "no value" if value is None or value == "" else f"'{str(value)[:60]}'"
        if isinstance(value, bool):
            return row, f"'{value}'"
    return 0, f"values of type {column.type}"


def _text(table: pa.Table, name: str, path: str) -> pa.ChunkedArray:
    column = table[name].cast(pa.string())
    empty = pc.or_kleene(pc.is_null(column), pc.equal(column, ""))
    if pc.any(empty).as_py():
        row = pc.index(empty, True).as_py()
        raise StudyError(f"{_place(path, name, row)}: found no value, expected a category")
    return column


# -- our own tables ----------------------------------------------------------------------------------------------------


def unit_of(field: pa.Field) -> str:
    return ((field.metadata or {}).get(b"unit") or b"").decode()


def units_of(table: pa.Table) -> dict[str, str]:
    """Return the unit of each column that names one."""
    return {f.name: unit_of(f) for f in table.schema if unit_of(f)}


def _unit_metadata(unit: str) -> dict[str, str] | None:
    return {"unit": unit} if unit else None


def with_units(table: pa.Table, units: Mapping[str, str]) -> pa.Table:
    """Return the table with units in its fields' metadata; a unit already there stays unless named anew."""
    fields = [pa.field(f.name, f.type, metadata=_unit_metadata(units.get(f.name) or unit_of(f))) for f in table.schema]
    return table.cast(pa.schema(fields))


def numbered(table: pa.Table) -> pa.Table:
    """Return the table with the source's row numbers (from 1) in front."""
    return table.add_column(0, ROW, pa.array(range(1, len(table) + 1), pa.int64()))


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
