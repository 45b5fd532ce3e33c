"""Reading one file of a user's, parquet, CSV or a workbook, into Arrow columns, whatever its dialect or its faults."""

from __future__ import annotations

import codecs
import contextlib
import csv
import itertools
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TextIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from preimage.data import measured, sheets, unit_row
from preimage.data.notation import Dialect, Notation, decimal_sign, doubts, is_number, plain, ungrouped
from preimage.support import limits
from preimage.support.errors import StudyError, did_you_mean

# How much of a CSV file its dialect is read from.
HEAD = 65536
# Cells that Arrow's reader takes for empty in a column of numbers: its own, and blanks.
EMPTY = [*pyarrow.csv.ConvertOptions().null_values, *(" " * n for n in range(1, 9))]
ANY = Notation()
# What pandas calls an index without a name.
UNNAMED = re.compile(r"__index_level_\d+__")
# How files of spreadsheet programs begin (a ZIP archive, or the older compound format), and packed ones: gzip, bzip2,
# xz, zstd, which Arrow would unpack by their names, to any size.
OFFICE = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
PACKED = (b"\x1f\x8b", b"BZh", b"\xfd7zX", b"\x28\xb5\x2f\xfd")
# What spreadsheet programs on Windows write where they don't write UTF-8; and characters that no text has.
WINDOWS = "cp1252"
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")
BLANK = ("", " ")
# Characters of a line that Arrow's reader can take: what it reads at a time.
LONGEST = 1 << 20


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
        line = _line(self.path, self.dialect, row) if self.dialect else None
        return f"{self.path}, column '{name}', row {row + 1}{f' (line {line})' if line else ''}"


def read_file(path: str, categories: Collection[str], ignore: Collection[str], notation: Notation = ANY) -> Source:
    """Read a file whole; columns in `categories` stay text, and what `ignore` names may be anything.

    Raises StudyError naming it where it is missing, empty, corrupt, ragged or without titles.
    """
    file = Path(path)
    if file.is_dir():
        raise StudyError(f"{path}: found a directory, expected a parquet or CSV file")
    if not file.exists():
        beside = [p.name for p in file.parent.iterdir() if p.is_file()] if file.parent.is_dir() else []
        raise StudyError(f"{path}: no such file{did_you_mean(file.name, beside) if beside else ''}")
    if not file.is_file():  # a pipe, or a device that has no end
        raise StudyError(f"{path}: expected a parquet or CSV file, found something that is not a regular file")
    try:
        with file.open("rb") as stream:
            magic = stream.read(4)
        if not magic:
            raise StudyError(f"{path}: the file is empty")
        if magic == OFFICE[0] and sheets.is_workbook(path):
            return _checked(_read_workbook(path, categories, notation), ignore)
        if magic in OFFICE:
            raise StudyError(f"{path}: found a spreadsheet or archive, expected parquet or CSV; save the sheet as CSV")
        if magic.startswith(PACKED):
            raise StudyError(f"{path}: found a compressed file, expected parquet or CSV; unpack it")
        limits.check_file(path, kind="table")
        is_parquet = magic == b"PAR1" or file.suffix.lower() in (".parquet", ".pq")
        measured.check(path, is_parquet, [list(categories), list(ignore), notation])
        source = read_any(path, is_parquet, categories, ignore, notation)
        names = source.table.column_names
    except OSError as error:
        raise StudyError(f"{path}: {error.strerror or error}") from None
    except csv.Error as error:
        raise StudyError(f"{path}: not a CSV table ({error})") from None
    except UnicodeDecodeError:
        raise StudyError(f"{path}: found column names that are not UTF-8 text; save the file as UTF-8") from None
    if not is_parquet and _looks_like_data(names):
        raise StudyError(f"{path}, line 1: found numbers ({', '.join(names[:3])}), expected column names")
    return _checked(source, ignore)


def _checked(source: Source, ignore: Collection[str]) -> Source:
    """Return a source that has rows, and columns that can be told apart; raise StudyError for another."""
    path, names = source.path, source.table.column_names
    if repeated := [n for n in names if names.count(n) > 1]:
        raise StudyError(f"{path}: duplicate column '{repeated[0]}' ({names.count(repeated[0])} times)")
    _check_alike([n for n in names if n not in ignore], path)
    if not len(source.table):
        raise StudyError(f"{path}: found no rows")
    return source


