"""Reading one file of a user's, parquet or CSV, into Arrow columns, whatever its dialect or its faults."""

from __future__ import annotations

import contextlib
import csv
import itertools
import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from preimage.errors import StudyError, did_you_mean

# How much of a CSV file its dialect is read from.
HEAD = 65536
# Cells that Arrow's reader takes for empty in a column of numbers: its own, and blanks.
EMPTY = [*pyarrow.csv.ConvertOptions().null_values, *(" " * n for n in range(1, 9))]
# How files of spreadsheet programs begin: a ZIP archive, or the older compound format.
OFFICE = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
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
    """A file that was read; `dialect` is None for parquet. `kept`: where some rows were left out, the others'
    positions in the file."""

    path: str
    table: pa.Table
    dialect: Dialect | None = None
    kept: Sequence[int] | None = None

    def select(self, names: Sequence[str]) -> Source:
        return self._replace(table=self.table.select(names))

    def place(self, name: str, row: int) -> str:
        """Say where the cell of a column at a row (from 0) is."""
        row = row if self.kept is None else int(self.kept[row])
        line = _line(self.path, self.dialect, row) if self.dialect else None
        return f"{self.path}, column '{name}', row {row + 1}{f' (line {line})' if line else ''}"


def read_file(path: str, categories: Collection[str], ignore: Collection[str]) -> Source:
    """Read a file whole. Raises StudyError naming it where it is missing, empty, corrupt, ragged or without titles."""
    file = Path(path)
    if file.is_dir():
        raise StudyError(f"{path}: found a directory, expected a parquet or CSV file")
    if not file.exists():
        beside = [p.name for p in file.parent.iterdir() if p.is_file()] if file.parent.is_dir() else []
        raise StudyError(f"{path}: no such file{did_you_mean(file.name, beside) if beside else ''}")
    if not file.is_file():  # a pipe, or a device that has no end
        raise StudyError(f"{path}: found no regular file, expected a parquet or CSV file")
    try:
        with file.open("rb") as stream:
            magic = stream.read(4)
        if not magic:
            raise StudyError(f"{path}: the file is empty")
        if magic in OFFICE:
            raise StudyError(f"{path}: found a spreadsheet or archive, expected parquet or CSV; save the sheet as CSV")
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
                null_values=EMPTY,
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
