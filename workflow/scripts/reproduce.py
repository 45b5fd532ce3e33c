"""The tables of a run that was made again, beside those that it left."""

import sys

import pandas as pd

from preimage.running import comparing
from preimage.support.files import replacing, write_text


def main(snakemake):
    run, study = snakemake.params.run, snakemake.params.study
    if run is None:
        print("preimage: reproduce: no run given; add run=<id of a run in MLflow> to --config", file=sys.stderr)
        sys.exit(1)
    found = comparing.compare_tables(run, snakemake.params.tolerance)
    page = f"results/{study}/reproduced.csv"
    with replacing(page) as path:
        pd.DataFrame(found).to_csv(path, index=False)
    lines = [f"{f['table']}: {f['result']}{f' ({where})' if (where := f['where']) else ''}" for f in found]
    write_text(snakemake.log[0], "\n".join([f"run {run}", *lines, ""]))
    print(f"preimage: run {run}, made again in results/{study}:")
    for line in lines:
        print(f"  {line}")
    if not all(f["result"].startswith("equal") for f in found):
        print(f"preimage: run {run} was not reproduced: see {page}", file=sys.stderr)
        sys.exit(1)


main(snakemake)
