"""What each round has bought, as a table over all rounds and seeds."""

from pathlib import Path

import pandas as pd

from preimage.core import objective
from preimage.data import split_rows
from preimage.data.rows import together
from preimage.evidence.by_round import Round, by_round
from preimage.running.step import step
from preimage.support.files import read_json, replacing


def main(snakemake):
    with step(snakemake) as run:
        summary = pd.read_csv(snakemake.input.summary, float_precision="round_trip")
        found = [one(run.params, Path(folder), number, seed) for folder, number, seed in run.params["folders"]]
        table = by_round(found, summary)
        with replacing(snakemake.output.table) as path:
            table.to_csv(path, index=False)
        log(run, table)
        run.artifact(snakemake.output.table)


def one(params, folder, number, seed):
    """A round of a seed, from what its steps wrote."""
    info = str(folder / "split.json")
    train, *parts = (folder / f"{name}.parquet" for name in ("train", "test", "gate"))
    found = [split_rows.read(params["problem"], info, str(train), str(p)) for p in parts if p.exists()]
    every = together([found[0].train, *(part.test for part in found)])
    single = {name: e for name, e in params["objectives"].items() if objective.many(e) is None}
    about = {name: read_json(folder / f"surrogates/{name}/surrogate.json") for name in params["surrogates"]}
    return Round(number, seed, every.Y, about, found[0].objectives(single))


def log(run, table):
    """Medians over the seeds; the round is the step of the metric."""
    for (surrogate, name, inverter), part in table.groupby(["surrogate", "objective", "inverter"], sort=False):
        for at, row in part.groupby("round")[["simulated_loss", "test_rmse"]].median().iterrows():
            run.metric(f"inversion/simulated_loss/{surrogate}.{name}.{inverter}", row["simulated_loss"], int(at))
            run.metric(f"test/rmse/{surrogate}", row["test_rmse"], int(at))


main(snakemake)
