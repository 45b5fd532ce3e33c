"""Rows and inputs in an order of their own, so that nothing depends on how a table happens to be sorted.

Held-out rows, folds, bootstrap samples and batches are drawn by position, starts and trials input by input. Before
anything is drawn, rows and inputs are therefore put in an order that follows from what they hold: a table with its rows
or columns in another order, or in other units, ends in the same places.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

# Digits to which numbers of the order of 1 are compared. They are multiplied by a number without a simple fraction
# first: 1/1024, say, would else lie where rounding errors decide which way it is rounded.
DIGITS, FACTOR = 9, np.pi


def rounded(A: np.ndarray) -> np.ndarray:
    """Return numbers of the order of 1 to be compared: equal where they differ by rounding errors alone."""
    return np.round(FACTOR * A, DIGITS)


def row_order(table: pa.Table, inputs: Sequence[str], outputs: Sequence[str], rng: np.random.Generator) -> np.ndarray:
    """Return positions (n,) that put the table's rows in a random order, which depends on their contents alone.

    Rows that are equal in every column may change places.
    """
    if not len(table):
        return np.empty(0, np.int64)
    about = _outputs([table[name].to_numpy() for name in outputs])
    found = [_codes(table[name].to_numpy(), about) for name in inputs]
    by = [*about, *(found[j] for j in _sorted(found, about))]
    return np.lexsort(by[::-1])[rng.permutation(len(table))]


def input_order(X: np.ndarray, Y: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Return the positions (d,) of inputs in an order that depends on what the rows X (n, d), Y (n, m) hold alone.

    Args:
        levels: above 0 where an input is a category, whose codes have no order (d,).
    """
    if not len(X):
        return np.arange(X.shape[1])
    about = _outputs(list(Y.T))
    columns = [_codes(x.astype(str), about) if k else x for x, k in zip(X.T, levels, strict=True)]
    return np.array(_sorted(columns, about), np.int64)


def category_order(codes: np.ndarray, Y: np.ndarray, levels: int) -> np.ndarray:
    """Return the codes (levels,) of a category in an order that depends on what the rows hold of each: codes (n,) with
    outputs Y (n, m). Values without rows come last, in the list's order."""
    about = _outputs(list(Y.T))
    held = [(not (codes == k).any(), _moments((codes == k).astype(float), about), k) for k in range(levels)]
    return np.array([k for _, _, k in sorted(held)], np.int64)


def _outputs(columns: list[np.ndarray]) -> list[np.ndarray]:
    """Return outputs with their ranges as [0, 1], in an order of their own."""
    units = [_unit(y) for y in columns]
    return [units[k] for _, k in sorted((_moments(y, []), k) for k, y in enumerate(units))]


def _sorted(columns: list[np.ndarray], about: list[np.ndarray]) -> list[int]:
    return sorted(range(len(columns)), key=lambda j: (_moments(_unit(columns[j]), about), j))


def _codes(column: np.ndarray, about: list[np.ndarray]) -> np.ndarray:
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


def _moments(unit: np.ndarray, about: list[np.ndarray]) -> tuple[float, ...]:
    """Return what tells one column (n,) from another, whatever its unit and the order of rows: its own moments, and
    those with the outputs, (n,) each."""
    own = [np.mean(unit**k) for k in (1, 2, 3)]
    shared = [np.mean(unit**k * y) for y in about for k in (1, 2)]
    return tuple(rounded(np.array([*own, *shared])).tolist())
