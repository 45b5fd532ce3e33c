"""What an exact search asks of a model: its outputs' bounds on boxes of inputs, and where splitting a box helps."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np


class Side(NamedTuple):
    """One end of a weighted sum of a model's outputs (m,): its largest value (sign 1) or its smallest (-1)."""

    weights: tuple[float, ...]
    sign: float


class BoxModel(Protocol):
    """A model that can be bounded on boxes. A box has a start and an end of each input, (d,), both inside it.

    Attributes:
        sides: the ends that were asked for when it was made.
        margin: how far rounding may have moved each end outward, (k,).
    """

    sides: tuple[Side, ...]
    margin: np.ndarray

    @property
    def attained(self) -> bool:
        """Whether boxes get small enough for their ends to be what is predicted there, as leaves of trees do."""

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the outputs (n, m) at points (n, d)."""

    def fresh(self, n: int) -> np.ndarray:
        """Return the state of n boxes of which nothing is known, (n, size): what a box hands on to those inside it."""

    def bound(self, start: np.ndarray, end: np.ndarray, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends of the sums on boxes (n, d), in the order of `sides` (n, k), which nothing that `predict`
        returns there is beyond; and which boxes may hold an input that the model is asked about (n,). The state is
        brought up to date in place."""

    def split(
        self, start: np.ndarray, end: np.ndarray, state: np.ndarray, order: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return where boxes (n, d) are best split: the input (n,), -1 where the model gains nothing, and the last
        value on the left (n,). `order` (n, k) tells which ends matter, the first most, -1 behind the last."""

    def common(self, start: np.ndarray, end: np.ndarray, state: np.ndarray, order: np.ndarray) -> None:
        """Shrink boxes (n, d) that `split` gains nothing of, in place, to where all ends that matter are attained at
        once."""

    def points(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Return points of one box (k, d) that are likely to be such as the model is asked about."""
