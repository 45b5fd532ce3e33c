"""An answer that several jobs make in parts: what each leaves, and how the whole is put together.

What comes out depends on the number of parts, which the study says, and not on where or when each was made. A method
that can be scattered has `together(question, options, answers)` beside `invert` or `invert_many`, which read the number
of the part and how many there are from `context.part`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from preimage.inversion.asking import refuse_failed
from preimage.inversion.base import Inverter
from preimage.inversion.question import Answer, Question
from preimage.support.files import replacing

Asked = list[tuple[Answer, np.ndarray]]


def write(path: str | Path, asked: Asked) -> None:
    """Write the answers of one part: a row a candidate, certificates and histories in the file's own description."""
    tables = [
        pd.DataFrame(
            {
                "question": k,
                **{f"x{j}": column for j, column in enumerate(answer.X.T)},
                **{f"y{j}": column for j, column in enumerate(Y.T)},
                "evaluations": answer.evaluations,
                "status": answer.status,
                "message": answer.message,
            }
        )
        for k, (answer, Y) in enumerate(asked)
    ]
    table = pd.concat(tables, ignore_index=True)
    table.attrs["certificates"] = [a.certificate for a, _ in asked]
    table.attrs["histories"] = [[list(map(float, row)) for row in a.history] for a, _ in asked]
    with replacing(path) as temporary:
        table.to_parquet(temporary, index=False)


def read(path: str | Path, questions: Sequence[Question]) -> Asked:
    """Return what `write` wrote of these questions."""
    table = pd.read_parquet(path)
    found = []
    for k, q in enumerate(questions):
        rows = table[table["question"] == k]
        X = rows[[f"x{j}" for j in range(len(q.space.inputs))]].to_numpy(float)
        Y = rows[[f"y{j}" for j in range(q.Y.shape[1])]].to_numpy(float)
        history = [(int(n), loss, slope) for n, loss, slope in table.attrs["histories"][k]]
        certificate = table.attrs["certificates"][k]
        spent, status, message = (rows[name].tolist() for name in ("evaluations", "status", "message"))
        found.append((Answer(X, spent, status, message, certificate, history), Y))
    return found


def gather(inverter: Inverter, questions: Sequence[Question], paths: Sequence[str | Path]) -> Asked:
    """Return the answers to questions from the files of all parts, in their order. Raises StudyError where every start
    failed."""
    parts = [read(path, questions) for path in paths]
    whole = []
    for q, of_parts in zip(questions, zip(*parts, strict=True), strict=True):
        answer = inverter.together(q, [a for a, _ in of_parts])
        whole.append((answer, _outputs(answer, of_parts)))
    refuse_failed(inverter.kind, whole)
    return whole


def _outputs(answer: Answer, of_parts: Sequence[tuple[Answer, np.ndarray]]) -> np.ndarray:
    """Return what the model said of the answer's points (n, m), which its parts have asked it already."""
    known = {x.tobytes(): y for part, Y in of_parts for x, y in zip(part.X, Y, strict=True)}
    return np.array([known[x.tobytes()] for x in answer.X])
