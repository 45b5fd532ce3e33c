"""Candidates of one round and seed judged: re-simulated, with intervals, domain, regret and distinct solutions."""

import importlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from preimage.core import objective
from preimage.core.candidates import least_losses, without_formulas
from preimage.core.certificates import Certificate
from preimage.core.sizes import DRAWS
from preimage.data import named, setting, split, split_rows, tables
from preimage.evidence import assess, chance, fronts, judge, live, production, recipes
from preimage.evidence.recommend import distinct_solutions
from preimage.evidence.summary import summarise
from preimage.evidence.windows import with_windows
from preimage.problems import loading
from preimage.problems.with_formulas import with_formulas
from preimage.running.step import step
from preimage.study import data_checks
from preimage.support import spending
from preimage.support.files import read_json, replacing, write_json
from preimage.surrogates.base import module
from preimage.surrogates.intervals import Intervals

CROSS_VALIDATED = (
    "All {} rows train the models; what is said of held-out rows is by further models of the same settings, each row "
    "judged by those that were trained and tuned without it"
)


class Known(NamedTuple):
    """What candidates of a round are judged by.

    Attributes:
        info, models, tests: by surrogate: what its training wrote, the model with its intervals, its predictions of the
            test rows.
        draws: how inputs vary, by the objective of which they do.
    """

    found: split_rows.SplitRows
    objectives: dict[str, objective.Objective]
    info: dict[str, dict[str, Any]]
    models: dict[str, tuple[Any, Intervals]]
    tests: dict[str, np.ndarray]
    outlooks: dict[str, chance.Outlook]
    simulator: loading.Problem | None
    draws: dict[str, objective.Draws]

    @property
    def trees(self):
        return {name: model for name, (model, _) in self.models.items()}

    @property
    def varied(self):
        return {name: w for name, w in self.objectives.items() if name in self.draws}


def main(snakemake):
    with step(snakemake) as run:
        known = read(run, snakemake.input)
        table, certificates = read_candidates(snakemake, run.params["cases"], known.simulator)
        table = assessed(run, known, table)
        summary, solutions = summarised(known, table, certificates)
        judged = judge_answers(run, snakemake.input, known, table, solutions)
        space, train = known.found.setting.space, known.found.train
        moved = live.of_answers(judged["recipes"], known.trees, known.outlooks, space, known.objectives, train)

        with replacing(snakemake.output.candidates) as path:
            table.to_parquet(path, index=False)
        with replacing(snakemake.output.summary) as path:
            without_formulas(summary).to_csv(path, index=False)
        with replacing(snakemake.output.solutions) as path:
            solutions.to_parquet(path, index=False)
        write_json(snakemake.output.evidence, judged)
        write_json(snakemake.output.live, moved)
        log(run, summary)
        run.artifact(snakemake.output.summary, snakemake.output.evidence, snakemake.output.solutions)


def read(run, source):
    spec = run.params["problem"]
    found = split_rows.read(spec, source.info, source.train, source.test)
    objectives = found.objectives(run.params["objectives"])
    info, models, tests = read_models(list(run.params["surrogates"]), source, found)
    trees = {name: model for name, (model, _) in models.items()}
    outlooks = chance.outlooks(trees, source.get("out_of_fold", []), found, run.shared_rng("chance"))
    simulator = loading.load(spec)
    simulator = simulator and with_formulas(simulator, found.formulas)
    varied = {name: w for name, w in objectives.items() if isinstance(w, objective.Varied)}
    draws = {name: w.variation.on(found.setting.space, run.shared_rng("variation")) for name, w in varied.items()}
    return Known(found, objectives, info, models, tests, outlooks, simulator, draws)


def assessed(run, known, table):
    """Candidates with what is true of them."""
    found, space = known.found, known.found.setting.space
    if any(isinstance(w, objective.Fit) for w in known.objectives.values()):
        # Picked at run time: no other study depends on it.
        calibrated = importlib.import_module("preimage.calibration.assess")
        return calibrated.assess(table, space, run.params["problem"], run.params["objectives"])
    return assess.assess(
        table, space, known.models, found.train.X, known.simulator, known.objectives, found.setting.outputs,
        found.formulas, known.draws, known.outlooks, most=run.params["calls"],
    )  # fmt: skip


def summarised(known, table, certificates):
    """The summary, and distinct solutions, with windows."""
    space, outputs, objectives = known.found.setting.space, known.found.setting.outputs, known.objectives
    free = {name: about.get("without_influence", []) for name, about in known.info.items()}
    summary = summarise(table, space, objectives, outputs, certificates, free)
    solutions = distinct_solutions(table, space, objectives, outputs, free)
    least = least_losses(table, ["surrogate", "objective"]).to_dict()
    summary = with_windows(summary, space, known.trees, objectives, least)
    return summary, first_with_windows(solutions, space, known.trees, objectives, least)


