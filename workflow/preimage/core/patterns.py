"""Random points of the box that an input's own values and the counts leave: which inputs are 0, and what others are."""

from __future__ import annotations

from math import comb

import numpy as np

from preimage.core.conditions import Count
from preimage.core.space import Space


def spread(space: Space, unit: np.ndarray, patterns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return points (n, d) for places in the unit cube (n, d): each allowed value of an input has its equal share.

    Of what is 0 or at least some amount, half is 0. Of counted inputs, every set that a count allows is equally likely,
    whatever its places say; inputs that differ from their reference are spread over their other values.

    Args:
        patterns: numbers of the patterns (n,): points of one number have the same inputs at their references.
    """
    X = space.low + unit * (space.high - space.low)
    whole = np.floor(space.low + unit * (space.high - space.low + 1))
    X = np.where(space.discrete, np.clip(whole, space.low, space.high), np.clip(X, space.low, space.high))
    limited = [c for c in space.counts if c.most < len(c.inputs)]
    counted = {j: r for c in limited for j, r in zip(space.at(c), c.reference, strict=True)}
    for j in np.flatnonzero((space.listed | space.gapped) & space.free).tolist():
        X[:, j] = _valued(space, j, unit[:, j], counted.get(j))
    X = space.codes(X)
    for count in limited:
        at = space.at(count)
        X[:, at] = np.where(_referred(space, count, patterns, rng), np.array(count.reference), X[:, at])
    return X


def _valued(space: Space, j: int, unit: np.ndarray, reference: float | None) -> np.ndarray:
    """Return values of an input, listed or with a gap, for places in [0, 1]; not its reference where it has one."""
    i = space.inputs[j]
    if i.values:
        values = i.allowed[i.allowed != reference] if reference is not None and len(i.allowed) > 1 else i.allowed
        return np.asarray(values[np.minimum((unit * len(values)).astype(int), len(values) - 1)])
    away = unit if reference == 0 else 2 * unit - 1
    amount = i.least + np.clip(away, 0, 1) * (i.high - i.least)
    if i.whole:
        amount = np.minimum(np.floor(i.least + np.clip(away, 0, 1) * (i.high - i.least + 1)), i.high)
    return np.where(away < 0, 0.0, amount)


def _referred(space: Space, count: Count, patterns: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return which of a count's inputs are at their reference (n, k), by one draw a pattern."""
    at, k = space.at(count), len(count.inputs)
    able = np.array([space.inputs[j].allows(r) for j, r in zip(at, count.reference, strict=True)])
    forced = np.array([space.low[j] == space.high[j] == r for j, r in zip(at, count.reference, strict=True)])
    choice, many = able & ~forced, int(patterns.max(initial=0)) + 1
    always, free = k - int(able.sum()), int(choice.sum())
    # How many of those that can be either differ, every set of them equally likely.
    numbers = np.arange(max(count.least - always, 0), min(count.most - always, free) + 1)
    if not len(numbers):
        return np.tile(able, (len(patterns), 1))
    weights = np.array([comb(free, int(m)) for m in numbers], object)
    share = np.array([float(w / sum(weights)) for w in np.cumsum(weights)])
    drawn = numbers[np.minimum(np.searchsorted(share, rng.random(many), side="right"), len(numbers) - 1)]
    places = np.argsort(np.argsort(np.where(choice, rng.random((many, k)), np.inf), axis=1), axis=1)
    differ = choice & (places < drawn[:, None])
    return np.asarray((able & ~differ)[patterns])
