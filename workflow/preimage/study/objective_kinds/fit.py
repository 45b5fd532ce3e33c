"""Objective `fit`, as a study names it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from preimage.study.objectives import ObjectiveEntry
from preimage.support.frozen import ByType, Distinct, Flag, Frozen, Maybe, Number, Text, Whole, option


class Fit(Frozen):
    """Data that a simulator of series is to reproduce, and the loss: calibration."""

    data: ByType[Text | Annotated[dict[Text, Text], Field(min_length=1)]] = option(
        ...,
        "Table with a row a time (parquet or CSV); or by series a wide file with a row a province and a "
        "column a date, as Johns Hopkins University publishes them.",
    )
    columns: Maybe[dict[Text, Text]] = option(
        None,
        "Column of the table by series. Default: the built-in problem's own (ConfirmedCases and Fatalities), "
        "or the series' name.",
    )
    time: Maybe[Text] = option(None, "Column of dates or numbers. Default: the first of Date, date, time, day, year.")
    country: Maybe[Text] = option(
        None, "Which country's rows, where the data has several; provinces of a wide file are summed."
    )
    since: Number = option(1, "The series begins with the first row of at least so many cases.", ge=0)
    population: Maybe[Number] = option(None, "People of the country, for models that need it.", gt=0)
    outputs: Maybe[Distinct[Text]] = option(
        None, "Series that the loss takes, equally weighted. Default: all.", min_length=1
    )
    loss: Literal["msle", "log", "mse"] = option(
        "msle",
        "`msle` (scikit-learn's mean squared log error, of log(1 + y)), `log` (the same of log y: log-normal "
        "noise) or `mse`.",
    )
    window: Maybe[Whole] = option(None, "The loss takes the last so many rows. Default: all.", ge=1)
    weights: Literal["recent", "equal"] = option("equal", "`recent`: rows weigh 1 / age, the newest most.")
    decimal: Maybe[Literal[".", ","]] = option(None, "Decimal sign of the CSV files, as under `problem.table`.")
    thousands: Maybe[Literal[",", ".", "'", " "]] = option(
        None, "Sign between thousands in the CSV files, as under `problem.table`."
    )
    unit_row: Maybe[Flag] = option(None, "Whether the row below the title holds units, as under `problem.table`.")
    falling: Literal["refuse", "keep", "lift"] = option(
        "refuse",
        "What is done with cumulative counts that fall: refused, left as they are, or lifted to the highest so far.",
    )
    hold_out: Whole = option(
        0,
        "Last rows that nothing is fitted to; the fit's forecast of them is judged beside naive ones.",
        ge=0,
        le=10_000,
    )


class FitEntry(ObjectiveEntry):
    """Data that a simulator of series is to reproduce."""

    kind: ClassVar[str] = "fit"

    fit: Fit = option(...)
