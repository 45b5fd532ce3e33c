"""What a library makes of a sum of trees at last: a function that rises with it.

Exact searches bound the sum, and the function of its ends: where it rises, nothing else is between them. Functions of a
library may miss a value by a few roundings, which is taken off.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

# Roundings that a function, of numpy's or a library's, may be off by.
ROUNDINGS = 4.0


class Link(NamedTuple):
    """A rising function, and what its slope is at most between two ends."""

    of: Callable[[np.ndarray], np.ndarray]
    steepest: Callable[[np.ndarray, np.ndarray], np.ndarray]


def _same(raw: np.ndarray) -> np.ndarray:
    return raw


def _logistic(raw: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-raw)), raw.dtype)


def _signed_square(raw: np.ndarray) -> np.ndarray:
    return np.asarray(np.sign(raw) * raw * raw)


IDENTITY = "identity"
# Why methods that walk through trees do not take those with another link.
LINKED = "the output is {} of the sum of trees, which `certified` alone can search; leave it out of `on` of others"
LINKS: Mapping[str, Link] = {
    IDENTITY: Link(_same, lambda low, high: np.ones_like(high)),
    "exp": Link(np.exp, lambda low, high: np.exp(high)),
    "expm1": Link(np.expm1, lambda low, high: np.exp(high)),
    "logistic": Link(_logistic, lambda low, high: np.full_like(high, 0.25)),
    "signed_square": Link(_signed_square, lambda low, high: 2 * np.maximum(np.abs(low), np.abs(high))),
}


def linked(name: str, raw: np.ndarray) -> np.ndarray:
    """Return a link of sums (n,), computed in their own dtype, as float64."""
    return LINKS[name].of(raw).astype(np.float64)


def off(name: str, low: np.ndarray, high: np.ndarray, of_sum: float, eps: float) -> np.ndarray:
    """Return what a link of a sum between two ends (n,) may be off by, at most.

    Args:
        of_sum: what the sum is off by.
        eps: the rounding of the numbers that it is computed in.
    """
    largest = np.maximum(*(np.abs(linked(name, end)) for end in (low, high)))
    own = 0.0 if name == IDENTITY else ROUNDINGS * eps * (largest + (name == "expm1"))
    return np.asarray(own + (of_sum * LINKS[name].steepest(low, high) * (1 + 1e-6) if of_sum else 0.0), float)
