"""Bounds of Gaussian processes' means on a box: expansions at its centre, and what the norm leaves of the rest.

The mean f(t) = sum of a_i k(|t - t_i|^2), over columns t divided by their length scales, is a member of the kernel's
Hilbert space, with norm |f|^2 = sum of a_i a_j k(|t_i - t_j|^2). With v the way from the centre c and D_i = c - t_i:

- RBF: k(|D_i + v|^2) = exp(-|v|^2/2) k(|D_i|^2) exp(-D_i'v), so f(c + v) = exp(-|v|^2/2) h(v), and h's expansion has
  the moments m_k = sum of a_i k(|D_i|^2) D_i^(k). In the space, these are orthogonal: |f|^2 = sum of |m_k|^2/k!, and so
  what orders 4 and up add to f is at most the norm that orders 0 to 3 leave of |f|, times the root of the probability
  that a Poisson variable of mean |v|^2 is 4 or more.
- Matern 5/2: what a Taylor expansion to second order misses at a distance r is at most |f| times the norm of
  k(r) - its expansion in the space: with s^2 = 5 r^2, the root of 2 + s^4/4 - 2 exp(-s)(1 + s + s^2/2 + s^3/6 + s^4/6).

Expansions of several outputs are added up before they are bounded, as a sum varies less than its parts may. Quadratic
parts are bounded by `quadratic.least`, the cubic one by its largest sum. With E = exp(-|v|^2/2) and x = |v|^2/2, the
terms of an RBF beyond the third order are (E - 1 + x)(m_0 - m_1 v) + (E - 1)(orders 2 and 3 of h), where E - 1 + x is
between 0 and x^2/2, and E - 1 between -x and 0.

- Others (`covariances`): to first order, or to order zero. That misses much in their space, for they are rough at the
  rows; but they are smooth elsewhere. So each row's covariance is bounded by itself too: over the squared distance it
  lies between its tangent and its chord. Both are linear in that, so that their sums are quadratics of one curvature
  for all columns, which are bounded exactly. Of the two ways, a process takes that which misses less.

In a wide box each covariance is bounded by itself, between its nearest and its farthest point from the row: of a
process of short length scales, few rows matter in any place. And no value is larger than the norm.

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

from typing import NamedTuple

import numpy as np

from preimage.exact import quadratic
from preimage.exact.columns import by_input, encode, slopes
from preimage.exact.covariances import MATERN12, MATERN52, RBF, fall, missed, shape
from preimage.support.numba_cache import numba

LANES = 4
ROUNDED = 1e-11
# By how much points and rows may be moved together, by rounding in scalers for one, as a share of the sizes of columns.
MOVED = 1e-15


@numba.njit(cache=True)
def _dot(a, b):  # type: ignore[no-untyped-def]
    """Return the scalar product of arrays whose length is a multiple of `LANES`, added up in as many lanes."""
    s = t = v = w = 0.0
    for i in range(0, len(a), LANES):
        s += a[i] * b[i]
        t += a[i + 1] * b[i + 1]
        v += a[i + 2] * b[i + 2]
        w += a[i + 3] * b[i + 3]
    return (s + t) + (v + w)


@numba.njit(cache=True)
def _sum(a):  # type: ignore[no-untyped-def]
    s = t = v = w = 0.0
    for i in range(0, len(a), LANES):
        s += a[i]
        t += a[i + 1]
        v += a[i + 2]
        w += a[i + 3]
    return (s + t) + (v + w)


@numba.njit(cache=True)
def _poisson(mean):  # type: ignore[no-untyped-def]
    """Return what the root of the probability of 4 or more is not above, for a Poisson variable."""
    if mean < 2.0:
        tail = mean**4 / 24.0 * np.exp(-mean) / (1.0 - mean / 5.0)
    else:
        tail = 1.0 - np.exp(-mean) * (1.0 + mean + mean * mean / 2.0 + mean**3 / 6.0)
    return np.sqrt(max(tail, 0.0)) * (1.0 + 1e-12)


@numba.njit(cache=True)
def _matern_rest(r):  # type: ignore[no-untyped-def]
    """Return the norm of what a Matern kernel's expansion to second order misses at a distance, not too small."""
    s = np.sqrt(5.0) * r
    if s < 0.05:
        # 4/15 s^5 is the leading term; the next is negative: -s^6/9 + s^7/35, for so small an s.
        return np.sqrt(4.0 / 15.0 * s**5) * (1.0 + 1e-12)
    rest = 2.0 + s**4 / 4.0 - 2.0 * np.exp(-s) * (1.0 + s + s * s / 2.0 + s**3 / 6.0 + s**4 / 6.0)
    return np.sqrt(max(rest, 0.0) + 1e-14 * (1.0 + s**4))


# Beyond this squared radius nothing is left of an expansion, and from this one on covariances are bounded by
# themselves.
FAR, WIDE = 16.0, 0.5


