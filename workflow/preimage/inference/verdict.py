"""Which method's answers to trust, from what its answers to fresh sets showed.

Coverage (exact binomial test), ranks and TARP are judged by p-values below `LEAST_P`, that of ranks times the number of
quantities. All methods answer the same fresh sets, so sets that are unlike others by chance refute exact methods all at
once: at this level in at most three studies of a thousand.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from typing import Any

from scipy import stats

LEAST_P = 0.001
# With fewer fresh sets only what is badly wrong shows.
ENOUGH_SETS = 100
# A method that leaves more than this share of the fresh sets without an answer may well leave out the harder ones.
OFTEN = 0.1

TRUSTED, ROUGH, POINT = "calibrated", "not refuted", "a point"
OVERCONFIDENT, CAUTIOUS, BIASED, IGNORANT = "overconfident", "too cautious", "miscalibrated", "wrong jointly"
FAILED, UNCHECKED, INCOMPLETE = "failed", "unchecked", "often no answer"
# Of several seeds the worst counts.
ORDER = (TRUSTED, ROUGH, INCOMPLETE, POINT, UNCHECKED, CAUTIOUS, IGNORANT, BIASED, OVERCONFIDENT, FAILED)


def verdict(fresh: Mapping[str, Any]) -> str:
    """Return the verdict on the findings of a method on fresh sets (see `preimage.inference.judge.fresh`)."""
    if not fresh["sets"]:
        return UNCHECKED
    if fresh["failed"] == fresh["sets"]:
        return FAILED
    if fresh["point"]:
        return POINT
    off = fresh["coverage"]["error"] if coverage_p(fresh) < LEAST_P else 0.0
    if off < 0:
        return OVERCONFIDENT
    if off > 0:
        return CAUTIOUS
    if rank_p(fresh) < LEAST_P:
        return BIASED
    if fresh["tarp_p"] < LEAST_P:
        return IGNORANT
    if fresh["failed"] > OFTEN * fresh["sets"]:
        return INCOMPLETE
    return TRUSTED if judged(fresh) >= ENOUGH_SETS else ROUGH


def judged(fresh: Mapping[str, Any]) -> int:
    """Return on how many fresh sets a method is judged: those that it answered."""
    return int(fresh["sets"] - fresh["failed"])


def coverage_p(fresh: Mapping[str, Any]) -> float:
    """Return the p-value of the number of truths within the regions, were these right."""
    n, held = judged(fresh), fresh["coverage"]
    return _p_value(round(held["found"] * n), n, held["nominal"])


def visible(n: int, nominal: float) -> float | None:
    """Return how far below `nominal` the share of n truths within the regions must lie to be refuted: what n fresh sets
    could have told of regions that are too narrow. None where not even empty regions would be."""
    first = bisect_left(range(n), True, key=lambda h: h >= n * nominal or _p_value(h, n, nominal) >= LEAST_P)
    return nominal - (first - 1) / n if first else None


def _p_value(hits: int, n: int, nominal: float) -> float:
    return float(stats.binomtest(hits, n, nominal).pvalue)


def rank_p(fresh: Mapping[str, Any]) -> float:
    """Return the least p-value of the ranks, times their number (Bonferroni)."""
    p_values = list(fresh["sbc_p"].values())
    return min(1.0, len(p_values) * min(p_values))


def worst(found: list[str]) -> str:
    return max(found, key=ORDER.index)
