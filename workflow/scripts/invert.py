"""Candidates of one inverter, on one surrogate, for one entry of the objectives; ranked before any truth is known."""

import numpy as np
import pandas as pd

from preimage.core.candidates import least_losses, missed
from preimage.inversion import asking, parts, questions
from preimage.inversion.base import Inverter
from preimage.inversion.table import frame
from preimage.running.step import step
from preimage.support.files import replacing
from preimage.trees import threads

MOST_POINTS = 500


def main(snakemake):
    with step(snakemake) as run:
        threads.use_at_most(snakemake.threads)
        asked = questions.build(run.params, snakemake.input, snakemake.wildcards.objective, run.shared_rng("variation"))
        inverter = Inverter.of(run.params["inverter"])
        if snakemake.input.get("parts"):
            answers = parts.gather(inverter, asked.questions, snakemake.input.parts)
        else:
            report = run.progress(len(asked.questions) * inverter.planned)
            answers = asking.ask(inverter, asked.questions, run.rng, run.state, report)
        judge = questions.committee(asked, snakemake.input.get("about"), run.rng)
        table = pd.concat(
            [frame(a, Y, q, asked.outputs, judge) for q, (a, Y) in zip(asked.questions, answers, strict=True)],
            ignore_index=True,
        )
        proven = {q.objective.name: a.certificate for q, (a, _) in zip(asked.questions, answers, strict=True)}
        # Kept in the parquet file's own description.
        table.attrs["certificates"] = {name: dict(c) for name, c in proven.items() if c is not None}
        with replacing(snakemake.output.candidates) as path:
            table.to_parquet(path, index=False)

        best = least_losses(table, ["objective"])
        run.metric("inversion/predicted_loss", best.mean())
        run.record.timing["evaluations"] = float(table["evaluations"].sum())
        run.metric("inversion/failed", float(table["status"].eq("failed").sum()))
        if len(asked.questions) == 1:
            log_history(run, table)
            log_iterations(run, answers[0][0].history)
        run.artifact(snakemake.output.candidates)


def log_history(run, table):
    """The best loss so far, where it improves, by evaluations spent."""
    best = table["predicted_loss"].where(missed(table) == 0).fillna(np.inf).cummin()
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
