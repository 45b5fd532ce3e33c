"""A surrogate trained on the training rows, with intervals, and judged on the test rows."""

from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from preimage.data import rows
from preimage.evidence import learning
from preimage.running.step import step
from preimage.support.files import replacing, write_json
from preimage.surrogates import intervals, judging, protocol
from preimage.surrogates.base import module
from preimage.surrogates.metrics import coverage, metrics


def main(snakemake):
    with step(snakemake) as run:
        spec = run.params["surrogate"]
        train = rows.load(snakemake.input.train, snakemake.input.info, run.params["categories"])
        test = rows.load(snakemake.input.test, snakemake.input.info, run.params["categories"])
        report = run.progress(spec["tune"]["evaluations"]) if spec.get("tune") is not None else None
        kind = module(spec["kind"])
        trained = kind.train(train, spec, run.rng, protocol.Means(snakemake.threads, run.state, report))
        protocol.refuse_constant(snakemake.wildcards.surrogate, trained.surrogate, train)
        with replacing(snakemake.output.model) as folder:
            folder.mkdir()
            trained.save(folder)

        fitted = intervals.fit(train.Y, *trained.out_of_fold)
        judged = judge(run, snakemake, kind, trained, train, test)
        predicted, low, high = judged.predicted, judged.low, judged.high
        scores, covered = metrics(test.Y, predicted, test.outputs), coverage(test.Y, low, high)
        info = {
            "kind": spec["kind"],
            "warning": trained.warning,
            "parameters": trained.parameters,
            "test": scores,
            "test_coverage": covered,
            "level": intervals.LEVEL,
            "validation_error": np.abs(train.Y - trained.out_of_fold[0]).mean(axis=0).tolist(),
            "intervals": fitted.to_dict(),
            "learning": learning.measured(judged.model, judged.train, judged.test, run.rng.spawn(1)[0]),
        }
        if trained.without_influence:
            info["without_influence"] = list(trained.without_influence)
        write_json(snakemake.output.info, info)
        with replacing(snakemake.output.test) as path:
            pd.DataFrame(intervals.columns(predicted, low, high, test.outputs)).to_parquet(path, index=False)
        with replacing(snakemake.output.out_of_fold) as path:
            said, spread = trained.out_of_fold
            columns = intervals.by_output(train.outputs, predicted=said, spread=spread)
            pd.DataFrame(columns).to_parquet(path, index=False)
        with replacing(snakemake.output.trials) as path:
            pd.DataFrame(trained.trials).to_parquet(path, index=False)
        with replacing(snakemake.output.curve) as path:
            curve = pd.DataFrame(trained.curve, columns=["epoch", "training_loss", "validation_loss"])
            curve.to_parquet(path, index=False)

        log(run, snakemake, trained, info, train)


def judge(run, snakemake, kind, trained, train, test):
    """The model on the test rows; by cross-validation, models of the same settings on all rows."""
    how = run.params["split"]
    if how["method"] == "hold_out":
        return judging.held_out(trained, train, test)
    rng = run.rng.spawn(1)[0]

    def again(rows):
        return kind.train(rows, run.params["surrogate"], rng, protocol.Means(snakemake.threads))

    return judging.cross_validated(again, train, how["folds"], rng)


def log(run, snakemake, trained, info, train):
    for name, value in trained.parameters.items():
        run.param(f"fitted.{name}", value)
    for output, covered in zip(train.outputs, info["test_coverage"], strict=True):
        suffix = "" if len(train.outputs) == 1 else f".{output}"
        for name, value in info["test"][output].items():
            run.metric(f"test/{name}{suffix}", value)
        run.metric(f"test/coverage{suffix}", covered)
    for at, trial in enumerate(trained.trials):
        run.metric("tuning/cross_validated_error", trial["cross_validated_error"], at)
    for epoch, training, validation in trained.curve:
        run.metric("training/loss", training, epoch)
        run.metric("training/validation_loss", validation, epoch)
    run.artifact(snakemake.output.info, snakemake.output.test)
    model = module(info["kind"]).logged(Path(snakemake.output.model))
    run.record.model = {
        **model,
        "example": {n: train.X[:5, j].tolist() for j, n in enumerate(train.inputs)},
        "requirements": [f"{p}=={version(p)}" for p in (*model["packages"], "numpy")],
    }


main(snakemake)
