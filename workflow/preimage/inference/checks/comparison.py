"""On which fresh sets are methods compared, where some search anew and are asked few, and some fail on many?

Methods that were asked all, and answered nearly all, are compared on the sets that every one of them answered. The
others are measured on those that they answered, apart: were all to be compared on these few, next to nothing would be
left of what the study knows, and where a method fails on hard sets, only the easy ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from preimage.inference.verdict import OFTEN


class Compared(NamedTuple):
    """Of one method: what was measured, (sets,), and whether this is of the sets that methods share."""

    values: np.ndarray
    shared: bool


def compared(found: Mapping[str, np.ndarray]) -> dict[str, Compared]:
    """Return, by method, what was measured on the sets that it is to be compared on.

    Args:
        found: by method (sets,), all of the same sets in the same order; shorter where fewer were asked, NaN where
            there is no answer.
    """
    most = max(map(len, found.values()), default=0)
    full = [m for m, v in found.items() if most and len(v) == most and np.isnan(v).mean() <= OFTEN]
    answered = ~np.isnan([found[m] for m in full]).any(axis=0)
    return {m: Compared(v[answered], True) if m in full else Compared(v[~np.isnan(v)], False) for m, v in found.items()}


def shared(found: Mapping[str, Compared]) -> int:
    """Return how many sets methods share; 0 where none is compared with another."""
    return max((len(c.values) for c in found.values() if c.shared), default=0)
