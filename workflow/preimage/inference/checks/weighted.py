"""Draws with weights, as answers give them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def effective(weights: np.ndarray) -> float:
    """Return how many equally weighted draws the weights (k,) amount to (Kish 1965)."""
    return float(weights.sum() ** 2 / np.square(weights).sum())


def resampled(draws: np.ndarray, weights: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return `count` draws (count, d) of equal weight from draws (k, d); the draws themselves where they will do.

    Systematic resampling: a draw of weight w comes up count * w times, rounded up or down.
    """
    if len(draws) == count and np.ptp(weights) == 0:
        return draws
    ends = np.cumsum(weights) / weights.sum()
    at = np.searchsorted(ends, (np.arange(count) + rng.random()) / count, side="right")
    return draws[rng.permutation(np.minimum(at, len(draws) - 1))]


def share_below(truth: np.ndarray, values: np.ndarray, weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return where true values (q,) stand among values (k, q) of weighted draws, (q,) between 0 and 1.

    The truth takes the weight of one effective draw, and a place at random within that and whatever ties with it:
    among independent draws of equal weight from the exact posterior, its place is then exactly uniform. Other weights
    have that in the limit of many draws.
    """
    shares = weights / weights.sum()
    own = 1 / effective(weights)
    below = shares @ (values < truth)
    tied = shares @ (values == truth)
    return np.asarray((below + rng.random(len(truth)) * (tied + own)) / (1 + own))


def moments(draws: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean (d,) and covariance (d, d) of weighted draws (k, d)."""
    shares = weights / weights.sum()
    mean = shares @ draws
    centred = draws - mean
    return mean, (centred * shares[:, None]).T @ centred


def same_length(truths: np.ndarray, draws: Sequence[np.ndarray], weights: Sequence[np.ndarray]) -> None:
    """Raise ValueError where there is not an answer a truth, or not a weight a draw."""
    if not len(truths) == len(draws) == len(weights) or any(
        len(d) != len(w) for d, w in zip(draws, weights, strict=True)
    ):
        raise ValueError(f"found {len(truths)} truths, {len(draws)} sets of draws and {len(weights)} of weights")
