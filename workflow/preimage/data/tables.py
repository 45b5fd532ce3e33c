"""Reading a user's tables, parquet or CSV, into checked columns; writing and reading our own.

Our own tables are parquet with the unit of each column in its field metadata. Columns are float64, or text where the
study declares categories. Everything here stays in Arrow's memory: millions of rows take no more than their bytes.
"""

from __future__ import annotations

import contextlib
import csv
import itertools
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from preimage.errors import StudyError, did_you_mean
from preimage.files import replacing

# Position of each row in the source, carried along so that a row can be named to the user.
ROW = "__row__"
FEWEST_ROWS = 10
# How much of a CSV file its dialect is read from.
HEAD = 65536
# What Arrow's reader takes for a number; DECIMAL stands for the decimal sign.
NUMBER = r"^\s*[-+]?(\d+DECIMAL?\d*|DECIMAL\d+)([eE][-+]?\d+)?\s*$"


class Dialect(NamedTuple):
    """How a CSV file is written. In one of a single column an empty line is an empty cell; elsewhere it is nothing."""

    delimiter: str
    decimal: str
    single: bool

    def number(self, text: str) -> bool:
        return re.match(NUMBER.replace("DECIMAL", re.escape(self.decimal)), text) is not None


class Source(NamedTuple):
    """A file that was read; `dialect` is None for parquet."""

    path: str
    table: pa.Table
    dialect: Dialect | None = None

    def select(self, names: Sequence[str]) -> Source:
        return self._replace(table=self.table.select(names))

    def place(self, name: str, row: int) -> str:
        """Say where the cell of a column at a row (from 0) is."""
        line = _line(self.path, self.dialect, row) if self.dialect else None
        return f"{self.path}, column '{name}', row {row + 1}{f' (line {line})' if line else ''}"


# -- reading what a user brings ----------------------------------------------------------------------------------------


def import_table(
    spec: Mapping[str, Any], categories: Mapping[str, Any] | None = None
) -> tuple[pa.Table, list[str], list[str]]:
    """Read a study's `problem.table`.

    Args:
        spec: {features, targets} or {file, outputs}, and `ignore`.
        categories: by input that is a category, {categories: its values}; its cells stay text.

    Returns:
        The table (inputs, then outputs, float64 or text), the inputs' names, the outputs' names.

    Raises StudyError naming file, column and row for anything that is not a finite number (or a declared value, in a
    category), for repeated columns, unequal lengths, and fewer than 10 rows.
    """
    categories = categories or {}
    parts = _parts(spec, list(categories))
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
        raise StudyError(f"{parts[0].path}: found {len(parts[0].table)} rows, expected at least {FEWEST_ROWS}")
    columns, fields = [], []
    for part in parts:
        for field in part.table.schema:
            declared = categories.get(field.name) if field.name in inputs else None
            columns.append(_numbers(part, field.name) if declared is None else _labels(part, field.name, declared))
            fields.append(pa.field(field.name, columns[-1].type, metadata=_unit_metadata(unit_of(field))))
    return pa.table(columns, pa.schema(fields)), inputs, outputs


def _parts(spec: Mapping[str, Any], categories: Collection[str]) -> tuple[Source, Source]:
    """Return the inputs' columns and the outputs' columns, each with the file it is from."""
    ignore = spec.get("ignore") or []
    if "file" in spec:
        whole = _read(spec["file"], categories, ignore)
        names, wanted = whole.table.column_names, list(spec["outputs"])
        for name in [*wanted, *ignore]:
            if name not in names:
                raise StudyError(f"{spec['file']}: no column '{name}'{did_you_mean(name, names)}")
        if both := [n for n in wanted if n in ignore]:
            raise StudyError(f"{spec['file']}: column '{both[0]}' is named in both outputs and ignore")
        return whole.select([c for c in names if c not in wanted and c not in ignore]), whole.select(wanted)
    x, y = (_read(spec[key], categories, ignore) for key in ("features", "targets"))
    every = [*x.table.column_names, *y.table.column_names]
    for name in ignore:
        if name not in every:
            raise StudyError(f"{x.path} and {y.path}: no column '{name}'{did_you_mean(name, every)}")
    x, y = (part.select([c for c in part.table.column_names if c not in ignore]) for part in (x, y))
    if len(x.table) != len(y.table):
        counts = f"{x.path} has {len(x.table)} rows and {y.path} has {len(y.table)}"
        raise StudyError(f"{counts}: expected the same number")
    if both := [n for n in x.table.column_names if n in y.table.column_names]:
        raise StudyError(f"{x.path} and {y.path}: column '{both[0]}' is in both")
    return x, y


