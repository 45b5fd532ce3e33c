"""A method of inference made ready: trained where it is trained once for all observations."""

from preimage.inference import arrays, bank
from preimage.inference.answer import Task
from preimage.inference.base import InferenceMethod
from preimage.inference.callback import told_plainly
from preimage.inference.simulators import loading
from preimage.running.step import step
from preimage.support.files import read_json, write_json
from preimage.support.progress import TrainingContext


def main(snakemake):
    with step(snakemake) as run:
        method, size = InferenceMethod.of(run.params["method"]), read_json(snakemake.input.task)["size"]
        shared = bank.read(snakemake.input.get("bank", []))
        task = Task(loading.load(run.params["problem"]), size, shared)
        context = TrainingContext(snakemake.threads, run.state, run.progress(None))
        # An ablation is trained by the very numbers of its method: what it loses is not chance.
        rng = run.rng_of(snakemake.rule, method=run.params["like"])
        with told_plainly():
            trained = method.train(task, rng, context)
        arrays.write(snakemake.output.trained, trained.arrays())
        left_out = None if shared is None else float(shared.failed.mean())
        write_json(snakemake.output.info, {"simulations": trained.simulations, "failed": left_out})

        run.record.timing["evaluations"] = float(trained.simulations)
        run.metric("training/simulations", trained.simulations)
        for name, curve in trained.history.items():
            for at, value in curve:
                run.metric(f"training/{name}", value, at)
        run.artifact(snakemake.output.trained)


main(snakemake)
