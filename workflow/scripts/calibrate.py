"""What can be said of one fit: its series, profile likelihoods, forecast of held-out rows, and its derivatives."""

import pandas as pd

from preimage.calibration import judge
from preimage.data import rows, setting
from preimage.running.step import step
from preimage.support.files import replacing, write_json


def main(snakemake):
    with step(snakemake) as run:
        spec, source, name = run.params["problem"], snakemake.input, snakemake.wildcards.objective
        space = setting.of_rows(spec, rows.known(source.info)).space.fix(run.params["objective"].get("fixed") or {})
        solutions = pd.concat([pd.read_parquet(p) for p in source.solutions], ignore_index=True)
        mine = solutions[solutions["objective"] == name].sort_values("predicted_loss", kind="stable")
        entry = run.params["objective"]["fit"]
        found = judge.judge(spec, entry, space, mine, run.rng, run.params["derivatives"], run.state)
        with replacing(snakemake.output.folder) as folder:
            folder.mkdir()
            for table, frame in found.tables.items():
                frame.assign(objective=name).to_parquet(folder / f"{table}.parquet", index=False)
            write_json(folder / "findings.json", found.findings)
        # What a derivative takes differs from run to run, unlike all else here.
        write_json(snakemake.output.times, found.times)
        if "determined" in found.findings:
            run.metric("calibration/determined_directions", found.findings["determined"])
        for row in found.findings.get("forecast", []):
            run.metric(
                f"calibration/forecast_error/{row['method'].replace(' ', '_')}/{row['series']}",
                row["error"],
            )
        run.artifact(snakemake.output.folder)


main(snakemake)