class Processes(NamedTuple):
    """Means in arrays, of those outputs that are asked for (M).

    Attributes:
        rows: training rows over length scales, by column, filled up to whole lanes (M, D, n); weights: (M, n).
        lengths: (M, D).
        squared_norm, error: of each output, and what a sum of its covariances is off by (M,).
        centre, scale: of the outputs (M,).
        kernels, parameters: which each is (`covariances.CODES`) (M,).
        away: sizes of what columns are counted from, over length scales (M, D).
    """

    rows: np.ndarray
    weights: np.ndarray
    lengths: np.ndarray
    squared_norm: np.ndarray
    error: np.ndarray
    centre: np.ndarray
    scale: np.ndarray
    kernels: np.ndarray
    parameters: np.ndarray
    away: np.ndarray


class Expansion(NamedTuple):
    """What is known of each output's standardised mean on a box, over its free columns u in [-1, 1]^d.

    Attributes:
        value, first: at the centre, and the sum of slopes' sizes (M,).
        slope, curve, third: of the expansion (M, d), (M, d, d), (M, d, d, d).
        lose: what the mean may be beyond the expansion on either side, infinite where there is none (M,).
        bend: what multiplies the value's lack below the sum of slopes, (M,): see `bound`.
        low, high: ends by the other ways (M,).
        share: which columns the rest comes from (M, d).
        line, line_slope, line_curve: by tangents and chords, below and above: at the centre, slopes and the diagonal of
            the curvature (M, 2), (M, 2, d), (M, 2, d).
        open, off, line_share: what those miss, about, what rounding makes of them, and which columns it comes from
            (M,), (M,), (M, d); `open` is infinite where there are none.
    """

    value: np.ndarray
    first: np.ndarray
    slope: np.ndarray
    curve: np.ndarray
    third: np.ndarray
    lose: np.ndarray
    bend: np.ndarray
    low: np.ndarray
    high: np.ndarray
    share: np.ndarray
    line: np.ndarray
    line_slope: np.ndarray
    line_curve: np.ndarray
    open: np.ndarray
    off: np.ndarray
    line_share: np.ndarray


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
def _away(rows, c, free, work):  # type: ignore[no-untyped-def]
    """Fill in the ways from rows to the centre in free columns, and last but two their squared distances."""
    squared = work[-3]
    squared[:] = 0.0
    for col in range(len(c)):
        for i in range(len(squared)):
            away = c[col] - rows[col, i]
            squared[i] += away * away
    for f in range(len(free)):
        for i in range(len(squared)):
            work[f, i] = c[free[f]] - rows[free[f], i]


@numba.njit(cache=True)
def _rbf(p, m, c, r, free, work, out):  # type: ignore[no-untyped-def]
    """Fill in an RBF's expansion, to the third order."""
    d, n = len(free), p.weights.shape[1]
    _away(p.rows[m], c, free, work)
    w, one, two = work[-3], work[-2], work[-1]
    for i in range(n):
        w[i] = p.weights[m, i] * np.exp(-0.5 * w[i])
    g, H, T = out.slope[m], out.curve[m], out.third[m]
    m0 = _sum(w)
    left = p.squared_norm[m] - m0 * m0
    R2 = first = second = third = 0.0
    for j in range(d):
        R2 += r[free[j]] ** 2
        for i in range(n):
            one[i] = w[i] * work[j, i]
        m1 = _sum(one)
        left -= m1 * m1
        g[j] = -m1 * r[free[j]]
        first += abs(g[j])
        for k in range(j, d):
            for i in range(n):
                two[i] = one[i] * work[k, i]
            m2 = _sum(two)
            times = 1.0 if j == k else 2.0
            left -= times * m2 * m2 / 2.0
            size = m2 * r[free[j]] * r[free[k]]
            second += times * abs(size) / 2.0
            H[j, k] = H[k, j] = size - (m0 * r[free[j]] ** 2 if j == k else 0.0)
            for l in range(k, d):
                m3 = _dot(two, work[l])
                times = 1.0 if j == l else 3.0 if (j == k or k == l) else 6.0
                left -= times * m3 * m3 / 6.0
                size = m3 * r[free[j]] * r[free[k]] * r[free[l]]
                third += times * abs(size) / 6.0
                T[j, k, l] = size
    _with_slopes(g, r, free, T)
    norm = np.sqrt(p.squared_norm[m])
    left = max(left, 0.0) + 1e-12 * p.squared_norm[m] + 16.0 * p.error[m] * (norm + p.error[m])
    x, rest = R2 / 2.0, np.sqrt(left) * _poisson(R2)
    out.value[m], out.first[m], out.bend[m] = m0, first, x * x / 2.0
    rounding = 2.0 * p.error[m] * np.exp(np.sqrt(R2)) + ROUNDED * (1.0 + R2) * (abs(m0) + first + second + third)
    out.lose[m] = x * (second + third) + rest + rounding
    for j in range(d):
        out.share[m, j] = (2.0 * rest + x * (second + third)) * r[free[j]] ** 2 / max(R2, 1e-300)


