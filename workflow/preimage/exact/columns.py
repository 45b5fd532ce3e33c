"""Boxes of inputs as boxes of the columns that a model sees."""

from __future__ import annotations

from preimage.support.numba_cache import numba


@numba.njit(cache=True)
def encode(columns, start, end, low, high):  # type: ignore[no-untyped-def]
    """Fill in the ends of every column on a box (D,), as `Encoding` computes them: its steps are monotone in floating
    point too, so that whatever it makes of a point of the box lies between these."""
    at = 0
    for e in range(len(columns.levels)):
        j = columns.inputs[e]
        if columns.levels[e] == 0:
            low[at] = (start[j] - columns.centre[e]) / columns.scale[e]
            high[at] = (end[j] - columns.centre[e]) / columns.scale[e]
            at += 1
            continue
        for value in range(columns.levels[e]):
            possible = start[j] <= value <= end[j]
            high[at] = 1.0 if possible else 0.0
            low[at] = 1.0 if possible and start[j] == end[j] else 0.0
            at += 1


@numba.njit(cache=True)
def by_input(columns, worth, total):  # type: ignore[no-untyped-def]
    """Add up what columns (D,) are worth to their inputs (d,), in place."""
    total[:] = 0.0
    at = 0
    for e in range(len(columns.levels)):
        for _ in range(max(columns.levels[e], 1)):
            total[columns.inputs[e]] += worth[at]
            at += 1


@numba.njit(cache=True)
def slopes(columns, free, g, slope):  # type: ignore[no-untyped-def]
    """Fill in the slope of a plane over inputs (d,), from that over free columns; a category has none. Return what is
    to be taken off the plane for that: the sum of its columns' slopes."""
    slope[:] = 0.0
    lost, at, f = 0.0, 0, 0
    for e in range(len(columns.levels)):
        for _ in range(max(columns.levels[e], 1)):
            if f < len(free) and free[f] == at:
                if columns.levels[e] == 0:
                    slope[columns.inputs[e]] += g[f]
                else:
                    lost += abs(g[f])
                f += 1
            at += 1
    return lost
