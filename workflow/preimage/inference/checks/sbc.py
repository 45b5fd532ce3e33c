"""Simulation-based calibration: do true parameters rank among the draws of their posteriors as one more draw would?

Talts et al., "Validating Bayesian inference algorithms with simulation-based calibration" (2018). Ranks see each
quantity alone: answers that are wrong only jointly pass, and so do answers that are the prior whatever the data. The
latter fail with the log likelihood as one more quantity (Modrák et al., "Simulation-based calibration checking for
Bayesian computation: the choice of test quantities shapes sensitivity", 2023).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from preimage.inference.checks import uniformity
from preimage.inference.checks.weighted import same_length, share_below

Quantity = Callable[[int, np.ndarray], np.ndarray]


def ranks(
    truths: np.ndarray,
    draws: Sequence[np.ndarray],
    weights: Sequence[np.ndarray],
    rng: np.random.Generator,
    quantities: Sequence[Quantity] = (),
) -> np.ndarray:
    """Return the rank of each true parameter among its draws, (sets, d + q), as a share between 0 and 1.

    Args:
        truths: parameters (sets, d) drawn from the prior, each with its set of samples.
        draws, weights: of the answer to each set, (k, d) and (k,).
        quantities: q further functions of the number of the set and parameters (k, d), giving (k,); such as the log
            likelihood of the set.
    """
    same_length(truths, draws, weights)
    found = []
    for i, (truth, mine, share) in enumerate(zip(truths, draws, weights, strict=True)):
        rows = np.vstack([truth, mine])
        values = np.column_stack([rows, *(q(i, rows) for q in quantities)])
        found.append(share_below(values[0], values[1:], share, rng))
    return np.array(found).reshape(len(truths), truths.shape[1] + len(quantities))


def p_values(found: np.ndarray) -> np.ndarray:
    """Return the p-value of uniform ranks (sets, q) for each quantity, (q,); q times the least is one verdict."""
    return np.array([uniformity.p_value(column) for column in found.T])
