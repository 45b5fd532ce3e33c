"""Inputs that conditions hold on a plane: what is valid has no volume then."""

from __future__ import annotations

from preimage.core.space import Space


def flat_inputs(space: Space) -> list[str]:
    """Return the free inputs, of those that take any number, that an equality ties, or a count holds at one value."""
    matrix, low, high = space.rows
    flat = {space.names[j] for j in (matrix[low == high] != 0).any(axis=0).nonzero()[0]}
    for count in space.counts:
        if count.most < len(count.inputs):
            flat |= set(count.inputs)
    for curved in space.curved:
        if curved.low == curved.high:
            flat |= set(curved.inputs)
    free = space.free & ~space.stepwise & ~space.gapped
    return [name for name, is_free in zip(space.names, free, strict=True) if is_free and name in flat]
