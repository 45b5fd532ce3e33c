"""Candidates of one inverter, on one surrogate, for one entry of the objectives; ranked before any truth is known."""

import dataclasses
import importlib
from pathlib import Path

import numpy as np
import pandas as pd

from preimage import inversion, surrogates
from preimage.data import rows, setting, targets
from preimage.files import read_json, replacing
from preimage.inversion.table import frame
from preimage.step import step
from preimage.surrogates import simulator

MOST_POINTS = 500


def main(snakemake):
    with step(snakemake) as run:
        spec, kind = run.params["problem"], run.params["surrogate"]["kind"]
        known = rows.known(snakemake.input.info)
        found = setting.of_rows(spec, known)
        train = rows.load(snakemake.input.train, snakemake.input.info, setting.categories(spec))
        on_simulator, options = kind == "simulator", run.params["inverter"]
        if "fit" in run.params["objective"]:
            model, train = fitted(spec, run.params["objective"], train)
        elif on_simulator:
            model = simulator.load(spec)
        else:
            model = surrogates.module(kind).load(Path(str(snakemake.input.model)))
        wanted = objectives(snakemake, run.params["objective"], known, spec)
        first = next(iter(wanted.values()))
        question = inversion.Question(
            found.space.fix(first.fixed),
            first,
            model.predict,
            train.X,
            train.Y,
            train.numbers,
            on_simulator=on_simulator,
            gradient=getattr(model, "gradient", None) if getattr(model, "differentiable", True) else None,
            traceable=getattr(model, "traceable", lambda: None)(),
            resolution=getattr(model, "resolution", np.finfo(float).eps),
            trees=getattr(model, "trees", None),
            fit=model if "fit" in run.params["objective"] else None,
        )
        questions = [question.wanting(w) for w in wanted.values()]
        report = run.progress(len(questions) * inversion.planned(options))
        answers = inversion.ask(options["kind"], questions, options, run.rng, run.state, report)
        judge = None
        if first.robust is not None and not on_simulator:
            # Picked at run time, so that a change in it reruns only what uses it.
            committee = importlib.import_module("preimage.inversion.committee")
            error = np.array(read_json(snakemake.input.about)["validation_error"])
            judge = committee.assemble(model, error, question, train.levels, first.robust, run.rng)
        table = pd.concat(
            [frame(a, Y, q, found.outputs, judge) for q, (a, Y) in zip(questions, answers, strict=True)],
            ignore_index=True,
        )
        proven = {q.objective.name: a.certificate for q, (a, _) in zip(questions, answers, strict=True)}
        # Kept in the parquet file's own description.
        table.attrs["certificates"] = {name: dict(c) for name, c in proven.items() if c is not None}
        with replacing(snakemake.output.candidates) as path:
            table.to_parquet(path, index=False)

        best = table.groupby("objective", sort=False)["predicted_loss"].min()
        run.metric("inversion/predicted_loss", best.mean())
        run.record.timing["evaluations"] = float(table["evaluations"].sum())
        run.metric("inversion/failed", float(table["status"].eq("failed").sum()))
        if len(questions) == 1:
            log_history(run, table)
            log_iterations(run, answers[0][0].history)
        run.artifact(snakemake.output.candidates)


def fitted(spec, entry, train):
    """Return the fit in the model's place, and the random parameters of the study with their losses."""
    # Picked at run time: no other study depends on it.
    fit = importlib.import_module("preimage.calibration.fit").build(spec, entry["fit"])
    return fit, dataclasses.replace(train, Y=fit.losses(train.X)[:, None], outputs=["loss"])


def objectives(snakemake, entry, known, spec):
    """Return the objectives of this step's entry of the study, by name."""
    test = None
    if snakemake.input.get("test"):
        test = rows.load(snakemake.input.test, snakemake.input.info, setting.categories(spec)).Y
    return targets.objectives({snakemake.wildcards.objective: entry}, known, test)


def log_history(run, table):
    """The best loss so far, where it improves, by evaluations spent."""
    best = table["predicted_loss"].fillna(np.inf).cummin()
    improved = best.lt(best.shift(fill_value=np.inf))
    spent = table["evaluations"].cumsum()
    for at, value in pd.Series(best[improved].to_numpy(), index=spent[improved]).items():
        run.metric("inversion/best_loss", value, int(at))


def log_iterations(run, history):
    """The best loss and the norm of its gradient by iteration, of as many iterations as a curve needs."""
    for iteration, loss, slope in history[:: -(-len(history) // MOST_POINTS) or 1]:
        run.metric("inversion/iteration_loss", loss, iteration)
        run.metric("inversion/gradient_norm", slope, iteration)


main(snakemake)