def _read_workbook(path: str, categories: Collection[str], notation: Notation) -> Source:
    limits.check_file(path, kind="table")
    table, notes = sheets.read(path, categories, notation)
    return Source(path, table, notes=tuple(notes))


def read_any(
    path: str, is_parquet: bool, categories: Collection[str], ignore: Collection[str], notation: Notation
) -> Source:
    if not is_parquet:
        return _read_csv(path, categories, ignore, notation)
    source = _read_parquet(path, categories, ignore)
    return source._replace(table=without_markers(source.table, notation.missing))


def _check_alike(names: Sequence[str], path: str) -> None:
    """Refuse titles that nobody can tell apart: blanks, or one letter encoded in two ways."""
    seen: dict[str, str] = {}
    for name in names:
        key = unicodedata.normalize("NFC", " ".join(name.split()))
        if seen.setdefault(key, name) != name:
            raise StudyError(f"{path}: columns {seen[key]!r} and {name!r} look the same; rename or `ignore` one")


def _looks_like_data(names: Sequence[str]) -> bool:
    """Whether a CSV's first line is a row, not titles: all numbers, and out of order, as wavelengths never are."""
    if not all(re.fullmatch(rf"\s*({plain('.')}|{plain(',')})\s*", n) for n in names):
        return False
    numbers = [float(n.replace(",", ".")) for n in names]
    steps = [b - a for a, b in itertools.pairwise(numbers)]
    return not (all(s > 0 for s in steps) or all(s < 0 for s in steps))


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


# -- parquet -----------------------------------------------------------------------------------------------------------


def _read_parquet(path: str, categories: Collection[str], ignore: Collection[str]) -> Source:
    try:
        table = pq.ParquetFile(path).read()
    except MemoryError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise StudyError(f"{path}: corrupt or truncated parquet ({_first_line(error)})") from None
    stored, names, categorical = _pandas(table)
    said = [
        f"{path}: '{name}' is the index of a DataFrame and is left out; to make it a column, call reset_index() before "
        "saving; to silence this, list it under `ignore`"
        for name in names
        if name not in ignore
    ]
    said += [
        f"{path}, column '{name}': read a categorical column of numbers as numbers; for a category, list its values "
        "under problem.inputs"
        for name in categorical
        if name not in {*categories, *ignore}
    ]
    kept = [k for k, name in enumerate(table.column_names) if name not in stored and not UNNAMED.fullmatch(name)]
    return Source(path, table.select(kept), notes=tuple(said), row_labels=tuple(names))


def _pandas(table: pa.Table) -> tuple[set[str], list[str], list[str]]:
    """Return what pandas says of a table in its metadata: columns in which it keeps its index, the names of the index
    (which may be a range, in no column), and columns that were categorical."""
    try:
        about = table.schema.pandas_metadata or {}
        index = list(about.get("index_columns") or [])
        categorical = [c["field_name"] for c in about.get("columns") or [] if c["pandas_type"] == "categorical"]
    except (ValueError, TypeError, LookupError, AttributeError):  # not pandas' own, then
        return set(), [], []
    columns = table.column_names
    stored = {n for n in index if isinstance(n, str) and n in columns}
    ranges = [n["name"] for n in index if isinstance(n, dict) and isinstance(n.get("name"), str)]
    names = [n for n in columns if n in stored and not UNNAMED.fullmatch(n)] + [n for n in ranges if n not in columns]
    return stored, names, [n for n in columns if n in categorical and n not in stored]


# -- CSV ---------------------------------------------------------------------------------------------------------------


def _read_csv(path: str, categories: Collection[str], ignore: Collection[str], notation: Notation) -> Source:
    unread = {*categories, *ignore}
    dialect = _dialect(path, unread, notation)
    table = _parse(path, dialect, categories)
    said = [] if dialect.encoding != WINDOWS else [f"{path}: its text is not UTF-8; read as Windows-1252"]
    other = dialect._replace(decimal="." if dialect.decimal == "," else ",")
    # A long file may begin with whole numbers only, or have a remark that looks like a number of the other sign.
    open_sign = not notation.decimal and notation.thousands not in (",", ".")
    if dialect.delimiter != "," and open_sign and _has_number(table, other):
        again = _parse(path, other, categories)
        if _texts(again, ignore) < _texts(table, ignore):
            table, dialect = again, other
    plain_texts: dict[str, pa.ChunkedArray] = {}
    if notation.thousands:
        table, plain_texts = ungrouped(table, dialect, unread)

    def texts(names: list[str]) -> pa.Table:
        return _parse(path, dialect, names, names)

    repeated = len(set(table.column_names)) < len(table.column_names)  # refused later on
    used = table.select([] if repeated else [n for n in table.column_names if n not in unread])
    found = doubts(used, dialect, texts, _has_hexadecimal(path), plain_texts)
    said += _said_of_units(path, table, dialect, ignore)
    return Source(path, _with_units(table, dialect), dialect, None, found, tuple(said))


