"""The fronts of a study's trade-offs over all rounds and seeds, as one table."""

from pathlib import Path

import pandas as pd

from preimage.core.candidates import CASE, outputs_in, without_formulas
from preimage.core.objective import Pareto
from preimage.data import split_rows
from preimage.evidence import fronts
from preimage.running.step import step
from preimage.support.files import replacing

LAST = ["gap", "proven", "dominated", "truly_dominated"]


def main(snakemake):
    with step(snakemake) as run:
        found = [part for folder in run.params["folders"] for part in of_seed(run.params, Path(folder))]
        table = pd.concat(found, ignore_index=True)
        parts = ("predicted", "simulated", "interval_low", "interval_high")
        values = [f"{part}.{output}" for part in parts for output in outputs_in(table)]
        inputs = [c for c in table if c.startswith("x.")]
        table = table[[*CASE, "start", "rank", *inputs, *values, "in_domain", "domain_score", *LAST]]
        with replacing(snakemake.output.table) as path:
            without_formulas(table).to_csv(path, index=False)
        run.metric("fronts/rows", len(table))
        run.artifact(snakemake.output.table)


def of_seed(params, folder):
    """The fronts of each trade-off in one round and seed."""
    found = split_rows.read(params["problem"], str(folder / "split.json"), str(folder / "train.parquet"))
    candidates = pd.read_parquet(folder / "candidates.parquet")
    for name, wanted in found.objectives(params["objectives"]).items():
        assert isinstance(wanted, Pareto)
        mine = candidates[candidates["objective"] == name]
        proven = fronts.proofs(folder, params["cases"], name)
        yield fronts.table(mine, wanted, found.setting.outputs, proven)


main(snakemake)
