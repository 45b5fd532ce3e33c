"""A surrogate trained on the training rows, with intervals, and judged on the test rows."""

from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from preimage.data import rows, split
from preimage.data.described import described
from preimage.evidence import learning
from preimage.running.step import step
from preimage.support.files import read_json, replacing, write_json
from preimage.support.progress import TrainingContext
from preimage.surrogates import intervals, judging, protocol
from preimage.surrogates.base import SurrogateKind, module

# Rows that stand beside a model, with its predictions.
EXAMPLES = 5


def main(snakemake):
    with step(snakemake) as run:
        options = SurrogateKind.of_study(run.params["surrogate"])
        train = rows.load(snakemake.input.train, snakemake.input.info, run.params["categories"])
        test = rows.load(snakemake.input.test, snakemake.input.info, run.params["categories"])
        tune = getattr(options, "tune", None)
        report = run.progress(tune.evaluations) if tune is not None else None
        trained = options.train(train, run.rng, TrainingContext(snakemake.threads, run.state, report))
        protocol.refuse_constant(snakemake.wildcards.surrogate, trained.surrogate, train)
        with replacing(snakemake.output.model) as folder:
            folder.mkdir()
            trained.save(folder)

        fitted = intervals.fit(train.Y, *trained.out_of_fold)
        judged = judge(run, snakemake, options, trained, train, test)
        covered, said = judged.coverage(test), judged.said[0]
        info = {
            "kind": options.kind,
            "warning": trained.warning,
            "parameters": trained.parameters,
            "test": judged.scores(test),
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
            pd.DataFrame(intervals.columns(said.predicted, said.low, said.high, test.outputs)).to_parquet(
                path, index=False
            )
        with replacing(snakemake.output.out_of_fold) as path:
            left_out, spread = trained.out_of_fold
            columns = intervals.by_output(train.outputs, predicted=left_out, spread=spread)
            pd.DataFrame(columns).to_parquet(path, index=False)
        with replacing(snakemake.output.trials) as path:
            pd.DataFrame(trained.trials).to_parquet(path, index=False)
        with replacing(snakemake.output.curve) as path:
            curve = pd.DataFrame(trained.curve, columns=["epoch", "training_loss", "validation_loss"])
            curve.to_parquet(path, index=False)

        log(run, snakemake, trained, info, train)


def judge(run, snakemake, options, trained, train, test):
    """What the model says of the test rows; by cross-validation, models of the same settings of all rows."""
    how, known = run.params["split"], read_json(snakemake.input.info)
    if known["method"] == split.HOLD_OUT:
        return judging.held_out(trained, train, test)
    # The first round's parts in every round.
    first, rng = run.rng_of("train", round="0").spawn(how["repeats"]), run.rng.spawn(1)[0]
    batch = np.searchsorted(known["last"], train.numbers)
    folds = [split.folds_of_batches(train.group, batch, how["folds"], r) for r in first]
    report = run.progress(sum(len(np.unique(fold)) for fold in folds))

    def again(rows):
        return options.train(rows, rng, TrainingContext(snakemake.threads))

    return judging.cross_validated(again, train, folds, report)


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
    run.record.datasets = [described(snakemake.input.train, "training"), described(snakemake.input.test, "test")]
    model = module(info["kind"]).logged(Path(snakemake.output.model))
    run.record.model = {
        **model,
        "example": {n: train.X[:EXAMPLES, j].tolist() for j, n in enumerate(train.inputs)},
        "predicted": dict(zip(train.outputs, trained.surrogate.predict(train.X[:EXAMPLES]).T.tolist(), strict=True)),
        "requirements": [f"{p}=={version(p)}" for p in (*model["packages"], "numpy")],
    }


main(snakemake)
