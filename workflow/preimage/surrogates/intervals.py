"""Prediction intervals from out-of-fold residuals.

Normalised split-conformal intervals (Lei, G'Sell, Rinaldo, Tibshirani, Wasserman 2018, "Distribution-free predictive
inference for regression", JASA 113, section 5.2), with out-of-fold residuals in the place of a calibration set: each
residual is divided by the model's spread at its row, and the 5 % and 95 % quantiles of those ratios, times the spread
at a new point, are the interval there. They hold for rows like the training rows; a candidate that was picked
because its prediction is extreme is not one of those, which is why coverage is also measured on candidates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

LEVEL = 0.9


@dataclass(frozen=True)
class Intervals:
    """Offsets in units of (spread + floor), one a output."""

    low: np.ndarray
    high: np.ndarray
    floor: np.ndarray

    def at(self, predicted: np.ndarray, spread: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the lower and upper ends (n, m) for predictions (n, m) with their spread (n, m)."""
        unit = spread + self.floor
        return predicted + self.low * unit, predicted + self.high * unit

    def to_dict(self) -> dict[str, Any]:
        return {key: getattr(self, key).tolist() for key in ("low", "high", "floor")}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Intervals:
        return cls(**{key: np.array(value[key], float) for key in ("low", "high", "floor")})


def fit(Y: np.ndarray, predicted: np.ndarray, spread: np.ndarray, level: float = LEVEL) -> Intervals:
    """Return the intervals that cover `level` of held-out rows, from out-of-fold predictions and spreads (n, m).

    The mean spread is added to every spread, so that members that happen to agree don't make an interval vanish; where
    there is no spread at all (a forest of one tree) the unit is 1, and the intervals are of one width.
    """
    floor = spread.mean(axis=0)
    floor = np.where(floor > 0, floor, 1.0)
    ratio = np.sort((Y - predicted) / (spread + floor), axis=0)
    n = len(ratio)
    # The finite-sample correction: one more row than there are, on each side.
    k = min(n, int(np.ceil((n + 1) * (1 + level) / 2)))
    return Intervals(ratio[n - k], ratio[k - 1], floor)


def columns(predicted: np.ndarray, low: np.ndarray, high: np.ndarray, outputs: Sequence[str]) -> dict[str, np.ndarray]:
    """Return predictions and interval ends (n, m) as columns named as in the candidates table."""
    return by_output(outputs, predicted=predicted, interval_low=low, interval_high=high)


def by_output(outputs: Sequence[str], **parts: np.ndarray) -> dict[str, np.ndarray]:
    """Return parts of outputs, each (n, m), as columns `part.output`."""
    return {f"{part}.{o}": values[:, k] for part, values in parts.items() for k, o in enumerate(outputs)}
