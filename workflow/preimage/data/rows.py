"""Rows as numbers: what a model trains on and is judged by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from preimage.core.formulas import Formulas
from preimage.data import tables
from preimage.data.setting import RowSummary, of_rows
from preimage.data.split import group_rows
from preimage.support.files import read_json


@dataclass(frozen=True)
class Rows:
    """Points X (n, d), outputs Y (n, m), the row numbers in the source (n,), how many values each input has where it is
    a category, 0 where it is a number (d,), and which these are where that is known, () of a number."""

    X: np.ndarray
    Y: np.ndarray
    numbers: np.ndarray
    inputs: list[str]
    outputs: list[str]
    levels: np.ndarray
    categories: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def plain(cls, X: np.ndarray, Y: np.ndarray) -> Rows:
        """Return rows whose inputs are all numbers, numbered in order, with columns x0, x1, ... and y0, y1, ..."""
        inputs, outputs = ([f"{letter}{k}" for k in range(A.shape[1])] for letter, A in (("x", X), ("y", Y)))
        return cls(X, Y, np.arange(len(X)), inputs, outputs, np.zeros(X.shape[1], int))

    def part(self, rows: np.ndarray, inputs: np.ndarray | None = None) -> Rows:
        """Return the rows at those positions; where positions of inputs are given, with these inputs alone."""
        kept = np.arange(self.X.shape[1]) if inputs is None else inputs
        return replace(
            self, X=self.X[np.ix_(rows, kept)], Y=self.Y[rows], numbers=self.numbers[rows],
            inputs=[self.inputs[j] for j in kept], levels=self.levels[kept],
            categories=tuple(self.categories[j] for j in kept) if self.categories else (),
        )  # fmt: skip

    def with_formulas(self, formulas: Formulas) -> Rows:
        """Return the rows with formulas as further outputs; not finite where one is undefined, outside the bounds."""
        if not formulas:
            return self
        return replace(self, Y=formulas.extended(self.X, self.Y), outputs=[*self.outputs, *formulas.names])

    @cached_property
    def group(self) -> np.ndarray:
        """An integer (n,), equal for rows of equal inputs: such rows stay in one fold."""
        return group_rows(self.X)


def together(parts: Sequence[Rows]) -> Rows:
    """Return the rows of several parts as one, each row of the source once: by its number."""
    first = parts[0]
    X, Y, numbers = (np.concatenate([getattr(p, key) for p in parts]) for key in ("X", "Y", "numbers"))
    _, once = np.unique(numbers, return_index=True)
    once = np.sort(once)
    return replace(first, X=X[once], Y=Y[once], numbers=numbers[once])


def known(info: str) -> RowSummary:
    """Return what the split has written of the training rows."""
    return RowSummary.from_dict(read_json(info))


def load(path: str, info: str, categories: Mapping[str, Any]) -> Rows:
    """Read the rows of a split; a category becomes its index in `categories`."""
    table, found = tables.read(path), known(info)
    frame = table.to_pandas()
    space = of_rows({"inputs": dict(categories)}, found).space
    X = space.encode(frame)
    labels = tuple(i.categories for i in space.inputs)
    levels = np.array([len(own) for own in labels])
    Y = frame[found.outputs].to_numpy(float)
    return Rows(X, Y, frame[tables.ROW].to_numpy(), found.inputs, found.outputs, levels, labels)
