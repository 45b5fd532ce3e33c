"""Rows from a simulator, with noise, written as parquet with units."""

from preimage.data import setting, tables
from preimage.data.described import STUDY, described
from preimage.data.generate import SUCCESS_FRACTION, generate
from preimage.problems import loading
from preimage.running.step import step
from preimage.support.files import replacing, sha256, write_json


def main(snakemake):
    with step(snakemake) as run:
        spec = run.params["problem"]
        found = setting.of_simulator(spec)
        table, failed = generate(
            loading.simulator(spec),
            found.space,
            spec["samples"],
            run.rng,
            spec.get("sampling"),
            spec.get("noise", {}).get("sd", 0.0),
            [tables.read(path) for path in snakemake.input.get("parts", [])],
            spec.get("success_fraction", SUCCESS_FRACTION),
        )
        table = tables.with_units(table, found.units)
        tables.write(snakemake.output.data, tables.numbered(table))
        # The same rows as two files of the kind that a study may name as its `table`.
        tables.write(snakemake.output.features, table.select(found.inputs))
        tables.write(snakemake.output.targets, table.select(found.outputs))
        with replacing(snakemake.output.failed) as path:
            failed.to_parquet(path, index=False)
        info = {"rows": len(table), "inputs": found.inputs, "outputs": found.outputs, "sources": {}}
        write_json(snakemake.output.info, {**info, "sha256": sha256(snakemake.output.data)})
        run.metric("data/rows", len(table))
        run.metric("data/failed", len(failed) or None)
        run.artifact(snakemake.output.info)
        source = {"type": "code", "tags": {"simulator": spec["simulator"]}}
        run.record.datasets = [described(snakemake.output.data, STUDY, run.record.study, source)]


main(snakemake)
