"""The objectives of a study: what is wanted."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

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


class Robust(Frozen):
    """Rank candidates by a committee of models (the surrogate's members, extra trees, nearest rows), and leave out
    those far from the data: for answers that hold in truth. `true`, or options.
    """

    trees: Whole = option(200, "Trees in the committee's forest of extra trees.", ge=10, le=10_000)
    neighbours: Whole = option(10, "Training rows whose mean is the committee's third judge.", ge=1, le=1000)
    domain: Number = option(
        0.9, "Largest domain score of an answer, unless no candidate has a smaller one.", gt=0, le=1
    )


class Preimage(Frozen):
    """Find all inputs that meet the objective (`target` or `within`) on every surrogate made of trees, as disjoint
    boxes: `round<r>/seed<s>/preimage/<surrogate>/<objective>.parquet`. Linear inequalities are taken; the border
    that they cut is left in small undecided boxes. Equalities need whole numbers. `true`, or options.
    """

    boxes: Whole = option(
        200_000,
        "Most boxes to examine; at this limit the preimage is known between an inner and an outer set.",
        ge=1,
        le=100_000_000,
    )
    seconds: Maybe[Number] = option(
        None,
        "Most seconds; rows of a preimage that this limit ends are marked as not reproducible.",
        gt=0,
        le=10_000_000,
    )


class Objective(Frozen):
    """What is wanted of the outputs."""

    choices: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("minimize",),
        ("maximize",),
        ("target",),
        ("within",),
        ("targets",),
        ("test_rows",),
        ("fit",),
    )

    minimize: Maybe[ByType[Text | Annotated[dict[Text, Number], Field(min_length=1)]]] = option(
        None, "Output to make small, or weights by output."
    )
    maximize: Maybe[ByType[Text | Annotated[dict[Text, Number], Field(min_length=1)]]] = option(
        None, "Output to make large, or weights by output."
    )
    target: Maybe[dict[Text, Number]] = option(None, "Wanted value by output.", min_length=1)
    within: Maybe[dict[Text, Annotated[list[Number], Field(min_length=2, max_length=2)]]] = option(
        None, "Wanted interval by output.", min_length=1
    )
    targets: Maybe[Text] = option(
        None,
        "Parquet or CSV file of wanted outputs, one row an objective: `<name>.0`, `<name>.1`, ...; all are one step.",
    )
    test_rows: Maybe[Whole] = option(
        None,
        "The measured outputs of this many test rows, one an objective, as in `targets`: a benchmark, as all "
        "can be reached.",
        ge=1,
        le=100_000,
    )
    fit: Maybe[Fit] = option(None)
    robust: Maybe[ByType[Flag | Robust]] = option(
        None,
        "Rank candidates by a committee of models (the surrogate's members, extra trees, nearest rows), and "
        "leave out those far from the data: for answers that hold in truth. `true`, or options.",
    )
    preimage: Maybe[ByType[Flag | Preimage]] = option(
        None,
        "Find all inputs that meet the objective (`target` or `within`) on every surrogate made of trees, as "
        "disjoint boxes: `round<r>/seed<s>/preimage/<surrogate>/<objective>.parquet`. Linear inequalities are"
        " taken; the border that they cut is left in small undecided boxes. Equalities need whole numbers. "
        "`true`, or options.",
    )
    tolerance: Maybe[ByType[Annotated[Number, Field(ge=0)] | dict[Text, Annotated[Number, Field(ge=0)]]]] = option(
        None,
        "How far from the wanted value still counts, in the output's unit: one number, or one by output "
        "(`{purity: 0.01, load: 1e4}`). For `minimize` and `maximize`, how far from the best still counts as "
        "a solution as good. Default 1 % of the training rows' range of each output, or of the sum that is "
        "minimised or maximised.",
    )
    scaled: Maybe[Flag] = option(
        None,
        "Divide each output's distance by its training standard deviation, so that outputs of different units"
        " can be added. Default true where there are several, false for one.",
    )
    fixed: Maybe[dict[Text, ByType[Number | Text]]] = option(None, "Inputs pinned for this objective alone, by name.")
