"""An answer as rows of the candidates table, ranked by predicted loss: before any truth is looked at."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from preimage.candidates import ranked
from preimage.inversion import Answer, Question


def frame(
    answer: Answer, predicted: np.ndarray, question: Question, outputs: list[str], committee: Any = None
) -> pd.DataFrame:
    """Return one row a start or trial: objective, start, rank, x, predicted outputs and loss, evaluations, status,
    message. With a committee (`preimage.inversion.committee`), the predicted loss is its word."""
    n = len(answer.X)
    loss, status, message = question.objective.loss(predicted), answer.status, answer.message
    if committee is not None:
        loss, status, message = _judged(answer, loss, question, committee)
    table = pd.DataFrame(
        {
            "objective": question.objective.name,
            "start": np.arange(n),
            **question.space.decode(answer.X, "x."),
            **{f"predicted.{o}": predicted[:, k] for k, o in enumerate(outputs)},
            "predicted_loss": loss,
            "evaluations": answer.evaluations,
            "status": status,
            "message": message,
        }
    )
    table.insert(2, "rank", ranked(table["predicted_loss"], [pd.Series(np.zeros(n))]))
    return table


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
