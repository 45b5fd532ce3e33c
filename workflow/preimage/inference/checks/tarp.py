"""TARP: tests of accuracy with random points, which see all parameters at once and need draws only.

Lemos, Coogan, Hezaveh, Perreault-Levasseur, "Sampling-based accuracy testing of posterior estimators for general
inference" (ICML 2023). Regions are balls around a reference; a level is the mass of the ball that ends at the truth.
Uniform levels for every choice of references mean exact answers, as long as references may depend on the samples: with
references that know nothing of these, answers that are the prior whatever the data pass. So `near` guesses references
from the samples, and `far` are drawn without looking at these.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from preimage.inference.checks.weighted import same_length, share_below

FOLDS = 5
RIDGE = 1e-3


def levels(
    truths: np.ndarray,
    draws: Sequence[np.ndarray],
    weights: Sequence[np.ndarray],
    references: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return the level (sets,) of each truth (sets, d): the mass of its answer nearer to the reference.

    Args:
        truths, draws, references: on one scale, such as that of the prior (`Prior.to_z`); (sets, d), (k, d) of each
            set, and (sets, d).
        weights: of the draws, (k,) of each set.
    """
    same_length(truths, draws, weights)
    found = []
    for truth, mine, share, reference in zip(truths, draws, weights, references, strict=True):
        distance = np.linalg.norm(np.vstack([truth, mine]) - reference, axis=1)[:, None]
        found.append(share_below(distance[0], distance[1:], share, rng)[0])
    return np.array(found)


def far(truths: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return references (sets, d), uniform over the box that truths (sets, d) span."""
    return rng.uniform(truths.min(axis=0), truths.max(axis=0), truths.shape)


def near(truths: np.ndarray, features: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return references (sets, d) guessed from features (sets, p) of the samples: a regression, with its noise.

    A set's own truth has no part in its guess: the regression is on the others (`FOLDS` parts, each from the rest).
    """
    known = np.isfinite(features).all(axis=1)
    spread = np.where(known[:, None], features, 0.0)
    scaled = (spread - spread.mean(axis=0)) / np.maximum(spread.std(axis=0), 1e-12)
    inputs = np.column_stack([np.ones(len(truths)), scaled, np.square(scaled)])
    fold = rng.permutation(len(truths)) % FOLDS
    found = np.empty_like(truths)
    for k in range(FOLDS):
        rows, others = fold == k, fold != k
        a = inputs[others]
        solved = np.linalg.solve(a.T @ a + RIDGE * len(a) * np.eye(a.shape[1]), a.T @ truths[others])
        noise = (truths[others] - a @ solved).std(axis=0)
        found[rows] = inputs[rows] @ solved + noise * rng.standard_normal((rows.sum(), truths.shape[1]))
    return found
