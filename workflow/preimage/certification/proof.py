"""What has been proven of one question to one model, in numbers and in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from preimage.support import digits

PROVEN, OPEN, INFEASIBLE = "proven", "open", "infeasible"
# What a shell is told; 1 and 2 are errors of any command.
EXIT = {PROVEN: 0, OPEN: 3, INFEASIBLE: 4}


@dataclass(frozen=True)
class Proof:
    """An answer and how far it is proven.

    Attributes:
        status: "proven": the optimum, or an input that meets the values; "infeasible": no input within the bounds and
            constraints meets what is asked; "open": stopped at a limit before either was known.
        asked: the objective in words.
        x: the best input found, by name; None where there is none.
        outputs: what the model gives there, by name; None where there is none.
        measured: what `value` and `bound` are: the "optimum" of `minimize` and `maximize`, or the "distance" from
            values to meet.
        value: what is measured at x; NaN where there is no x.
        bound: no input gives a smaller value than this, of `maximize` a larger one; NaN where nothing is proven.
        gap: between value and bound.
        seconds, boxes: what the search took.
        message: in the words of a report.
    """

    status: str
    asked: str
    x: Mapping[str, Any] | None
    outputs: Mapping[str, float] | None
    measured: str
    value: float
    bound: float
    gap: float
    seconds: float
    boxes: int
    message: str

    def __str__(self) -> str:
        lines = [f"{self.status}: {self.asked}", f"  {self.message}"]
        if self.x is not None and self.outputs is not None:
            lines.append(f"  at       {_listed(self.x)}")
            lines.append(f"  predicts {_listed(self.outputs)}")
        if self.bound == self.bound:
            lines.append(f"  {self.measured:8} {self.value!r}")
            lines.append(f"  bound    {self.bound!r}")
            lines.append(f"  gap      {digits.number(self.gap)}")
        return "\n".join([*lines, f"  seconds  {self.seconds:.2f} ({self.boxes} boxes)"])

    def plain(self) -> dict[str, Any]:
        """Return the proof as JSON can hold it: null for numbers that there are none of."""
        return {key: None if value != value else value for key, value in vars(self).items()}


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in values.items())
