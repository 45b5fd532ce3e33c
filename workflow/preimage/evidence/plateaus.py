"""Plateaus: levels at which several starts of a search ended, each most likely an optimum found again (the steps of a
waterfall plot: Raue et al. 2013, "Lessons learned from quantitative dynamical modeling in systems biology")."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from preimage.core.candidates import missed
from preimage.core.objective import Objective

FEWEST = 3
# A search with fewer starts has no shape to speak of.
FEWEST_STARTS = 4
# More than these are not listed one by one.
MOST = 20


class Plateau(NamedTuple):
    """A level of sorted losses: position of its first start from 0, its number of starts, its smallest loss."""

    first: int
    size: int
    loss: float


def plateaus(losses: np.ndarray, equal_to: Callable[[float], float]) -> list[Plateau]:
    """Return the plateaus of final losses (n,), best first; NaN is a start that failed.

    Args:
        equal_to: the largest loss that counts as equal to one (see `Objective.equal_to`).

    A level begins at its smallest loss and takes what agrees with that, not what agrees with a neighbour: a slow slope
    is no plateau.
    """
    ordered = np.sort(losses[np.isfinite(losses)])
    found, first = list[Plateau](), 0
    while first < len(ordered):
        loss = float(ordered[first])
        end = int(np.searchsorted(ordered, equal_to(loss), side="right"))
        if end - first >= FEWEST:
            found.append(Plateau(first, end - first, loss))
        first = end
    return found


def has_starts(evaluations: np.ndarray) -> bool:
    """Return whether these rows are starts of local searches, by what each spent (n,): a trial takes one evaluation."""
    return len(evaluations) >= FEWEST_STARTS and bool((evaluations > 1).any())


def by_case(candidates: pd.DataFrame, objectives: Mapping[str, Objective]) -> list[dict[str, Any]]:
    """Return, for each case whose rows are starts, how many ended with a loss, and on which plateaus they did; apart
    from them, how many missed a limit of outputs. A loss that is 0 but for what counts as equal is 0 there.
    """
    rows = []
    for key, part in candidates.groupby(["surrogate", "objective", "inverter"], sort=False):
        if not has_starts(part["evaluations"].to_numpy(float)):
            continue
        outside = missed(part) > 0
        losses = part["predicted_loss"].where(~outside).to_numpy(float)
        equal_to = objectives[str(key[1])].equal_to
        found = plateaus(losses, equal_to)
        rows.append(
            {
                **dict(zip(("surrogate", "objective", "inverter"), key, strict=True)),
                "starts": int(np.isfinite(losses).sum()),
                **({"missed": int(outside.sum())} if outside.any() else {}),
                "count": len(found),
                "plateaus": [
                    {"size": p.size, "loss": p.loss if abs(p.loss) > equal_to(0.0) else 0.0} for p in found[:MOST]
                ],
            }
        )
    return rows
