"""The files of series to fit, as tables of times and values: a long one (a row a time), or the wide files of Johns
Hopkins University (a row a province, a column a date)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from preimage.core.dynamics import Curve, Model
from preimage.data import clock, conditions, counts, dates, gaps, stated_noise, tables
from preimage.data.clock import TimeEntry
from preimage.data.notation import Notation
from preimage.data.source import Source
from preimage.data.sources import read_file
from preimage.support.errors import StudyError, did_you_mean

COUNTRY_COLUMNS = ("Country_Region", "Country/Region", "country")
PROVINCE_COLUMNS = ("Province_State", "Province/State")
TIMES = ("Date", "date", "time", "day", "year")
A_DATE = r"\d{1,2}/\d{1,2}/\d{2,4}|\d{4}-\d{2}-\d{2}"
A_DAY = pd.Timedelta(days=1)


class Read(NamedTuple):
    """Rows that were read.

    Attributes:
        frame: column `time`, one a series, of a fit with conditions `condition`, and one a column of noise.
        notes: what was done to them, one sentence each.
        places: where each series is from, for messages.
        time: where the times are from, and the name of their column, "" where they are no column.
    """

    frame: pd.DataFrame
    notes: list[str]
    places: dict[str, str]
    time: tuple[str, str] = ("", "")


def long(spec: Mapping[str, Any], model: Model) -> Read:
    """Read a table with a row a time; of several countries, the one that the study names."""
    path = spec["data"]
    source = read_file(path, [], [], Notation.of(spec, "fit"))
    names = source.table.column_names
    given = spec.get("columns") or {}
    for name in given:
        if name not in model.observed:
            raise StudyError(f"columns.{name}: the model has no such series{did_you_mean(name, model.observed)}")
    columns = {name: given.get(name, dict(model.columns).get(name, name)) for name in model.observed}
    at = list(getattr(model, "at", ()))
    asked = TimeEntry.of(spec.get("time")).column
    source.check_index([*columns.values(), *at, *COUNTRY_COLUMNS, *TIMES, asked or ""])
    noise = stated_noise.columns(spec.get("noise"), counts.used(spec, model))
    for column in [*columns.values(), *at, *noise.values()]:
        _need(path, column, names)
    source, rows = _of_country(source, spec, next((c for c in COUNTRY_COLUMNS if c in names), None))
    time = asked or next((c for c in TIMES if c in names), None)
    needed = [*columns.values(), *at, *([time] if time in names else [])]
    source, rows, notes = _complete(source, rows, list(dict.fromkeys(needed)), spec.get("incomplete"))
    numbers = {name: tables.numbers(source, column, empty=True).to_numpy() for name, column in columns.items()}
    numbers |= {name: tables.numbers(source, name).to_numpy() for name in at}
    for column in dict.fromkeys(noise.values()):
        of = {name: numbers[name] for name in noise if noise[name] == column and name in numbers}
        numbers[stated_noise.key(column)] = stated_noise.read(source, column, of)
    places = {name: f"{path}, column '{column}'" for name, column in columns.items()}
    if spec.get("conditions"):
        _need(path, conditions.COLUMN, names)
        numbers[conditions.COLUMN] = np.array(conditions.labels(source, conditions.COLUMN), object)
    elif conditions.COLUMN in names and conditions.COLUMN not in numbers:
        notes = [*notes, *_as_one(source)]
    if isinstance(model, Curve):
        frame = pd.DataFrame({"time": np.arange(len(rows), dtype=float), **numbers})
        return Read(frame, [*source.notes, *notes], places)
    if time is None:
        raise StudyError(f"{path}: no column of times; name one with 'time' (valid: {', '.join(names)})")
    _need(path, time, names)
    frame = pd.DataFrame({"time": _times(source, time, spec.get("dates")), **numbers})
    where = f"{path}, column '{time}'"
    frame, more = _in_order(frame, list(columns), rows, where, spec.get("daily", model.daily))
    return Read(frame, [*source.notes, *notes, *more], places, (where, time))


def _complete(
    source: Source, rows: np.ndarray, columns: Sequence[str], incomplete: str | None
) -> tuple[Source, np.ndarray, list[str]]:
    """Return a file without the rows that have an empty cell in these columns, as the study says, the numbers of those
    left, and a note on it. Raises StudyError where the study refuses such rows, and where none is left."""
    part = source._replace(table=source.table.select(columns))
    empty = gaps.found([part]) if incomplete else []
    if not empty:
        return source, rows, []
    if incomplete == "refuse":
        raise StudyError(f"{source.path}: {gaps.described(empty)}; complete them, or `incomplete: leave_out` under fit")
    (kept,) = gaps.without([source], empty)
    return kept, rows[~np.isin(rows, empty)], [f"{gaps.described(empty)}, left out"]


def _as_one(source: Source) -> list[str]:
    """Return what is to be said of rows of several conditions that are fitted as one experiment."""
    found = {str(v) for v in source.table[conditions.COLUMN].to_pylist()}
    if len(found) < 2:
        return []
    return [
        f"{counted(len(found), 'condition')} in the column '{conditions.COLUMN}' of {source.path} are fitted as one "
        "experiment; to tell them apart, name their table with `conditions`"
    ]


def _need(path: str, column: str, names: Sequence[str]) -> None:
    if column not in names:
        raise StudyError(f"{path}: no column '{column}'{did_you_mean(column, names)}")


def _of_country(source: Source, spec: Mapping[str, Any], column: str | None) -> tuple[Source, np.ndarray]:
    """Return the rows of the study's country, and their numbers from 1; needed only where there are several."""
    rows = np.arange(1, len(source.table) + 1)
    wanted = spec.get("country")
    if column is None:
        if wanted is not None:
            raise StudyError(
                f"{source.path}: found no column of countries ({', '.join(COUNTRY_COLUMNS)}) for '{wanted}'"
            )
        return source, rows
    mine = _chosen(source, column, wanted)
    return _only(source, mine), rows[mine]


