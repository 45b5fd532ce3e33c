"""Lower bounds of a quadratic on a box: by a separable one, and by a convex one; both hold whatever rounding does.

With u in [-1, 1]^d, g'u + u'Hu / 2 is at least
1. the sum of one-dimensional quadratics whose curvature is the diagonal less the rest of its row (Gershgorin), each
   minimised exactly;
2. where H + tI has no negative eigenvalue, the value of g'u + u'(H + tI)u / 2 on any of its tangents, less t d / 2
   (alpha-BB: Androulakis, Maranas, Floudas 1995, Journal of Global Optimization 7): near a minimum, where t is 0,
   nothing is lost.
"""

from __future__ import annotations

import numpy as np

from preimage.support.numba_cache import numba

JACOBI_SWEEPS, DESCENT_SWEEPS = 8, 12
# Beyond what rotations may have moved an eigenvalue by, as a share of the matrix's norm: they are backward stable, each
# to a few roundings, and there are fewer than 1e5 of them.
MOVED = 1e-10
# Beyond what rounding in the sums may amount to, as a share of the sum of sizes: there are fewer than 1e4 terms.
ROUNDED = 1e-11


@numba.njit(cache=True)
def separable(g, H, u):  # type: ignore[no-untyped-def]
    """Return the separable bound, and fill in where it is attained (d,)."""
    d, total = len(g), 0.0
    for j in range(d):
        curvature = H[j, j]
        for k in range(d):
            if k != j:
                curvature -= abs(H[j, k])
        u[j] = -1.0 if g[j] > 0.0 else 1.0
        if curvature > 0.0:
            u[j] = min(max(-g[j] / curvature, -1.0), 1.0)
        total += g[j] * u[j] + curvature * u[j] * u[j] / 2.0
    return total


@numba.njit(cache=True)
def least_eigenvalue(H, A):  # type: ignore[no-untyped-def]
    """Return what no eigenvalue of the symmetric H (d, d) is below, by Jacobi's rotations of its copy A."""
    d, norm = len(H), 0.0
    for p in range(d):
        for q in range(d):
            A[p, q] = H[p, q]
            norm += H[p, q] * H[p, q]
    norm = np.sqrt(norm)
    for _ in range(JACOBI_SWEEPS):
        off = 0.0
        for p in range(d):
            for q in range(p + 1, d):
                off += A[p, q] * A[p, q]
        if off <= (1e-6 * norm) ** 2:
            break
        for p in range(d):
            for q in range(p + 1, d):
                if A[p, q] == 0.0:
                    continue
                theta = (A[q, q] - A[p, p]) / (2.0 * A[p, q])
                t = (1.0 if theta >= 0.0 else -1.0) / (abs(theta) + np.sqrt(theta * theta + 1.0))
                c = 1.0 / np.sqrt(t * t + 1.0)
                s = t * c
                for k in range(d):
                    a, b = A[p, k], A[q, k]
                    A[p, k], A[q, k] = c * a - s * b, s * a + c * b
                for k in range(d):
                    a, b = A[k, p], A[k, q]
                    A[k, p], A[k, q] = c * a - s * b, s * a + c * b
    least = np.inf
    for p in range(d):
        away = 0.0
        for q in range(d):
            if q != p:
                away += abs(A[p, q])
        least = min(least, A[p, p] - away)
    return least - MOVED * norm


@numba.njit(cache=True)
def convex(g, H, A, u):  # type: ignore[no-untyped-def]
    """Return the bound by a tangent of the convex quadratic, and fill in where it touches (d,)."""
    d = len(g)
    t = max(0.0, -least_eigenvalue(H, A))
    for _ in range(DESCENT_SWEEPS):
        moved = 0.0
        for j in range(d):
            slope = g[j]
            for k in range(d):
                if k != j:
                    slope += H[j, k] * u[k]
            curvature = H[j, j] + t
            new = -1.0 if slope > 0.0 else 1.0
            if curvature > 0.0:
                new = min(max(-slope / curvature, -1.0), 1.0)
            moved = max(moved, abs(new - u[j]))
            u[j] = new
        if moved < 1e-3:
            break
    total = -t * d / 2.0
    for j in range(d):
        slope = g[j] + t * u[j]
        for k in range(d):
            slope += H[j, k] * u[k]
        # The quadratic's value is half of what its linear part and its slope make there; a corner is the farthest down.
        total += (g[j] + slope) * u[j] / 2.0 - abs(slope) - slope * u[j]
    return total


@numba.njit(cache=True)
def least(g, H, A, u):  # type: ignore[no-untyped-def]
    """Return what g'u + u'Hu / 2 is not below on [-1, 1]^d; fill in a point where it may be small (d,)."""
    size = 0.0
    for j in range(len(g)):
        size += abs(g[j])
        for k in range(len(g)):
            size += abs(H[j, k])
    found = separable(g, H, u)
    if len(g) > 1:
        found = max(found, convex(g, H, A, u))
    return found - ROUNDED * size
