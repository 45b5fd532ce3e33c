"""Rows held out by distinct input; what later steps may know of the data comes from the training rows alone."""

from preimage.core import canonical
from preimage.data import references, setting, split, tables
from preimage.running.step import step
from preimage.support.files import read_json, write_json


def main(snakemake):
    with step(snakemake) as run:
        table, info = tables.read(snakemake.input.data), read_json(snakemake.input.info)
        table = table.take(canonical.row_order(table, info["inputs"], info["outputs"], run.rng.spawn(1)[0]))
        how = run.params["split"]
        method = how.get("method") or split.method_for(table, info["inputs"])
        if method == split.CROSS_VALIDATION:
            train, test = split.everything(table)
        else:
            train, test = split.split(table, info["inputs"], how["test_fraction"], run.rng)
        rows = table.take(train)
        tables.write(snakemake.output.train, rows)
        tables.write(snakemake.output.test, table.take(test))
        known = setting.describe(rows, info["inputs"], info["outputs"], run.params["categories"])
        referred = references.read(table, run.params["references"], info["inputs"])
        counts = {"train_rows": len(train), "test_rows": len(test)}
        last = max(table[tables.ROW].to_pylist())
        rest = {"categories": run.params["categories"], "data_sha256": info["sha256"], "method": method, "last": [last]}
        write_json(snakemake.output.info, {**known._replace(references=referred).to_dict(), **counts, **rest})
        for name, value in counts.items():
            run.metric(f"split/{name}", value)
        run.artifact(snakemake.output.info)


main(snakemake)