def _only(source: Source, rows: np.ndarray) -> Source:
    """Return some rows of a file, which keep their place in it."""
    return source._replace(table=source.table.filter(rows), kept=np.flatnonzero(rows).tolist())


def _chosen(source: Source, column: str, wanted: str | None) -> np.ndarray:
    """Return which rows are of the country that is wanted. Raises StudyError where it is not there, or not said."""
    found = np.array([str(v) for v in source.table[column].to_pylist()])
    countries = list(dict.fromkeys(found))
    if wanted is None and len(countries) > 1:
        raise StudyError(
            f"{source.path}, column '{column}': found {len(countries)} countries ({', '.join(countries[:3])}, ...); "
            "choose one with 'country'"
        )
    if wanted is not None and wanted not in countries:
        raise StudyError(f"{source.path}, column '{column}': no country '{wanted}'{did_you_mean(wanted, countries)}")
    return found == (wanted or countries[0])


def _times(source: Source, column: str, order: str | None) -> pd.Series:
    """Return a column of dates or numbers; whole numbers that are days of the calendar, as 20240131 is, are dates."""
    values = source.table[column]
    if not pa.types.is_integer(values.type) and not pa.types.is_floating(values.type):
        return dates.column(source, column, order)
    found = pd.Series(tables.numbers(source, column).to_numpy())
    if pa.types.is_integer(values.type) and found.between(18000101, 22001231).all():
        days = pd.to_datetime(found.astype(int).astype(str), format="%Y%m%d", errors="coerce")
        return found if days.isna().any() else days.astype("datetime64[us]")
    return found


def _in_order(
    frame: pd.DataFrame, series: Sequence[str], rows: np.ndarray, where: str, daily: bool
) -> tuple[pd.DataFrame, list[str]]:
    """Return rows by time, and what is to be said of their order, of replicates and of gaps.

    Raises StudyError, where there is to be one row a day, for a day that is there twice or missing.
    """
    time, notes = frame["time"], []
    dated = pd.api.types.is_datetime64_any_dtype(time)
    daily = daily and dated
    places = [c for c in ("time", conditions.COLUMN) if c in frame]
    if daily and (twice := time.duplicated()).any():
        k = int(np.flatnonzero(twice)[0])
        raise StudyError(f"{where}, row {rows[k]}: duplicate time {clock.said(time.iloc[k])}")
    latest = time.groupby(frame[conditions.COLUMN]).cummax() if conditions.COLUMN in frame else time.cummax()
    if late := int((time < latest).sum()):
        notes.append(f"{counted(late, 'row')} not in the order of time: sorted")
    if shared := int(frame.duplicated(places, keep=False).sum()):
        notes.append(f"{counted(shared, 'row')} at a time that another row has too: replicates, a residual each")
    values = frame[list(series)].to_numpy(float)
    if conditions.COLUMN in frame:
        values = np.column_stack([pd.factorize(frame[conditions.COLUMN], sort=True)[0], values])
    frame = frame.iloc[clock.order_of(time.to_numpy(), values)].reset_index(drop=True)
    if dated:
        days = pd.DatetimeIndex(frame["time"])
        if daily:
            _no_gap(days, where)
        notes += _gaps(days)
    return frame, notes


