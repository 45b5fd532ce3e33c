"""An objective on a forest: what is to be made large of each leaf, and the least loss that sums of these allow.

Channels. `minimize` and `maximize` have one: the output itself with its sign, or the weighted sum of several. `target`
and `within` have two an output, its negative and itself: their largest sums say between which ends the output lies.

One output is treated with the very operations of `Objective.loss`, all of them monotone, so that the bound holds for
the computed loss without any margin. Several outputs are added here in another order: a margin covers that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from preimage.core.objective import Direction, Maximize, Objective, Target, Values
from preimage.support.errors import StudyError
from preimage.support.numba_cache import numba
from preimage.trees.boxes import Channels
from preimage.trees.forest import Forest

UNIT = 2.0**-53


class Wanted(NamedTuple):
    """An objective as the kernels see it.

    Attributes:
        divisor: by which sums are divided.
        slope: loss per unit of output, for `minimize` and `maximize`; NaN for the others.
        sign: of the one channel then.
        low, high, scale: wanted ends of each output, and its unit in the loss; (outputs,).
        margin, share: what rounding may take from a bound, absolute and relative to the loss.
    """

    divisor: float
    slope: float
    sign: float
    low: np.ndarray
    high: np.ndarray
    scale: np.ndarray
    margin: float
    share: float


def has_known_loss(objective: Objective) -> bool:
    """Whether an objective's loss is one that is least where each output is as near as may be to what is wanted."""
    return type(objective).loss_of in (Direction.loss_of, Maximize.loss_of, Values.loss_of)


def refuse_unknown_loss(objective: Objective) -> None:
    """Raise StudyError for a kind with a loss of its own, of which bounds would prove nothing."""
    if not has_known_loss(objective):
        raise StudyError(
            f"objective '{objective.name}': exact searches on trees do not support the kind '{objective.kind}'; leave "
            "out `certified`, `coordinate` and `preimage`"
        )


def reduce(objective: Objective, forest: Forest) -> tuple[Wanted, Channels]:
    """Return the objective as the kernels see it, and what is to be made large.

    Raises StudyError for a kind with a loss of its own, of which the kernels' bounds would prove nothing, and for
    limits of outputs.
    """
    if objective.limits:
        raise StudyError(f"objective '{objective.name}': exact searches on trees do not support 'subject_to' yet")
    refuse_unknown_loss(objective)
    values, start = forest.values[:, list(objective.columns)], forest.start[list(objective.columns)]
    trees, divisor = len(forest.roots), forest.divisor
    low, high = np.array(objective.low), np.array(objective.high)
    scale = np.array(objective.scale or [1.0] * len(low))
    if objective.bounded:
        share = 0.0 if len(low) == 1 else 8 * (len(low) + 2) * UNIT
        return Wanted(divisor, np.nan, 1.0, low, high, scale, 0.0, share), both_ends(forest, objective.columns)
    slope = low * objective.sign
    if len(slope) == 1:
        sign = -1.0 if slope[0] > 0 else 1.0
        wanted = Wanted(divisor, slope[0], sign, low, high, scale, 0.0, 0.0)
        return wanted, Channels(sign * values.T, start.dtype.type(sign) * start)
    # Rounding of a sum of n terms is at most n units of the sum of their sizes, on either side.
    terms = np.abs(values) @ np.abs(slope)
    size = (largest_terms(forest, terms) + float(np.abs(start) @ np.abs(slope))) / divisor
    margin = 4 * (trees + len(slope) + 5) * float(np.finfo(start.dtype).eps) / 2 * size
    channels = Channels(-(values @ slope)[None], -np.atleast_1d(start.astype(float) @ slope))
    return Wanted(divisor, 1.0, -1.0, low, high, scale, margin, 0.0), channels


def both_ends(forest: Forest, columns: Sequence[int]) -> Channels:
    """Return the channels that bound outputs on both sides: of each its negative and itself."""
    values, start = forest.values[:, list(columns)], forest.start[list(columns)]
    score = np.stack([sign * column for column in values.T for sign in (-1.0, 1.0)])
    return Channels(score, np.stack([-start, start], axis=1).ravel())


