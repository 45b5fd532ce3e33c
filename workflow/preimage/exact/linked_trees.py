"""Trees that do not predict their sum itself, as arrays for exact searches: apart from other forms, as they load numba,
which training has no use for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from preimage.exact.forms import Columns, Form
from preimage.trees.forest import Forest
from preimage.trees.links import linked
from preimage.trees.objective import largest_outputs


@dataclass(frozen=True)
class LinkedTrees(Form):
    """Trees whose sum a rising function makes the output of, or that predict it by other sums than their arrays do.

    Attributes:
        columns: the space's inputs as they are.
        links: by output, a name in `trees.links.LINKS`.
        roundings: how many roundings of its terms a sum may be off from what is predicted; 0 where it is the same.
    """

    forest: Forest
    links: tuple[str, ...]
    roundings: float = 0.0

    @classmethod
    def of(cls, forest: Forest, links: tuple[str, ...], inputs: int, roundings: float = 0.0) -> LinkedTrees:
        zero = np.zeros(inputs)
        return cls(Columns(np.arange(inputs), np.zeros(inputs, np.int64), zero, zero + 1), forest, links, roundings)

    @property
    def eps(self) -> float:
        """The rounding of the numbers that it is computed in."""
        return float(np.finfo(self.forest.start.dtype).eps)

    def off(self) -> np.ndarray:
        """Return what each output's sum may be off by, at most (m,)."""
        return self.roundings * self.eps * largest_outputs(self.forest, range(len(self.links)))

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the outputs (n, m) at points (n, d), as the arrays have them."""
        raw = self.forest.predict(X).astype(self.forest.start.dtype)
        return np.stack([linked(link, raw[:, k]) for k, link in enumerate(self.links)], axis=1)

    def check(self) -> None:
        """Raise StudyError where a leaf holds what is no number."""
        self._check_numbers("leaves", self.forest.values)

    def of_outputs(self, order: Sequence[int]) -> Self:
        """Return the model whose output k is the output order[k] of this one."""
        at = list(order)
        forest = replace(self.forest, values=self.forest.values[:, at].copy(), start=self.forest.start[at])
        return replace(self, forest=forest, links=tuple(self.links[k] for k in at))

    def of_inputs(self, places: Sequence[int]) -> Self:
        """Return the model of a space whose input places[k] is the model's k-th; others have no influence."""
        return replace(self, forest=self.forest.of_inputs(places))

    def put(self, order: Sequence[int]) -> Self:
        """Return the model of a space whose input k is the input order[k] of the one before."""
        return self.of_inputs(np.argsort(np.asarray(order)).tolist())
