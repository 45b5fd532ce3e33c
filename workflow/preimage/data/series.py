"""Observed series for a fit: a long table (a row a date and country), the wide files of Johns Hopkins University (a row
a province, a column a date), or any table with a column of times.

What is read is checked whole before any step runs; errors name file, column and row.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from preimage.core.dynamics import Curve, Known, Model
from preimage.data import tables
from preimage.data.notation import Notation
from preimage.data.sources import Source, read_file
from preimage.support import digits
from preimage.support.errors import StudyError, did_you_mean

COUNTRY_COLUMNS = ("Country_Region", "Country/Region", "country")
PROVINCE_COLUMNS = ("Province_State", "Province/State")
TIMES = ("Date", "date", "time", "day", "year")
A_DAY = r"\d{1,2}/\d{1,2}/\d{2,4}|\d{4}-\d{2}-\d{2}"
FEWEST_ROWS = 3


@dataclass(frozen=True)
class Series:
    """What was observed.

    Attributes:
        times: (n,), ascending from 0, in days where the data has dates and in the data's own unit otherwise.
        values: observed series (n, m).
        names: of the series.
        dates: of the rows (n,) as text; empty where there are none.
        at: further columns that a curve takes, (n,) each.
        known: what the model may know.
        notes: what was done to the data, for the report.
    """

    times: np.ndarray
    values: np.ndarray
    names: tuple[str, ...]
    dates: tuple[str, ...]
    at: dict[str, np.ndarray]
    known: Known
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.times)

    def head(self, n: int) -> Series:
        """Return the first n rows."""
        at = {name: column[:n] for name, column in self.at.items()}
        return replace(self, times=self.times[:n], values=self.values[:n], dates=self.dates[:n], at=at)


def read(spec: Mapping[str, Any], model: Model) -> Series:
    """Return the series that a study's `fit` entry names. Raises StudyError for whatever can't be fitted."""
    if isinstance(spec["data"], Mapping):
        frame, notes, places = _wide(spec, model)
    else:
        frame, notes, places = _long(spec, model)
    frame = _from_first(frame, spec, model, places)
    if len(frame) < FEWEST_ROWS:
        raise StudyError(
            f"{places[model.observed[0]]}: found {len(frame)} rows to fit, expected at least {FEWEST_ROWS}"
        )
    if model.cumulative:
        frame, more = _risen(frame, spec, model, places)
        notes = [*notes, *more]
    names = model.observed
    values = frame[list(names)].to_numpy(float)
    population = spec.get("population")
    _check_counts(values, spec, model, places, population)
    day = frame["time"]
    dated = pd.api.types.is_datetime64_any_dtype(day)
    times = ((day - day.iloc[0]).dt.days if dated else day - day.iloc[0]).to_numpy(float)
    at = {name: frame[name].to_numpy(float) for name in getattr(model, "at", ())}
    first = {name: float(v) for name, v in zip(names, values[0], strict=True)}
    known = Known(first, float("nan") if population is None else float(population))
    dates = tuple(day.dt.strftime("%Y-%m-%d")) if dated else ()
    return Series(times, values, tuple(names), dates, at, known, tuple(notes))


# -- tables ------------------------------------------------------------------------------------------------------------


def _long(spec: Mapping[str, Any], model: Model) -> tuple[pd.DataFrame, list[str], dict[str, str]]:
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
    source.check_index([*columns.values(), *at, *COUNTRY_COLUMNS, *TIMES, spec.get("time", "")])
    for column in [*columns.values(), *at]:
        _need(path, column, names)
    source, rows = _of_country(source, spec, next((c for c in COUNTRY_COLUMNS if c in names), None))
    numbers = {name: tables.numbers(source, column).to_numpy() for name, column in columns.items()}
    numbers |= {name: tables.numbers(source, name).to_numpy() for name in at}
    if isinstance(model, Curve):
        frame = pd.DataFrame({"time": np.arange(len(rows), dtype=float), **numbers})
    else:
        time = spec.get("time") or next((c for c in TIMES if c in names), None)
        if time is None:
            raise StudyError(f"{path}: no column of times; name one with 'time' (valid: {', '.join(names)})")
        _need(path, time, names)
        frame = pd.DataFrame({"time": _times(source, time, rows), **numbers})
        frame = _in_order(frame, rows, path, time)
    return frame, list(source.notes), {name: f"{path}, column '{column}'" for name, column in columns.items()}


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


def _times(source: Source, column: str, rows: np.ndarray) -> pd.Series:
    """Return a column of dates or numbers."""
    import pyarrow as pa

    values = source.table[column]
    if pa.types.is_integer(values.type) or pa.types.is_floating(values.type):
        return pd.Series(tables.numbers(source, column).to_numpy())
    days = pd.to_datetime(pd.Series(values.to_pylist(), dtype="object").astype("str"), errors="coerce", format="mixed")
    if days.isna().any():
        k = int(np.flatnonzero(days.isna())[0])
        raise StudyError(
            f"{source.path}, column '{column}', row {rows[k]}: found '{values[k].as_py()}', expected a date or a number"
        )
    return days


def _in_order(frame: pd.DataFrame, rows: np.ndarray, path: str, column: str) -> pd.DataFrame:
    """Return rows by time. Raises StudyError for a time that is there twice, and for days that are missing."""
    twice = frame["time"].duplicated()
    if twice.any():
        k = int(np.flatnonzero(twice)[0])
        raise StudyError(f"{path}, column '{column}', row {rows[k]}: duplicate time {_said(frame['time'].iloc[k])}")
    frame = frame.sort_values("time", kind="stable", ignore_index=True)
    if pd.api.types.is_datetime64_any_dtype(frame["time"]):
        _no_gap(pd.DatetimeIndex(frame["time"]), f"{path}, column '{column}'")
    return frame


def _no_gap(days: pd.DatetimeIndex, where: str) -> None:
    gap = np.diff(days.to_numpy()) > np.timedelta64(1, "D")
    if gap.any():
        k = int(np.flatnonzero(gap)[0])
        raise StudyError(f"{where}: no row between {_said(days[k])} and {_said(days[k + 1])}; expected one per day")


def _said(time: Any) -> str:
    return f"{time:%Y-%m-%d}" if isinstance(time, pd.Timestamp) else digits.plain(time)


def _wide(spec: Mapping[str, Any], model: Model) -> tuple[pd.DataFrame, list[str], dict[str, str]]:
    """Read a file a series with a column a date; rows of provinces are summed."""
    paths, frame, notes = spec["data"], None, list[str]()
    for name in paths:
        if name not in model.observed:
            raise StudyError(f"data.{name}: the model has no such series{did_you_mean(name, model.observed)}")
    for name in model.observed:
        if name not in paths:
            raise StudyError(f"data: no file for the series '{name}'; expected one for each of {list(model.observed)}")
        column, provinces = _wide_file(paths[name], name, spec.get("country"), Notation.of(spec, "fit"))
        if provinces > 1 and not notes:
            notes.append(f"{provinces} provinces were summed")
        if frame is not None and list(frame["time"]) != list(column["time"]):
            raise StudyError(f"{paths[name]}: its dates differ from those of {paths[model.observed[0]]}")
        frame = column if frame is None else frame.assign(**{name: column[name]})
    assert frame is not None
    return frame, notes, {name: str(path) for name, path in paths.items()}


def _wide_file(path: str, name: str, country: str | None, notation: Notation) -> tuple[pd.DataFrame, int]:
    source = read_file(path, [*COUNTRY_COLUMNS, *PROVINCE_COLUMNS], [], notation)
    source.check_index([*COUNTRY_COLUMNS, *PROVINCE_COLUMNS])
    names = source.table.column_names
    place = next((c for c in COUNTRY_COLUMNS if c in names), None)
    days = [c for c in names if re.fullmatch(A_DAY, c)]
    if place is None or not days:
        raise StudyError(
            f"{path}: found columns {', '.join(names[:5])}, expected Country/Region and one column per date"
        )
    parsed = pd.to_datetime(pd.Series(days), format="%m/%d/%y" if "/" in days[0] else None, errors="coerce")
    if parsed.isna().any():
        raise StudyError(f"{path}, column '{days[int(np.flatnonzero(parsed.isna())[0])]}': expected a date")
    if parsed.duplicated().any():
        raise StudyError(f"{path}: duplicate date {_said(parsed[parsed.duplicated()].iloc[0])}")
    mine = _only(source, _chosen(source, place, country))
    counts = np.column_stack([tables.numbers(mine, c).to_numpy() for c in days]).sum(axis=0)
    frame = pd.DataFrame({"time": parsed, name: counts}).sort_values("time", kind="stable", ignore_index=True)
    _no_gap(pd.DatetimeIndex(frame["time"]), path)
    return frame, len(mine.table)


# -- what the counts say -----------------------------------------------------------------------------------------------


def _from_first(frame: pd.DataFrame, spec: Mapping[str, Any], model: Model, places: Mapping[str, str]) -> pd.DataFrame:
    """Return the rows from the first with as many of the first cumulative series as the study asks."""
    since = next((name for name in model.observed if name in model.cumulative), None)
    if since is None:
        return frame
    least = float(spec.get("since", 1))
    reached = np.flatnonzero(frame[since].to_numpy() >= least)
    if not len(reached):
        most = digits.plain(frame[since].max())
        raise StudyError(f"{places[since]}: no row reaches {digits.plain(least)} (its largest is {most})")
    return frame.iloc[reached[0] :].reset_index(drop=True)


def _risen(
    frame: pd.DataFrame, spec: Mapping[str, Any], model: Model, places: Mapping[str, str]
) -> tuple[pd.DataFrame, list[str]]:
    """Return counts as the study's policy wants those that fall: refused, kept, or lifted to the highest so far."""
    policy, notes = spec.get("falling", "refuse"), list[str]()
    for name in sorted(model.cumulative):
        falls = np.flatnonzero(np.diff(frame[name].to_numpy()) < 0)
        if not len(falls):
            continue
        k = int(falls[0])
        high, low = (digits.plain(v) for v in frame[name].iloc[[k, k + 1]])
        said = f"falls from {high} to {low} on {_said(frame['time'].iloc[k + 1])}"
        if policy == "refuse":
            raise StudyError(
                f"{places[name]}: a cumulative count {said} ({len(falls)} rows fall); "
                "set 'falling: lift' to use the highest so far, or 'falling: keep' to leave it"
            )
        notes.append(f"{name} {said} ({len(falls)} rows fall); policy: {policy}")
        if policy == "lift":
            frame = frame.assign(**{name: frame[name].cummax()})
    return frame, notes


