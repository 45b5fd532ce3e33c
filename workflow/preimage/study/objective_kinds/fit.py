"""Objective `fit`, as a study names it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from preimage.study.objectives import ObjectiveEntry
from preimage.support.frozen import ByType, Distinct, Flag, Frozen, Maybe, Number, Text, Whole, option


class Time(Frozen):
    """The times of rows: their column and unit, and when the model begins."""

    column: Maybe[Text] = option(None, "Column of dates or numbers. Default: the first of Date, date, time, day, year.")
    unit: Maybe[Text] = option(
        None,
        "Unit of the model's time. Where rows have dates, one of `s`, `min`, `h`, `d`, `week` and `year` (365.25 "
        "days), in which time is counted; default `d`. Otherwise shown in figures.",
    )
    origin: Maybe[ByType[Number | Text]] = option(
        None,
        "When the initial values of the states hold: a number or a date as in the column, or `first` for the first "
        "row. Default: the first row where it is at 0, has a date, or the model is built in; otherwise you are asked.",
    )
    zero: Maybe[ByType[Number | Text]] = option(
        None,
        "When the model's t is 0, likewise. Default: t is the number in the column; dates, and built-in models, count "
        "from the origin.",
    )


class Sample(Frozen):
    """Draws from the posterior of the parameters by the No-U-Turn sampler, beside the profiles. The loss is a
    likelihood, the model written with `jax.numpy`; parameters without a prior are uniform within their bounds.
    """

    draws: Whole = option(2000, "Draws of all chains together.", ge=100, le=1_000_000)
    chains: Whole = option(4, "Chains, which begin apart from each other.", ge=2, le=64)
    warm_up: Whole = option(
        500, "Iterations of each chain before its draws, which tune the sampler.", ge=150, le=100_000
    )


class NoiseColumn(Frozen):
    """Noise that the data states."""

    column: Text = option(..., "Column of the data with each row's noise, numbers above 0.")


class Fit(Frozen):
    """Data that a simulator of series should reproduce, and the loss: calibration."""

    data: ByType[Text | Annotated[dict[Text, Text], Field(min_length=1)]] = option(
        ...,
        "Table with one row per time (parquet or CSV); or, by series, a wide file with one row per "
        "province and one column per date, as Johns Hopkins University publishes them.",
    )
    conditions: Maybe[Text] = option(
        None,
        "Table of the experiments (conditions) that share the model, one row each: column `condition` with the names "
        "that stand in the data's column `condition`, and one column per input that differs between them. A cell is a "
        "number (a dose, an initial value), the name of another input (a parameter of this condition's own), or empty "
        "where the input itself holds.",
    )
    columns: Maybe[dict[Text, Text]] = option(
        None,
        "Column of the table by series. Default: the built-in problem's columns (ConfirmedCases and "
        "Fatalities), or the name of the series.",
    )
    time: Maybe[ByType[Text | Time]] = option(
        None,
        "Column of dates or numbers. Default: the first of Date, date, time, day, year. For a model of your own whose "
        "first row is not at time 0 also `origin`.",
    )
    dates: Maybe[Literal["day_first", "month_first", "year_first"]] = option(
        None,
        "How dates are written whose order the column leaves open (01.02.2024). Default: inferred from all cells of "
        "the column. In wide files, `month_first`.",
    )
    daily: Maybe[Flag] = option(
        None,
        "Whether there is to be one row for every day; a day missing or there twice is an error then. Default: true "
        "for the built-in epidemics, otherwise false.",
    )
    country: Maybe[Text] = option(
        None, "Country to select, if the data has several; provinces of a wide file are summed."
    )
    since: Number = option(1, "The series begins with the first row that has at least this many cases.", ge=0)
    population: Maybe[Number] = option(None, "Population of the country, for models that need it.", gt=0)
    outputs: Maybe[Distinct[Text]] = option(None, "Series in the loss, equally weighted. Default: all.", min_length=1)
    loss: Literal["msle", "log", "mse", "normal", "log_normal", "laplace", "poisson", "negative_binomial"] = option(
        "msle",
        "`msle` (scikit-learn's mean squared log error, of log(1 + y)), `log` (the same for log y: "
        "log-normal noise), `mse`; or a likelihood: `normal`, `log_normal`, `laplace`, `poisson`, `negative_binomial`. "
        "The loss of a likelihood is its deviance: twice the negative log-likelihood, but for a constant.",
    )
    noise: Maybe[ByType[Number | Text | dict[Text, ByType[Number | Text | NoiseColumn]]]] = option(
        None,
        "Noise of a likelihood: a number, the name of an input (estimated with the other parameters), a column of the "
        "data with each row's own (`{column: sd}`), or one of them by series. Standard deviation (`normal`), that of "
        "the logarithm (`log_normal`), scale (`laplace`), or overdispersion (`negative_binomial`: the variance of a "
        "mean m is m + noise * m**2).",
    )
    sample: Maybe[Sample] = option(None)
    window: Maybe[Whole] = option(None, "Number of last rows in the loss. Default: all.", ge=1)
    weights: Literal["recent", "equal"] = option("equal", "`recent`: rows have weight 1 / age, the newest the largest.")
    decimal: Maybe[Literal[".", ","]] = option(None, "Decimal sign of the CSV files, as under `problem.table`.")
    thousands: Maybe[Literal[",", ".", "'", " "]] = option(
        None, "Sign between thousands in the CSV files, as under `problem.table`."
    )
    missing: Distinct[Text] = option([], "Texts of cells that count as empty, as under `problem.table`.")
    incomplete: Maybe[Literal["refuse", "leave_out"]] = option(
        None,
        "Rows with an empty cell in a fitted column: raise an error that names the rows (`refuse`), or drop them "
        "(`leave_out`). Default: keep them; an empty cell leaves out its residual alone, an empty time is an error.",
    )
    unit_row: Maybe[Flag] = option(None, "Whether the row below the header holds units, as under `problem.table`.")
    falling: Literal["refuse", "keep", "lift"] = option(
        "refuse",
        "Cumulative counts that fall: raise an error (`refuse`), leave them (`keep`), or raise them to "
        "the highest so far (`lift`).",
    )
    hold_out: Whole = option(
        0,
        "Number of last rows to hold out of the fit; its forecast of them is compared with naive forecasts.",
        ge=0,
        le=10_000,
    )


class FitEntry(ObjectiveEntry):
    """Data that a simulator of series should reproduce."""

    kind: ClassVar[str] = "fit"

    fit: Fit = option(...)
