"""The diagnosis of a study: everything that commonly spoils inverse analysis, looked for in what its steps measured.

Nothing is known here of any one study, and nothing is searched or trained again: the models' part was measured as they
were trained (`preimage.evidence.learning`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from preimage.core.candidates import inputs_of, missed
from preimage.core.objective import Fit, Objective, Varied
from preimage.core.space import Space
from preimage.data.rows import Rows, together
from preimage.evidence import answer_findings as answers
from preimage.evidence import findings
from preimage.evidence import model_findings as models
from preimage.evidence.findings import Finding
from preimage.problems.loading import Problem

Place = dict[str, Any]


@dataclass(frozen=True)
class Evidence:
    """What the steps of one seed have left.

    Attributes:
        outputs: those that models were trained on, and are judged by; the rows have formulas behind them.
        answers: outputs and formulas, which objectives are of.
        baselines: inverters that don't search, but look up.
        tests: predictions and intervals of the rows held out, by surrogate.
        about: what training wrote of each surrogate.
        candidates, summary, solutions: this seed's tables.
        noise: standard deviation of the noise that was added to simulated rows; None for measured ones.
        calls: of the simulator around each answer, at most; None where there is no budget.
    """

    seed: int
    space: Space
    outputs: list[str]
    answers: list[str]
    objectives: Mapping[str, Objective]
    train: Rows
    test: Rows
    tests: Mapping[str, pd.DataFrame]
    about: Mapping[str, Mapping[str, Any]]
    candidates: pd.DataFrame
    summary: pd.DataFrame
    solutions: pd.DataFrame
    simulator: Problem | None
    noise: float | None
    baselines: frozenset[str] = frozenset()
    calls: int | None = None


def diagnose(seeds: Iterator[tuple[Evidence, np.random.Generator]]) -> pd.DataFrame:
    """Return every finding of every seed, a row each (see `findings.Finding`), with its place: seed, surrogate,
    objective, inverter and output, as far as it has one."""
    rows: list[tuple[Place, Finding]] = []
    for found, rng in seeds:
        rows += [({"seed": found.seed, **place}, f) for place, f in (*_of_models(found, rng), *_of_answers(found, rng))]
    return findings.table(rows)


def _of_models(found: Evidence, rng: np.random.Generator) -> Iterator[tuple[Place, Finding]]:
    every = together([found.train, found.test])
    group, Y = every.group, every.Y
    X, places = found.space.scaled(found.test.X), found.space.coordinates(found.test.X)
    for name, test in found.tests.items():
        learning = found.about[name]["learning"]
        for k, output in enumerate(found.outputs):
            place = {"surrogate": name, "output": output}
            residual = found.test.Y[:, k] - test[f"predicted.{output}"].to_numpy(float)
            variance = float(found.test.Y[:, k].var())
            floor = models.noise_floor(group, Y[:, k], found.noise)
            fitted = float(learning["training"][output]["rmse"]) ** 2
            yield place, models.too_little_data(learning, variance, k)
            yield place, models.rising_error(learning, variance, k)
            yield place, models.unsuitable_model(X, residual, variance, found.test.levels, rng, places)
            yield place, models.too_many_inputs(learning, variance, k)
            yield place, models.noise_as_signal(fitted, residual**2, floor, variance)


def _of_answers(found: Evidence, rng: np.random.Generator) -> Iterator[tuple[Place, Finding]]:
    """Yield findings of each objective on each surrogate, but not of tables of targets, nor of fits."""
    for (surrogate, objective), summary in found.summary.groupby(["surrogate", "objective"], sort=False):
        wanted = found.objectives[str(objective)]
        if isinstance(wanted, Fit) or wanted.name != wanted.entry:
            continue
        place = {"surrogate": surrogate, "objective": objective}
        least = float(summary["predicted_loss"].where(missed(summary) == 0).min())
        for row in summary[~summary["inverter"].isin(found.baselines)].to_dict("records"):
            search = (
                answers.poor_front(row, wanted, float(summary["hypervolume"].max()))
                if wanted.front
                else answers.poor_search(row, wanted, least)
            )
            yield {**place, "inverter": row["inverter"]}, search
        first = summary.iloc[0]
        yield place, answers.no_solution(str(first["feasible"]), float(first["certified_bound"]), wanted)
        mine = found.solutions[
            (found.solutions["objective"] == objective) & (found.solutions["surrogate"] == surrogate)
        ]
        if len(mine):
            if not wanted.front:
                yield place, _several(found, mine, str(surrogate), wanted, least)
            yield from ((place, f) for f in _of_the_first(found, mine.head(1), str(surrogate), wanted, rng))


def _several(found: Evidence, mine: pd.DataFrame, surrogate: str, wanted: Objective, least: float) -> Finding:
    space = wanted.allowed(found.space)
    table = found.candidates
    table = table[(table["objective"] == wanted.name) & (table["surrogate"] == surrogate) & table["rank"].notna()]
    predicted = table[[f"predicted.{o}" for o in found.answers]].to_numpy(float)
    if isinstance(wanted, Varied) or wanted.near:
        good = table[(table["predicted_loss"] <= wanted.as_good_as(least)) & (missed(table) == 0)]
    else:
        good = table[wanted.met(predicted, None if wanted.bounded else least)]
    truly = None
    if not isinstance(wanted, Varied) and mine["simulated_loss"].notna().all() and bool(mine["solves"].all()):
        true = mine[[f"simulated.{o}" for o in found.answers]].to_numpy(float)
        truly = int(wanted.met(true).sum())
    distinct = len(mine) if bool(mine["solves"].iloc[0]) else 0
    X = space.scaled(space.encode(inputs_of(good, space)))
    free = space.free & ~np.isin(space.names, found.about.get(surrogate, {}).get("without_influence", []))
    return answers.several_solutions(X, free, distinct, truly, space.categorical)


def _of_the_first(
    found: Evidence, first: pd.DataFrame, surrogate: str, wanted: Objective, rng: np.random.Generator
) -> Iterator[Finding]:
    """Yield what is found of the recommended answer, the one row of a table."""
    row = first.iloc[0]
    low, high = ([f"interval_{end}.{o}" for o in wanted.involved] for end in ("low", "high"))
    if surrogate in found.tests:
        test = found.tests[surrogate]
        width = row[high].to_numpy(float) - row[low].to_numpy(float)
        usual = test[high].to_numpy(float) - test[low].to_numpy(float)
        yield answers.sparse_data(float(row["domain_score"]), width, usual)
    quantity = "jump of the truth in the window"
    if found.simulator is None:
        yield findings.unknown("unstable_answer", quantity, reason="there is no simulator to ask around the answer")
        return
    space = wanted.allowed(found.space)
    x = space.encode(inputs_of(first, space))[0]
    window = answers.window_around(row.to_dict(), x, space)
    yield answers.unstable_answer(*window, x, space, found.simulator.simulate, wanted.nominal, rng, found.calls)
