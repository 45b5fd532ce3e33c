"""The problem of a study: where data and truth come from, its inputs, outputs and constraints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from preimage.study.comparisons import without_comparison
from preimage.support.frozen import ByType, Distinct, Flag, Frozen, Maybe, Number, Text, Whole, option


class Table(Frozen):
    """Measured data, as `features` and `targets` or as one `file` with its `outputs` named."""

    choices: ClassVar[tuple[tuple[str, ...], ...]] = (("features", "targets"), ("file", "outputs"))

    features: Maybe[Text] = option(None, "Parquet or CSV file of inputs, one row per experiment.")
    targets: Maybe[Text] = option(None, "Parquet or CSV file of outputs, in the row order of `features`.")
    file: Maybe[Text] = option(
        None,
        "Parquet or CSV file of inputs and outputs; like `features` and `targets` also an address "
        "(`https://...`, `s3://bucket/key`), downloaded by Snakemake's storage plugin.",
    )
    outputs: Maybe[Distinct[Text]] = option(
        None, "Columns of `file` that are outputs; the others are inputs.", min_length=1
    )
    ignore: Distinct[Text] = option([], "Columns to leave out (an identifier, a remark).")
    new: Maybe[ByType[Text | Annotated[Distinct[Text], Field(min_length=1)]]] = option(
        None,
        "Files with further rows, one per round, in this order; or a folder of them, ordered by name. "
        "Each has the columns and units of the first table, inputs and outputs together.",
    )
    decimal: Maybe[Literal[".", ","]] = option(
        None,
        "Decimal sign of the CSV files. Default: inferred from the cells; if it could also separate "
        "thousands (`1,000`), set it here.",
    )
    thousands: Maybe[Literal[",", ".", "'", " "]] = option(
        None,
        "Thousands separator of the CSV files; a blank includes non-breaking spaces. Default: none.",
    )
    unit_row: Maybe[Flag] = option(
        None,
        "Whether the row below the header of the CSV files holds units. Default: true if each of its "
        "cells above numbers is a unit, a dash or empty. A unit under `inputs` or `outputs` takes "
        "precedence.",
    )
    missing: Distinct[Text] = option(
        [], "Texts of cells that count as empty (`n.b.`, `-`, `-999`), in any column. An empty cell needs none."
    )
    incomplete: Literal["refuse", "leave_out"] = option(
        "refuse", "Rows with empty cells: raise an error that names the place (`refuse`), or drop them (`leave_out`)."
    )


class Ode(Frozen):
    """The simulator is a right-hand side, `rates(t, y, p)`: from time, the list of states and the parameters by name it
    returns the list of the states' derivatives. With jax.numpy it has exact gradients, with NumPy finite
    differences.
    """

    states: dict[Text, ByType[Number | Text]] = option(
        ...,
        "Initial value of each state, in order: a number, the name of an input, or an expression of inputs. It holds "
        "at the first row, or at the `origin` of the fit's `time`.",
        min_length=1,
    )
    preequilibration: Maybe[dict[Text, ByType[Number | Text]]] = option(
        None,
        "Have the states come to rest (a steady state) before the origin, from their initial values, under these "
        "values of inputs: numbers, names of inputs or expressions of these; `{}` for no difference. `{stimulus: 0}`: "
        "no stimulus before the experiment.",
    )
    observe: Maybe[ByType[Text | Annotated[dict[Text, Text], Field(min_length=1)]]] = option(
        None,
        "Series that are no states: by name an expression of states and inputs (`100 * (A + 2 * AA) / (A + B)`, "
        "`scale * B + offset`), or the name of a function `f(y, p)` in the simulator's file that returns those named "
        "under `outputs`. Default: the states.",
    )


class Curve(Frozen):
    """The simulator is a curve, `f(x, p)`: from columns of the data and parameters, both by name, it returns the
    outputs in the study's order. Plain nonlinear regression.
    """

    at: Distinct[Text] = option(..., "Columns of the data that are arguments of the curve.", min_length=1)


class Dose(Frozen):
    """What is added to a state of differential equations of your own, at some times: a bolus, a change of medium."""

    state: Text = option(..., "The state that jumps.")
    times: list[ByType[Number | Text]] = option(
        ..., "When, in the model's t, from the origin on; or dates, where the data has them.", min_length=1
    )
    amount: ByType[Number | Text] = option(
        ..., "What is added each time: a number, the name of an input, or an expression of inputs."
    )
    rows: Literal["before", "after"] = option(
        "before",
        "Whether a row at the very time of a dose was measured before it, as a trough is, or after it, as a peak is.",
    )


class Events(Frozen):
    """Times at which the rates of differential equations, or their states, jump: a dose, a switch. Solvers begin anew
    there, as they do at every row of the data for a model of your own.
    """

    choices: ClassVar[tuple[tuple[str, ...], ...]] = (("times",), ("doses",))
    at_least_one: ClassVar[bool] = True

    times: Maybe[Annotated[list[ByType[Number | Text]], Field(min_length=1)]] = option(
        None, "Times at which rates jump, in the model's t; or dates, where the data has them."
    )
    doses: Maybe[Annotated[list[Dose], Field(min_length=1)]] = option(None, "Jumps of states.")


class Solver(Frozen):
    """The ODE solver of the search; another solver, on another grid, re-evaluates answers at 1e-12."""

    method: Literal["auto", "explicit", "implicit"] = option(
        "auto",
        "`explicit` (Runge-Kutta) or, for stiff equations, `implicit` (Rodas5P for models in JAX, LSODA for models in "
        "NumPy). `auto` tries a model of your own at its start and elsewhere within the bounds: implicit where "
        "explicit steps do not get anywhere.",
    )
    largest_step: Maybe[Number] = option(
        None,
        "Largest step, in the model's time: shorter than any input between two rows that is not in `events`.",
        gt=0,
    )

    rtol: Number = option(1e-09, "Relative tolerance.", gt=0, le=0.1)
    atol: Maybe[Number] = option(
        None,
        "Absolute tolerance, as a share of each state's scale: its largest value within the first "
        "interval of the data. Default: the value of `rtol`.",
        gt=0,
    )


class Noise(Frozen):
    """Measurement noise added to simulated data; the truth stays free of it."""

    sd: Number = option(0, "Standard deviation of normal noise, in the output's unit.", ge=0)


class Normal(Frozen):
    """For inference, and a fit by a likelihood: this parameter's prior is normal. For inference, `low` and `high` make
    it uniform; for a fit they bound it.
    """

    mean: Number = option(..., "Mean.")
    sd: Number = option(..., "Standard deviation.", gt=0)


class LogNormal(Frozen):
    """For inference, and a fit by a likelihood: this parameter's logarithm has a normal prior, of this mean and
    standard deviation.
    """

    mean: Number = option(..., "Mean.")
    sd: Number = option(..., "Standard deviation.", gt=0)


class Input(Frozen):
    """Settings of an input."""

    low: Maybe[Number] = option(None, "Lower bound.")
    high: Maybe[Number] = option(None, "Upper bound.")
    start: Maybe[Number] = option(
        None, "Where the first start of a fit begins. Default: the built-in problem's value, or the middle."
    )
    scale: Maybe[Literal["linear", "log"]] = option(
        None,
        "For a fit: `log` searches this parameter, and draws its profile, by its logarithm; both bounds are positive "
        "then. Default `linear`.",
    )
    unit: Maybe[Text] = option(None, "Unit shown in tables and figures.")
    integer: Flag = option(False, "Only whole numbers.")
    step: Maybe[Number] = option(None, "Only `low`, `low` + `step`, ... up to `high`.", gt=0)
    values: Maybe[Annotated[Distinct[Number], Field(min_length=1, max_length=10_000)]] = option(
        None, "Only these values; the smallest and the largest are the bounds."
    )
    zero_or: Maybe[Number] = option(
        None, "Either 0 or at least this (an ingredient that is left out, or dosed as the scale can); `low` is 0.", gt=0
    )
    categories: Maybe[Distinct[ByType[Text | Number]]] = option(
        None,
        "The values of a category. Their order does not affect results; a model or simulator of your own "
        "receives their positions in this list, from 0.",
        min_length=1,
    )
    fixed: Maybe[ByType[Number | Text]] = option(None, "Pins the input to this value in every objective.")
    normal: Maybe[Normal] = option(None)
    log_normal: Maybe[LogNormal] = option(None)


class Output(Frozen):
    """Settings of an output."""

    unit: Maybe[Text] = option(None, "Unit shown in tables and figures.")


class Formula(Frozen):
    """An exact function of inputs and outputs, usable wherever an output is: in objectives, tables and figures. Models
    train on the outputs alone.
    """

    expression: Text = option(
        ...,
        "An arithmetic expression of inputs, outputs and formulas above it, such as `0.04*resin + 0.3*additive`: "
        "+ - * / ** ( ), min, max, abs, exp, log and sqrt; a name with other characters than letters, digits and `_` "
        "stands between backquotes. Categories cannot be used.",
    )
    unit: Maybe[Text] = option(None, "Unit shown in tables and figures.")


class Interval(Frozen):
    """An interval; its ends belong to it."""

    choices: ClassVar[tuple[tuple[str, ...], ...]] = (("at_least",), ("at_most",))
    at_least_one: ClassVar[bool] = True

    at_least: Maybe[Number] = option(None, "Lower end.")
    at_most: Maybe[Number] = option(None, "Upper end.")


class Constraint(Frozen):
    """A condition that every candidate satisfies, to 1e-9 of its scale: on a sum (`linear`) or an `expression` of
    inputs, on how many of some inputs are not 0 (`of`), or a combination to `exclude`.
    """

    choices: ClassVar[tuple[tuple[str, ...], ...]] = (("linear",), ("expression",), ("of",), ("exclude",))
    # What may stand beside each of these keys.
    beside: ClassVar[dict[str, tuple[str, ...]]] = {
        "linear": ("at_most", "at_least", "equals"),
        "expression": ("at_most", "at_least", "equals"),
        "of": ("at_most_nonzero", "at_least_nonzero"),
        "exclude": (),
    }

    linear: Maybe[dict[Text, Number]] = option(None, "Coefficient by input.", min_length=1)
    expression: Maybe[Text] = option(
        None,
        "An arithmetic expression of inputs, such as `water / cement`: + - * / ** ( ), min, max, abs, exp, log and "
        "sqrt; a name with other characters than letters, digits and `_` stands between backquotes. It may compare, in "
        "the place of the keys below: `a + b <= c`, `0.3 <= water / cement <= 0.6`.",
    )
    at_most: Maybe[Number] = option(None, "The sum or expression is at most this.")
    at_least: Maybe[Number] = option(None, "The sum or expression is at least this.")
    equals: Maybe[Number] = option(None, "The sum or expression is this.")
    at_most_nonzero: Maybe[Whole] = option(None, "At most so many of the inputs in `of` are not 0.", ge=1)
    at_least_nonzero: Maybe[Whole] = option(
        None,
        "At least so many of the inputs in `of` are not 0 (by however little; give inputs `zero_or` to say how much).",
        ge=1,
    )
    of: Maybe[Annotated[Distinct[Text], Field(min_length=1)]] = option(None, "Inputs of which those not 0 are counted.")
    exclude: Maybe[dict[Text, ByType[Text | Number | Distinct[ByType[Text | Number]] | Interval]]] = option(
        None,
        "A combination that no candidate has: by input, a category or a list of them, a number, or an interval "
        "(`at_least`, `at_most`), whose ends are excluded too.",
        min_length=1,
    )

    @model_validator(mode="before")
    @classmethod
    def _read_comparison(cls, value: Any) -> Any:
        """Take `a + b <= c` as an expression with its ends."""
        return without_comparison(value) if isinstance(value, Mapping) else value

    @model_validator(mode="before")
    @classmethod
    def _check_counted(cls, value: Any) -> Any:
        """Refuse a number of inputs without the inputs."""
        if isinstance(value, Mapping) and "of" not in value:
            for key in cls.beside["of"]:
                if key in value:
                    raise PydanticCustomError("without_of", f"found {key} without 'of', the inputs to count")
        return value

    @model_validator(mode="after")
    def _check_ends(self) -> Self:
        """Refuse what has no end, an end of another kind of constraint, or more than fit together."""
        kind = next(key for key in self.beside if key in self.model_fields_set)
        found = [key for key in self.model_fields_set if key in sum(self.beside.values(), ())]
        valid = self.beside[kind]
        many = 1 if kind == "linear" or "equals" in found else 2
        if not set(found) <= set(valid) or (valid and not found) or len(found) > many:
            groups = " | ".join(valid) or "none of the keys of other constraints"
            raise PydanticCustomError(
                "choices", "expected {many} one of {groups}",
                {"many": "exactly" if kind == "linear" else "at least", "groups": groups},
            )  # fmt: skip
        return self


class Problem(Frozen):
    """Where data and truth come from: `table`, `simulator`, or both (rows from the table, truth from the simulator)."""

    choices: ClassVar[tuple[tuple[str, ...], ...]] = (("table",), ("simulator",))
    at_least_one: ClassVar[bool] = True

    table: Maybe[Table] = option(None)
    simulator: Maybe[Text] = option(
        None,
        "A built-in problem (`paraboloid`), or `package.module:function` in a file beside the study or "
        "below the working directory, which takes points of shape (n, d) and returns outputs (n,) or (n, "
        "m). For inference, a stochastic simulator (`poisson`), or a function of parameters (k, d), size "
        "and generator that returns samples (k, size, D); `inputs` are the parameters and `outputs` the "
        "coordinates.",
    )
    dimension: Maybe[Whole] = option(None, "Number of inputs, for a built-in of variable dimension.", ge=1, le=10_000)
    shift: Maybe[Whole] = option(
        None,
        "Moves the simulator's known minimum to a random place in its box, which this number seeds, so "
        "that no method gains by trying the middle first.",
        ge=0,
    )
    samples: Maybe[Whole] = option(
        None,
        "Rows to simulate as data (without a table); for a fit, random parameters that the search must "
        "beat. Default 3000, for a fit 100.",
        ge=10,
        le=100_000_000,
    )
    scatter: Maybe[Whole] = option(
        None,
        "Number of jobs that share the simulation of `samples`, for slow simulators. The rows equal those "
        "of one job, except for rounding in simulators that compute many rows at once. Default 1; for "
        "inference see `bank`.",
        ge=1,
        le=1000,
    )
    batch: Maybe[Whole] = option(
        None,
        "Maximum number of points per call of your own simulator; for inference, maximum number of "
        "parameters, with separate random numbers per call. A killed run keeps every call that had "
        "returned, and repeats the one in progress: with 1, a single simulation. For a deterministic "
        "simulator, answers do not change, except for rounding in simulators that compute many rows at "
        "once. Default: all points of a step in one call; with `budget` or `seconds` 1.",
        ge=1,
        le=100_000_000,
    )
    ode: Maybe[Ode] = option(None)
    curve: Maybe[Curve] = option(None)
    events: Maybe[Events] = option(None)
    solver: Solver = option(Solver())
    correlations: Maybe[dict[Text, dict[Text, Number]]] = option(
        None,
        "For inference: correlations between parameters whose priors are normal, or between the logarithms of those "
        "with log-normal ones, as `{a: {b: 0.7}}`: together they are multivariate normal.",
    )
    stepping: Maybe[Literal["tau_leaping", "exact"]] = option(
        None,
        "For inference: time stepping of the simulator `lotka_volterra`; `exact` simulates each event, "
        "and its cost grows with their number. Default `tau_leaping`.",
    )
    seconds: Maybe[Number] = option(
        None,
        "Time limit in seconds for one call of your own simulator, which then runs in a process of its own and is "
        "killed with all that it has started; the call's points fail (see `success_fraction`). Default: no limit. For "
        "inference: limit for one batch, and a batch that takes longer is an error; default 600.",
        gt=0,
        le=10_000_000,
    )
    success_fraction: Maybe[Number] = option(
        None,
        "Least share of the simulated rows (`samples`, and those that rounds add) at which the simulator must succeed. "
        "A call that raises, returns a number that is not finite or exceeds `seconds` costs its row, is kept with its "
        "message in `failed_calls.jsonl`, and is not repeated; with fewer successes the study ends with an error. "
        "Default 0.5.",
        gt=0,
        le=1,
    )
    noise: Maybe[Noise] = option(None)
    sampling: Maybe[Literal["natural", "uniform", "latin_hypercube", "clustered"]] = option(
        None,
        "How to distribute simulated data over the space. Default: the problem's natural distribution, "
        "uniform if it has none; for a fit `latin_hypercube`.",
    )
    inputs: Maybe[dict[Text, Input]] = option(
        None, "Settings by input; an input left out takes the training rows' range."
    )
    outputs: Maybe[dict[Text, ByType[Output | None]]] = option(None, "Settings by output.")
    formulas: Maybe[dict[Text, Formula]] = option(
        None, "Exact functions of inputs and outputs by name, usable wherever an output is (costs, ratios, losses)."
    )
    constraints: list[Constraint] = option(
        [], "Conditions on several inputs that every candidate satisfies (to 1e-9 of their scale)."
    )
