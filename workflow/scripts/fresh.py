"""Sets at known parameters from the prior, to check methods on; and whether the observed sets are of their kind."""

from preimage.inference import arrays, bank, judge
from preimage.inference.answer import Task
from preimage.inference.simulators import loading
from preimage.running.step import step
from preimage.support.files import read_json, write_json


def main(snakemake):
    with step(snakemake) as run:
        task = Task(loading.load(run.params["problem"]), read_json(snakemake.input.task)["size"])
        made = bank.simulate(task, run.params["sets"], run.rng)
        arrays.write(snakemake.output.fresh, made._asdict())
        p_values = judge.novelty(arrays.read(snakemake.input.observed)["x"], made)
        write_json(snakemake.output.novelty, {"p_values": p_values, "failed": float(made.failed.mean())})
        run.record.timing["evaluations"] = float(len(made.x) * task.size)
        run.metric("fresh/sets", len(made.x))
        run.metric("fresh/failed", float(made.failed.sum()))


main(snakemake)
