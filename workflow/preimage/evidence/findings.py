"""A finding: something that commonly spoils inverse analysis, looked for in measured quantities alone.

What is found of a model is measured in one unit, the share of the output's variance (on rows held out) that is at
stake: what more rows, another model or fewer inputs would explain of it, or what fitted noise costs.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

FOUND, ABSENT, UNKNOWN = "found", "absent", "unknown"
# Share of the output's variance from which a fault of the model is worth a word.
WORTH = 0.05
# How many standard errors a difference must be above 0 to count as one.
SURE = 2.0
COLUMNS = ["seed", "surrogate", "objective", "inverter", "output"]
WHAT = ["finding", "quantity", "measured", "threshold", "verdict", "details"]


class Finding(NamedTuple):
    """One trap, looked for at one place.

    Attributes:
        kind: which trap.
        quantity: what was measured.
        measured, threshold: its value, and the one above which the trap is found; NaN where it could not be measured.
        verdict: found, absent, or unknown.
        details: what else was measured, as plain values.
    """

    kind: str
    quantity: str
    measured: float
    threshold: float
    verdict: str
    details: dict[str, Any]


def judged(kind: str, quantity: str, measured: float, threshold: float, sure: bool = True, **details: Any) -> Finding:
    """Return the finding of a quantity that is above its threshold or not, and beyond chance or not."""
    if not np.isfinite(measured):
        return unknown(kind, quantity, threshold, **details)
    verdict = FOUND if measured > threshold and sure else ABSENT
    return Finding(kind, quantity, float(measured), float(threshold), verdict, details)


def unknown(kind: str, quantity: str, threshold: float = float("nan"), **details: Any) -> Finding:
    """Return the finding of what could not be measured; the reason is in the details."""
    return Finding(kind, quantity, float("nan"), threshold, UNKNOWN, details)


def table(rows: Sequence[tuple[dict[str, Any], Finding]]) -> pd.DataFrame:
    """Return findings, each with its place (`COLUMNS`), as a table; details are JSON."""
    records = [
        {
            **{column: place.get(column, "") for column in COLUMNS},
            **dict(zip(WHAT, (*f[:-1], json.dumps(f.details)), strict=True)),
        }
        for place, f in rows
    ]
    return pd.DataFrame(records, columns=[*COLUMNS, *WHAT])
