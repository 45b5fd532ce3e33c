"""What a model's error does as it gets fewer rows, and fewer of its inputs: measured, by training it again.

The held-out rows judge. Of the inputs, those go first whose values matter least to the model's error (permutation
importance: Breiman 2001, "Random forests", Machine Learning 45); one half of the held-out rows says which these are and
how many are best left, the other half says what that is worth.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from preimage.data.rows import Rows
from preimage.surrogates.metrics import metrics
from preimage.surrogates.protocol import Surrogate, Trained

SHARES = (0.25, 0.5)
# Fewer rows than these have no curve; no more than these judge.
FEWEST, JUDGES = 20, 2000
# With so many rows an input, or this few inputs, none is too many.
ROWS_AN_INPUT, FEWEST_INPUTS = 100, 3
# Rows by which inputs are ranked.
RANKING = 500


def measured(trained: Trained, train: Rows, test: Rows, rng: np.random.Generator) -> dict[str, Any]:
    """Return the model's error on its own rows, and how its held-out error depends on rows and inputs, as plain values.

    Keys:
        rows: number of rows trained on; `training`: see `preimage.surrogates.metrics`.
        curve: by number of rows, the mean squared error of each output; `gained`: for each point but the last, mean and
            standard error of what all rows take off that point's squared error, of each output; `last`: the last of
            these, of doubling the rows. None where the model can't be refitted.
        inputs: names kept, and what leaving out the others took off; None where there was no reason to ask.
    """
    found: dict[str, Any] = {
        "rows": len(train.X),
        "training": metrics(train.Y, trained.surrogate.predict(train.X), train.outputs),
        "curve": None,
        "gained": None,
        "last": None,
        "inputs": None,
    }
    if trained.refit is None or len(train.X) < FEWEST or len(test.X) < FEWEST:
        return found
    judges = test.part(np.sort(rng.permutation(len(test.X))[:JUDGES]))
    whole = squared_error(trained.surrogate, judges)
    order = rng.permutation(int(train.group.max()) + 1)
    place = np.argsort(order)[train.group] / len(order)
    curve, gained = [], []
    for share in SHARES:
        part = train.part(np.flatnonzero(place < share))
        fewer = squared_error(trained.refit(part), judges)
        curve.append({"rows": len(part.X), "error": fewer.mean(axis=0).tolist()})
        gained.append(gain(fewer, whole))
    curve.append({"rows": len(train.X), "error": whole.mean(axis=0).tolist()})
    found |= {"curve": curve, "gained": gained, "last": gained[-1]}
    if len(train.inputs) >= FEWEST_INPUTS and len(train.X) < ROWS_AN_INPUT * len(train.inputs):
        found["inputs"] = fewer_inputs(trained, train, judges, whole, rng)
    return found


def fewer_inputs(
    trained: Trained, train: Rows, judges: Rows, whole: np.ndarray, rng: np.random.Generator
) -> dict[str, Any]:
    """Return which inputs are best kept and what leaving out the others takes off the squared error (n, m)."""
    assert trained.refit is not None
    choosing, judging = np.arange(0, len(judges.X), 2), np.arange(1, len(judges.X), 2)
    scale = np.maximum(judges.Y.var(axis=0), np.finfo(float).tiny)
    order = np.argsort(-importance(trained.surrogate, judges.part(choosing[:RANKING]), scale, rng), kind="stable")
    every = np.arange(len(train.X))
    best, error, kept = float((whole[choosing] / scale).mean()), whole, len(order)
    count = len(order) // 2
    while count >= 1:
        columns = np.sort(order[:count])
        model = trained.refit(train.part(every, columns))
        found = squared_error(model, judges.part(np.arange(len(judges.X)), columns))
        if (mean := float((found[choosing] / scale).mean())) < best:
            best, error, kept = mean, found, count
        count //= 2
    names = [train.inputs[j] for j in np.sort(order[:kept])]
    return {"kept": names, "of": len(order), **gain(whole[judging], error[judging])}


def importance(model: Surrogate, rows: Rows, scale: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return by how much the squared error grows, over the outputs' variance, as each input is shuffled (d,)."""
    before = (squared_error(model, rows) / scale).mean()
    found = np.empty(rows.X.shape[1])
    for j in range(len(found)):
        X = rows.X.copy()
        X[:, j] = rng.permutation(X[:, j])
        found[j] = (((model.predict(X) - rows.Y) ** 2) / scale).mean() - before
    return found


def squared_error(model: Surrogate, rows: Rows) -> np.ndarray:
    """Return the squared error (n, m) of rows."""
    return (model.predict(rows.X) - rows.Y) ** 2


def gain(before: np.ndarray, after: np.ndarray) -> dict[str, list[float]]:
    """Return mean and standard error, by output, of what was taken off squared errors of the same rows (n, m)."""
    less = before - after
    return {"gain": less.mean(axis=0).tolist(), "error": (less.std(axis=0) / np.sqrt(len(less))).tolist()}
