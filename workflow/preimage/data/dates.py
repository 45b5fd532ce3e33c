"""Dates and times of day as people write them: one format for a whole column, found from all of its cells.

Where all cells allow several orders of day and month, the column is refused with the key that settles it (`dates`); a
cell alone never decides. Times with an offset from UTC become UTC.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from preimage.data.source import Source
from preimage.support.errors import StudyError

# What stands first, second and third, by what a study calls it.
ORDERS: Mapping[str, str] = {"day_first": "dmy", "month_first": "mdy", "year_first": "ymd"}
MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
TIME = (
    r"(?:[T ,]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}(?:[.,]\d+)?))?\s*(?P<half>[AaPp][Mm])?)?"
    r"\s*(?P<zone>Z|UTC|[+-]\d{2}:?\d{2})?"
)
NUMBERS = r"(?P<first>\d{1,4})(?P<mark>[./-])(?P<middle>\d{1,2})[./-](?P<last>\d{1,4})"
WORDS = r"(?P<day>\d{1,2})\.?[ -]+(?P<month>[A-Za-z]{3,9})\.?[ ,-]+(?P<year>\d{4}|\d{2})"
AMERICAN = r"(?P<month>[A-Za-z]{3,9})\.?[ -]+(?P<day>\d{1,2}),?[ -]+(?P<year>\d{4}|\d{2})"
EXPECTED = "expected a date or a number"


class Cells:
    """The texts of a column, and where they are in its file."""

    def __init__(self, texts: Sequence[str], places: Sequence[str], key: str) -> None:
        self.texts = pd.Series([t.strip() for t in texts], dtype="str")
        self.places, self.key = places, key

    def matched(self, pattern: str) -> pd.DataFrame | None:
        """Return the parts of every cell; None where the first cell is of another pattern. Raises StudyError naming
        the first of the others that is."""
        if not re.fullmatch(pattern + TIME, self.texts.iloc[0]):
            return None
        parts = self.texts.str.extract(f"^{pattern}{TIME}$")
        names = [name for name in ("first", "day", "month") if name in parts]
        self.refuse(parts[names[0]].isna())
        for same in ("zone", "half", "mark"):
            if same in parts:
                self.refuse(parts[same].isna() != pd.isna(parts[same].iloc[0]))
        if "mark" in parts:
            self.refuse(parts["mark"] != parts["mark"].iloc[0])
        return parts

    def refuse(self, bad: pd.Series, expected: str = "") -> None:
        """Raise StudyError for the first cell that is bad."""
        if bad.any():
            k = int(np.flatnonzero(bad)[0])
            like = "" if k == 0 else f" like the first one, '{self.texts.iloc[0]}'"
            what = expected or (f"expected a date{like}" if k else EXPECTED)
            raise StudyError(f"{self.places[k]}: found '{self.texts.iloc[k][:60]}', {what}")


def column(source: Source, name: str, order: str | None, key: str = "fit") -> pd.Series:
    """Return a column of dates as timestamps.

    Args:
        order: what comes first, as a study says it (see `ORDERS`); None where it doesn't.
        key: where the study may say it.

    Raises StudyError for cells that are no dates, of several formats, or of a format that can be read in two ways.
    """
    values = source.table[name]
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if values.null_count:
        row = int(np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False))[0])
        raise StudyError(f"{source.place(name, row)}: found no value, {EXPECTED}")
    if pa.types.is_timestamp(values.type) or pa.types.is_date(values.type):
        stamps = pd.Series(values.to_pandas(date_as_object=False))
        return _utc(stamps).astype("datetime64[us]")
    if pa.types.is_time(values.type):
        raise StudyError(
            f"{source.place(name, 0)}: found {values[0].as_py():%H:%M:%S}, a time without its date; expected both, or "
            "a number"
        )
    if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        raise StudyError(f"{source.place(name, 0)}: found '{values[0].as_py()}', {EXPECTED}")
    places = _Places(source, name)
    return parsed(Cells(values.to_pylist(), places, key), order)


class _Places(Sequence[str]):
    """Where each cell of a column is, worked out for those that are named."""

    def __init__(self, source: Source, name: str) -> None:
        self.source, self.name = source, name

    def __len__(self) -> int:
        return len(self.source.table)

    def __getitem__(self, row: int) -> str:  # type: ignore[override]
        return self.source.place(self.name, row)


def parsed(cells: Cells, order: str | None) -> pd.Series:
    """Return the timestamps of texts that are dates of one format."""
    for pattern in (WORDS, AMERICAN):
        if (parts := cells.matched(pattern)) is not None:
            months = {name[:n]: str(k + 1) for k, name in enumerate(MONTHS) for n in (3, 4, len(name))}
            month = parts["month"].str.lower().map(months)
            cells.refuse(month.isna())
            return _at(cells, _days(parts["year"], month, parts["day"]), parts)
    parts = cells.matched(NUMBERS)
    if parts is None:
        cells.refuse(pd.Series([True]))
    assert parts is not None
    found = {name: _ordered(parts, name) for name in _possible(cells, parts, order)}
    right = {name: days for name, days in found.items() if not days.isna().any()}
    if not right:  # the order that holds longest is the column's
        name, days = max(found.items(), key=lambda item: int(item[1].isna().to_numpy().argmax()))
        like = f", as in '{cells.texts.iloc[0]}'" if not pd.isna(days.iloc[0]) else ""
        cells.refuse(days.isna(), f"expected a day of the calendar, the {name.split('_')[0]} first{like}")
    first, *others = right.items()
    for name, days in others:
        if (other := days != first[1]).any():
            k = int(np.flatnonzero(other)[0])
            one, two = (f"{d.iloc[k]:%-d %B %Y}" for d in (first[1], days))
            raise StudyError(
                f"{cells.places[k]}: found '{cells.texts.iloc[k]}', which is {one} or {two}, as every cell of the "
                f"column allows both: set `dates: {first[0]}` or `dates: {name}` under {cells.key}"
            )
    return _at(cells, first[1], parts)


def _possible(cells: Cells, parts: pd.DataFrame, order: str | None) -> list[str]:
    """Return the orders that the number of digits allows. Raises StudyError where rows differ in it."""
    for end in ("first", "last"):
        cells.refuse((parts[end].str.len() > 2) != (len(parts[end].iloc[0]) > 2))
    if len(parts["first"].iloc[0]) > 2:
        return ["year_first"]
    if order and (order != "year_first" or len(parts["last"].iloc[0]) < 3):
        return [order]
    return ["day_first", "month_first"] if len(parts["last"].iloc[0]) > 2 else list(ORDERS)


def _ordered(parts: pd.DataFrame, order: str) -> pd.Series:
    """Return the days in an order; NaT where there is no such day."""
    named = dict(zip(ORDERS[order], ("first", "middle", "last"), strict=True))
    return _days(*(parts[named[k]] for k in "ymd"))


def _days(year: pd.Series, month: pd.Series, day: pd.Series) -> pd.Series:
    """Return days; of years in two digits, those from 69 on are of the last century, as POSIX has it."""
    years = year.astype(int)
    years = years.where(year.str.len() > 2, np.where(years < 69, 2000, 1900) + years)
    text = years.astype(str).str.zfill(4) + "-" + month.str.zfill(2) + "-" + day.str.zfill(2)
    return pd.to_datetime(text, format="%Y-%m-%d", errors="coerce").astype("datetime64[us]")


def _at(cells: Cells, days: pd.Series, parts: pd.DataFrame) -> pd.Series:
    """Return timestamps of days and the times of day beside them, midnight where a cell has none."""
    cells.refuse(days.isna())
    hour, minute = (parts[name].fillna("0").astype(int) for name in ("hour", "minute"))
    second = parts["second"].fillna("0").str.replace(",", ".").astype(float)
    half = parts["half"].str.lower()
    cells.refuse((hour > 23) | (minute > 59) | (second >= 60) | (half.notna() & ((hour < 1) | (hour > 12))))
    hour = hour.where(half.isna(), hour % 12 + 12 * (half == "pm"))
    micro = (3600 * hour + 60 * minute) * 1_000_000 + np.rint(second * 1e6).astype(int)
    return days + pd.to_timedelta(micro - _offset(parts["zone"]), unit="us")


def _offset(zone: pd.Series) -> pd.Series:
    """Return how many microseconds clocks are ahead of UTC."""
    digits = zone.fillna("Z").str.extract(r"(?P<sign>[+-])(?P<hour>\d{2}):?(?P<minute>\d{2})")
    minutes = 60 * digits["hour"].fillna("0").astype(int) + digits["minute"].fillna("0").astype(int)
    return minutes * 60_000_000 * np.where(digits["sign"] == "-", -1, 1)


def _utc(stamps: pd.Series) -> pd.Series:
    """Return timestamps without their zone, in UTC."""
    return stamps.dt.tz_convert("UTC").dt.tz_localize(None) if stamps.dt.tz is not None else stamps


def said(stamp: pd.Timestamp) -> str:
    """Return a timestamp as short as it can be written."""
    if stamp == stamp.normalize():
        return f"{stamp:%Y-%m-%d}"
    if stamp.microsecond:
        return f"{stamp:%Y-%m-%d %H:%M:%S.%f}".rstrip("0")
    return f"{stamp:%Y-%m-%d %H:%M:%S}" if stamp.second else f"{stamp:%Y-%m-%d %H:%M}"
