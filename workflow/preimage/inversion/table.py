"""An answer as rows of the candidates table, ranked by predicted loss: before any truth is looked at."""

from __future__ import annotations

import numpy as np
import pandas as pd

from preimage.candidates import ranked
from preimage.inversion import Answer, Question


def frame(answer: Answer, predicted: np.ndarray, question: Question, outputs: list[str]) -> pd.DataFrame:
    """Return one row a start or trial: start, rank, x, predicted outputs and loss, evaluations, status, message."""
    n = len(answer.X)
    loss = question.objective.loss(predicted)
    table = pd.DataFrame(
        {
            "start": np.arange(n),
            **question.space.decode(answer.X, "x."),
            **{f"predicted.{o}": predicted[:, k] for k, o in enumerate(outputs)},
            "predicted_loss": loss,
            "evaluations": answer.evaluations,
            "status": answer.status,
            "message": answer.message,
        }
    )
    if answer.certificate is not None:
        table.attrs["certificate"] = dict(answer.certificate)  # kept in the parquet file's own description
    table.insert(1, "rank", ranked(table["predicted_loss"], [pd.Series(np.zeros(n))]))
    return table
