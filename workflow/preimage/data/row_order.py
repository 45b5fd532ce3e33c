"""Rows in an order of their own: what is made of a table depends on none of how the table happens to be sorted.

Held-out rows, folds, bootstrap samples and batches are all drawn by position. So before anything is drawn, rows are
sorted by what they hold and then shuffled: the same rows in another order, other units, or with their columns in
another order, end in the same places.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

# Digits to which a column's moments are compared. They are multiplied by a number without a simple fraction first: a
# moment such as 1/1024 would else lie where rounding errors decide which way it is rounded.
DIGITS, FACTOR = 9, np.pi


def shuffled(table: pa.Table, inputs: Sequence[str], outputs: Sequence[str], rng: np.random.Generator) -> np.ndarray:
    """Return positions (n,) that put the table's rows in a random order, which depends on their contents alone.

    Rows that are equal in every column may change places.
    """
    if not len(table):
        return np.empty(0, np.int64)
    named = {name: table[name].to_numpy() for name in (*outputs, *inputs)}
    measured = [named[name] for name in outputs]
    about = np.array([_unit(y) for y in measured])
    keys = sorted((_moments(_unit(y), np.empty((0, len(y)))), k) for k, y in enumerate(measured))
    chosen = [measured[k] for _, k in keys]
    about = about[[k for _, k in keys]]
    found = [_codes(named[name], about) for name in inputs]
    first = sorted(range(len(found)), key=lambda j: (_moments(_unit(found[j]), about), j))
    by = [*chosen, *(found[j] for j in first)]
    return np.lexsort(by[::-1])[rng.permutation(len(table))]


def _codes(column: np.ndarray, about: np.ndarray) -> np.ndarray:
    """Return a column (n,) as numbers: of a category, the place of each value by what its rows hold."""
    if np.issubdtype(column.dtype, np.number):
        return column
    labels, inverse = np.unique(column.astype(str), return_inverse=True)
    held = [(_moments((inverse == k).astype(float), about), k) for k in range(len(labels))]
    place = np.empty(len(labels))
    place[[k for _, k in sorted(held)]] = np.arange(len(labels))
    return place[inverse]


def _unit(column: np.ndarray) -> np.ndarray:
    """Return a column (n,) with its range as [0, 1]."""
    low, width = column.min(), np.ptp(column)
    return (column - low) / width if width > 0 else np.zeros(len(column))


def _moments(unit: np.ndarray, about: np.ndarray) -> tuple[float, ...]:
    """Return what tells one column (n,) from another, whatever its unit and the order of rows: its own moments, and
    those with the outputs (m, n)."""
    own = [np.mean(unit**k) for k in (1, 2, 3)]
    shared = [np.mean(unit**k * y) for y in about for k in (1, 2)]
    return tuple(np.round(FACTOR * np.array([*own, *shared]), DIGITS).tolist())
