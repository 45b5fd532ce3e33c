"""How a loss is shown: as the output itself, in its unit, or as the distance to what is wanted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from preimage.core.objective import NEAR_LEAST, Fit, Maximize, Objective, Values, Varied
from preimage.core.objective.reference import AS_NEAR
from preimage.figures.style import INK, label, log_axis, number, widen

# An output to be made small is shown on a log axis where its values span this much, but not where they end in what is
# 0 but for rounding.
LOG_ABOVE, LOG_BELOW = 30.0, 1e8


class Scale(NamedTuple):
    """How to draw losses.

    Attributes:
        label: of the axis, with the unit.
        kind: `down` (the output, smaller is better), `up` (larger is better) or `distance` (0 is best).
        tolerance: what counts as equal (`down`, `up`) or as met (`distance`), in the axis' unit; 0 if unknown.
        met: what to write at the line where an objective is met; empty where there is no such line.
        equal_to: the largest loss that counts as equal to one.
    """

    label: str
    kind: str
    tolerance: float = 0.0
    met: str = ""
    equal_to: Callable[[float], float] = float

    def values(self, loss: Any) -> np.ndarray:
        """Return losses as the numbers to draw, same shape; NaN where there is none."""
        loss = np.asarray(loss, float)
        loss = np.where(np.isfinite(loss), loss, np.nan)
        if self.kind == "distance":
            return np.sqrt(np.maximum(loss, 0.0))
        return loss if self.kind == "down" else -loss

    def apply(self, axes: Any, values: np.ndarray) -> None:
        """Scale the y axis for the values that it shows (any shape)."""
        values = np.asarray(values, float)
        values = values[np.isfinite(values)]
        if not len(values):
            return
        least, most = float(values.min()), float(values.max())
        if self.kind == "distance":
            log_axis(axes.yaxis, self._linear_below(values))
            # Room below 0, where the best answers are.
            axes.set_ylim(-self._linear_below(values) / 3, max(most, self.tolerance) * 1.5 or 1)
        elif self.kind == "down" and least > 0 and LOG_ABOVE < most / least < LOG_BELOW:
            log_axis(axes.yaxis)
        else:
            widen(axes, values, self.tolerance)

    def met_line(self, axes: Any) -> dict[str, Any]:
        """Draw the line where the objective is met, if there is one; return it by its label."""
        if not self.met:
            return {}
        return {self.met: axes.axhline(self.tolerance, color=INK, lw=0.9, ls=":")}

    def _linear_below(self, values: np.ndarray) -> float:
        """Return where the axis turns linear: nothing depends on distances far below the tolerance."""
        positive = values[values > 0]
        least = max(positive.min(), positive.max() * 1e-6) if len(positive) else 1.0
        return float(10.0 ** np.floor(np.log10(self.tolerance / 10 if self.tolerance > 0 else least)))


def of(wanted: Objective, units: Mapping[str, str]) -> Scale:
    """Return how the losses of an objective are shown."""
    return _of(wanted, units)._replace(equal_to=wanted.equal_to)


def _of(wanted: Objective, units: Mapping[str, str]) -> Scale:
    found = {units.get(o, "") for o in wanted.outputs}
    unit = found.pop() if len(found) == 1 else ""
    if isinstance(wanted, Fit):
        return Scale("loss against the data", "down", NEAR_LEAST * wanted.unit)
    if wanted.near:
        return Scale(f"distance to {wanted.near.words} (in ranges of inputs)", "down", AS_NEAR)
    if isinstance(wanted, Varied) and wanted.of_shares:
        return Scale("share of production that misses the objective", "down", wanted.tolerance[0])
    if isinstance(wanted, Values):
        return _distance(wanted, unit)
    if wanted.front:
        return Scale("compromise: worst share of the rows' ranges", "down", wanted.tolerance[0])
    terms = [
        o.replace("_", " ") if w == 1 else f"{number(w)} × {o.replace('_', ' ')}"
        for o, w in zip(wanted.outputs, wanted.low, strict=True)
    ]
    kind = "up" if isinstance(wanted.nominal, Maximize) else "down"
    what = "worst tenth of" if isinstance(wanted, Varied) else "predicted"
    return Scale(label(f"{what} {' + '.join(terms)}", unit), kind, wanted.tolerance[0])


def _distance(wanted: Values, unit: str) -> Scale:
    scaled = any(s != 1 for s in wanted.scale)
    tolerance = float(np.sqrt(wanted.enough))
    what, met = "what is wanted", ""
    if len(wanted.outputs) == 1:
        what = f"{wanted.value_words(0).replace('-', '−')} {unit}".strip()
        # For `within` an objective is met at distance 0, and of several outputs a mean distance says too little.
        met = f"within {number(wanted.tolerance[0])} {unit}".strip() if tolerance > 0 else ""
    return Scale(label(f"distance to {what}", "standard deviations" if scaled else unit), "distance", tolerance, met)


def accepted(wanted: Objective) -> tuple[float, float] | None:
    """Return the interval of the first output that meets a target or lies within; None for a mere direction."""
    if not wanted.nominal.bounded:
        return None
    wanted = wanted.nominal
    return wanted.low[0] - wanted.margin[0], wanted.high[0] + wanted.margin[0]
