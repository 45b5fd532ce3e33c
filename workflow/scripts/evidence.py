"""Candidates of one round and seed judged: re-simulated, with intervals, domain, regret and distinct solutions."""

from pathlib import Path

import pandas as pd
import pyarrow as pa

from preimage import candidates, objective, problem, surrogates
from preimage.data import checks, rows, setting, tables
from preimage.evidence import assess, judge
from preimage.evidence.recommend import distinct_solutions
from preimage.evidence.summary import summarise
from preimage.files import read_json, replacing, write_json
from preimage.step import step
from preimage.surrogates.intervals import Intervals


def main(snakemake):
    with step(snakemake) as run:
        spec, source = run.params["problem"], snakemake.input
        known = rows.known(source.info)
        found = setting.of_rows(spec, known)
        category = setting.categories(spec)
        train, test = (rows.load(path, source.info, category) for path in (source.train, source.test))
        objectives = {
            name: objective.build(name, entry, found.outputs, known.spread, known.reach)
            for name, entry in run.params["objectives"].items()
        }
        models = {}
        names = list(run.params["surrogates"])
        info = {name: read_json(path) for name, path in zip(names, source.get("models_info", []), strict=True)}
        for name, folder in zip(names, source.get("models", []), strict=True):
            model = surrogates.module(info[name]["kind"]).load(Path(folder))
            models[name] = (model, Intervals.from_dict(info[name]["intervals"]))
        simulator = problem.load(spec)

        table = read(snakemake, run.params["cases"], simulator.name if simulator else snakemake.wildcards.study)
        table = assess.with_intervals(table, found.space, models, found.outputs)
        table = assess.with_domain(table, found.space, train.X)
        if simulator is not None:
            table = assess.resimulate(table, found.space, simulator.simulate, objectives, found.outputs)
        table = candidates.typed(table, found.inputs, found.outputs)
        summary = summarise(table, found.space, objectives, found.outputs)
        solutions = distinct_solutions(table, found.space, objectives, found.outputs)
        predicted = [f"predicted.{o}" for o in found.outputs]
        tests = {
            name: pd.read_parquet(path)[predicted].to_numpy(float)
            for name, path in zip(names, source.get("tests", []), strict=True)
        }
        both = pa.concat_tables([tables.read(source.train), tables.read(source.test)])
        whole = setting.of_rows(spec, setting.describe(both, found.inputs, found.outputs, category))
        said = checks.warnings({"objectives": run.params["objectives"]}, both, whole)
        judged = judge.judge(table, solutions, found.space, objectives, simulator, test, tests, info, said)

        with replacing(snakemake.output.candidates) as path:
            table.to_parquet(path, index=False)
        with replacing(snakemake.output.summary) as path:
            summary.to_csv(path, index=False)
        with replacing(snakemake.output.solutions) as path:
            solutions.to_parquet(path, index=False)
        write_json(snakemake.output.evidence, judged)
        log(run, summary)
        run.artifact(snakemake.output.summary, snakemake.output.evidence, snakemake.output.solutions)


def read(snakemake, cases, name):
    parts = []
    for (surrogate, wanted, inverter), path in zip(cases, snakemake.input.candidates, strict=True):
        keys = {"surrogate": surrogate, "objective": wanted, "inverter": inverter}
        parts.append(pd.read_parquet(path).assign(**keys))
    wildcards = snakemake.wildcards
    return pd.concat(parts, ignore_index=True).assign(
        problem=name, round=int(wildcards.round), seed=int(wildcards.seed)
    )


def log(run, summary):
    """Key figures by case; names are the same in every step and round, so that runs compare."""
    for row in summary.to_dict("records"):
        case = f"{row['surrogate']}.{row['objective']}.{row['inverter']}"
        for name in ("predicted_loss", "simulated_loss", "optimizer_regret", "surrogate_regret", "distinct"):
            run.metric(f"evidence/{name}/{case}", row[name])


main(snakemake)
