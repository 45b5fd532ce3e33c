"""The answers of one method to the observed sets."""

from preimage.inference import arrays, observed, table
from preimage.inference.answer import Task
from preimage.inference.base import InferenceMethod
from preimage.inference.callback import told_plainly
from preimage.inference.simulators import loading
from preimage.running.step import step
from preimage.support.files import read_json, replacing, write_json


def main(snakemake):
    with step(snakemake) as run:
        method, found = InferenceMethod.of(run.params["method"]), loading.load(run.params["problem"])
        sets = observed.restored(read_json(snakemake.input.info)["names"], arrays.read(snakemake.input.observed))
        task = Task(found, sets.x.shape[1])
        trained = method.restored(task, arrays.read(snakemake.input.trained))
        rng = run.rng
        with told_plainly():
            answers = table.ask(trained, sets.x, rng, run.progress(len(sets.x)), run.state)
        kept = [table.kept(a, run.params["draws"], rng) for a in answers]
        for file, frame in (
            (snakemake.output.draws, table.draws_frame(sets.names, kept, found.prior.names)),
            (snakemake.output.paths, table.paths_frame(sets.names, kept, found.prior.names)),
        ):
            with replacing(file) as path:
                frame.to_parquet(path, index=False)
        write_json(snakemake.output.answers, table.about(sets.names, kept))

        run.record.timing["evaluations"] = float(sum(a.simulations for a in answers))
        run.metric("inference/failed", float(sum(a.status != "ok" for a in answers)))
        for k, answer in enumerate(answers):
            run.metric("inference/simulations", answer.simulations, k)
        run.artifact(snakemake.output.draws, snakemake.output.answers)


main(snakemake)
