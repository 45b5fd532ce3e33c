"""What there is to show of a surrogate that predicts by inverting a decoder, by its kind."""

import importlib
from pathlib import Path

from preimage.data import named, rows
from preimage.problems import loading
from preimage.running.step import step
from preimage.support.files import replacing, write_json
from preimage.surrogates.base import module


def main(snakemake):
    with step(snakemake) as run:
        spec, kind, source = run.params["problem"], run.params["surrogate"]["kind"], snakemake.input
        train, test = (rows.load(p, source.info, named.categories(spec)) for p in (source.train, source.test))
        model = module(kind).load(Path(str(source.model)))
        # Picked at run time: each kind shows something of its own.
        shown = importlib.import_module(f"preimage.learning.{kind}")
        found = shown.judge(model, train, test, loading.load(spec), run.rng)
        with replacing(snakemake.output.folder) as folder:
            folder.mkdir()
            for table, frame in found.tables.items():
                frame.to_parquet(folder / f"{table}.parquet", index=False)
            write_json(folder / "findings.json", found.findings)
        for name, value in found.findings.items():
            if isinstance(value, float):
                run.metric(f"learning/{name}", value)
        run.artifact(snakemake.output.folder)


main(snakemake)
