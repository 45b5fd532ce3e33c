"""Timing two things against each other, in turn, so that a machine that drifts drifts for both."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

from preimage.support.clock import seconds

BURST = 0.05


def against(ours: Callable[[], Any], peer: Callable[[], Any], repeats: int = 5) -> tuple[float, float]:
    """Return the median seconds of both, after one uncounted run of each.

    A short call is repeated, on either side, as its users repeat it: a single one after the other side's would be
    charged for what that has put out of the processor's caches.
    """
    ours(), peer()
    pairs = [(typical(ours), typical(peer)) for _ in range(repeats)]
    return statistics.median(p[0] for p in pairs), statistics.median(p[1] for p in pairs)


def typical(call: Callable[[], Any], fill: float = BURST) -> float:
    """Return the median seconds of a call, over calls that fill so many seconds: one alone may meet a busy moment."""
    took: list[float] = []
    while sum(took) < fill:
        took.append(seconds(call))
    return statistics.median(took)


def row(what: str, ours: float, peer: float, peer_name: str, unit: str, reach: str, good: bool) -> dict[str, Any]:
    """Return a row of a benchmark table; `ratio` is peer over ours."""
    return {
        "what": what,
        "ours": ours,
        "peer": peer,
        "peer_name": peer_name,
        "unit": unit,
        "ratio": peer / ours if ours else float("nan"),
        "reach": reach,
        "reached": good,
    }
