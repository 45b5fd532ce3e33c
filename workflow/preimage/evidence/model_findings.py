"""What may be wrong with a model and the rows that it learned from: too few, rows that mislead it, too many inputs, the
wrong kind, noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from preimage.core.neighbours import Nearest
from preimage.evidence.findings import SURE, WORTH, Finding, judged, unknown

SHARE = "share of the output's variance"
# Of the test of residuals: fewest rows, most rows, folds, neighbours, and the largest part of the rows that features
# may number.
FEWEST, MOST, FOLDS, NEIGHBOURS, FEATURES = 40, 2000, 5, 10, 0.2
# Repeated measurements beyond the first of their input that a noise floor takes.
REPEATS = 10


def part(gain: float, variance: float) -> float:
    """Return a gain in squared error as a share of the variance, from none to all of it."""
    return min(max(gain, 0.0) / variance, 1.0)


def too_little_data(learning: Mapping[str, Any], variance: float, output: int) -> Finding:
    """Return whether the learning curve is still falling: what the next doubling of the rows would explain.

    Errors that fall as a power of the number of rows towards a floor are lowered by each doubling by a constant share
    of what the one before took off; so the next takes off what the last did, times the ratio of the last two.

    Args:
        learning: see `preimage.evidence.learning.measured`.
        variance: of the output on the rows held out.
    """
    kind = "too_little_data"
    if not learning["curve"] or variance <= 0:
        return unknown(kind, SHARE, WORTH, reason="the model could not be trained again on fewer rows")
    rows = [point["rows"] for point in learning["curve"]]
    errors = np.array([point["error"][output] for point in learning["curve"]])
    first, last = errors[-3] - errors[-2], errors[-2] - errors[-1]
    more = last * (np.clip(last / first, 0, 1) if first > 0 else 1.0)
    sure = learning["last"]["gain"][output] > SURE * learning["last"]["error"][output]
    rmse = np.sqrt(errors).tolist()
    more = min(float(more), float(errors[-1]))
    return judged(kind, SHARE, part(more, variance), WORTH, bool(sure), rows=rows, rmse=rmse)


def rising_error(learning: Mapping[str, Any], variance: float, output: int) -> Finding:
    """Return whether the learning curve rises: what the model explained with fewer of the rows, and no longer does.

    Args:
        learning: see `preimage.evidence.learning.measured`.
        variance: of the output on the rows held out.
    """
    kind = "rising_error"
    if not learning["curve"] or variance <= 0:
        return unknown(kind, SHARE, WORTH, reason="the model could not be trained again on fewer rows")
    errors = [point["error"][output] for point in learning["curve"]]
    best = int(np.argmin(errors[:-1]))
    lost, error = (learning["gained"][best][key][output] for key in ("gain", "error"))
    rows, rmse = [point["rows"] for point in learning["curve"]], np.sqrt(errors).tolist()
    return judged(kind, SHARE, part(-lost, variance), WORTH, -lost > SURE * error, rows=rows, rmse=rmse)


def unsuitable_model(
    X: np.ndarray, residual: np.ndarray, variance: float, levels: np.ndarray, rng: np.random.Generator,
    places: np.ndarray | None = None,
) -> Finding:  # fmt: skip
    """Return whether residuals of rows held out can be predicted from the inputs: what a model that fits would explain.

    Two learners try, each on rows that it has not seen (5 folds): a quadratic in the inputs and the mean of the nearest
    rows. A suitable model leaves them nothing but noise.

    Args:
        X: points (n, d) scaled to [0, 1].
        residual: truth less prediction (n,).
        levels: number of values of each input that is a category, 0 for a number (d,).
        places: their coordinates (n, D), where near and far are told by (`Space.coordinates`); X itself if left out.
    """
    kind = "unsuitable_model"
    taken = rng.permutation(len(X))[:MOST]
    X, residual, places = X[taken], residual[taken], (X if places is None else places)[taken]
    n = len(X)
    if n < FEWEST or variance <= 0:
        return unknown(kind, SHARE, WORTH, reason=f"fewer than {FEWEST} rows were held out")
    fold = np.arange(n) % FOLDS
    features = quadratic(X[:, levels == 0], int(FEATURES * n))
    guesses: dict[str, np.ndarray] = {"quadratic": np.zeros(n), "neighbours": np.zeros(n)}
    for k in range(FOLDS):
        held, known = fold == k, fold != k
        guesses["quadratic"][held] = _ridge(features[known], residual[known], features[held])
        near = Nearest(places[known], residual[known, None], min(NEIGHBOURS, int(known.sum())))
        guesses["neighbours"][held] = near.mean(places[held])[:, 0]
    less = {name: residual**2 - (residual - guess) ** 2 for name, guess in guesses.items()}
    best = max(less, key=lambda name: less[name].mean())
    mean, error = float(less[best].mean()), float(less[best].std() / np.sqrt(n))
    explained = mean / max(float((residual**2).mean()), np.finfo(float).tiny)
    return judged(
        kind, SHARE, part(mean, variance), WORTH, mean > SURE * error, by=best, of_the_residuals=explained, rows=n
    )


def quadratic(X: np.ndarray, most: int) -> np.ndarray:
    """Return inputs (n, d), their squares and, where no more than `most` columns come of it, their products."""
    Z = 2 * X - 1
    parts = [Z, Z**2]
    d = Z.shape[1]
    if d * (d + 3) // 2 <= most:
        first, second = np.triu_indices(d, 1)
        parts.append(Z[:, first] * Z[:, second])
    return np.column_stack([np.ones(len(Z)), *parts])


def _ridge(A: np.ndarray, y: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return predictions (k,) at rows `at` of a ridge regression; sums are not BLAS's, which depend on its threads."""
    moments = np.einsum("np,nq->pq", A, A) + 1e-3 * len(A) * np.eye(A.shape[1])
    return np.asarray(at @ np.linalg.solve(moments, np.einsum("np,n->p", A, y)))