def _with_units(table: pa.Table, dialect: Dialect) -> pa.Table:
    if not any(dialect.units):
        return table
    fields = [f.with_metadata({"unit": u}) if u else f for f, u in zip(table.schema, dialect.units, strict=True)]
    return table.cast(pa.schema(fields))


def _said_of_units(path: str, table: pa.Table, dialect: Dialect, ignore: Collection[str]) -> tuple[str, ...]:
    if not dialect.skipped:
        return ()
    pairs = zip(table.column_names, dialect.units, strict=True)
    units = ", ".join(f"{n} in {u}" for n, u in pairs if u and n not in ignore)
    return (f"{path}: read the row below the header as units ({units or 'none'}), not as data",)


def _has_hexadecimal(path: str) -> bool:
    """Whether "0x" is anywhere in a file."""
    last = b""
    with Path(path).open("rb") as stream:
        while block := stream.read(1 << 20):
            if re.search(rb"0[xX]", last + block):
                return True
            last = block[-1:]
    return False


def _texts(table: pa.Table, ignore: Collection[str]) -> int:
    return sum(pa.types.is_string(f.type) for f in table.schema if f.name not in ignore)


def _has_number(table: pa.Table, dialect: Dialect) -> bool:
    """Return whether a text column has a cell with the dialect's decimal sign that would be a number."""
    pattern = rf"^\s*[-+]?\d*{re.escape(dialect.decimal)}\d+([eE][-+]?\d+)?\s*$"
    texts = [column for column in table.columns if pa.types.is_string(column.type)]
    return any(pc.any(pc.match_substring_regex(column, pattern)).as_py() for column in texts)


def _parse(path: str, dialect: Dialect, categories: Collection[str], only: Sequence[str] = ()) -> pa.Table:
    """Return the columns of a file, or `only` some; those in `categories` as text."""
    try:
        table = pyarrow.csv.read_csv(
            path,
            pyarrow.csv.ReadOptions(
                skip_rows_after_names=dialect.skipped,
                encoding="utf8" if dialect.encoding != WINDOWS else WINDOWS,
            ),
            pyarrow.csv.ParseOptions(delimiter=dialect.delimiter, ignore_empty_lines=not dialect.single),
            pyarrow.csv.ConvertOptions(
                decimal_point=dialect.decimal,
                check_utf8=True,
                null_values=[*EMPTY, *(f"{a}{m}{b}" for m in dialect.said.missing for a in BLANK for b in BLANK)],
                true_values=[],
                false_values=[],
                column_types=dict.fromkeys(categories, pa.string()),  # 007 is not 7
                include_columns=only,
            ),
        )
    except pa.ArrowInvalid as error:
        records = _records(path, dialect)
        _, title = next(records, (1, []))
        for line, record in records:
            if len(record) != len(title):
                raise StudyError(f"{path}, line {line}: found {len(record)} cells, expected {len(title)}") from None
        raise StudyError(f"{path}: not a CSV table ({_first_line(error)})") from None
    table = table.slice(0, len(table) - _blank_lines_at_end(path)) if dialect.single else table
    return without_markers(table, dialect.said.missing)


def without_markers(table: pa.Table, missing: Collection[str]) -> pa.Table:
    """Return a table in which texts that mean an empty cell are null."""
    for k, field in enumerate(table.schema if missing else ()):
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
            marked = pc.is_in(pc.utf8_trim_whitespace(table.column(k)), pa.array(missing, field.type))
            table = table.set_column(k, field, pc.if_else(marked, pa.scalar(None, field.type), table.column(k)))
    return table


