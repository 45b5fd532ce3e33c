"""Benchmark rows, each measured against its peer in this run."""

import logging

import pandas as pd

from preimage.benchmarks import spine, tuning
from preimage.files import replacing


def main(snakemake):
    logging.basicConfig(filename=snakemake.log[0], level=logging.INFO)
    rows = []
    for measure in (spine.one_row_prediction, spine.tpe_on_forest, spine.large_table, lambda: spine.default_run(2)):
        say(rows, measure())
    for row in tuning.fifty_trials():
        say(rows, row)
    with replacing(snakemake.output[0]) as path:
        pd.DataFrame(rows).to_csv(path, index=False, float_format="%.6g")


def say(rows, row):
    rows.append(row)
    logging.info("%s", row)
    print("{what}: {ours:.4g} {unit}, {peer_name} {peer:.4g}: ratio {ratio:.3g} ({reach})".format(**row))


main(snakemake)