def judge_answers(run, source, known, table, solutions):
    """What the evidence says of each answer."""
    found, space, objectives = known.found, known.found.setting.space, known.objectives
    crossed = read_json(source.info)["method"] == split.CROSS_VALIDATION
    said = warnings(run.params, source, found, crossed)
    if crossed and known.models:
        said.append(CROSS_VALIDATED.format(len(found.train.X)))
    judged = judge.judge(
        table, solutions, space, objectives, known.simulator, found.test, known.tests, known.info, said, found.outputs
    )
    judged["recipes"] = recipes.of_answers(
        solutions, space, objectives, known.models, known.outlooks, found.formulas, found.train, known.draws
    )
    judged["measured"] = recipes.measured(objectives, space, [found.train, found.test])
    if known.draws:
        judged["production"] = of_production(solutions, found, known.varied, known.models, known.simulator, run.rng)
    return judged


def of_production(solutions, found, objectives, models, simulator, rng):
    """What becomes of recommended answers where inputs vary, at draws of this step's own."""
    mine = solutions[solutions["objective"].isin(list(objectives))]
    predict = {name: with_outputs(found.formulas, model) for name, (model, _) in models.items()}
    left = spending.account().left
    enough = left is None or left >= DRAWS * len(mine.drop_duplicates(["surrogate", "objective"]))
    simulate = simulator.simulate if simulator is not None and enough else None
    return production.of_answers(mine, found.setting.space, objectives, predict, simulate, found.setting.outputs, rng)


def with_outputs(formulas, model):
    """The outputs of a model with formulas as further ones."""
    return lambda X: formulas.extended(X, model.predict(X)) if formulas else model.predict(X)


def read_models(names, source, found):
    """Return by surrogate what its training wrote, the model with its intervals, its predictions of the test rows."""
    info, models, tests = {}, {}, {}
    paths = (source.get(key, []) for key in ("models_info", "models", "tests"))
    for name, about, folder, test in zip(names, *paths, strict=True):
        info[name] = found.about(about)
        model = module(info[name]["kind"]).load(Path(folder))
        models[name] = (model, Intervals.from_dict(info[name]["intervals"]))
        predicted = found.predicted(pd.read_parquet(test))
        tests[name] = predicted[[f"predicted.{o}" for o in found.setting.outputs]].to_numpy(float)
    return info, models, tests


def read_candidates(snakemake, cases, simulator):
    """All inverters' rows as one table, and what was proven by surrogate and objective."""
    wildcards = snakemake.wildcards
    parts: list[pd.DataFrame] = []
    certificates: dict[tuple[str, str], list[Certificate]] = {}
    for (surrogate, entry, inverter), path in zip(cases, snakemake.input.candidates, strict=True):
        part = pd.read_parquet(path)
        found = part.attrs.pop("certificates", {})
        # A committee's word is not what was proven: that is of the surrogate's own loss.
        if not snakemake.params.objectives[entry].get("committee"):
            for wanted, certificate in found.items():
                # What holds near the data bounds no method that may leave it.
                if certificate["limited"]:
                    continue
                certificates.setdefault((surrogate, wanted), []).append(certificate)
        parts.append(part.assign(surrogate=surrogate, inverter=inverter))
    name = simulator.name if simulator else wildcards.study
    whole = pd.concat(parts, ignore_index=True)
    whole = whole.assign(problem=name, round=int(wildcards.round), seed=int(wildcards.seed))
    return whole, certificates


def first_with_windows(solutions, *about):
    """Solutions with the window of each recommended one; the others are shown without."""
    first = ~solutions.duplicated(["surrogate", "objective"])
    return pd.concat([with_windows(solutions[first], *about), solutions[~first]]).sort_index()


def warnings(params, source, found, crossed):
    """What is to be said of all the rows, held-out ones too, and of the objectives."""
    spec = params["problem"]
    both = tables.read(source.train)
    if not crossed:
        both = pa.concat_tables([both, tables.read(source.test)])
    whole = setting.of_rows(spec, setting.describe(both, found.train.inputs, found.outputs, named.categories(spec)))
    both, whole = setting.with_formulas(both, whole, found.formulas)
    return data_checks.warnings({"objectives": params["objectives"]}, both, whole)


def log(run, summary):
    """Key figures by case, means over a table of targets. The names are the same in every step and round, and they
    stand on the run of the inversion too, so that inverters compare there."""
    figures = ["predicted_loss", "simulated_loss", "optimizer_regret", "surrogate_regret", "gap", "distinct"]
    figures += [name for name in fronts.VOLUMES if name in summary]
    entry = summary["objective"].str.partition(".")[0].rename("entry")
    numbers = summary[figures].astype(float)
    means = numbers.groupby([summary["surrogate"], entry, summary["inverter"]], sort=False).mean()
    for case, row in means.iterrows():
        for name in figures:
            run.metric(f"evidence/{name}/{'.'.join(case)}", row[name])
            run.metric_of(f"invert.{'.'.join(case)}", f"inversion/{name}", row[name])


main(snakemake)
