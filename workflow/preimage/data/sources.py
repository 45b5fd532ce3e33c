"""Reading one file of a user's, parquet, CSV or a workbook, into Arrow columns, whatever its dialect or its faults."""

from __future__ import annotations

import csv
import itertools
import re
import unicodedata
from collections.abc import Collection, Sequence
from pathlib import Path

from preimage.data import csv_tables, measured, parquet_tables, sheets
from preimage.data.notation import Notation, plain
from preimage.data.source import Source
from preimage.support import limits
from preimage.support.errors import StudyError, did_you_mean

ANY = Notation()
# How files of spreadsheet programs begin (a ZIP archive, or the older compound format), and packed ones: gzip, bzip2,
# xz, zstd, which Arrow would unpack by their names, to any size.
OFFICE = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
PACKED = (b"\x1f\x8b", b"BZh", b"\xfd7zX", b"\x28\xb5\x2f\xfd")


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
        return csv_tables.read(path, categories, ignore, notation)
    source = parquet_tables.read(path, categories, ignore)
    return source._replace(table=csv_tables.without_markers(source.table, notation.missing))


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
