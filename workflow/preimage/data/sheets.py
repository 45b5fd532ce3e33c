"""Workbooks of spreadsheet programs (.xlsx): the first sheet read as columns, and a table written as one sheet."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from preimage.data import unit_row
from preimage.data.notation import Notation
from preimage.support import limits
from preimage.support.errors import StudyError

NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*")
# What says when a workbook was written, which would make each one different.
PROPERTIES = "docProps/core.xml"
WRITTEN = (1980, 1, 1, 0, 0, 0)
WIDEST = 40


def is_workbook(path: str | Path) -> bool:
    """Return whether a file is a workbook, whatever its name."""
    try:
        with zipfile.ZipFile(path) as opened:
            return "xl/workbook.xml" in opened.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        return False


def read(path: str, categories: Collection[str], notation: Notation) -> tuple[pa.Table, list[str]]:
    """Return the first sheet as a table, and what a user should know of it.

    A column is numbers where all its cells are, and text else, as are those in `categories`. A row of units below the
    names is found as in a CSV file. Raises StudyError for a damaged workbook, and for columns without a name.
    """
    from openpyxl import load_workbook  # type: ignore[import-untyped]

    with limits.archive(Path(path)):
        pass  # what it would unpack to fits
    try:
        book = load_workbook(path, read_only=True, data_only=True)
        sheet = book.worksheets[0]
        sheet.reset_dimensions()
        rows = [list(row) for row in sheet.iter_rows(values_only=True)]
        others = [s.title for s in book.worksheets[1:]]
        book.close()
    except Exception as error:  # whatever a damaged document makes its readers raise
        raise StudyError(
            f"{path}: corrupt workbook ({str(error).splitlines()[0] if str(error) else error!r})"
        ) from None
    while rows and all(_blank(cell) for cell in rows[-1]):
        rows.pop()
    if not rows:
        raise StudyError(f"{path}: the sheet '{sheet.title}' is empty")
    width = max(k + 1 for row in rows for k, cell in enumerate(row) if not _blank(cell))
    cells = [[*row, *[None] * width][:width] for row in rows]
    names = ["" if _blank(name) else _text(name) for name in cells[0]]
    if "" in names:
        raise StudyError(f"{path}: column {names.index('') + 1} of sheet '{sheet.title}' has no name in its first row")
    body = [[None if _blank(cell) or _text(cell) in notation.missing else cell for cell in row] for row in cells[1:]]
    used = [k for k, name in enumerate(names) if name not in categories]
    units = unit_row.found([["" if c is None else _text(c) for c in row] for row in body], used, notation.unit_row)
    body = body[1:] if units else body
    arrays = [_column([row[k] for row in body], name in categories) for k, name in enumerate(names)]
    fields = [
        pa.field(name, array.type, metadata={"unit": unit} if unit else None)
        for name, array, unit in zip(names, arrays, units or [""] * width, strict=True)
    ]
    said = [f"{path}: read the sheet '{sheet.title}'; left out {', '.join(map(repr, others))}"] if others else []
    if units:
        stated = ", ".join(f"{name} in {unit}" for name, unit in zip(names, units, strict=True) if unit)
        said.append(f"{path}: read the row below the header as units ({stated or 'none'}), not as data")
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields)), said


def _column(values: list[Any], category: bool) -> pa.Array:
    if category or not all(value is None or _is_number(value) for value in values):
        return pa.array([None if value is None else _text(value) for value in values], pa.string())
    return pa.array([None if value is None else float(value) for value in values], pa.float64())


def _blank(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        return NUMBER.fullmatch(value) is not None
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: Any) -> str:
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value)) if whole else str(value)


def write(path: str | Path, frame: pd.DataFrame, title: str, marked: Collection[str] = ()) -> None:
    """Write a table as a workbook of one sheet; columns to be filled in are marked. Equal tables make equal bytes."""
    from openpyxl import Workbook
    from openpyxl.styles import Font, PatternFill  # type: ignore[import-untyped]

    book = Workbook()
    sheet = book.active
    sheet.title, sheet.freeze_panes = title, "A2"
    fill = PatternFill("solid", fgColor="FFF2CC")
    for k, name in enumerate(frame.columns, start=1):
        cells = [sheet.cell(row, k) for row in range(1, len(frame) + 2)]
        for cell, value in zip(cells, [name, *frame[name]], strict=True):
            if not pd.isna(value):
                cell.value = value if isinstance(value, str) else float(value)
            if isinstance(value, str):
                cell.data_type = "s"  # never a formula
            if name in marked:
                cell.fill = fill
        cells[0].font = Font(bold=True)
        longest = max(len(str(v)) for v in [name, *frame[name].dropna()])
        sheet.column_dimensions[cells[0].column_letter].width = min(WIDEST, longest + 2)
    book.save(path)
    _without_times(Path(path))


def _without_times(path: Path) -> None:
    with zipfile.ZipFile(path) as opened:
        parts = [(part.filename, opened.read(part)) for part in opened.infolist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in parts:
            if name == PROPERTIES:
                content = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"1980-01-01T00:00:00Z", content)
            opened.writestr(zipfile.ZipInfo(name, WRITTEN), content, zipfile.ZIP_DEFLATED)
