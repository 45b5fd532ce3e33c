"""Observed sets of samples, as every method takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Observed:
    """Sets of samples, all of one size.

    Attributes:
        names: of the sets.
        x: samples (sets, n, D).
        theta: the parameters (sets, d) that they were simulated at; None where these are not known.
        references: draws (k, d) of the true posterior of each set; empty where there are none.
        redrawn: simulations that failed, and were drawn anew.
    """

    names: list[int] | list[str]
    x: np.ndarray
    theta: np.ndarray | None = None
    references: Sequence[np.ndarray] = ()
    redrawn: int = 0

    def arrays(self) -> dict[str, np.ndarray]:
        known = {} if self.theta is None else {"theta": self.theta}
        return {"x": self.x, **known, **{f"reference{k}": draws for k, draws in enumerate(self.references)}}


def restored(names: list[Any], arrays: Mapping[str, np.ndarray]) -> Observed:
    """Return the sets that were saved as arrays."""
    references = [arrays[f"reference{k}"] for k in range(len(names)) if f"reference{k}" in arrays]
    return Observed(names, arrays["x"], arrays.get("theta"), references)
