"""What each round has bought, as tables of the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from preimage.reporting import words

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
        {**dict(zip(keys, map(str, key), strict=True)), "rows": [_row(k, part) for k, part in mine.groupby("round")]}
        for key, mine in rounds.groupby(keys, sort=False)
    ]


def _row(number: Any, part: pd.DataFrame) -> Mapping[str, Any]:
    middle = part[["rows", *SHOWN]].median()
    return {"round": number, "rows": int(middle["rows"]), **{c: words.number(middle[c]) for c in SHOWN}}
