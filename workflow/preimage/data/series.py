"""Observed series for a fit: a long table (a row a date and country), the wide files of Johns Hopkins University (a row
a province, a column a date), or any table with a column of times.

What is read is checked whole before any step runs; errors name file, column and row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from preimage.core.dynamics import Curve, Known, Model
from preimage.data import clock, counts, series_tables, stated_noise
from preimage.data.clock import Clock, TimeEntry
from preimage.data.conditions import COLUMN, Conditions
from preimage.data.series_tables import counted
from preimage.support.errors import StudyError, did_you_mean

FEWEST_ROWS = 3


@dataclass(frozen=True)
class Series:
    """What was observed.

    Attributes:
        times: (n,), ascending, of one value where rows are replicates: the model's t (see `preimage.data.clock`).
        values: observed series (n, m), NaN where a cell is empty.
        names: of the series.
        dates: of the rows (n,) as text; empty where there are none.
        at: further columns that a curve takes, (n,) each.
        known: what the model may know.
        notes: what was done to the data, for the report.
        start: the model's time at which its initial values hold, at or before the first row.
        clock: how the rows' times became the model's.
        conditions: the experiments that rows are of; None where there is one.
        condition: which of these each row is of (n,).
        noise: what columns of noise say (n,), by their keys (see `preimage.data.stated_noise`).
    """

    times: np.ndarray
    values: np.ndarray
    names: tuple[str, ...]
    dates: tuple[str, ...]
    at: dict[str, np.ndarray]
    known: Known
    notes: tuple[str, ...] = ()
    start: float = 0.0
    clock: Clock = field(default_factory=Clock)
    conditions: Conditions | None = None
    condition: np.ndarray = field(default_factory=lambda: np.empty(0, int))
    noise: dict[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.times)

    def head(self, n: int) -> Series:
        """Return the first n rows."""
        at = {name: column[:n] for name, column in self.at.items()}
        noise = {name: column[:n] for name, column in self.noise.items()}
        rows, of = self.values[:n], self.condition[:n]
        return replace(self, times=self.times[:n], values=rows, dates=self.dates[:n], at=at, condition=of, noise=noise)

    def by_condition(self, rows: np.ndarray) -> list[tuple[int | None, np.ndarray]]:
        """Return each condition that there are rows (k,) of, and the positions of its own among them; None for the
        condition where there is one."""
        if self.conditions is None:
            return [(None, np.arange(len(rows)))]
        of = self.condition[rows]
        return [(int(c), np.flatnonzero(of == c)) for c in np.unique(of)]

    def before(self, held: int) -> Series:
        """Return the rows without those of the last `held` times."""
        kept = np.unique(self.times)
        return self.head(int((self.times < kept[len(kept) - held]).sum()) if 0 < held <= len(kept) else len(self))


def read(spec: Mapping[str, Any], model: Model, conditions: Conditions | None = None) -> Series:
    """Return the series that a study's `fit` entry names. Raises StudyError for whatever can't be fitted."""
    if conditions is not None:
        _check_conditions(spec, model)
    reading = series_tables.wide if isinstance(spec["data"], Mapping) else series_tables.long
    frame, notes, places, time = reading(spec, model)
    frame = counts.from_first(frame, spec, model, places)
    if len(frame) < FEWEST_ROWS:
        raise StudyError(
            f"{places[model.observed[0]]}: found {len(frame)} rows to fit, expected at least {FEWEST_ROWS}"
        )
    if model.cumulative:
        frame, more = counts.risen(frame, spec, model, places)
        notes = [*notes, *more]
    names = model.observed
    values = frame[list(names)].to_numpy(float)
    population = spec.get("population")
    counts.check(values, spec, model, places, population)
    found, start = Clock(), 0.0
    if not isinstance(model, Curve):
        found, start = _clock(frame["time"], spec, model, time)
    at = {name: frame[name].to_numpy(float) for name in getattr(model, "at", ())}
    first = {name: float(v) for name, v in zip(names, values[0], strict=True)}
    known = Known(first, float("nan") if population is None else float(population))
    times = found.t(frame["time"]).to_numpy(float)
    notes = [*notes, *_empty(values, names)]
    keys = map(stated_noise.key, stated_noise.columns(spec.get("noise"), counts.used(spec, model)).values())
    noise = {key: frame[key].to_numpy(float) for key in keys}
    series = Series(
        times, values, tuple(names), _dates(frame["time"]), at, known, tuple(notes), start, found, noise=noise
    )
    return (
        series if conditions is None else _of_conditions(series, frame[COLUMN].tolist(), conditions, str(spec["data"]))
    )


def _check_conditions(spec: Mapping[str, Any], model: Model) -> None:
    """Raise StudyError where a fit can't have conditions."""
    if isinstance(spec["data"], Mapping):
        raise StudyError("conditions: found wide files, expected a table with one row per time and condition")
    if model.begins or model.cumulative or model.population:
        raise StudyError("conditions: the built-in epidemics and populations have one; expected a model of your own")
    if spec.get("hold_out"):
        raise StudyError("hold_out: valid only without `conditions`: leave a condition's rows out of the data instead")


def _of_conditions(series: Series, names: Sequence[str], conditions: Conditions, path: str) -> Series:
    """Return a series whose rows are of conditions. Raises StudyError for one that their table has not."""
    for name in names:
        if name not in conditions.names:
            raise StudyError(
                f"{path}, column '{COLUMN}': found '{name}', expected one of the table of conditions"
                f"{did_you_mean(name, conditions.names)}"
            )
    without = [name for name in conditions.names if name not in names]
    notes = [f"no row is of the condition{'s' * (len(without) > 1)} {', '.join(without)}"] if without else []
    return replace(series, conditions=conditions, condition=conditions.positions(names), notes=(*series.notes, *notes))


def _clock(rows: pd.Series, spec: Mapping[str, Any], model: Model, place: tuple[str, str]) -> tuple[Clock, float]:
    entry = TimeEntry.of(spec.get("time"))
    found, start = clock.clock(rows, entry, model.own, place, spec.get("dates"))
    if model.begins and start < found.t(rows.iloc[0]):
        raise StudyError(
            f"time.origin: found {entry.origin}, before the first row, {clock.said(rows.iloc[0])}, whose "
            f"{' and '.join(sorted(model.begins))} this model begins with; expected that row"
        )
    return found, start


def _dates(day: pd.Series) -> tuple[str, ...]:
    """Return the dates of rows as text, with the time of day where any row has one; nothing of numbers."""
    if not pd.api.types.is_datetime64_any_dtype(day):
        return ()
    whole = (day == day.dt.normalize()).all()
    return tuple(day.dt.strftime("%Y-%m-%d" if whole else "%Y-%m-%d %H:%M:%S"))


def _empty(values: np.ndarray, names: Sequence[str]) -> list[str]:
    """Return what is to be said of cells that are empty."""
    missing = dict(zip(names, np.isnan(values).sum(axis=0).tolist(), strict=True))
    if not any(missing.values()):
        return []
    of = ", ".join(f"{n} of {name}" for name, n in missing.items() if n)
    return [f"{counted(sum(missing.values()), 'empty cell')}: {of}; each leaves its residual out"]