def largest_outputs(forest: Forest, columns: Sequence[int]) -> np.ndarray:
    """Return how large the terms of each output's sum are together, at most, (k,), divided as the output is."""
    sizes = [largest_terms(forest, np.abs(forest.values[:, c])) + abs(float(forest.start[c])) for c in columns]
    return np.array(sizes) / forest.divisor


def accepted(objective: Objective) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest and largest value (k,) of each named output at which `Objective.met` says yes, to the bit."""
    if not isinstance(objective, Target):
        return np.array(objective.low), np.array(objective.high)
    ends = [(v, t, _reach(abs(v), t)) for v, t in zip(objective.low, objective.tolerance, strict=True)]
    # Rounding treats both signs alike: what lies below is what lies above the negative.
    low = [-_last(-v, tolerance, reach) for v, tolerance, reach in ends]
    high = [_last(v, tolerance, reach) for v, tolerance, reach in ends]
    return np.array(low), np.array(high)


def _reach(size: float, margin: float) -> float:
    """Return how far rounding may move the end of an interval, at most."""
    return float(4 * np.spacing(max(size, margin)))


def _last(value: float, margin: float, reach: float) -> float:
    """Return the largest y with y - value <= margin as computed, by bisection over floats."""
    good, bad = value + margin - reach, value + margin + reach
    if good - value > margin:
        good = value
    while (middle := good / 2 + bad / 2) not in (good, bad):
        if middle - value <= margin:
            good = middle
        else:
            bad = middle
    return good


def largest_terms(forest: Forest, size: np.ndarray) -> float:
    """Return the sum over trees of the largest of (leaves,)."""
    leaf = forest.feature < 0
    here = np.zeros(len(leaf))
    here[leaf] = size[forest.right[leaf]]
    return float(np.maximum.reduceat(here, forest.roots).sum())


@numba.njit(cache=True)
def least_loss(wanted, total):  # type: ignore[no-untyped-def]
    """Return a lower bound of the loss where each channel's sum is at most its `total` (channels,)."""
    if not np.isnan(wanted.slope):
        return wanted.slope * (wanted.sign * total[0] / wanted.divisor) - wanted.margin
    loss = 0.0
    for k in range(len(wanted.low)):
        off = distance(wanted, k, -total[2 * k] / wanted.divisor, total[2 * k + 1] / wanted.divisor)
        loss += (off / wanted.scale[k]) ** 2
    loss /= len(wanted.low)
    return loss - wanted.share * loss


@numba.njit(cache=True)
def distance(wanted, k, least, most):  # type: ignore[no-untyped-def]
    """Return how far output k, between `least` and `most`, stays from what is wanted; 0 where it may be met."""
    if most < wanted.low[k]:
        return wanted.low[k] - most
    if least > wanted.high[k]:
        return least - wanted.high[k]
    return 0.0


@numba.njit(cache=True)
def loss_at(wanted, total):  # type: ignore[no-untyped-def]
    """Return the loss where the outputs' sums over trees are known: of the one channel, or of every second."""
    if not np.isnan(wanted.slope):
        return wanted.slope * (wanted.sign * total[0] / wanted.divisor)
    loss = 0.0
    for k in range(len(wanted.low)):
        y = total[k] / wanted.divisor
        loss += (distance(wanted, k, y, y) / wanted.scale[k]) ** 2
    return loss / len(wanted.low)


@numba.njit(cache=True)
def hardest(wanted, total):  # type: ignore[no-untyped-def]
    """Return the channel whose sum is to be brought down first: where the loss is, or the range is widest."""
    worst, channel = -1.0, 0
    for k in range(len(wanted.low)):
        least, most = -total[2 * k] / wanted.divisor, total[2 * k + 1] / wanted.divisor
        off = distance(wanted, k, least, most) / wanted.scale[k]
        if off > worst and off > 0:
            worst, channel = off, 2 * k + (1 if most < wanted.low[k] else 0)
    if worst > 0:
        return channel
    for k in range(len(wanted.low)):
        least, most = -total[2 * k] / wanted.divisor, total[2 * k + 1] / wanted.divisor
        below, above = (wanted.low[k] - least) / wanted.scale[k], (most - wanted.high[k]) / wanted.scale[k]
        if max(below, above) > worst:
            worst, channel = max(below, above), 2 * k + (1 if above > below else 0)
    return channel
