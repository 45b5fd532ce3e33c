"""The rows of the next round: those before, and what was simulated or measured since; a share of it set aside for the
gate, where rows are held out at all."""

import numpy as np
import pandas as pd
import pyarrow as pa

from preimage.core import objective
from preimage.core.candidates import inputs_of
from preimage.data import named, new_rows, rows, setting, split, split_rows, tables
from preimage.data.generate import MESSAGE, OF, ROWS, SUCCESS_FRACTION, check_success
from preimage.problems import loading
from preimage.relearning import batch
from preimage.relearning.acquire import acquire
from preimage.running.step import step
from preimage.support.files import read_json, replacing, sha256, write_json


def main(snakemake):
    with step(snakemake) as run:
        source, output, known = snakemake.input, snakemake.output, rows.known(snakemake.input.info)
        before = read_json(source.info)
        crossed = before["method"] == split.CROSS_VALIDATION
        train, test = tables.read(source.train), tables.read(source.test)
        held = test.slice(0, 0) if crossed else test
        gate = tables.read(source.gate) if source.get("gate") else test.slice(0, 0)
        rng = run.rng
        new, failed, said = (measured if source.get("file") else simulated)(
            run, source, train, pa.concat_tables([held, gate]), rng
        )
        new = batch.numbered_after(new, before["last"][-1])
        share = 0.0 if crossed else run.params["relearning"]["gate"]
        after, gate = batch.shared(train, gate, new, known.inputs, share, rng)
        test = after if crossed else test
        for path, table in ((output.train, after), (output.test, test), (output.gate, gate), (output.new, new)):
            tables.write(path, table)
        with replacing(output.failed) as path:
            failed.to_parquet(path, index=False)
        category = named.categories(run.params["problem"])
        described = setting.describe(after, known.inputs, known.outputs, category)
        described = described._replace(references=known.references)
        counts = {"train_rows": len(after), "test_rows": len(test), "gate_rows": len(gate), "new_rows": len(new)}
        last = [*before["last"], before["last"][-1] + len(new)]
        rest = {
            "categories": category, "data_sha256": sha256(output.train), "method": before["method"], "last": last,
        }  # fmt: skip
        write_json(output.info, {**described.to_dict(), **counts, **rest})
        write_json(output.said, {"rows": len(new), "sentences": said})
        log(run, source, output, counts)
        run.artifact(output.new, output.info, output.said)


def simulated(run, source, train, held, rng):
    """What the acquisition asks of the simulator."""
    spec, options = run.params["problem"], run.params["relearning"]
    space = setting.of_simulator(spec).space
    known = split_rows.read(spec, source.info, source.train, source.test)
    before, objectives = known.train, known.objectives(run.params["objectives"])
    asked = batch.asks(pd.read_parquet(source.candidates), space, run.params["surrogates"], objectives)
    failed = batch.failed_before(
        [pd.read_parquet(path) for path in source.get("failed", [])], pd.read_parquet(source.candidates), space
    )
    points = space.encode(inputs_of(failed, space))
    chosen = acquire(asked, before.X, before.Y, options["simulations"], options["explore"], rng, points)
    noise = spec.get("noise", {}).get("sd", 0.0)
    made = batch.simulated(loading.simulator(spec), space, chosen, train, noise, rng)
    failed = pd.concat([failed, made.failed], ignore_index=True)
    reasons = failed[failed[OF] == ROWS][MESSAGE].value_counts().to_dict()
    rows = len(train) + len(held) + len(made.table) + sum(reasons.values())
    check_success(reasons, rows, spec.get("success_fraction", SUCCESS_FRACTION))
    return made.table, failed, []


def measured(run, source, train, held, rng):
    """What the next file brings."""
    spec, known = run.params["problem"], rows.known(source.info)
    table = {**spec["table"], "incomplete": run.params["incomplete"]}
    new = new_rows.read(source.file, train, known.inputs, table, named.categories(spec), setting.integers(spec))
    held = held.drop_columns([tables.ROW])
    everything = pa.concat_tables([train.drop_columns([tables.ROW]), held])
    kept = new_rows.keep(new, everything, held, known.inputs, setting.of_rows(spec, known).space)
    said = kept.sentences(str(source.file))
    for sentence in said:
        print(f"preimage: {sentence}", flush=True)
    return kept.table, pd.DataFrame({c: pd.Series(dtype="str") for c in (MESSAGE, OF)}), said


def log(run, source, output, counts):
    for name, value in counts.items():
        run.metric(f"round/{name}", value)
    if not counts["new_rows"]:
        return
    single = {name: e for name, e in run.params["objectives"].items() if objective.many(e) is None}
    found = split_rows.read(run.params["problem"], source.info, source.train, output.new)
    for name, wanted in found.objectives(single).items():
        run.metric(f"round/best_new_loss/{name}", np.nanmin(wanted.loss(found.test.Y)))


main(snakemake)
