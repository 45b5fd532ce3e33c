"""The part of a space in pieces that a point is in: inputs cut down until counts and exclusions hold by themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from preimage.core.conditions import Count, Exclusion
from preimage.core.inputs import Input

# A number that must not be what it is counted by, and has no smallest amount, keeps this share of its range away.
APART = 1e-3


def one_side(i: Input, value: float) -> Input:
    """Return an input that may be 0 or more on the side of that gap where a value is."""
    if not i.gapped:
        return i
    return replace(i, fixed=0.0, zero_or=None) if value == 0 else i.within(np.finfo(float).tiny, i.high)


def hold_count(inputs: list[Input], at: list[int], count: Count, x: np.ndarray, width: np.ndarray) -> None:
    """Fix, or keep off their reference, so many of the inputs at these positions that a count stays met."""
    reference = dict(zip(at, count.reference, strict=True))
    if count.most < len(at):
        for j in at:
            if x[j] == reference[j]:
                inputs[j] = replace(inputs[j], fixed=reference[j])
    differ = [j for j in at if x[j] != reference[j]]
    sure = [j for j in differ if not inputs[j].allows(reference[j])]
    # Others that differ must go on doing so where too few are sure to: those that are furthest away.
    others = sorted((j for j in differ if j not in sure), key=lambda j: -abs(x[j] - reference[j]) / width[j])
    for j in others[: max(0, count.least - len(sure))]:
        inputs[j] = kept_apart(inputs[j], reference[j], x[j], width[j])


def kept_apart(i: Input, reference: float, value: float, width: float) -> Input:
    """Return an input cut down to the side of a reference where its value is."""
    if i.categories:
        return replace(i, fixed=float(value))
    under, over = beside(i, reference, width)
    return i.within(min(value, over), np.inf) if value > reference else i.within(-np.inf, max(value, under))


def beside(i: Input, reference: float, width: float) -> tuple[float, float]:
    """Return the allowed values of an input next to a reference, on either side; infinite where there is none."""
    away = 0.0 if i.values or i.whole else APART * width
    under = i.below(min(reference - away, np.nextafter(reference, -np.inf)))
    over = i.above(max(reference + away, np.nextafter(reference, np.inf)))
    return float(under), float(over)


def outside(i: Input, low: float, high: float) -> tuple[float, float]:
    """Return the allowed values of an input next to a closed interval, on either side; infinite where there is none."""
    return float(i.below(np.nextafter(low, -np.inf))), float(i.above(np.nextafter(high, np.inf)))


def keep_off(inputs: list[Input], at: list[int], exclusion: Exclusion, x: np.ndarray, width: np.ndarray) -> None:
    """Cut one of the inputs at these positions so that an excluded combination, which x is not, can't come about."""
    met = zip(at, exclusion.conditions, strict=True)
    unmet = [(j, c) for j, c in met if not c.met(x[j : j + 1])[0]]
    for j, c in unmet:
        if c.codes:
            inputs[j] = replace(inputs[j], fixed=float(x[j]))
            return
    if any(inputs[j].upper < c.low or inputs[j].lower > c.high for j, c in unmet):
        return
    j, c = max(unmet, key=lambda u: max(u[1].low - x[u[0]], x[u[0]] - u[1].high) / width[u[0]])
    under, over = np.nextafter(c.low, -np.inf), np.nextafter(c.high, np.inf)
    inputs[j] = inputs[j].within(-np.inf, under) if x[j] < c.low else inputs[j].within(over, np.inf)
