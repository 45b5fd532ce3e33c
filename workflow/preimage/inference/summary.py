"""The summary of a study of inference: a row for each seed, observation and method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from preimage.inference.answer import Estimate
from preimage.inference.checks.misspecification import FALSE_ALARMS
from preimage.inference.checks.use_of_simulations import compare
from preimage.inference.observations import Observed
from preimage.inference.simulator import Simulator
from preimage.inference.table import moments_of

KEYS = ("seed", "observation", "method")
# Of what is found of an answer to an observed set.
SEEN = ("predictive_error", "predictive_typical", "predictive_p", "predictive_failed", "c2st")


def rows(
    seed: int,
    method: str,
    simulator: Simulator,
    sets: Observed,
    answers: Sequence[Estimate],
    novelty: Mapping[str, Any],
    trained: Mapping[str, Any],
    checks: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Return a row for each observation of one seed and method; None where a figure can't be had.

    Args:
        novelty: p-value of each observation for coming from prior and simulator.
        trained: simulations spent before any observation was seen, and the share of them that failed.
        checks: see `preimage.inference.judge`.
    """
    found = []
    held = checks["fresh"].get("coverage") or {}
    for k, (answer, seen) in enumerate(zip(answers, checks["observed"], strict=True)):
        p_value = novelty["p_values"][k] if novelty["p_values"] is not None else None
        truth = None if sets.theta is None else sets.theta[k]
        found.append(
            {
                "seed": seed,
                "observation": sets.names[k],
                "method": method,
                "status": answer.status,
                "message": answer.message,
                "simulations": answer.simulations,
                "training_simulations": trained["simulations"],
                "failed_simulations": trained["failed"],
                **moments_of(answer, simulator, truth),
                **{key: seen.get(key) for key in SEEN},
                "coverage": held.get("found"),
                "coverage_error": held.get("error"),
                "observation_p": p_value,
                "misspecified": None if p_value is None else p_value <= FALSE_ALARMS,
            }
        )
    return found


def frame(found: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the rows as a table, by seed, observation and method in the study's order."""
    table = pd.DataFrame(found)
    place = {key: {value: k for k, value in enumerate(dict.fromkeys(table[key]))} for key in KEYS}
    return table.sort_values(list(KEYS), key=lambda column: column.map(place[str(column.name)]), ignore_index=True)


def uses(
    tables: Mapping[tuple[int, str], pd.DataFrame], ablations: Mapping[str, str], rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Return, of each seed and method that was also trained without sight of its simulations, what these are worth:
    mean -log q at the true parameters without them, less that with them.

    Args:
        tables: a row a fresh set, by (seed, method) (see `preimage.inference.judge.fresh`).
        ablations: of methods without sight, the one that each is to be compared with.
    """
    found = []
    without = {method: name for name, method in ablations.items()}
    for (seed, method), table in tables.items():
        blind = tables.get((seed, without.get(method, "")))
        if blind is not None and "score" in table and "score" in blind:
            compared = compare(table["score"].to_numpy(float), blind["score"].to_numpy(float), rng)
            found.append({"seed": seed, "method": method, **compared._asdict(), "verdict": compared.verdict})
    return found
