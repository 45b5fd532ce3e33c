"""One table of benchmark rows; where they name a peer, it was measured in this run."""

import importlib
import logging

import pandas as pd

from preimage.support.files import replacing


def main(snakemake):
    logging.basicConfig(filename=snakemake.log[0], level=logging.INFO)
    name, _, part = snakemake.wildcards.table.partition(".")
    module = importlib.import_module(f"preimage.benchmarks.{name}")
    rows = []
    for row in module.measure(part) if part else module.measure():
        rows.append(row)
        logging.info("%s", row)
        print(said(row), flush=True)
    with replacing(snakemake.output[0]) as path:
        pd.DataFrame(rows).to_csv(path, index=False, float_format="%.6g")


def said(row):
    if "peer" in row:
        return "{what}: {ours:.4g} {unit}, {peer_name} {peer:.4g}: ratio {ratio:.3g} ({reach})".format(**row)
    return ", ".join(
        f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in row.items()
    )


main(snakemake)
