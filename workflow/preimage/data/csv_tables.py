"""Reading a CSV file into Arrow columns."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from preimage.data.dialects import WINDOWS, blank_lines_at_end, dialect_of, records
from preimage.data.notation import Dialect, Notation, doubts, ungrouped
from preimage.data.source import Source, first_line
from preimage.support.errors import StudyError

# Cells that Arrow's reader takes for empty in a column of numbers: its own, and blanks.
EMPTY = [*pyarrow.csv.ConvertOptions().null_values, *(" " * n for n in range(1, 9))]
BLANK = ("", " ")


def read(path: str, categories: Collection[str], ignore: Collection[str], notation: Notation) -> Source:
    unread = {*categories, *ignore}
    dialect = dialect_of(path, unread, notation)
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
        found = records(path, dialect)
        _, title = next(found, (1, []))
        for line, record in found:
            if len(record) != len(title):
                raise StudyError(f"{path}, line {line}: found {len(record)} cells, expected {len(title)}") from None
        raise StudyError(f"{path}: not a CSV table ({first_line(error)})") from None
    table = table.slice(0, len(table) - blank_lines_at_end(path)) if dialect.single else table
    return without_markers(table, dialect.said.missing)


def without_markers(table: pa.Table, missing: Collection[str]) -> pa.Table:
    """Return a table in which texts that mean an empty cell are null."""
    for k, field in enumerate(table.schema if missing else ()):
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
            marked = pc.is_in(pc.utf8_trim_whitespace(table.column(k)), pa.array(missing, field.type))
            table = table.set_column(k, field, pc.if_else(marked, pa.scalar(None, field.type), table.column(k)))
    return table
