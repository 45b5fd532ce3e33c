"""The posteriors of every seed and method as one table, and a row of findings for each answer."""

from itertools import product

import pandas as pd

from preimage.inference import arrays, observed, summary, table
from preimage.inference.simulators import loading
from preimage.running.step import step
from preimage.support.files import read_json, replacing, write_json


def main(snakemake):
    with step(snakemake) as run:
        found, source = loading.load(run.params["problem"]), snakemake.input
        parameters = found.prior.names
        rows, posteriors = [], []
        for s, seed in enumerate(run.params["seeds"]):
            sets = observed.restored(read_json(source.info[s])["names"], arrays.read(source.observed[s]))
            novelty = read_json(source.novelty[s])
            for m, method in enumerate(run.params["methods"]):
                k = s * len(run.params["methods"]) + m
                draws, about = pd.read_parquet(source.draws[k]), read_json(source.answers[k])
                posteriors.append(draws.assign(seed=seed, method=method))
                answers = table.restored(draws, about, parameters)
                about = read_json(source.trained[k]), read_json(source.checks[k])
                rows += summary.rows(seed, method, found, sets, answers, novelty, *about)
        posterior = pd.concat(posteriors, ignore_index=True)
        order = ["seed", "observation", "method", "draw", "weight", *(f"theta.{p}" for p in parameters)]
        with replacing(snakemake.output.posterior) as path:
            posterior[order].to_parquet(path, index=False)
        with replacing(snakemake.output.summary) as path:
            summary.frame(rows).to_csv(path, index=False)
        cases = product(run.params["seeds"], run.params["methods"])
        fresh = dict(zip(cases, map(pd.read_parquet, source.sets), strict=True))
        compared = summary.uses(fresh, run.params["ablations"], run.rng)
        write_json(snakemake.output.uses, compared)
        for use in compared:
            run.metric(f"checks/gain_by_simulations/{use['method']}", use["gain"], use["seed"])
        run.metric("posterior/draws", len(posterior))
        run.artifact(snakemake.output.posterior, snakemake.output.summary)


main(snakemake)
