"""Bounds of Gaussian processes' means on a box: by expansions at its centre (`expansions`), or row by row
(`row_bounds`).

Expansions of several outputs are added up before they are bounded, as a sum varies less than its parts may. Quadratic
parts are bounded by `quadratic.least`, the cubic one by its largest sum. Of the two ways, a process of a rough kernel
takes that which misses less; in a wide box both are asked. And no value is larger than the norm.

Rounding, with u = 2^-53 and A = sum of |a_i|. Columns are computed by monotone steps (`columns.encode`), so ends of the
box are exact. A computed covariance, in `predict` or here, is off by at most (D + 20) u, which is what rounding in the
squared distance (relative (D + 3) u, where x exp(-x) is at most 0.37, and for Matern 0.61), the exponential and the
products with it amount to; a sum of n terms by n u times the sum of their sizes. So `predict` is off by at most (n + D
+ 24) u A before it is scaled, and each moment here by (n/4 + D + 44) u A times the largest |D|^k k(|D|^2), which
`error` holds and exp(|v|) adds up: (k/e)^(k/2) is at most k!, and what Matern has there at most twice that. Centres
over other length scales are not quite the same point, nor is what scalers make of one: they differ by a few u of their
size, and the mean by at most |f| times that, or where it has no slope by its weights times that. Of a row's tangent or
chord the value at the centre, the slopes and the curvatures are no larger than its weight, or twice that: their sums
are off by as much as 16 `error` hold. Everything else is sums of few terms: `ROUNDED` of the sizes that are added, a
thousand times what they amount to.
"""

from __future__ import annotations

import numpy as np

from preimage.exact import expansions, quadratic, row_bounds
from preimage.exact.columns import by_input, encode, slopes
from preimage.exact.covariances import MATERN12, MATERN52, RBF
from preimage.exact.expansions import MOVED
from preimage.support.numba_cache import numba

# Beyond this squared radius nothing is left of an expansion, and from this one on covariances are bounded by
# themselves.
FAR, WIDE = 16.0, 0.5


@numba.njit(cache=True)
def _cubic(T, d):  # type: ignore[no-untyped-def]
    """Return what the sum of T_jkl u_j u_k u_l is not above on [-1, 1]^d, for a symmetric T: the sum of sizes, or by
    the largest singular value of T as a (d, d^2) matrix, of which traces of powers are bounds."""
    sizes = 0.0
    for j in range(d):
        for k in range(d):
            for i in range(d):
                sizes += abs(T[j, k, i])
    if d < 3:
        return sizes
    gram = np.empty((d, d))
    for j in range(d):
        for k in range(j, d):
            total = 0.0
            for p in range(d):
                for q in range(d):
                    total += T[j, p, q] * T[k, p, q]
            gram[j, k] = gram[k, j] = total
    fourth = 0.0
    for j in range(d):
        for k in range(d):
            total = 0.0
            for p in range(d):
                total += gram[j, p] * gram[p, k]
            fourth += total * total
    # Singular values are the roots of the Gram matrix's eigenvalues, and |u| is at most the root of d.
    return min(sizes, fourth**0.125 * d**1.5 * (1.0 + 1e-9))


@numba.njit(cache=True)
def _expand(p, m, a, b, r, c, work, free, out):  # type: ignore[no-untyped-def]
    """Fill in all that is known of one output on a box of columns [a, b]."""
    R2 = size = 0.0
    kernel = p.kernels[m]
    for col in range(len(a)):
        low, high = a[col] / p.lengths[m, col], b[col] / p.lengths[m, col]
        c[col] = low if low == high else low / 2.0 + high / 2.0
        r[col] = max(c[col] - low, high - c[col]) * (1.0 + 1e-15)
        R2 += r[col] ** 2
        size += abs(c[col]) + p.away[m, col]
    norm = np.sqrt(p.squared_norm[m])
    out.low[m], out.high[m], out.lose[m], out.value[m], out.bend[m] = -norm, norm, np.inf, 0.0, 0.0
    out.open[m] = np.inf
    if kernel not in (RBF, MATERN52):
        if R2 <= FAR:
            expansions.rough(p, m, c, r, free, work, out)
        moved = MOVED * size * (2.0 * np.abs(p.weights[m]).sum() if kernel == MATERN12 else norm)
        out.lose[m] += moved
        row_bounds.lines(p, m, c, r, free, size, out)
        return
    if R2 <= FAR:
        if kernel == RBF:
            expansions.rbf(p, m, c, r, free, work, out)
        else:
            expansions.matern(p, m, c, r, free, work, out)
        out.lose[m] += norm * MOVED * size
    if R2 > WIDE:
        row_bounds.each(p, m, kernel, c, r, free, out)