def _records(path: str, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """Yield the line (from 1) on which each record begins, and its cells; ends early where Python can't follow.

    Slow, for files that are known to be bad: Arrow numbers neither lines nor, on several threads, rows.
    """
    with Path(path).open(encoding=dialect.encoding, errors="replace", newline="") as stream:
        reader = csv.reader(_lines(stream, path), delimiter=dialect.delimiter)
        begins = 1
        with contextlib.suppress(csv.Error):
            for record in reader:
                if record or dialect.single:
                    yield begins, record or [""]
                begins = reader.line_num + 1


def _lines(stream: TextIO, path: str) -> Iterator[str]:
    """Yield lines. Raises StudyError at one that is longer than Arrow's reader can take, of which the rest is not
    read: it may be all of a large file."""
    for number in itertools.count(1):
        line = stream.readline(LONGEST + 1)
        if len(line) > LONGEST:
            raise StudyError(
                f"{path}, line {number}: longer than {LONGEST} characters, expected the cells of one row; check the "
                "line ends, or save the table as parquet"
            )
        if not line:
            return
        yield line


def _dialect(path: str, unread: Collection[str], notation: Notation) -> Dialect:
    """Return how a file is written, from its head: the delimiter that cuts most rows like the title, and the signs in
    the cells of columns that are not `unread`."""
    with Path(path).open("rb") as stream:
        head = stream.read(HEAD)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise StudyError(f"{path}: found UTF-16 text, expected UTF-8")
    encoding = _encoding(path)
    lines = [line for line in re.split(r"\r\n|\n|\r", head.decode(encoding, errors="replace")) if line]
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
        numbers = sum(map(is_number, cells))
        return cuts, sum(len(r) == len(title) for r in rows), numbers / max(1, len(cells)), len(title)

    delimiter = max(";\t,", key=fit)
    single = not fit(delimiter)[0]
    delimiter = NO_DELIMITER if single else delimiter
    title, all_rows = cut(delimiter)
    rows = [row for row in all_rows if len(row) == len(title)]
    used = [j for j, name in enumerate(title) if name not in unread]
    units = unit_row.found(rows, used, notation.unit_row) if rows[:1] == all_rows[:1] else ()
    rows = rows[1:] if units else rows
    sign = decimal_sign([row[j] for row in rows for j in used], delimiter, notation)
    skipped = _lines_to_skip(path, delimiter, single, encoding) if units else 0
    return Dialect(delimiter, sign, single, units if skipped else (), skipped, notation, encoding)


def _encoding(path: str) -> str:
    """Return the encoding of a file's text: UTF-8, or Windows-1252 where that has a meaning for every byte."""
    utf8, windows = codecs.getincrementaldecoder("utf-8")(), codecs.getincrementaldecoder(WINDOWS)()
    with Path(path).open("rb") as stream:
        try:
            while block := stream.read(1 << 20):
                utf8.decode(block)
            utf8.decode(b"", final=True)
            return "utf-8-sig"
        except UnicodeDecodeError:
            stream.seek(0)
        try:
            while block := stream.read(1 << 20):
                if CONTROL.search(windows.decode(block)):
                    return "utf-8-sig"  # no text of any kind
        except UnicodeDecodeError:
            return "utf-8-sig"
    return WINDOWS


def _lines_to_skip(path: str, delimiter: str, single: bool, encoding: str) -> int:
    """Return the lines from the title's last to that of the units, blank ones between them too."""
    with Path(path).open(encoding=encoding, errors="replace", newline="") as stream:
        reader = csv.reader(_lines(stream, path), delimiter=delimiter)
        next(record for record in reader if record)
        title = reader.line_num
        next(record for record in reader if record or single)
        return reader.line_num - title


# Occurs in no text: the reader wants a delimiter even where there is one column.
NO_DELIMITER = "\x1f"


def _blank_lines_at_end(path: str) -> int:
    with Path(path).open("rb") as stream:
        stream.seek(max(0, Path(path).stat().st_size - HEAD))
        tail = re.split(rb"\r\n|\n|\r", stream.read())
    return max(0, len(tail) - 2 - max((k for k, line in enumerate(tail) if line), default=0))


def _line(path: str, dialect: Dialect, row: int) -> int | None:
    """Return the line (from 1) on which a row (from 0, below title and units) begins; None where it isn't found."""
    above = 2 if dialect.skipped else 1
    return next((line for line, _ in itertools.islice(_records(path, dialect), row + above, None)), None)