def _check_name(path: str, name: str) -> None:
    if not name.strip():
        raise StudyError(f"{path}: a column has no name; ignore: ['{name}'] leaves it out")
    if name == ROW or any(ord(c) < 32 for c in name):
        raise StudyError(f"{path}: column name {name!r} can't be used")


def _read(path: str, categories: Collection[str], ignore: Collection[str]) -> Source:
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
        source = _read_parquet(path) if is_parquet else _read_csv(path, categories, ignore)
        names = source.table.column_names
    except OSError as error:
        raise StudyError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise StudyError(f"{path}: found column names that are not UTF-8 text; save the file as UTF-8") from None
    if not is_parquet and _looks_like_data(names):
        raise StudyError(f"{path}, line 1: found numbers ({', '.join(names[:3])}), expected the names of the columns")
    if repeated := [n for n in names if names.count(n) > 1]:
        raise StudyError(f"{path}: column '{repeated[0]}' is there {names.count(repeated[0])} times")
    if not len(source.table):
        raise StudyError(f"{path}: found no rows")
    return source


def _looks_like_data(names: Sequence[str]) -> bool:
    """Whether a CSV's first line is a row, not titles: all numbers, and out of order, as wavelengths never are."""
    try:
        numbers = [float(n.replace(",", ".")) for n in names]
    except ValueError:
        return False
    steps = [b - a for a, b in itertools.pairwise(numbers)]
    return not (all(s > 0 for s in steps) or all(s < 0 for s in steps))


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


# -- parquet -----------------------------------------------------------------------------------------------------------


def _read_parquet(path: str) -> Source:
    try:
        table = pq.ParquetFile(path).read()
    except (pa.ArrowException, OSError) as error:
        raise StudyError(f"{path}: corrupt or truncated parquet ({_first_line(error)})") from None
    index = _index_columns(table)
    return Source(path, table.select([k for k, name in enumerate(table.column_names) if name not in index]))


def _index_columns(table: pa.Table) -> set[str]:
    """Return the columns in which pandas keeps its index: that is no input."""
    plain = {n for n in table.column_names if re.fullmatch(r"__index_level_\d+__", n)}
    try:
        listed = (table.schema.pandas_metadata or {}).get("index_columns", [])
    except ValueError:
        return plain  # not pandas' own metadata, then
    return plain | {n for n in listed if isinstance(n, str)}


# -- CSV ---------------------------------------------------------------------------------------------------------------


def _read_csv(path: str, categories: Collection[str], ignore: Collection[str]) -> Source:
    dialect = _dialect(path)
    table = _parse(path, dialect, categories)
    other = dialect._replace(decimal="." if dialect.decimal == "," else ",")
    # A long file may begin with whole numbers only, or have a remark that looks like a number of the other sign.
    if dialect.delimiter != "," and _has_number(table, other):
        again = _parse(path, other, categories)
        if _texts(again, ignore) < _texts(table, ignore):
            table, dialect = again, other
    return Source(path, table, dialect)


def _texts(table: pa.Table, ignore: Collection[str]) -> int:
    return sum(pa.types.is_string(f.type) for f in table.schema if f.name not in ignore)


def _has_number(table: pa.Table, dialect: Dialect) -> bool:
    """Return whether a text column has a cell with the dialect's decimal sign that would be a number."""
    pattern = rf"^\s*[-+]?\d*{re.escape(dialect.decimal)}\d+([eE][-+]?\d+)?\s*$"
    texts = [column for column in table.columns if pa.types.is_string(column.type)]
    return any(pc.any(pc.match_substring_regex(column, pattern)).as_py() for column in texts)


def _parse(path: str, dialect: Dialect, categories: Collection[str]) -> pa.Table:
    try:
        table = pyarrow.csv.read_csv(
            path,
            None,
            pyarrow.csv.ParseOptions(delimiter=dialect.delimiter, ignore_empty_lines=not dialect.single),
            pyarrow.csv.ConvertOptions(
                decimal_point=dialect.decimal,
                check_utf8=True,
                true_values=[],
                false_values=[],
                column_types=dict.fromkeys(categories, pa.string()),  # 007 is not 7
            ),
        )
    except pa.ArrowInvalid as error:
        records = _records(path, dialect)
        _, title = next(records, (1, []))
        for line, record in records:
            if len(record) != len(title):
                raise StudyError(f"{path}, line {line}: found {len(record)} cells, expected {len(title)}") from None
        raise StudyError(f"{path}: not a CSV table ({_first_line(error)})") from None
    return table.slice(0, len(table) - _blank_lines_at_end(path)) if dialect.single else table


