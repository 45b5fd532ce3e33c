"""What exact searches have proven of a question, put together: bound, gap, and whether the objective can be met.

Losses are those of `Objective.loss`; a bound is a number that the loss of no valid input of the surrogate is below.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, NotRequired, TypedDict

import numpy as np

from preimage.core.objective import Objective

# Whether some input meets an objective by a model.
VERDICTS = ("yes", "no", "undecided")


class Certificate(TypedDict):
    """What one search has proven, as plain values.

    Keys:
        bound: no valid input has a loss below this.
        loss: of the best input found; the interval [bound, loss] holds the optimum.
        closed: whether the search left nothing open; then bound and loss are equal up to rounding, or of a model that
            varies smoothly, to a millionth of what the training rows span.
        stopped: why it ended: closed, gap, boxes, seconds or unsure (cells in which no valid input was found
            nor ruled out).
        boxes, open_boxes: expanded, and left open.
        feasible: whether some input meets the objective: yes, no or undecided.
        limited: whether only inputs near the data were asked about, so that other methods may go beyond.
        front: of a trade-off, the corners of a bound: values of the named outputs. What any valid input gives is in
            every output at most as good as one of them.
    """

    bound: float
    loss: float
    closed: bool
    stopped: str
    boxes: int
    open_boxes: int
    feasible: str
    limited: bool
    front: NotRequired[list[list[float]]]


class Proven(NamedTuple):
    """What all certificates of a question say together; NaN where there is none."""

    bound: float
    gap: float
    feasible: str


def verdict(objective: Objective, bound: float, met: bool) -> str:
    """Return whether the objective can be met, from a proven bound and whether an input that does is in hand.

    For minimize and maximize any valid input will do.
    """
    if met or not objective.bounded:
        return "yes"
    # Rounding can't lift the loss of inputs that meet a target above this.
    return "no" if bound > objective.enough * (1 + 1e-14) else "undecided"


def together(certificates: Iterable[Certificate], least: float, met: bool = False) -> Proven:
    """Put the certificates of one question together.

    Args:
        least: smallest predicted loss that any method found.
        met: whether some candidate of any method meets the objective by the surrogate.
    """
    certificates = list(certificates)
    said = {c["feasible"] for c in certificates} | ({"yes"} if met else set())
    feasible = "yes" if "yes" in said else "no" if "no" in said else "undecided"
    if not certificates:
        return Proven(np.nan, np.nan, feasible)
    # Where there is proven to be no point at all, there is no bound to tell of either.
    bound = max((c["bound"] for c in certificates if np.isfinite(c["bound"])), default=np.nan)
    # A candidate can be below a proven bound by nothing but a fault: hide none by cutting at 0.
    return Proven(bound, least - bound, feasible)
