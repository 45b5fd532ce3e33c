"""Noise that the data states: columns of a table that give, row by row, how much a value is uncertain by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from preimage.data import tables
from preimage.data.source import Source
from preimage.support import digits
from preimage.support.errors import StudyError

COLUMN = "column"


def key(column: str) -> str:
    """Return the name of a column's noise among parameters and series, which no other has."""
    return f"noise in column '{column}'"


def each(stated: Any, series: Sequence[str]) -> dict[str, Any]:
    """Return the noise that a fit states by series: one for all of them, or as it is."""
    for_all = not isinstance(stated, Mapping) or (set(stated) == {COLUMN} and COLUMN not in series)
    return dict.fromkeys(series, stated) if for_all else dict(stated)


def columns(stated: Any, series: Sequence[str]) -> dict[str, str]:
    """Return the column of each series whose noise is one."""
    found = each(stated, series) if stated is not None else {}
    return {name: own[COLUMN] for name, own in found.items() if isinstance(own, Mapping)}


def read(source: Source, column: str, of: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the noise in a column (n,); 1 where no series has a value that it would be of.

    Args:
        of: the series whose noise it is (n,), NaN where a cell is empty.

    Raises StudyError for a row with a value and no noise above 0.
    """
    found = tables.numbers(source, column, empty=True).to_numpy()
    for name, values in of.items():
        wrong = np.flatnonzero(~np.isnan(values) & ~((found > 0) & np.isfinite(found)))
        if len(wrong):
            k = int(wrong[0])
            said = "no value" if np.isnan(found[k]) else digits.plain(found[k])
            raise StudyError(
                f"{source.place(column, k)}: found {said}, expected a number above 0, the noise of '{name}'"
            )
    there = np.any([~np.isnan(values) for values in of.values()], axis=0)
    return np.where(there, found, 1.0)
