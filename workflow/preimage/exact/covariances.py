"""Covariances of Gaussian processes as functions of the squared distance q, and what their expansions miss.

All of these are completely monotone in q: they fall, ever more slowly, so that between two distances each is below its
chord over q and above its tangents.

In the kernel's Hilbert space, with K = k(|x - y|^2), what an expansion to first order misses at a distance r has the
squared norm 2 - 2 k'(0) r^2 - 2 k(r^2) + 4 r^2 k'(r^2): products of kernel functions and their slopes are values of k
and its derivatives. Of a rational quadratic kernel, a mixture of RBF of all precisions t with means 1 of t and 1 + 1/a
of t^2, that is at most 3/4 (1 + 1/a) r^4. An exponential kernel has no slope at 0: to order zero it is 2 - 2 k(r^2).
"""

from __future__ import annotations

import math

import numpy as np

from preimage.support.numba_cache import numba

RBF, MATERN52, MATERN32, MATERN12, RATIONAL = range(5)
CODES = {"rbf": RBF, "matern52": MATERN52, "matern32": MATERN32, "matern12": MATERN12, "rational": RATIONAL}


@numba.njit(cache=True)
def shape(kernel, a, q):  # type: ignore[no-untyped-def]
    """Return the covariance at a squared distance, of a kernel with a parameter a."""
    if kernel == RBF:
        return math.exp(-0.5 * q)
    if kernel == RATIONAL:
        return (1.0 + q / (2.0 * a)) ** -a
    if kernel == MATERN12:
        return math.exp(-math.sqrt(q))
    if kernel == MATERN32:
        s = math.sqrt(3.0 * q)
        return math.exp(-s) * (1.0 + s)
    s = math.sqrt(5.0 * q)
    return math.exp(-s) * (1.0 + s + q * (5.0 / 3.0))


@numba.njit(cache=True)
def fall(kernel, a, q):  # type: ignore[no-untyped-def]
    """Return how fast a covariance falls with the squared distance: its derivative's size. MATERN12 has one above 0."""
    if kernel == RBF:
        return 0.5 * math.exp(-0.5 * q)
    if kernel == RATIONAL:
        return 0.5 * (1.0 + q / (2.0 * a)) ** (-a - 1.0)
    if kernel == MATERN12:
        s = math.sqrt(q)
        return 0.5 * math.exp(-s) / s
    if kernel == MATERN32:
        return 1.5 * math.exp(-math.sqrt(3.0 * q))
    s = math.sqrt(5.0 * q)
    return 5.0 / 6.0 * math.exp(-s) * (1.0 + s)


@numba.njit(cache=True)
def missed(kernel, a, q):  # type: ignore[no-untyped-def]
    """Return the norm of what an expansion misses at a squared distance, not too small: to first order, and of MATERN12
    to order zero."""
    if kernel == MATERN12:
        return math.sqrt(-2.0 * math.expm1(-math.sqrt(q))) * (1.0 + 1e-12)
    found = 2.0 + 2.0 * fall(kernel, a, 0.0) * q - 2.0 * shape(kernel, a, q) - 4.0 * q * fall(kernel, a, q)
    found = max(found, 0.0) + 1e-14 * (1.0 + q) * (1.0 + (a if kernel == RATIONAL else 0.0))
    if kernel == RATIONAL:
        found = min(found, 0.75 * (1.0 + 1.0 / a) * q * q)
    if kernel == MATERN32 and q < 1e-3:
        # With s^2 = 3 q, 4/3 s^3 is the leading term; the next is -3/4 s^4.
        found = min(found, 4.0 / 3.0 * (3.0 * q) ** 1.5)
    return math.sqrt(found) * (1.0 + 1e-12)


def of_rows(kernel: str, a: float, squared: np.ndarray) -> np.ndarray:
    """Return covariances at squared distances of any shape and precision."""
    if kernel == "rbf":
        return np.asarray(np.exp(-squared / 2))
    if kernel == "rational":
        return np.asarray((1 + squared / (2 * a)) ** -a)
    s = np.sqrt({"matern12": 1, "matern32": 3, "matern52": 5}[kernel] * squared)
    rise = {"matern12": 1.0, "matern32": 1 + s, "matern52": 1 + s + s * s / 3}[kernel]
    return np.asarray(rise * np.exp(-s))