@numba.njit(cache=True)
def _add(w, out, m, g, H, T, worth, before):  # type: ignore[no-untyped-def]
    """Add a multiple of an output's expansion, and of what it leaves open, to `before` times what there is."""
    for j in range(len(g)):
        g[j] = before * g[j] + w * out.slope[m, j]
        worth[j] = before * worth[j] + abs(w) * out.share[m, j]
        for k in range(len(g)):
            H[j, k] = before * H[j, k] + w * out.curve[m, j, k]
            for l in range(len(g)):
                T[j, k, l] = before * T[j, k, l] + w * out.third[m, j, k, l]


@numba.njit(cache=True)
def _add_lines(w, out, m, side, g, H, worth):  # type: ignore[no-untyped-def]
    """Add a multiple of the quadratic on one side of an output."""
    for j in range(len(g)):
        g[j] += w * out.line_slope[m, side, j]
        H[j, j] += w * out.line_curve[m, side, j]
        worth[j] += abs(w) * out.line_share[m, j]


@numba.njit(cache=True)
def _end(p, weights, sign, out, g, H, T, A, u, zero, worth):  # type: ignore[no-untyped-def]
    """Return one end of a sum of outputs, what it is beyond a plane all over the box, and fill in the plane's slope and
    what halving each free column is worth."""
    d = len(g)
    value = lose = other = centre = 0.0
    _add(0.0, out, 0, g, H, T, worth, 0.0)
    for m in range(len(weights)):
        w = -sign * weights[m] * p.scale[m]
        if w == 0.0:
            centre -= sign * weights[m] * p.centre[m]
            continue
        centre -= sign * weights[m] * p.centre[m]
        other += w * (out.low[m] if w > 0.0 else out.high[m])
        if out.open[m] < out.lose[m]:
            side = 0 if w > 0.0 else 1
            value += w * out.line[m, side]
            lose += abs(w) * out.off[m]
            _add_lines(w, out, m, side, g, H, worth)
            continue
        value += w * out.value[m]
        lack = max(0.0, out.first[m] - (out.value[m] if w > 0.0 else -out.value[m]))
        lose += abs(w) * (out.lose[m] + (out.bend[m] * lack if out.bend[m] > 0.0 else 0.0))
        _add(w, out, m, g, H, T, worth, 1.0)
    cubic = _cubic(T, d) / 6.0
    lose += cubic
    for j in range(d):
        worth[j] += abs(g[j]) / 2.0 + cubic / d
        for k in range(d):
            worth[j] += abs(H[j, k]) / 2.0
    if lose == np.inf:
        return -sign * (other + centre), sign * np.inf
    found = max(value + quadratic.least(g, H, A, u) - lose, other)
    plane = value + quadratic.least(zero, H, A, u) - lose
    return -sign * (found + centre), -sign * (plane + centre)


@numba.njit(cache=True, nogil=True)
def bound(begin, stop, columns, p, weights, sign, start, end, ends, worth, plane, slope):  # type: ignore[no-untyped-def]
    """Bound sums of outputs on boxes begin to stop of (n, d).

    Args:
        weights, sign: of the sums (k, M) and (k,): 1 for the upper end, -1 for the lower one.
        ends: filled in, (n, k).
        worth: what halving each input is worth (n, k, d), filled in.
        plane, slope: of a plane that is not above a lower end, or not below an upper one: its value at the box's centre
            (n, k) and its slope over inputs scaled to [-1, 1] in the box (n, k, d), filled in.
    """
    M, D, n = p.rows.shape
    a, b, c, r, by_column = np.empty(D), np.empty(D), np.empty(D), np.empty(D), np.empty(D)
    work, free = np.empty((D + 3, n)), np.empty(D, np.int64)
    for i in range(begin, stop):
        encode(columns, start[i], end[i], a, b)
        count = 0
        for col in range(D):
            if a[col] < b[col]:
                free[count] = col
                count += 1
        out, sums = expansions.blank(M, count), expansions.blank(1, count)
        for m in range(M):
            _expand(p, m, a, b, r, c, work, free[:count], out)
        g, H, T, own = sums.slope[0], sums.curve[0], sums.third[0], sums.share[0]
        A, u, zero = np.empty((count, count)), np.empty(count), np.zeros(count)
        for k in range(len(sign)):
            ends[i, k], plane[i, k] = _end(p, weights[k], sign[k], out, g, H, T, A, u, zero, own)
            by_column[:] = 0.0
            for f in range(count):
                by_column[free[f]] = own[f]
            by_input(columns, by_column, worth[i, k])
            plane[i, k] += sign[k] * slopes(columns, free[:count], g, slope[i, k])
            slope[i, k] *= -sign[k]
