"""One part of the rows from a simulator, as one of several jobs that `generate` puts together."""

from preimage.data import setting, tables
from preimage.data.generate import SUCCESS_FRACTION, simulate_part
from preimage.problems import loading
from preimage.running.step import step


def main(snakemake):
    with step(snakemake) as run:
        spec = run.params["problem"]
        found = setting.of_simulator(spec)
        rng = run.rng_of("generate")
        table = simulate_part(
            loading.simulator(spec),
            found.space,
            spec["samples"],
            rng,
            spec.get("sampling"),
            run.part,
            spec.get("success_fraction", SUCCESS_FRACTION),
        )
        tables.write(snakemake.output.part, table)
        run.metric("data/rows", len(table))


main(snakemake)
