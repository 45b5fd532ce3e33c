"""What relearning has bought: by round, the model's error and the truth of its answer, against what was simulated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from preimage.core.objective import Objective

KEYS = ["round", "seed", "surrogate", "objective", "inverter"]
TAKEN = ["predicted_loss", "simulated_loss", "optimizer_regret", "surrogate_regret"]


class Round(NamedTuple):
    """A round of a seed.

    Attributes:
        known: outputs (n, m) of every row there is in this round, for training, test and gate.
        surrogates: what training wrote of each (`test`: errors by output).
        objectives: by name, those that are no row of a table of targets.
    """

    number: int
    seed: int
    known: np.ndarray
    surrogates: Mapping[str, Mapping[str, Any]]
    objectives: Mapping[str, Objective]


def by_round(rounds: list[Round], summary: pd.DataFrame) -> pd.DataFrame:
    """Return a row a (round, seed, surrogate, objective, inverter) of the summary.

    Columns beside those of the summary (losses and regrets of the first candidate): `rows`, every row there is, so for
    a simulator the calls that the data cost; `best_known_loss`, the smallest loss among them; `test_rmse`, the
    surrogate's root mean squared error on the test rows, which stay the same, for the objective's first output.
    """
    facts = {(r.number, r.seed): r for r in rounds}
    out = []
    for row in summary.to_dict("records"):
        found = facts[int(row["round"]), int(row["seed"])]
        if row["objective"] not in found.objectives:
            continue
        wanted = found.objectives[row["objective"]]
        out.append(
            {
                **{key: row[key] for key in KEYS},
                "rows": len(found.known),
                "test_rmse": _error(found.surrogates.get(row["surrogate"]), wanted),
                "best_known_loss": _least(wanted, found.known),
                **{key: row[key] for key in TAKEN},
            }
        )
    return pd.DataFrame(out, columns=[*KEYS, "rows", "test_rmse", "best_known_loss", *TAKEN])


def _least(wanted: Objective, Y: np.ndarray) -> float:
    """Return the smallest loss of outputs (n, m) that keep the limits; NaN where none do."""
    kept = wanted.loss(Y[wanted.violation(Y) == 0])
    return float(np.nanmin(kept)) if len(kept) else float("nan")


def _error(about: Mapping[str, Any] | None, wanted: Objective) -> float:
    """Return the error on the objective's first output; NaN where the simulator itself was asked, and for a formula."""
    return float((about or {"test": {}})["test"].get(wanted.outputs[0], {"rmse": np.nan})["rmse"])
