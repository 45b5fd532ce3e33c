"""How a CSV file is written: its encoding, delimiter, decimal sign and units; and on which lines its records begin."""

from __future__ import annotations

import codecs
import contextlib
import csv
import itertools
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TextIO

from preimage.data import unit_row
from preimage.data.notation import Dialect, Notation, decimal_sign, is_number
from preimage.support.errors import StudyError

# How much of a CSV file its dialect is read from.
HEAD = 65536
# What spreadsheet programs on Windows write where they don't write UTF-8; and characters that no text has.
WINDOWS = "cp1252"
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")
# Characters of a line that Arrow's reader can take: what it reads at a time.
LONGEST = 1 << 20
# Occurs in no text: the reader wants a delimiter even where there is one column.
NO_DELIMITER = "\x1f"


def dialect_of(path: str, unread: Collection[str], notation: Notation) -> Dialect:
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


def records(path: str, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
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


def blank_lines_at_end(path: str) -> int:
    with Path(path).open("rb") as stream:
        stream.seek(max(0, Path(path).stat().st_size - HEAD))
        tail = re.split(rb"\r\n|\n|\r", stream.read())
    return max(0, len(tail) - 2 - max((k for k, line in enumerate(tail) if line), default=0))


def line_of(path: str, dialect: Dialect, row: int) -> int | None:
    """Return the line (from 1) on which a row (from 0, below title and units) begins; None where it isn't found."""
    above = 2 if dialect.skipped else 1
    return next((line for line, _ in itertools.islice(records(path, dialect), row + above, None)), None)
