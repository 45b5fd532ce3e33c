"""An answer as rows of the candidates table, ranked by predicted loss: before any truth is looked at."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from preimage.core.candidates import ranked
from preimage.core.objective import Objective, Varied
from preimage.inversion import varied
from preimage.inversion.question import Answer, Question
from preimage.inversion.rounding import Rounding


def frame(
    answer: Answer, predicted: np.ndarray, question: Question, outputs: list[str], committee: Any = None
) -> pd.DataFrame:
    """Return one row a start or trial: objective, start, rank, x, predicted outputs and loss, evaluations, status,
    message; the violation of an objective with limits. With a committee (`preimage.inversion.committee`), predicted
    loss and violation are its word; where inputs vary (`preimage.inversion.varied`), that of the draws, and what they
    come to is a column."""
    n, wanted = len(answer.X), question.objective
    loss, status, message = wanted.loss(predicted), answer.status, answer.message
    if wanted.near:
        loss = np.where(np.isnan(loss), np.nan, wanted.near.distance(answer.X))
    judged = predicted
    if committee is not None:
        loss, status, message = _judged(answer, loss, question, committee)
        if wanted.limits and (has := np.isfinite(loss)).any():
            judged = predicted.copy()
            judged[has] = committee.outputs(answer.X[has])
    violation = pd.Series(wanted.violation(judged)) if wanted.limits else None
    production: dict[str, Any] = {}
    if isinstance(wanted, Varied):
        found = varied.judge(question, answer.X)
        status, message = varied.settled(answer, found, wanted)
        loss, production = found.loss, {wanted.column: found.value}
        violation = pd.Series(found.violation) if wanted.limits else None
    table = pd.DataFrame(
        {
            "objective": question.objective.name,
            "start": np.arange(n),
            **question.space.decode(answer.X, "x."),
            **{f"predicted.{o}": predicted[:, k] for k, o in enumerate(outputs)},
            "predicted_loss": loss,
            **({} if violation is None else {"violation": violation}),
            **_changes(answer.X, wanted, np.isnan(loss)),
            **production,
            "evaluations": answer.evaluations,
            "status": status,
            "message": message,
        }
    )
    if wanted.front:
        order = pd.Series(wanted.ranking(predicted))
    else:
        order = table["predicted_loss"] if committee else _met_alike(table["predicted_loss"], question)
    table.insert(2, "rank", ranked(order, [pd.Series(np.zeros(n))], violation))
    return table


def _changes(X: np.ndarray, wanted: Objective, missing: np.ndarray) -> dict[str, Any]:
    """Return how far points (n, d) are from what the objective is to be near, and how many inputs differ from it."""
    if wanted.near is None:
        return {}
    changed = pd.array(wanted.near.changed(X).sum(axis=1), dtype="Int64")
    changed[missing] = pd.NA
    return {"distance": np.where(missing, np.nan, wanted.near.distance(X)), "changed": changed}


def _met_alike(loss: pd.Series, question: Question) -> pd.Series:
    """Return the losses, 0 where a model's target is as good as reached (`preimage.inversion.ending`): to a millionth
    of the output's spread, say. Which start came nearer still says nothing of truth.

    Such candidates rank in the order of their starts, of which the first is by default the row nearest to the target.
    To prefer the one with 1e-15 to those with 1e-13 is to draw lots among the model's favourite errors: r_1 of the
    ballistics benchmark rises threefold from 1 start to 16.
    """
    wanted = question.objective
    if question.on_simulator or not wanted.bounded or wanted.near:
        return loss
    return loss.mask(loss <= Rounding(question).close(wanted), 0.0)


def _judged(
    answer: Answer, loss: np.ndarray, question: Question, committee: Any
) -> tuple[np.ndarray, list[str], list[str]]:
    """Return the committee's loss (n,), NaN for candidates that it rejects; status and message."""
    has = np.flatnonzero(np.isfinite(loss))
    out, status, message = np.full(len(loss), np.nan), list(answer.status), list(answer.message)
    if len(has):
        far = committee.far(answer.X[has])
        out[has] = np.where(far, np.nan, committee.loss(question.objective, answer.X[has]))
        for k in has[far]:
            status[k] = "rejected"
            message[k] = f"far from the training rows (domain score above {committee.limit:g}); {message[k]}"
    return out, status, message
