"""Holding rows out: by distinct input, so that repeats of one experiment never straddle train and test."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from preimage.support.errors import StudyError

HOLD_OUT, CROSS_VALIDATION = "hold_out", "cross_validation"
# With fewer distinct rows than these, all train where the study names no method.
SMALL = 200


def groups(columns: Iterable[np.ndarray]) -> np.ndarray:
    """Return an integer (n,) that is equal for rows of equal inputs, numbered by first appearance.

    Rows are compared by a 64-bit hash of their inputs: two different rows that share one (about 1 chance in 4 million
    for 3 million rows) would merely stay together.
    """
    import pandas as pd

    total: Any = 0
    for column in columns:
        if column.dtype == float:
            column = column + 0.0  # -0.0 and 0.0 are one input
        hashed = pd.util.hash_array(column)
        with np.errstate(over="ignore"):
            total = total * np.uint64(0x9E3779B97F4A7C15) + hashed if isinstance(total, np.ndarray) else hashed
            total ^= total >> np.uint64(29)
    return pd.factorize(total)[0]


def group_rows(X: np.ndarray) -> np.ndarray:
    """Return `groups` of points (n, d)."""
    return groups(X.T)


def split(
    table: pa.Table, inputs: Sequence[str], test_fraction: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of training and test rows, each in the table's order.

    Whole groups of equal inputs are held out, in random order, while that brings the share of rows nearer to
    `test_fraction`; at least one group stays on each side. Raises StudyError where all rows have equal inputs.
    """
    group = groups(table[name].to_numpy() for name in inputs)
    sizes = np.bincount(group)
    order = rng.permutation(len(sizes))
    held = np.cumsum(sizes[order])
    wanted = test_fraction * len(table)
    if len(sizes) < 2:
        raise StudyError("split: every row has the same inputs; nothing can be held out")
    taken = min(int(np.argmin(np.abs(held - wanted))) + 1, len(sizes) - 1)
    test = np.zeros(len(sizes), bool)
    test[order[:taken]] = True
    in_test = test[group]
    return np.flatnonzero(~in_test), np.flatnonzero(in_test)


def everything(table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of training and test rows where all train, and all are judged by other models."""
    rows = np.arange(len(table))
    return rows, rows


def method_for(table: pa.Table, inputs: Sequence[str]) -> str:
    """Return how rows are best held out: holding some out for ever is too dear where there are few."""
    group = groups(table[name].to_numpy() for name in inputs)
    return CROSS_VALIDATION if group.max(initial=-1) + 1 < SMALL else HOLD_OUT


def folds_of_batches(group: np.ndarray, batch: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """Return the fold (n,) of each row as `folds` does, where rows came in batches, numbered from 0 in order (n,).

    Rows of the first batch have the folds that they would have alone, so that models before and after a batch are
    judged in the same parts. A later batch stays in one fold: its rows lie near each other, and one would give the
    answer to the next. A row that repeats one of an earlier batch goes with that.
    """
    first = np.full(int(group.max()) + 1, batch.max() + 1)
    np.minimum.at(first, group, batch)
    fold = (first[group] - 1) % k
    initial = first[group] == 0
    fold[initial] = folds(np.unique(group[initial], return_inverse=True)[1], k, rng)
    return fold


def folds(group: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """Return the fold (n,) of each row, 0 to k - 1 (fewer where there are fewer groups); groups stay together.

    Raises StudyError where there is one group only: no row could be predicted by a model that never saw it.
    """
    count = int(group.max()) + 1
    if count < 2:
        raise StudyError("folds: every training row has the same inputs; cross-validation needs two distinct ones")
    order = rng.permutation(count)
    fold = np.empty(count, int)
    fold[order] = np.arange(count) % min(k, count)
    return fold[group]
