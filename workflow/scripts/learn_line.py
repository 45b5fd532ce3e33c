"""Learning a line by inversion: truncation, optimisers, the cost of derivatives, and noise."""

from preimage.learning import line
from preimage.running.step import step
from preimage.support.files import replacing, write_json


def main(snakemake):
    with step(snakemake) as run:
        found = line.judge(run.rng)
        with replacing(snakemake.output.folder) as folder:
            folder.mkdir()
            for table, frame in found.tables.items():
                frame.to_parquet(folder / f"{table}.parquet", index=False)
            write_json(folder / "findings.json", found.findings)
        # Unlike all else here, times differ from run to run.
        write_json(snakemake.output.times, found.times)
        for row in found.tables["ways"].to_dict("records"):
            run.metric(f"learning/error/{row['way'].replace(' ', '_').replace(',', '')}", row["error"])
        run.artifact(snakemake.output.folder)


main(snakemake)
