"""Limits of outputs: what an answer must keep to before its loss counts (Deb 2000, "An efficient constraint handling
method for genetic algorithms", Computer Methods in Applied Mechanics and Engineering 186)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from preimage.support import digits
from preimage.support.errors import StudyError, did_you_mean

# A limit is narrowed by this share of its width, or of its scale where one end is infinite.
NARROWER = 1e-6


@dataclass(frozen=True)
class Limit:
    """An interval that an output must lie in, one end of which may be infinite.

    Attributes:
        column: position of the output in Y.
        scale: unit of a violation: the training rows' range of the output.
        slack: how far outside still counts as inside, to a search that sees the limit narrowed.
        wanted: whether it is what the objective itself wants of the output.
    """

    output: str
    column: int
    low: float
    high: float
    scale: float = 1.0
    slack: float = 0.0
    wanted: bool = False

    def narrowed(self) -> Limit:
        """Return the limit as a search should see it: narrower by a millionth at each end, of which half counts as
        inside, because a search along a limit ends on its edge, where rounding decides whether it is kept."""
        width = self.high - self.low
        margin = NARROWER * (width if np.isfinite(width) else self.scale)
        return replace(self, low=self.low + margin, high=self.high - margin, slack=margin / 2)

    def excess(self, Y: np.ndarray) -> np.ndarray:
        """Return how far outputs (n, m) are outside, in the output's own unit (n,): exactly 0 inside."""
        y = Y[:, self.column]
        outside = np.maximum(np.maximum(self.low - y, y - self.high), 0.0)
        return np.where(outside <= self.slack, 0.0, outside)

    def violation(self, Y: np.ndarray) -> np.ndarray:
        """Return how far outputs (n, m) are outside, in units of `scale` (n,)."""
        excess = self.excess(Y)
        # A division must not make 0 of what is outside.
        return np.where(excess > 0, np.maximum(excess / self.scale, np.finfo(float).tiny), excess)

    def words(self, units: Mapping[str, str] | None = None) -> str:
        """Return the limit as a person would say it."""
        unit = (units or {}).get(self.output, "")
        return f"{self.output.replace('_', ' ')} {interval_words(self.low, self.high)} {unit}".rstrip()


def interval_words(low: float, high: float) -> str:
    """Return the words of an interval, one end of which may be infinite."""
    if low == -np.inf:
        return f"at most {digits.exact(high)}"
    return f"at least {digits.exact(low)}" if high == np.inf else f"{digits.exact(low)} to {digits.exact(high)}"


def interval_ends(value: Any) -> tuple[float, float]:
    """Return both ends of a study's interval: `[low, high]`, or `at_least` and `at_most`, of which one may be left
    out."""
    if isinstance(value, Mapping):
        return float(value.get("at_least", -np.inf)), float(value.get("at_most", np.inf))
    return float(value[0]), float(value[1])


def limits_of(
    where: str, entry: Mapping[str, Any], outputs: Sequence[str], reach: Sequence[float] | None
) -> tuple[Limit, ...]:
    """Return the limits of an objective's entry.

    Args:
        where: its key, as messages name it.
        reach: range of each output in the training rows; None where it is not known.

    Raises StudyError for an unknown output, and for ends that leave no room.
    """
    found = []
    for output, value in (entry.get("subject_to") or {}).items():
        key = f"{where}.subject_to.{output}"
        if output not in outputs:
            raise StudyError(f"{where}.subject_to: unknown output '{output}'{did_you_mean(output, outputs)}")
        low, high = interval_ends(value)
        if low > high:
            raise StudyError(f"{key}: at_least {digits.plain(low)} is above at_most {digits.plain(high)}")
        if low == high:
            raise StudyError(
                f"{key}: at_least and at_most are both {digits.plain(low)}, which no search meets exactly; leave room "
                f"between them, or use target with a tolerance"
            )
        column = list(outputs).index(output)
        size = next(abs(end) for end in (low, high) if np.isfinite(end)) or 1.0
        scale = 1.0 if reach is None else float(reach[column]) or size
        found.append(Limit(output, column, low, high, scale))
    return tuple(found)
