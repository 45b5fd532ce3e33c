"""May the challenger replace the champion? Both predict the gate rows, which no model ever trained on; of a small
table, where all rows train, each predicts every row by models that never saw it.

Thresholds on the errors are one part (`preimage.tracking.registry` puts them to MLflow's own validation). The other is
here: a difference that may be chance is no improvement. The rows are resampled in pairs, both models' errors of a row
together (percentile bootstrap, Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13), and the
challenger passes where the whole interval of the ratio of errors lies below 1.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

LEVEL = 0.95
RESAMPLES = 2000
# Below this a bootstrap knows nothing of the tails: nothing is promoted.
FEWEST_ROWS = 20


@dataclass(frozen=True)
class Comparison:
    """Champion and challenger on the gate rows.

    Attributes:
        champion, challenger: root mean squared errors over all outputs, each in units of its scale.
        low, high: interval of challenger's error over champion's.
        rows: compared; better: whether the whole interval lies below 1, and there are enough rows to say so.
        crossed: whether the rows trained the models, and others of the same settings predicted them.
    """

    champion: float
    challenger: float
    low: float
    high: float
    rows: int
    better: bool
    crossed: bool = False

    @property
    def what(self) -> str:
        """Name the rows."""
        return "cross-validated rows" if self.crossed else "gate rows"

    def reason(self) -> str:
        """Return why the challenger is not better; "" where it is."""
        if self.rows < FEWEST_ROWS:
            return f"{self.rows} {self.what} are too few to compare by (at least {FEWEST_ROWS})"
        if self.better:
            return ""
        return (
            f"the challenger's error is {self.challenger / self.champion if self.champion else np.inf:.3f} times the "
            f"champion's on {self.rows} {self.what}, {LEVEL:.0%} interval [{self.low:.3f}, {self.high:.3f}]: it may "
            "be no better"
        )

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "level": LEVEL, "reason": self.reason()}


def compare(
    Y: np.ndarray, champion: np.ndarray, challenger: np.ndarray, scale: np.ndarray, rng: np.random.Generator
) -> Comparison:
    """Compare predictions (n, m) of both with the truth Y (n, m).

    Args:
        scale: unit of each output's error (m,), the training rows' standard deviation say; 1 where it is 0.
    """
    old, new = (_squared(Y, predicted, scale) for predicted in (champion, challenger))
    if len(Y) < FEWEST_ROWS:
        return Comparison(_root(old), _root(new), 0.0, float("inf"), len(Y), False)
    picks = rng.integers(len(Y), size=(RESAMPLES, len(Y)))
    below, above = new[picks].sum(axis=1), old[picks].sum(axis=1)
    # Where the champion made no error in a resample, the challenger can only be worse, or equal.
    ratio = np.sqrt(np.divide(below, above, out=np.where(below > 0, np.inf, 1.0), where=above > 0))
    low, high = np.quantile(ratio, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="inverted_cdf")
    return Comparison(_root(old), _root(new), float(low), float(high), len(Y), bool(high < 1))


def _squared(Y: np.ndarray, predicted: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return each row's mean squared error over the outputs (n,)."""
    return (((predicted - Y) / np.where(scale > 0, scale, 1.0)) ** 2).mean(axis=1)


def _root(squared: np.ndarray) -> float:
    return float(np.sqrt(squared.mean())) if len(squared) else float("nan")


def gate_rows(n: int, share: float, rng: np.random.Generator) -> np.ndarray:
    """Return which of n new rows (n,) are set aside for the gate: that share of them, at random.

    Rounding is by chance as well, so that the share holds over many small batches: 1 row in 3 with a share of 0.2
    would otherwise never be set aside.
    """
    taken = int(share * n) + int(rng.random() < share * n - int(share * n))
    held = np.zeros(n, bool)
    held[rng.permutation(n)[:taken]] = True
    return held