@numba.njit(cache=True)
def _with_slopes(g, r, free, T):  # type: ignore[no-untyped-def]
    """Make all of a symmetric third order of its sorted part, with what |v|^2 m_1 v / 2 adds to it: g is -m_1 r."""
    d = len(g)
    for j in range(d):
        for k in range(j, d):
            for l in range(k, d):
                value = T[j, k, l]
                if j == k:
                    value += g[l] * r[free[j]] ** 2
                if k == l:
                    value += g[j] * r[free[k]] ** 2
                if j == l:
                    value += g[k] * r[free[j]] ** 2
                T[j, k, l] = T[j, l, k] = T[k, j, l] = T[k, l, j] = T[l, j, k] = T[l, k, j] = value


@numba.njit(cache=True)
def _matern(p, m, c, r, free, work, out):  # type: ignore[no-untyped-def]
    """Fill in a Matern kernel's expansion, to the second order."""
    d, n = len(free), p.weights.shape[1]
    _away(p.rows[m], c, free, work)
    w, e, one = work[-3], work[-2], work[-1]
    for i in range(n):
        s = np.sqrt(5.0 * w[i])
        e[i] = p.weights[m, i] * np.exp(-s)
        one[i] = e[i] * (1.0 + s + w[i] * (5.0 / 3.0))
        w[i] = e[i] * (1.0 + s)
    m0, slope = _sum(one), _sum(w)
    g, H = out.slope[m], out.curve[m]
    R2 = first = second = 0.0
    for j in range(d):
        R2 += r[free[j]] ** 2
        g[j] = -5.0 / 3.0 * _dot(w, work[j]) * r[free[j]]
        first += abs(g[j])
        for i in range(n):
            one[i] = e[i] * work[j, i]
        for k in range(j, d):
            value = 25.0 / 3.0 * _dot(one, work[k]) - (5.0 / 3.0 * slope if j == k else 0.0)
            H[j, k] = H[k, j] = value * r[free[j]] * r[free[k]]
            second += abs(H[j, k])
    rest = np.sqrt(p.squared_norm[m]) * _matern_rest(np.sqrt(R2))
    out.value[m], out.first[m], out.bend[m] = m0, first, 0.0
    out.lose[m] = rest + 2.0 * p.error[m] * np.exp(np.sqrt(R2)) + ROUNDED * (abs(m0) + first + second)
    for j in range(d):
        out.share[m, j] = 2.0 * rest * r[free[j]] ** 2 / max(R2, 1e-300)


@numba.njit(cache=True)
def _first(p, m, c, r, free, work, out):  # type: ignore[no-untyped-def]
    """Fill in another kernel's expansion, to the first order; where it has none, to order zero."""
    d, n, kernel, a = len(free), p.weights.shape[1], p.kernels[m], p.parameters[m]
    _away(p.rows[m], c, free, work)
    w, one = work[-3], work[-2]
    for i in range(n):
        one[i] = p.weights[m, i] * shape(kernel, a, w[i])
        w[i] = 0.0 if kernel == MATERN12 else -2.0 * p.weights[m, i] * fall(kernel, a, w[i])
    g, R2, first = out.slope[m], 0.0, 0.0
    out.value[m] = _sum(one)
    for j in range(d):
        R2 += r[free[j]] ** 2
        g[j] = 0.0 if kernel == MATERN12 else _dot(w, work[j]) * r[free[j]]
        first += abs(g[j])
    rest = np.sqrt(p.squared_norm[m]) * missed(kernel, a, R2 * (1.0 + 1e-14))
    out.first[m], out.bend[m] = first, 0.0
    out.lose[m] = rest + 2.0 * p.error[m] * np.exp(np.sqrt(R2)) + ROUNDED * (abs(out.value[m]) + first)
    for j in range(d):
        out.share[m, j] = 2.0 * rest * r[free[j]] ** 2 / max(R2, 1e-300)


@numba.njit(cache=True)
def _lines(p, m, c, r, free, size, out):  # type: ignore[no-untyped-def]
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
def _each(p, m, kernel, c, r, free, out):  # type: ignore[no-untyped-def]
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
            _first(p, m, c, r, free, work, out)
        moved = MOVED * size * (2.0 * np.abs(p.weights[m]).sum() if kernel == MATERN12 else norm)
        out.lose[m] += moved
        _lines(p, m, c, r, free, size, out)
        return
    if R2 <= FAR:
        if kernel == RBF:
            _rbf(p, m, c, r, free, work, out)
        else:
            _matern(p, m, c, r, free, work, out)
        out.lose[m] += norm * MOVED * size
    if R2 > WIDE:
        _each(p, m, kernel, c, r, free, out)


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
def _blank(M, d):  # type: ignore[no-untyped-def]
    return Expansion(
        np.zeros(M), np.zeros(M), np.zeros((M, d)), np.zeros((M, d, d)), np.zeros((M, d, d, d)),
        np.zeros(M), np.zeros(M), np.zeros(M), np.zeros(M), np.zeros((M, d)),
        np.zeros((M, 2)), np.zeros((M, 2, d)), np.zeros((M, 2, d)), np.zeros(M), np.zeros(M), np.zeros((M, d)),
    )  # fmt: skip


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
        out, sums = _blank(M, count), _blank(1, count)
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