def _records(path: str, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """Yield the line (from 1) on which each record begins, and its cells; ends early where Python can't follow.

    Slow, for files that are known to be bad: Arrow numbers neither lines nor, on several threads, rows.
    """
    with Path(path).open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        reader = csv.reader(stream, delimiter=dialect.delimiter)
        begins = 1
        with contextlib.suppress(csv.Error):
            for record in reader:
                if record or dialect.single:
                    yield begins, record or [""]
                begins = reader.line_num + 1


def _dialect(path: str) -> Dialect:
    """Return how a file is written, from its head: the delimiter that cuts most rows like the title."""
    with Path(path).open("rb") as stream:
        head = stream.read(HEAD)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise StudyError(f"{path}: found UTF-16 text, expected UTF-8")
    lines = [line for line in re.split(r"\r\n|\n|\r", head.decode("utf-8-sig", errors="replace")) if line]
    if len(head) == HEAD and len(lines) > 1:
        lines.pop()  # cut short

    if not lines:
        raise StudyError(f"{path}: the file is empty")
    if len(lines) == 1 and len(head) < HEAD:
        raise StudyError(f"{path}: found no rows")

    def cut(delimiter: str) -> tuple[list[str], list[list[str]]]:
        title, *rows = csv.reader(lines[:200], delimiter=delimiter)
        return title, rows

    def fit(delimiter: str) -> tuple[bool, int, float, int]:
        title, rows = cut(delimiter)
        # A sign that no row is cut by belongs to a title: "strength; MPa".
        cuts = len(title) > 1 and (not rows or any(len(r) > 1 for r in rows))
        cells = [cell for row in rows for cell in row]
        numbers = sum(any(Dialect(delimiter, sign, False).number(cell) for sign in ".,") for cell in cells)
        return cuts, sum(len(r) == len(title) for r in rows), numbers / max(1, len(cells)), len(title)

    delimiter = max(";\t,", key=fit)
    single = not fit(delimiter)[0]
    delimiter = NO_DELIMITER if single else delimiter
    cells = [cell for row in cut(delimiter)[1] for cell in row]
    comma = delimiter != "," and any(re.fullmatch(r"\s*[-+]?\d*,\d+([eE][-+]?\d+)?\s*", cell) for cell in cells)
    return Dialect(delimiter, "," if comma else ".", single)


# Occurs in no text: the reader wants a delimiter even where there is one column.
NO_DELIMITER = "\x1f"


def _blank_lines_at_end(path: str) -> int:
    with Path(path).open("rb") as stream:
        stream.seek(max(0, Path(path).stat().st_size - HEAD))
        tail = re.split(rb"\r\n|\n|\r", stream.read())
    return max(0, len(tail) - 2 - max((k for k, line in enumerate(tail) if line), default=0))


def _line(path: str, dialect: Dialect, row: int) -> int | None:
    """Return the line (from 1) on which a row (from 0, below the title) begins; None where it isn't found."""
    return next((line for line, _ in itertools.islice(_records(path, dialect), row + 1, None)), None)


# -- cells -------------------------------------------------------------------------------------------------------------


def _numbers(source: Source, name: str) -> pa.ChunkedArray:
    column = source.table[name]
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    number = pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_decimal(column.type)
    if not number and not pa.types.is_null(column.type):
        row, found = _first_other(column, source.dialect or Dialect(",", ".", False))
        is_text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
        hint = "; for a category, list its values under problem.inputs" if is_text else ""
        raise StudyError(f"{source.place(name, row)}: found {found}, expected a number{hint}")
    column = column.cast(pa.float64(), safe=False)
    if column.null_count:
        row = pc.index(pc.is_null(column), True).as_py()
        raise StudyError(f"{source.place(name, row)}: found no value, expected a number")
    if not pc.all(pc.is_finite(column)).as_py():
        row = pc.index(pc.is_finite(column), False).as_py()
        raise StudyError(f"{source.place(name, row)}: found {column[row].as_py()}, expected a finite number")
    return column


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


def _labels(source: Source, name: str, declared: Mapping[str, Any]) -> pa.ChunkedArray:
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


def unit_of(field: pa.Field) -> str:
    return ((field.metadata or {}).get(b"unit") or b"").decode(errors="replace")


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
