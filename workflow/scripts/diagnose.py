"""The diagnosis of a study's last round: what may spoil its answers, from what its steps have measured."""

from pathlib import Path

import pandas as pd

from preimage.core.candidates import without_formulas
from preimage.data import split_rows
from preimage.evidence.diagnosis import Evidence, diagnose
from preimage.evidence.findings import FOUND
from preimage.problems import loading
from preimage.problems.with_formulas import with_formulas
from preimage.running.step import step
from preimage.support.files import replacing
from preimage.support.rng import generator


def main(snakemake):
    with step(snakemake) as run:
        simulator = loading.load(run.params["problem"])
        folders = [(Path(folder), seed) for folder, _, seed in run.params["folders"]]
        table = diagnose((read(run.params, *place, simulator), generator(place[1], "diagnose")) for place in folders)
        with replacing(snakemake.output.table) as path:
            without_formulas(table).to_csv(path, index=False)
        for kind, part in table.groupby("finding", sort=False):
            run.metric(f"diagnosis/{kind}", part["verdict"].eq(FOUND).mean())
        run.artifact(snakemake.output.table)


def read(params, folder, seed, simulator):
    """What the steps of one seed have left."""
    spec, info = params["problem"], str(folder / "split.json")
    found = split_rows.read(spec, info, str(folder / "train.parquet"), str(folder / "test.parquet"))
    surrogates = {name: folder / "surrogates" / name for name in params["surrogates"]}
    return Evidence(
        seed=seed,
        space=found.setting.space,
        outputs=found.outputs,
        answers=found.setting.outputs,
        objectives=found.objectives(params["objectives"]),
        train=found.train,
        test=found.test,
        tests={name: found.predicted(pd.read_parquet(path / "test.parquet")) for name, path in surrogates.items()},
        about={name: found.about(path / "surrogate.json") for name, path in surrogates.items()},
        candidates=pd.read_parquet(folder / "candidates.parquet"),
        summary=pd.read_csv(folder / "summary.csv", float_precision="round_trip"),
        solutions=pd.read_parquet(folder / "solutions.parquet"),
        simulator=simulator and with_formulas(simulator, found.formulas),
        baselines=frozenset(params["baselines"]),
        noise=None if "table" in spec else float(spec.get("noise", {}).get("sd", 0.0)),
        calls=None if params["calls"] is None else params["calls"] // max(1, params["answers"]),
    )


main(snakemake)
