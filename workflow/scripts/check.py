"""The evidence about one method: its answers to the observed sets, and to fresh ones whose parameters are known."""

import pandas as pd

from preimage.inference import arrays, bank, judge, observed, table
from preimage.inference.answer import Bank, Task
from preimage.inference.base import InferenceMethod
from preimage.inference.simulators import loading
from preimage.running.step import step
from preimage.support.files import read_json, replacing, write_json


def main(snakemake):
    with step(snakemake) as run:
        method, found = InferenceMethod.of(run.params["method"]), loading.load(run.params["problem"])
        sets = observed.restored(read_json(snakemake.input.info)["names"], arrays.read(snakemake.input.observed))
        task = Task(found, sets.x.shape[1])
        rng = run.rng
        answers = table.restored(
            pd.read_parquet(snakemake.input.draws), read_json(snakemake.input.answers), found.prior.names
        )
        ways = table.paths_of(pd.read_parquet(snakemake.input.paths), sets.names, found.prior.names)
        shown = judge.shown(task, answers, [w and w[0] for w in ways], rng)
        seen = judge.observed(task, sets, answers, run.params["predictive"], rng)

        known = bank.complete(Bank(**arrays.read(snakemake.input.fresh)), run.params["sets"])
        kept = arrays.read(snakemake.input.trained)
        trained = lighter(method, run.params["draws"]).restored(task, kept)
        if hasattr(trained, "untrained"):
            shown |= judge.untrained(task, sets.x, trained.untrained(), rng)
        arrays.write(snakemake.output.shown, shown)
        report = run.progress(len(known.x))
        about, by_set = judge.fresh(task, known, table.ask(trained, known.x, rng, report, run.state), rng)
        write_json(snakemake.output.checks, {"observed": seen, "fresh": about})
        with replacing(snakemake.output.sets) as path:
            by_set.to_parquet(path, index=False)
        log(run, seen, about)
        run.artifact(snakemake.output.checks, snakemake.output.sets)


def lighter(method, most):
    """The method with no more draws than ranks and regions need, whatever is wanted of the observed sets."""
    return method.changed(draws=min(method.draws, most)) if hasattr(method, "draws") else method


def log(run, seen, about):
    for k, row in enumerate(seen):
        for name in ("predictive_error", "predictive_p", "c2st"):
            run.metric(f"checks/{name}", row.get(name), k)
    run.metric("checks/sets", about["sets"])
    run.metric("checks/score", about.get("score"))
    run.metric("checks/tarp_p", about.get("tarp_p"))
    for name, value in about.get("error", {}).items():
        run.metric(f"checks/rmse/{name}", value)
    for name, value in about.get("sbc_p", {}).items():
        run.metric(f"checks/sbc_p/{name}", value)
    if "coverage" in about:
        run.metric("checks/coverage", about["coverage"]["found"])
        run.metric("checks/coverage_error", about["coverage"]["error"])


main(snakemake)
