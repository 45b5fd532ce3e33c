"""Observed and fitted series of the best candidates of every fit, as one table."""

from pathlib import Path

import pandas as pd

from preimage.running.step import step
from preimage.support.files import replacing


def main(snakemake):
    with step(snakemake) as run:
        parts = [pd.read_parquet(Path(folder) / "fit.parquet") for folder in snakemake.input.folders]
        with replacing(snakemake.output.fit) as path:
            pd.concat(parts, ignore_index=True).to_parquet(path, index=False)
        run.artifact(snakemake.output.fit)


main(snakemake)