def _no_gap(days: pd.DatetimeIndex, where: str) -> None:
    gap = np.diff(days.to_numpy()) > A_DAY.to_numpy()
    if gap.any():
        k = int(np.flatnonzero(gap)[0])
        one, two = (clock.said(d) for d in days[[k, k + 1]])
        raise StudyError(f"{where}: no row between {one} and {two}; expected one per day")


def _gaps(days: pd.DatetimeIndex) -> list[str]:
    """Return what is to be said of rows more than a day apart."""
    apart = np.diff(days.to_numpy())
    wide = apart[apart > A_DAY.to_numpy()] / A_DAY.to_numpy()
    if not len(wide):
        return []
    return [f"{counted(len(wide), 'gap')} of more than a day between rows, the longest of {wide.max():.6g} days"]


def wide(spec: Mapping[str, Any], model: Model) -> Read:
    """Read a file a series with a column a date; rows of provinces are summed."""
    paths, frame, notes = spec["data"], None, list[str]()
    if stated_noise.columns(spec.get("noise"), counts.used(spec, model)):
        raise StudyError("noise: a column is valid for a table with one row per time, not for a file per series")
    if spec.get("incomplete"):
        raise StudyError("incomplete: valid for a table with one row per time, not for a file per series")
    order, daily = spec.get("dates"), spec.get("daily", model.daily)
    for name in paths:
        if name not in model.observed:
            raise StudyError(f"data.{name}: the model has no such series{did_you_mean(name, model.observed)}")
    for name in model.observed:
        if name not in paths:
            raise StudyError(f"data: no file for the series '{name}'; expected one for each of {list(model.observed)}")
        notation = Notation.of(spec, "fit")
        column, provinces = _wide_file(paths[name], name, spec.get("country"), notation, order or "month_first", daily)
        if provinces > 1 and not notes:
            notes.append(f"{provinces} provinces were summed")
        if frame is not None and list(frame["time"]) != list(column["time"]):
            raise StudyError(f"{paths[name]}: its dates differ from those of {paths[model.observed[0]]}")
        frame = column if frame is None else frame.assign(**{name: column[name]})
    assert frame is not None
    return Read(frame, notes, {name: str(path) for name, path in paths.items()})


def _wide_file(
    path: str, name: str, country: str | None, notation: Notation, order: str, daily: bool
) -> tuple[pd.DataFrame, int]:
    source = read_file(path, [*COUNTRY_COLUMNS, *PROVINCE_COLUMNS], [], notation)
    source.check_index([*COUNTRY_COLUMNS, *PROVINCE_COLUMNS])
    names = source.table.column_names
    place = next((c for c in COUNTRY_COLUMNS if c in names), None)
    days = [c for c in names if re.fullmatch(A_DATE, c)]
    if place is None or not days:
        raise StudyError(
            f"{path}: found columns {', '.join(names[:5])}, expected Country/Region and one column per date"
        )
    parsed = dates.parsed(dates.Cells(days, [f"{path}, column '{day}'" for day in days], "fit"), order)
    if parsed.duplicated().any():
        raise StudyError(f"{path}: duplicate date {clock.said(parsed[parsed.duplicated()].iloc[0])}")
    mine = _only(source, _chosen(source, place, country))
    summed = np.column_stack([tables.numbers(mine, c).to_numpy() for c in days]).sum(axis=0)
    frame = pd.DataFrame({"time": parsed, name: summed}).sort_values("time", kind="stable", ignore_index=True)
    if daily:
        _no_gap(pd.DatetimeIndex(frame["time"]), path)
    return frame, len(mine.table)


def counted(n: int, what: str) -> str:
    return f"{n} {what}{'s' if n != 1 else ''}"
