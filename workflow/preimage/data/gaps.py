"""Rows with empty cells: left out where the study says `incomplete: leave_out`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from preimage.data.source import Source
from preimage.support.errors import StudyError

# Row numbers that one sentence shows at most.
SHOWN_ROWS = 10
HINT = "`incomplete: leave_out` under problem.table drops such rows"


def found(parts: Sequence[Source]) -> list[int]:
    """Return the numbers in the file, from 1, of the rows that have an empty cell (null, NaN or blank text) in any of
    the files, which lie side by side."""
    empty = np.zeros(len(parts[0].table), bool)
    for part in parts:
        for column in part.table.columns:
            empty |= empty_cells(column)
    return [int(r) + 1 for r in _places(parts[0])[empty]]


def without(parts: Sequence[Source], rows: Sequence[int]) -> list[Source]:
    """Return the files without these rows. Raises StudyError where none is left."""
    places = _places(parts[0])
    kept = np.flatnonzero(~np.isin(places + 1, np.asarray(rows, dtype=int)))
    if not len(kept):
        raise StudyError(f"{parts[0].path}: every row has empty cells")
    return (
        [part._replace(table=part.table.take(kept), kept=places[kept].tolist()) for part in parts]
        if rows
        else list(parts)
    )


def _places(part: Source) -> np.ndarray:
    """Return where rows are in the file, from 0."""
    return np.arange(len(part.table)) if part.kept is None else np.asarray(part.kept, int)


def empty_cells(column: pa.ChunkedArray) -> np.ndarray:
    """Return which cells of a column are empty (n,)."""
    missing = pc.is_null(column, nan_is_null=True)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        missing = pc.or_(missing, pc.equal(pc.utf8_trim_whitespace(pc.fill_null(column, "")), ""))
    return missing.to_numpy(zero_copy_only=False)


def described(rows: Sequence[int]) -> str:
    """Say how many rows have empty cells, and which."""
    shown = ", ".join(map(str, rows[:SHOWN_ROWS])) + (", ..." if len(rows) > SHOWN_ROWS else "")
    return f"{counted(len(rows))} with empty cells (row {shown})"


def counted(n: int) -> str:
    return f"{n} row{'s' if n > 1 else ''}"