def too_many_inputs(learning: Mapping[str, Any], variance: float, output: int) -> Finding:
    """Return whether the model explains more with some of its inputs left out: what leaving them out would explain."""
    kind, found = "too_many_inputs", learning["inputs"]
    if variance <= 0 or not learning["curve"]:
        return unknown(kind, SHARE, WORTH, reason="the model could not be trained again on fewer inputs")
    if found is None:
        return judged(kind, SHARE, 0.0, WORTH, reason="there are few inputs, or many rows for each")
    gain, error = found["gain"][output], found["error"][output]
    return judged(kind, SHARE, part(gain, variance), WORTH, gain > SURE * error, kept=found["kept"], of=found["of"])


def noise_as_signal(training: float, squared: np.ndarray, floor: float | None, variance: float) -> Finding:
    """Return whether the model has fitted noise: it is nearer to its own rows than noise permits, and pays for it.

    What it pays is how far its squared error on rows held out is above that of the noise, which no model gets below.

    Args:
        training: mean squared error on the training rows.
        squared: squared errors of the rows held out (n,).
        floor: variance of the noise; None where it is not known.
    """
    kind = "noise_as_signal"
    if floor is None or variance <= 0:
        return unknown(kind, SHARE, WORTH, reason="the noise is not known: too few inputs were measured repeatedly")
    if floor == 0:
        return judged(kind, SHARE, 0.0, WORTH, reason="there is no noise")
    excess, error = float(squared.mean()) - floor, float(squared.std() / np.sqrt(len(squared)))
    sure = training < floor and excess > SURE * error
    roots = {"training": training, "test": float(squared.mean()), "noise": floor}
    return judged(
        kind, SHARE, part(excess, variance), WORTH, sure, **{key: float(np.sqrt(v)) for key, v in roots.items()}
    )


def noise_floor(group: np.ndarray, y: np.ndarray, stated: float | None) -> float | None:
    """Return the variance of the noise of an output (n,): as stated, or from rows of equal inputs; None if unknown.

    Args:
        group: equal for rows of equal inputs (n,).
        stated: the noise's standard deviation, where the rows were simulated.
    """
    if stated is not None:
        return stated**2
    count = np.bincount(group)
    freedom = int((count[count > 0] - 1).sum())
    if freedom < REPEATS:
        return None
    mean = np.bincount(group, y) / np.maximum(count, 1)
    return float(((y - mean[group]) ** 2).sum() / freedom)
