"""The rows of the next round: those before, and what was simulated since; a share of it set aside for the gate."""

from pathlib import Path

import pandas as pd

from preimage import objective, problem, surrogates
from preimage.data import rows, setting, tables
from preimage.files import read_json, sha256, write_json
from preimage.relearning import batch
from preimage.relearning.acquire import acquire
from preimage.step import step
from preimage.surrogates.intervals import Intervals


def main(snakemake):
    with step(snakemake) as run:
        spec, source, options = run.params["problem"], snakemake.input, run.params["relearning"]
        known, rng = rows.known(source.info), run.rng
        before = rows.load(source.train, source.info, setting.categories(spec))
        train, test = tables.read(source.train), tables.read(source.test)
        gate = tables.read(source.gate) if source.get("gate") else None
        objectives = objective.build_all(run.params["objectives"], known.outputs, known.spread, known.reach)
        space, simulator = setting.of_simulator(spec).space, problem.load(spec)
        asked = batch.asks(pd.read_parquet(source.candidates), space, models(run, source), objectives)
        chosen = acquire(asked, before.X, before.Y, options["simulations"], options["explore"], rng)
        noise = spec.get("noise", {}).get("sd", 0.0)
        new = batch.simulated(simulator, space, chosen, train, noise, rng)
        last = sum(len(t) for t in (train, test, gate) if t is not None)
        new = batch.numbered_after(new, last)
        train, gate = batch.shared(train, gate, new, options["gate"], rng)

        for path, table in zip(
            (snakemake.output.train, snakemake.output.test, snakemake.output.gate, snakemake.output.new),
            (train, test, gate, new),
            strict=True,
        ):
            tables.write(path, table)
        info = setting.describe(train, known.inputs, known.outputs, setting.categories(spec))._asdict()
        counts = {"train_rows": len(train), "test_rows": len(test), "gate_rows": len(gate), "new_rows": len(new)}
        write_json(snakemake.output.info, {**info, **counts, "data_sha256": sha256(snakemake.output.train)})
        for name, value in counts.items():
            run.metric(f"round/{name}", value)
        run.metric("round/simulations", last + len(new))
        for name, wanted in objectives.items():
            best = wanted.loss(new.select(known.outputs).to_pandas().to_numpy(float)).min() if len(new) else None
            run.metric(f"round/best_new_loss/{name}", best)
        run.artifact(snakemake.output.new, snakemake.output.info)


def models(run, source):
    """Every surrogate of the last round with its intervals."""
    found = {}
    for name, folder, about in zip(run.params["surrogates"], source.models, source.models_info, strict=True):
        info = read_json(about)
        model = surrogates.module(info["kind"]).load(Path(folder))
        found[name] = (model, Intervals.from_dict(info["intervals"]))
    return found


main(snakemake)
