"""Study and config, section by section: keys, types, units, bounds and words."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from preimage.inference.base import InferenceMethod
from preimage.inversion.base import Inverter
from preimage.study.objectives import ObjectiveEntry
from preimage.study.problem import Problem
from preimage.support.frozen import ByType, Distinct, Flag, Frozen, Maybe, Number, Text, Whole, option
from preimage.surrogates.base import SurrogateKind


class Vary(Frozen):
    """Run a separate study for each combination of these values (`<study>_dimension5_samples300`), and compare them on
    one page: `results/<study>/variations.html`.
    """

    choices: ClassVar[tuple[tuple[str, ...], ...]] = (("dimension",), ("samples",))
    at_least_one: ClassVar[bool] = True

    dimension: Maybe[Distinct[Annotated[Whole, Field(ge=1, le=10_000)]]] = option(
        None, "Values of `problem.dimension`.", min_length=1
    )
    samples: Maybe[Distinct[Annotated[Whole, Field(ge=10, le=100_000_000)]]] = option(
        None, "Values of `problem.samples`.", min_length=1
    )


class Split(Frozen):
    """How rows are held out. Rows of equal inputs stay together."""

    method: Maybe[Literal["hold_out", "cross_validation"]] = option(
        None,
        "`hold_out` keeps `test_fraction` of the rows from every step. `cross_validation` trains the model on all "
        "rows; each row is judged by models of the same settings that were trained, and tuned, without it. Where none "
        "is named: `cross_validation` below 200 distinct rows. Later rounds go on as the first began.",
    )
    folds: Whole = option(
        5,
        "With `cross_validation`: models trained to judge, each on the other parts; every batch of a later round stays "
        "in one part.",
        ge=2,
        le=100,
    )
    repeats: Whole = option(
        2, "With `cross_validation`: how often that is done, each time in other parts.", ge=1, le=100
    )
    test_fraction: Number = option(
        0.3, "Share of rows that no step uses for training, tuning or selection.", gt=0, lt=1
    )


class When(Frozen):
    """When to retrain and propose a challenger: as soon as any one of these is reached."""

    rows: Number = option(0.1, "New rows, as a share of those trained on.", ge=0)
    psi: Number = option(0.25, "Population stability index of any input.", ge=0)
    p_value: Number = option(
        0.01,
        "p-value of any input's Kolmogorov-Smirnov test (chi-squared for a category), times the number of inputs.",
        ge=0,
        le=1,
    )
    error: Number = option(1.5, "The model's error on the new rows, as a multiple of that on its own test rows.", ge=1)
    coverage: Number = option(
        0.1,
        "How far the share of new rows inside its intervals may fall below the nominal 90 %, beyond chance.",
        ge=0,
        le=1,
    )


class Relearning(Frozen):
    """What a round adds, and when a new model may replace the champion."""

    simulations: Whole = option(20, "Simulations per round, including gate rows.", ge=1, le=1_000_000)
    explore: Number = option(
        0.25,
        "Share of these simulations that explores (where least is known); the others go where the answer may lie.",
        ge=0,
        le=1,
    )
    gate: Number = option(
        0.2,
        "Share of every new batch that never trains any model; champion and challenger are compared on it.",
        ge=0,
        le=1,
    )
    error_at_most: Maybe[Number] = option(
        None, "Largest error of a challenger on the gate rows, in training standard deviations of the outputs.", ge=0
    )
    least_absolute_change: Number = option(
        0, "Least improvement of the challenger's error over the champion's, in the same unit.", ge=0
    )
    least_relative_change: Number = option(0, "Least improvement as a share of the champion's error.", ge=0, le=1)
    when: When = option(When())


class Next(Frozen):
    """Experiments to run next, in `results/<study>/next_experiments.csv` and `.xlsx`: distinct recipes within all
    constraints, rounded to what can be weighed, with empty columns for the outputs. Filled in, either file goes under
    `problem.table.new`.
    """

    experiments: Whole = option(8, "How many.", ge=1, le=1000)
    explore: Number = option(
        0,
        "Share of them that goes where least is known; the others go where the largest improvement is expected.",
        ge=0,
        le=1,
    )
    objectives: Maybe[Distinct[Text]] = option(
        None, "Objectives to ask for. Default: all, which take turns.", min_length=1
    )


class Budget(Frozen):
    """Most calls of the simulator that a study may make, over all its seeds and rounds; a dry run (`-n`) and the report
    count them by purpose. Rows (`samples`) and searches of the simulator itself take what the study states. Rounds and
    then re-simulated candidates, the diagnosis and figures share what is left. A call that a kill interrupts is made
    again, and counts once; so do the calls of a step that runs again because the study has changed.
    """

    simulations: Whole = option(..., "Points at which the simulator is called.", ge=1, le=1_000_000_000)


class Observations(Frozen):
    """For inference: the sets of samples to infer parameters from."""

    choices: ClassVar[tuple[tuple[str, ...], ...]] = (("simulate",), ("table",), ("reference",))

    simulate: Maybe[Whole] = option(
        None,
        "Number of sets to simulate at parameters drawn from the prior, which are stored as the truth.",
        ge=1,
        le=100_000,
    )
    size: Maybe[Whole] = option(None, "Samples per simulated set; required with `simulate`.", ge=1, le=10_000_000)
    table: Maybe[Text] = option(
        None,
        "Your samples: parquet or CSV with one column per coordinate of the simulator. A column "
        "`observation` distinguishes several sets, which must have equal numbers of rows.",
    )
    parameters: Maybe[Text] = option(
        None,
        "The true parameters of the table's sets, if known: parquet or CSV with one column per parameter "
        "and one row per set.",
    )
    reference: Maybe[Text] = option(
        None,
        "Folder of a task of the public inference benchmark (`num_observation_1/observation.csv` and so on), "
        "with true parameters and reference posteriors.",
    )
    draws: Whole = option(
        2000, "Maximum number of posterior draws to keep per observation and method.", ge=1, le=1_000_000
    )


class Checks(Frozen):
    """For inference: checks of every method, on fresh parameters drawn from the prior."""

    sets: Whole = option(300, "Fresh sets on which to check a method that is trained once.", ge=10, le=1_000_000)
    searches: Whole = option(
        20, "Fresh sets on which to check a method that runs a new search for each set.", ge=0, le=1_000_000
    )
    draws: Whole = option(
        200,
        "Draws of each answer to a fresh set, for ranks and regions, unless the method has fewer. With 200, ranks are "
        "told apart to 0.5 %.",
        ge=50,
        le=100_000,
    )
    use_of_simulations: Flag = option(
        True,
        "Also train each `alfi` without access to its simulations, as a method `<name>_blind`, to measure "
        "how much they contribute.",
    )
    predictive: Whole = option(
        300,
        "Sets simulated from each posterior, to compare with the observation. The report flags p = 0.01 "
        "or less, which requires 197 successful simulations.",
        ge=220,
        le=100_000,
    )


class Bank(Frozen):
    """For inference: simulations from the prior, run once and shared by every method that needs them (as many as the
    largest `simulations` among them).
    """

    jobs: Whole = option(
        2,
        "Number of jobs that share the simulations. Changing it changes the random numbers, hence the simulations.",
        ge=1,
        le=10_000,
    )


class StudyFile(Frozen):
    """One inverse problem, from data to evidence."""

    study: Text = option(
        ...,
        "Name of the study; its results go to `results/<study>/`. Letters, digits, `_` and `-`.",
        max_length=100,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$",
    )
    seeds: Maybe[Distinct[Annotated[Whole, Field(ge=0, le=4_294_967_295)]]] = option(
        None, "Every step runs once for each seed. Default `[0]`.", min_length=1
    )
    seed: Maybe[Whole] = option(None, "Short for `seeds` with one entry.", ge=0, le=4_294_967_295)
    vary: Maybe[Vary] = option(None)
    problem: Problem = option(...)
    split: Split = option(Split())
    surrogates: dict[Text, SurrogateKind] = option(
        {}, "Models to train, by name. Without any, inverters work on the simulator."
    )
    objectives: Maybe[dict[Text, ObjectiveEntry]] = option(
        None,
        "Objectives by name (required in a study without `inference`); each has exactly one of "
        "`minimize`, `maximize`, `target`, `within`, `targets`, `test_rows`, `fit`.",
        min_length=1,
    )
    inverters: dict[Text, Inverter] = option(
        {},
        "Methods that search for candidates, by name. `lookup` is always added: the baseline that the "
        "others must beat.",
    )
    rounds: Maybe[Whole] = option(
        None,
        "Rounds after the first: each adds rows where they teach most about the objectives (simulated, or "
        "the next of `problem.table.new`), retrains and inverts. Default 0, or one per file of `new`.",
        ge=0,
        le=1000,
    )
    relearning: Relearning = option(Relearning())
    next: Maybe[Next] = option(None)
    budget: Maybe[Budget] = option(None)
    observations: Maybe[Observations] = option(None)
    inference: Maybe[dict[Text, InferenceMethod]] = option(
        None,
        "For a stochastic simulator, instead of surrogates, objectives and inverters: methods that infer "
        "its parameters, by name.",
        min_length=1,
    )
    checks: Maybe[Checks] = option(None)
    bank: Maybe[Bank] = option(None)


class Config(Frozen):
    """Which studies to run, and options of single commands."""

    studies: ByType[Annotated[Distinct[Text], Field(min_length=1)] | Annotated[Text, Field(min_length=1)]] = option(
        ...,
        "Study files, or folders of them, absolute or relative to the working directory. On the command line:"
        ' `--config studies=my.yaml`, or for several `--config studies=\'["a.yaml", "b.yaml"]\'`.',
    )
    allow: Maybe[ByType[list[Text] | Text]] = option(
        None,
        "Installed packages whose functions any study may name as its simulator (`--config allow=mylab`; "
        "separate several with commas). Other functions must be in files beside the study or below the "
        "working directory.",
    )
    extensions: Maybe[ByType[list[Text] | Text]] = option(
        None,
        "Your modules that add inverters, surrogates, inference methods or objectives (`--config "
        "extensions=my_inverters`; separate several with commas): files in the working directory, or "
        "installed.",
    )
    memory: Maybe[Number] = option(
        None,
        "Memory in GB that limits the size of your files (see [SECURITY.md](../SECURITY.md)): a quarter "
        "of it for a table's file, half for a model's, three quarters for the process that reads them. "
        "Default: the machine's, or the container's or job's where that is less.",
        gt=0,
    )
    system_metrics: Maybe[Number] = option(
        None,
        "Seconds between measurements of the machine's CPU, memory, disk and network while a step runs "
        "(`--config system_metrics=5`), shown as MLflow's system metrics. Default: not measured.",
        ge=0.1,
    )
    trust: Maybe[ByType[Flag | Text]] = option(
        None,
        "For `reproduce`: `trust=yes` confirms that you have reviewed the code that the run's study "
        "names, and lets it run.",
    )
    run: Maybe[ByType[Text | Whole]] = option(
        None, "For `reproduce`: the MLflow id of the run to reproduce, that of a whole study."
    )
    tolerance: Number = option(
        1e-06,
        "For `reproduce`: largest difference between numbers that counts as equal, as a share of the column's largest.",
        ge=0,
    )
    study: Maybe[Text] = option(None, "For `rollback`: the study whose champion to roll back.")
    surrogate: Maybe[Text] = option(None, "For `rollback`: its surrogate.")
    seed: Maybe[Whole] = option(None, "For `rollback`: the seed, if the study has several.", ge=0)
    version: Maybe[Whole] = option(None, "For `rollback`: the version to make champion again.", ge=1)
    reason: Maybe[Text] = option(None, "For `rollback`: the reason, recorded with both versions.")
