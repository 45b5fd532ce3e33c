"""What there is to show of decoders that classify by being inverted: accuracy beside logistic regression, what rows
look like by their explanation, a walk through the latent space, and whether residuals tell what is of no class.

Inputs whose number is a square are taken for pictures, row by row.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from preimage.data.rows import Rows
from preimage.learning.found import Found
from preimage.problems.loading import Problem
from preimage.support.blas import one_blas_thread
from preimage.surrogates.latent_classes import LatentClasses, classes_of

# A walk goes this many deviations to both sides of a class's mean latent value, along its widest direction.
FAR, STEPS = 2.0, 9


def judge(model: LatentClasses, train: Rows, test: Rows, truth: Problem | None, rng: np.random.Generator) -> Found:
    """Return all there is to show; random numbers are foreign inputs."""
    true = classes_of(test)
    found = model.explanation(test.X)
    best = found.residuals.argmin(axis=1)
    findings = {
        "accuracy": float((best == true).mean()),
        "logistic_accuracy": float((logistic(train, test) == true).mean()),
        "test_rows": len(true),
        "wrong": int((best != true).sum()),
        "classes": test.outputs,
        "side": side(test.X.shape[1]),
    }
    foreign = foreign_inputs(test.X, rng)
    tables = {
        "confusion": confusion(true, best, test.outputs),
        "explained": explained(model, test, true, found.latents),
        "walk": walk(model, train),
    }
    own = found.residuals.min(axis=1)
    strange = {name: model.explanation(X).residuals.min(axis=1) for name, X in foreign.items()}
    findings["auc"] = {name: auc(own, r) for name, r in strange.items()}
    parts = {"test rows": own, **strange}
    tables["residuals"] = pd.concat(
        [pd.DataFrame({"inputs": name, "residual": r}) for name, r in parts.items()], ignore_index=True
    )
    return Found(tables, findings)


def logistic(train: Rows, test: Rows) -> np.ndarray:
    """Return the classes (n,) that a plain logistic regression gives the test rows."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    with one_blas_thread():
        plain = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000)).fit(train.X, classes_of(train))
        return np.asarray(plain.predict(test.X))


def side(inputs: int) -> int | None:
    """Return the side of the picture that the inputs are; None where their number is no square."""
    root = math.isqrt(inputs)
    return root if root * root == inputs else None


def confusion(true: np.ndarray, found: np.ndarray, names: list[str]) -> pd.DataFrame:
    counts = np.zeros((len(names), len(names)), int)
    np.add.at(counts, (true, found), 1)
    return pd.DataFrame(counts, columns=names).assign(true=names)


def explained(model: LatentClasses, test: Rows, true: np.ndarray, latents: np.ndarray) -> pd.DataFrame:
    """Return the first test row of each class, as it is and as its class explains it, one after the other."""
    first = np.array([np.flatnonzero(true == c)[0] for c in np.unique(true)])
    seen = model.decode(latents[first, true[first]], true[first])
    return pd.concat([_pictures(X, true[first], kind) for kind, X in (("row", test.X[first]), ("explained", seen))])


def walk(model: LatentClasses, train: Rows) -> pd.DataFrame:
    """Return what each class's decoder makes of latent values along the widest direction of its training rows."""
    classes = classes_of(train)
    own = model.explanation(train.X).latents[np.arange(len(classes)), classes]
    parts = []
    for c in np.unique(classes):
        mine = own[classes == c]
        centre = mine.mean(axis=0)
        _, size, directions = np.linalg.svd(mine - centre, full_matrices=False)
        # The sign of a direction means nothing; fixed, so that it is the same everywhere.
        way = directions[0] * np.sign(directions[0][np.abs(directions[0]).argmax()])
        steps = np.linspace(-FAR, FAR, STEPS)
        latents = centre + steps[:, None] * way * size[0] / np.sqrt(len(mine))
        seen = model.decode(latents, np.full(STEPS, c))
        parts.append(_pictures(seen, np.full(STEPS, c), "walk").assign(step=steps))
    return pd.concat(parts, ignore_index=True)


def _pictures(X: np.ndarray, classes: np.ndarray, kind: str) -> pd.DataFrame:
    return pd.DataFrame(X, columns=[f"x{j}" for j in range(X.shape[1])]).assign(kind=kind, label=classes)


def foreign_inputs(X: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return inputs of no class, made of rows (n, D): uniform noise over the rows' range, each row's inputs in another
    order, and pictures turned by a quarter."""
    found = {
        "noise": rng.uniform(X.min(), X.max(), X.shape),
        "shuffled": rng.permuted(X, axis=1),
    }
    if k := side(X.shape[1]):
        found["rotated"] = np.rot90(X.reshape(-1, k, k), axes=(1, 2)).reshape(X.shape).copy()
    return found


def auc(own: np.ndarray, foreign: np.ndarray) -> float:
    """Return the share of pairs in which the foreign input (m,) has the larger residual than the row (n,), ties half:
    the area under the curve of hits against false alarms."""
    order = np.sort(own)
    below, up_to = np.searchsorted(order, foreign, "left"), np.searchsorted(order, foreign, "right")
    return float((below + up_to).mean() / 2 / len(own))
