"""Inputs as a model that takes order for meaning must see them: standardised, and categories one-hot."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

from preimage.core.canonical import rounded

# First rows by which columns are put in order.
COMPARED = 100


@dataclass(frozen=True)
class Encoding:
    """Points (n, d) as standardised numbers (n, D): a category is a column of 0 and 1 for each of its values.

    Attributes:
        levels: number of values of each input, 0 where it is a number (d,).
        centre, scale: subtracted and divided by, for each input (d,); 0 and 1 for categories.
    """

    levels: np.ndarray
    centre: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, X: np.ndarray, levels: np.ndarray) -> Encoding:
        deviation = X.std(axis=0)
        category = (levels > 0) | (np.ptp(X, axis=0) == 0)
        centre = np.where(levels > 0, 0.0, X.mean(axis=0))
        return cls(np.asarray(levels, np.int64), centre, np.where(category, 1.0, deviation))

    def arrays(self) -> dict[str, Any]:
        """Return its arrays by the names that they have beside those of a model."""
        return {f"encoding.{f.name}": getattr(self, f.name) for f in fields(self)}

    @cached_property
    def source(self) -> np.ndarray:
        """The input that each column comes from (D,)."""
        return np.repeat(np.arange(len(self.levels)), np.maximum(self.levels, 1))

    @cached_property
    def value(self) -> np.ndarray:
        """The category's value that each column stands for, -1 where it is a number (D,)."""
        return np.concatenate([np.arange(k) if k else [-1] for k in self.levels])

    @cached_property
    def unit(self) -> np.ndarray:
        """What one unit of each column is, in the units of its input (D,)."""
        return self.scale[self.source]

    def __call__(self, X: Any, xp: Any = np) -> Any:
        """Return points (..., d) encoded (..., D); `xp` is the numpy to do it with."""
        Z = (X - self.centre) / self.scale
        if not self.levels.any():
            return Z
        return xp.where(self.value < 0, Z[..., self.source], X[..., self.source] == self.value)

    def in_order_of_rows(self, Z: np.ndarray) -> np.ndarray:
        """Return the columns of encoded rows Z (n, D) in the order of their contents, the largest first row first.

        In it a category's values come as they first appear, and those of no row are left out; so training that takes
        columns in this order, and draws random numbers by it, depends on no list of values nor on the inputs' order.
        Columns that are equal in the first rows come by where they are largest.
        """
        first = np.lexsort([Z.argmax(axis=0), *-rounded(Z[:COMPARED][::-1])])
        return first[(self.value[first] < 0) | Z[:, first].any(axis=0)]

    def numbers(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the inputs that are numbers, and the column of each."""
        columns = np.flatnonzero(self.value < 0)
        return self.source[columns], columns
