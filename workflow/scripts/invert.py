"""Candidates of one inverter, on one surrogate, for one objective; ranked by what the surrogate says."""

import numpy as np
import pandas as pd

from preimage import inversion, objective, surrogates
from preimage.data import rows, setting
from preimage.files import replacing
from preimage.inversion.table import frame
from preimage.inversion_kinds import TREES
from preimage.step import step
from preimage.surrogates import simulator


def main(snakemake):
    with step(snakemake) as run:
        spec, kind = run.params["problem"], run.params["surrogate"]["kind"]
        known = rows.known(snakemake.input.info)
        found = setting.of_rows(spec, known)
        train = rows.load(snakemake.input.train, snakemake.input.info, setting.categories(spec))
        on_simulator, options = kind == "simulator", run.params["inverter"]
        model = simulator.load(spec) if on_simulator else surrogates.module(kind).load(model_folder(snakemake))
        wanted = objective.build(
            snakemake.wildcards.objective, run.params["objective"], found.outputs, known.spread, known.reach
        )
        space = found.space.fix(wanted.fixed)
        question = inversion.Question(
            space,
            wanted,
            model.predict,
            train.X,
            train.Y,
            train.numbers,
            on_simulator=on_simulator,
            gradient=getattr(model, "gradient", None),
            traceable=getattr(model, "traceable", lambda: None)(),
            trees=model if kind in TREES else None,
        )
        report = run.progress(options.get("evaluations") or options.get("boxes") or options.get("starts") or 1)
        answer, predicted = inversion.ask(options["kind"], question, options, run.rng, run.state, report)
        table = frame(answer, predicted, question, found.outputs)
        with replacing(snakemake.output.candidates) as path:
            table.to_parquet(path, index=False)

        best = table["predicted_loss"].min()
        run.metric("inversion/predicted_loss", best)
        run.record.timing["evaluations"] = float(table["evaluations"].sum())
        run.metric("inversion/failed", float(table["status"].eq("failed").sum()))
        log_history(run, table)
        run.artifact(snakemake.output.candidates)


def model_folder(snakemake):
    from pathlib import Path

    return Path(str(snakemake.input.model))


def log_history(run, table):
    """The best loss so far, where it improves, by evaluations spent."""
    best = table["predicted_loss"].fillna(np.inf).cummin()
    improved = best.lt(best.shift(fill_value=np.inf))
    spent = table["evaluations"].cumsum()
    for at, value in pd.Series(best[improved].to_numpy(), index=spent[improved]).items():
        run.metric("inversion/best_loss", value, int(at))


main(snakemake)
