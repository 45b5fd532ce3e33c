"""Do new rows come from where the old ones came from? Input by input.

Two measures: the population stability index (PSI; Siddiqi 2006, "Credit Risk Scorecards", chapter 9: below 0.1 the
same, above 0.25 another population), over quantile bins of the old rows; and the two-sample Kolmogorov-Smirnov test
(scipy). For a category the bins are its values, and the test is the chi-squared test of homogeneity.

The index is large by chance where rows are few: without drift, index / (1 / n + 1 / k) is about chi-squared with one
degree of freedom less than there are bins (Yurdakul 2018, "Statistical properties of population stability index",
Western Michigan University), which gives it a p-value of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import chi2, chi2_contingency, ks_2samp

BINS = 10
# A bin without rows in one of the samples would make the index infinite: it counts as half a row.
HALF = 0.5


class Drift(NamedTuple):
    """How far one input's new rows are from its old ones: the index and how likely one as large is without drift, the
    test's statistic and its p-value."""

    psi: float
    psi_p_value: float
    statistic: float
    p_value: float


def by_input(old: np.ndarray, new: np.ndarray, names: Sequence[str], levels: Sequence[int]) -> dict[str, Drift]:
    """Return the drift of each input, for points (n, d) and (k, d), neither empty.

    Args:
        levels: number of values of each input that is a category, else 0 (d,).
    """
    return {name: drift(old[:, j], new[:, j], int(levels[j])) for j, name in enumerate(names)}


def drift(old: np.ndarray, new: np.ndarray, levels: int = 0) -> Drift:
    """Return the drift of one input from old values (n,) to new ones (k,)."""
    counts = _counts(old, new, levels)
    if not levels:
        test = ks_2samp(old, new, method="asymp" if len(old) * len(new) > 10_000 else "auto")
        return Drift(*_psi(counts), float(test.statistic), float(test.pvalue))
    seen = counts[:, counts.any(axis=0)]
    if seen.shape[1] < 2:
        return Drift(*_psi(counts), 0.0, 1.0)
    found = chi2_contingency(seen, correction=False)
    return Drift(*_psi(counts), float(found.statistic), float(found.pvalue))


def psi(old: np.ndarray, new: np.ndarray, levels: int = 0) -> float:
    """Return the population stability index of new values (k,) against old ones (n,): 0 where shares are equal."""
    return _psi(_counts(old, new, levels))[0]


def _psi(counts: np.ndarray) -> tuple[float, float]:
    """Return the index, and the p-value of one as large."""
    counts = counts[:, counts.any(axis=0)]
    p, q = np.maximum(counts, HALF) / counts.sum(axis=1, keepdims=True)
    index = float(((q - p) * np.log(q / p)).sum())
    bins = counts.shape[1]
    return index, float(chi2.sf(index / (1 / counts.sum(axis=1)).sum(), bins - 1)) if bins > 1 else 1.0


def _counts(old: np.ndarray, new: np.ndarray, levels: int) -> np.ndarray:
    """Return how many values fall in each bin, (2, bins): the categories, or the old values' deciles.

    Repeated deciles (an input of few values) are one bin's edge; values at an edge belong to the bin below it.
    """
    if levels:
        return np.array([np.bincount(part.astype(int), minlength=levels) for part in (old, new)], float)
    edges = np.unique(np.quantile(old, np.arange(1, BINS) / BINS, method="inverted_cdf"))
    return np.array([np.bincount(np.searchsorted(edges, v), minlength=len(edges) + 1) for v in (old, new)], float)
