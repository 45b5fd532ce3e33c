"""Expansions of Gaussian processes' means at a box's centre, and what the norm leaves of the rest.

The mean f(t) = sum of a_i k(|t - t_i|^2), over columns t divided by their length scales, is a member of the kernel's
Hilbert space, with norm |f|^2 = sum of a_i a_j k(|t_i - t_j|^2). With v the way from the centre c and D_i = c - t_i:

- RBF: k(|D_i + v|^2) = exp(-|v|^2/2) k(|D_i|^2) exp(-D_i'v), so f(c + v) = exp(-|v|^2/2) h(v), and h's expansion has
  the moments m_k = sum of a_i k(|D_i|^2) D_i^(k). In the space, these are orthogonal: |f|^2 = sum of |m_k|^2/k!, and so
  what orders 4 and up add to f is at most the norm that orders 0 to 3 leave of |f|, times the root of the probability
  that a Poisson variable of mean |v|^2 is 4 or more. With E = exp(-|v|^2/2) and x = |v|^2/2, the terms beyond the third
  order are (E - 1 + x)(m_0 - m_1 v) + (E - 1)(orders 2 and 3 of h), where E - 1 + x is between 0 and x^2/2, and E - 1
  between -x and 0.
- Matern 5/2: what a Taylor expansion to second order misses at a distance r is at most |f| times the norm of
  k(r) - its expansion in the space: with s^2 = 5 r^2, the root of 2 + s^4/4 - 2 exp(-s)(1 + s + s^2/2 + s^3/6 + s^4/6).
- Others (`covariances`): to first order, or to order zero.

Rounding is told of in `process_bounds`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from preimage.exact.covariances import MATERN12, fall, missed, shape
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
        bend: what multiplies the value's lack below the sum of slopes, (M,).
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
def blank(M, d):  # type: ignore[no-untyped-def]
    return Expansion(
        np.zeros(M), np.zeros(M), np.zeros((M, d)), np.zeros((M, d, d)), np.zeros((M, d, d, d)),
        np.zeros(M), np.zeros(M), np.zeros(M), np.zeros(M), np.zeros((M, d)),
        np.zeros((M, 2)), np.zeros((M, 2, d)), np.zeros((M, 2, d)), np.zeros(M), np.zeros(M), np.zeros((M, d)),
    )  # fmt: skip


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
def rbf(p, m, c, r, free, work, out):  # type: ignore[no-untyped-def]
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
def matern(p, m, c, r, free, work, out):  # type: ignore[no-untyped-def]
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
def rough(p, m, c, r, free, work, out):  # type: ignore[no-untyped-def]
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
