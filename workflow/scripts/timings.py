"""Seconds, memory and evaluations of every step: apart from the science tables, which don't depend on them."""

import pandas as pd

from preimage.running.step import step
from preimage.support.files import read_json, replacing

COLUMNS = ["wall_seconds", "cpu_seconds", "peak_memory_mb", "evaluations"]


def main(snakemake):
    with step(snakemake) as run:
        rows = []
        for path in snakemake.input:
            record = read_json(path)
            wildcards = {k: record["wildcards"].get(k, "") for k in ("round", "seed")}
            rows.append({"step": record["name"], **wildcards, **{c: record["timing"].get(c) for c in COLUMNS}})
        with replacing(snakemake.output.timings) as path:
            pd.DataFrame(rows).to_csv(path, index=False, float_format="%.3f")
        run.artifact(snakemake.output.timings)


main(snakemake)
