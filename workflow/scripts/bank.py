"""One part of the simulations from the prior that methods share; those that failed stay in it as rows of NaN."""

from preimage.inference import arrays, bank
from preimage.inference.answer import Task
from preimage.inference.simulators import loading
from preimage.running.step import step
from preimage.support.files import read_json


def main(snakemake):
    with step(snakemake) as run:
        size = read_json(snakemake.input.task)["size"]
        every = bank.sets_for(run.params["simulations"], size)
        sets = bank.share(every, int(snakemake.wildcards.part), run.params["parts"])
        made = bank.simulate(Task(loading.load(run.params["problem"]), size), sets, run.rng)
        arrays.write(snakemake.output.bank, made._asdict())
        run.record.timing["evaluations"] = float(sets * size)
        run.metric("bank/sets", sets)
        run.metric("bank/failed", float(made.failed.sum()))


main(snakemake)
