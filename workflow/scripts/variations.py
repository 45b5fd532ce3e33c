"""What the studies of a family have found, side by side: a row a case of each."""

from pathlib import Path

import pandas as pd

from preimage import study as study_module
from preimage.data import split_rows
from preimage.evidence.variations import Member, side_by_side
from preimage.problems import loading
from preimage.running.step import step
from preimage.support.files import read_json, replacing


def main(snakemake):
    with step(snakemake) as run:
        found = (read(study, seed) for study in run.params["members"] for seed in study["seeds"])
        table = side_by_side(found)
        with replacing(snakemake.output.table) as path:
            table.to_csv(path, index=False)
        run.metric("variations/rows", len(table))
        run.artifact(snakemake.output.table)


def read(study, seed):
    """One seed of one study of the family, in its last round."""
    folder = Path("results") / study["study"]
    place = folder / f"round{study['rounds']}/seed{seed}"
    spec, info = study["problem"], str(place / "split.json")
    found = split_rows.read(spec, info, str(place / "train.parquet"), str(place / "test.parquet"))
    summary = pd.read_csv(folder / "summary.csv", float_precision="round_trip")
    timings = pd.read_csv(folder / "timings.csv")
    return Member(
        study=study["study"],
        seed=seed,
        varied=study["varied"],
        space=found.setting.space,
        objectives=found.objectives(study["objectives"]),
        test=found.test.Y,
        about={name: read_json(place / f"surrogates/{name}/surrogate.json") for name in study["surrogates"]},
        summary=summary[(summary["seed"] == seed) & (summary["round"] == study["rounds"])],
        timings=timings[(timings["seed"] == seed) & (timings["round"] == study["rounds"])],
        simulator=loading.load(spec),
        baselines=study_module.baselines(study),
    )


main(snakemake)