def _check_counts(
    values: np.ndarray, spec: Mapping[str, Any], model: Model, places: Mapping[str, str], population: float | None
) -> None:
    for k, name in enumerate(model.observed):
        low = values[:, k].min()
        if low < 0 and (spec["loss"] != "mse" or name in model.cumulative):
            raise StudyError(
                f"{places[name]}: found {digits.plain(low)}, expected no negative value (loss {spec['loss']})"
            )
        if low <= 0 and spec["loss"] == "log":
            raise StudyError(f"{places[name]}: found {digits.plain(low)}, expected values above 0 (loss log)")
        if name in used(spec, model) and name in model.cumulative and not values[:, k].any():
            raise StudyError(
                f"{places[name]}: every value is 0, which carries no information; exclude it with 'outputs'"
            )
    if not model.population:
        return
    if population is None:
        raise StudyError("population: missing; the model needs one")
    most = values.max()
    if population < most:
        raise StudyError(
            f"population: found {digits.plain(population)}, fewer than the {digits.plain(most)} cases of "
            f"{places[model.observed[0]]}"
        )


def used(spec: Mapping[str, Any], model: Model) -> list[str]:
    """Return the series that a loss takes. Raises StudyError for one that the model hasn't."""
    names = list(spec.get("outputs") or model.observed)
    for name in names:
        if name not in model.observed:
            raise StudyError(f"outputs: the model has no series '{name}'{did_you_mean(name, model.observed)}")
    return names
