"""Bounds of Gaussian processes' means on a box, row by row: each covariance by itself.

In a wide box each covariance is bounded between its nearest and its farthest point from the row: of a process of short
length scales, few rows matter in any place.

Rough kernels miss much in their space (`expansions`), for they are rough at the rows; but they are smooth elsewhere.
Over the squared distance a row's covariance lies between its tangent and its chord. Both are linear in that, so that
their sums are quadratics of one curvature for all columns, which are bounded exactly.

Rounding is told of in `process_bounds`.
"""

from __future__ import annotations

from preimage.exact.covariances import fall, shape
from preimage.exact.expansions import MOVED, ROUNDED
from preimage.support.numba_cache import numba


@numba.njit(cache=True)
def lines(p, m, c, r, free, size, out):  # type: ignore[no-untyped-def]
    """Fill in the quadratics below and above an output, of each row's tangent or chord over the squared distance."""
    kernel, own, d = p.kernels[m], p.parameters[m], len(free)
    line, slope, curve, share = out.line[m], out.line_slope[m], out.line_curve[m], out.line_share[m]
    line[:], slope[:], curve[:], share[:] = 0.0, 0.0, 0.0, 0.0
    total = miss = low = high = 0.0
    for i in range(p.weights.shape[1]):
        a = p.weights[m, i]
        if a == 0.0:
            continue
        near = far = at = 0.0
        for col in range(len(c)):
            away = abs(c[col] - p.rows[m, col, i])
            near += max(away - r[col], 0.0) ** 2
            far += (away + r[col]) ** 2
            at += away * away
        near, far = near * (1.0 - 1e-14), far * (1.0 + 1e-14)
        most, least, width, middle = (
            shape(kernel, own, near),
            shape(kernel, own, far),
            far - near,
            near / 2.0 + far / 2.0,
        )
        chord = tangent = 0.0
        touched = least
        if width > 1e-12 * far:
            chord, tangent = (most - least) / width, fall(kernel, own, middle)
            touched = shape(kernel, own, middle)
        over, under = most - chord * (at - near), touched - tangent * (at - middle)
        low += a * (least if a > 0.0 else most)
        high += a * (most if a > 0.0 else least)
        beyond = abs(a) * max(most - chord * (middle - near) - touched, most - tangent * (middle - near) - touched)
        total, miss = total + abs(a), miss + beyond
        for side in range(2):
            steep = tangent if (side == 0) == (a > 0.0) else chord
            line[side] += a * (under if (side == 0) == (a > 0.0) else over)
            for f in range(d):
                half = r[free[f]]
                slope[side, f] -= 2.0 * a * steep * (c[free[f]] - p.rows[m, free[f], i]) * half
                curve[side, f] -= 2.0 * a * steep * half * half
        for f in range(d):
            away, half = abs(c[free[f]] - p.rows[m, free[f], i]), r[free[f]]
            share[f] += 2.0 * beyond * ((away + half) ** 2 - max(away - half, 0.0) ** 2) / max(width, 1e-300)
    out.open[m] = miss
    out.off[m] = 16.0 * p.error[m] + 2.0 * MOVED * size * total
    out.low[m], out.high[m] = max(out.low[m], low - out.off[m]), min(out.high[m], high + out.off[m])


@numba.njit(cache=True)
def each(p, m, kernel, c, r, free, out):  # type: ignore[no-untyped-def]
    """Bound each row's covariance by itself, and note which columns leave most open."""
    low = high = sizes = 0.0
    for i in range(p.weights.shape[1]):
        near = far = 0.0
        for col in range(len(c)):
            away = abs(c[col] - p.rows[m, col, i])
            near += max(away - r[col], 0.0) ** 2
            far += (away + r[col]) ** 2
        least, most = shape(kernel, 0.0, far * (1.0 + 1e-14)), shape(kernel, 0.0, near * (1.0 - 1e-14))
        a = p.weights[m, i]
        low += a * (least if a > 0.0 else most)
        high += a * (most if a > 0.0 else least)
        sizes += abs(a) * most
        open_ = abs(a) * (most - least) / max(far - near, 1e-300)
        for f in range(len(free)):
            away = abs(c[free[f]] - p.rows[m, free[f], i])
            out.share[m, f] += open_ * ((away + r[free[f]]) ** 2 - max(away - r[free[f]], 0.0) ** 2)
    rounding = 2.0 * p.error[m] + ROUNDED * sizes
    out.low[m], out.high[m] = max(out.low[m], low - rounding), min(out.high[m], high + rounding)
