"""Which method's answers to trust, from what its answers to fresh sets showed.

Coverage is judged by its 95 % interval (Clopper, Pearson 1934), ranks and TARP by p-values below `LEAST_P`, that of
ranks times the number of quantities: one method in twenty is refused by chance alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LEAST_P = 0.01
# With fewer fresh sets only what is badly wrong shows.
ENOUGH_SETS = 100

TRUSTED, ROUGH, POINT = "calibrated", "not refuted", "a point"
OVERCONFIDENT, CAUTIOUS, BIASED, IGNORANT = "overconfident", "too cautious", "miscalibrated", "wrong jointly"
FAILED, UNCHECKED = "failed", "unchecked"
# Of several seeds the worst counts.
ORDER = (TRUSTED, ROUGH, POINT, UNCHECKED, CAUTIOUS, IGNORANT, BIASED, OVERCONFIDENT, FAILED)


def verdict(fresh: Mapping[str, Any]) -> str:
    """Return the verdict on the findings of a method on fresh sets (see `preimage.inference.judge.fresh`)."""
    if not fresh["sets"]:
        return UNCHECKED
    if fresh["failed"] == fresh["sets"]:
        return FAILED
    if fresh["point"]:
        return POINT
    held = fresh["coverage"]
    if held["high"] < held["nominal"]:
        return OVERCONFIDENT
    if rank_p(fresh) < LEAST_P:
        return CAUTIOUS if held["low"] > held["nominal"] else BIASED
    if held["low"] > held["nominal"]:
        return CAUTIOUS
    if fresh["tarp_p"] < LEAST_P:
        return IGNORANT
    return TRUSTED if fresh["sets"] - fresh["failed"] >= ENOUGH_SETS else ROUGH


def rank_p(fresh: Mapping[str, Any]) -> float:
    """Return the least p-value of the ranks, times their number (Bonferroni)."""
    p_values = list(fresh["sbc_p"].values())
    return min(1.0, len(p_values) * min(p_values))


def worst(found: list[str]) -> str:
    return max(found, key=ORDER.index)
