"""The clock of a series: from the times of its rows to the model's own, in one unit, and when its states begin.

Numbers are times as they stand: a model is given what the column says. Dates count from the origin, in days where a
study names no other unit. The origin is when the states' initial values hold: the first row where that is time 0, is a
date, or the model is one of the built-in ones; otherwise a study is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from preimage.data import dates
from preimage.support import digits
from preimage.support.errors import StudyError, did_you_mean

FIRST = "first"
# Seconds in a unit of time; a year is the Julian one of 365.25 days.
SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86_400, "week": 604_800, "year": 31_557_600}
DAY = "d"


@dataclass(frozen=True)
class TimeEntry:
    """What a study says of time: its column, the unit, when the initial values hold, and when the model's t is 0."""

    column: str | None = None
    unit: str = ""
    origin: float | str | None = None
    zero: float | str | None = None

    @classmethod
    def of(cls, entry: Any) -> TimeEntry:
        """Return that of a study's `time`: a mapping, the name of a column, or nothing."""
        return cls(**entry) if isinstance(entry, Mapping) else cls(entry)


@dataclass(frozen=True)
class Clock:
    """How times are told.

    Attributes:
        zero: the time of a row (a timestamp, or a number) that is the model's t = 0.
        unit: of t; "" where no one says.
        seconds: in a unit, where rows have dates; 0 where they have numbers.
        order: how dates are written, as the study says it (see `preimage.data.dates`).
    """

    zero: Any = 0.0
    unit: str = ""
    seconds: float = 0.0
    order: str | None = None

    def t(self, value: Any) -> Any:
        """Return the model's time at a row's time or a column of these."""
        if not self.seconds:
            return value - self.zero if self.zero else value
        since = value - self.zero
        return since / pd.Timedelta(seconds=self.seconds)

    def told(self, value: float | str, where: str) -> float:
        """Return the model's time of what a study says: a number is one, a date is converted."""
        if not isinstance(value, str):
            return float(value)
        return float(self.t(stamp(value, self.order, where))) if self.seconds else number(value, where)


def stamp(value: float | str, order: str | None, where: str) -> pd.Timestamp:
    """Return a date that a study says. Raises StudyError where it is none."""
    return pd.Timestamp(dates.parsed(dates.Cells([str(value)], [where], "fit"), order).iloc[0])


def number(value: float | str, where: str) -> float:
    """Return a number that a study says. Raises StudyError for text."""
    if isinstance(value, str):
        raise StudyError(f"{where}: found '{value}', expected a number, as the column of times has numbers")
    return float(value)


def clock(
    rows: pd.Series, entry: TimeEntry, own: bool, place: tuple[str, str], order: str | None = None
) -> tuple[Clock, float]:
    """Return the clock of a series, and the model's time at which its initial values hold.

    Args:
        rows: their times, ascending: numbers or timestamps.
        own: whether the model is the user's, who has to say when its states begin.
        place: where the times are from, and the name of their column.
        order: how dates are written, as the study says it.

    Raises StudyError where that is not said, or is after the first row.
    """
    where, column = place
    first, dated = rows.iloc[0], pd.api.types.is_datetime64_any_dtype(rows)
    unit = (entry.unit or DAY) if dated else entry.unit
    if dated and unit not in SECONDS:
        raise StudyError(f"time.unit: found '{unit}', expected a unit of time{did_you_mean(unit, SECONDS)}")
    if not dated and own and entry.origin is None and first != 0:
        raise StudyError(_question(where, column, float(first)))

    def told(value: float | str, key: str) -> Any:
        return first if value == FIRST else stamp(value, order, key) if dated else number(value, key)

    origin = told(FIRST if entry.origin is None else entry.origin, "time.origin")
    if origin > first:
        at, begins = said(first), said(origin)
        raise StudyError(f"{where}: found a row at {at}, before the origin, {begins}; expected none: see `time.origin`")
    from_origin = dated or (not own and entry.origin is None)
    zero = told(entry.zero, "time.zero") if entry.zero is not None else origin if from_origin else 0.0
    found = Clock(zero if dated else float(zero), unit, SECONDS[unit] if dated else 0.0, order)
    return found, float(found.t(origin))


def _question(where: str, column: str, first: float) -> str:
    at = digits.plain(first)
    return (
        f"{where}: the first row is at {at}, not at 0: when do the initial values of the states hold? For time 0, set "
        f"`time: {{column: {column}, origin: 0}}`; for the first row, `time: {{column: {column}, origin: {at}}}` (t in "
        "the model is what the column says in both cases)"
    )


def said(time: Any) -> str:
    """Return the time of a row as a person would write it."""
    return dates.said(time) if isinstance(time, pd.Timestamp) else digits.plain(float(time))


def order_of(times: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the order (n,) of rows by time, and of those at one time by their values (n, m): not by their place in the
    file."""
    return np.lexsort([*np.nan_to_num(values, nan=np.inf).T[::-1], times])
