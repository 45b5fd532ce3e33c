"""A user's table, checked and written as parquet with units."""

from preimage.data import remote, tables
from preimage.data.described import STUDY, described
from preimage.running.step import step
from preimage.support.files import sha256, write_json


def main(snakemake):
    with step(snakemake) as run:
        spec = run.params["table"]
        found = tables.import_table(remote.local(spec, snakemake.input), run.params["categories"])
        for sentence in found.sentences():
            print(f"preimage: {sentence}", flush=True)
        table = tables.with_units(tables.numbered(found.table, found.left_out), run.params["units"])
        tables.write(snakemake.output.data, table)
        named = [spec[key] for key in remote.FILES if key in spec]
        sources = {name: sha256(path) for name, path in zip(named, snakemake.input, strict=True)}
        info = {"rows": len(table), "inputs": found.inputs, "outputs": found.outputs, "sources": sources}
        write_json(snakemake.output.info, {**info, "sha256": sha256(snakemake.output.data)})
        run.metric("data/rows", len(table))
        run.metric("data/left_out", len(found.left_out))
        run.artifact(snakemake.output.info)
        source = {"uri": ", ".join(sources)}
        run.record.datasets = [described(snakemake.output.data, STUDY, run.record.study, source)]


main(snakemake)
