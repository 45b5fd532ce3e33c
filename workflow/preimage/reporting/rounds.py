"""What each round has bought, as tables of the report."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from preimage.reporting import words
from preimage.support import digits

SHOWN = ("test_rmse", "simulated_loss", "best_known_loss", "surrogate_regret", "optimizer_regret")


def tables_of_rounds(rounds: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a table a surrogate and inverter, a row a round; medians over the seeds.

    Args:
        rounds: see `preimage.evidence.by_round`; empty without rounds.
    """
    if rounds.empty:
        return []
    keys = ["objective", "surrogate", "inverter"]
    return [
        {**dict(zip(keys, map(str, key), strict=True)), "rows": _rows(mine.groupby("round")[["rows", *SHOWN]].median())}
        for key, mine in rounds.groupby(keys, sort=False)
    ]


def _rows(middle: pd.DataFrame) -> list[dict[str, Any]]:
    steps = {c: digits.step(float(np.ptp(middle[c].dropna())) if middle[c].notna().any() else 0.0) for c in SHOWN}
    return [
        {"round": k, "rows": int(row["rows"]), **{c: words.number(row[c], steps[c]) for c in SHOWN}}
        for k, row in middle.iterrows()
    ]
