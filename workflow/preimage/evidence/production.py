"""What becomes of recommended answers in production, where inputs vary: at draws that no search has seen, by the model
and by the simulator, and with one input varying at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from preimage.core.candidates import inputs_of
from preimage.core.judging import Outputs, judged, outputs_around, tolerant
from preimage.core.objective import DRAWS, Draws, Objective, Varied
from preimage.core.space import Space

# Draws by which a model is asked again: those that a search has seen flatter what it found with them.
FRESH = 2048
SIMULATOR = "simulator"


def of_answers(
    solutions: pd.DataFrame,
    space: Space,
    objectives: Mapping[str, Objective],
    models: Mapping[str, Outputs],
    simulate: Outputs | None,
    outputs: list[str],
    rng: np.random.Generator,
) -> list[dict[str, Any]]:
    """Return what is found of the first solution of each objective with variation on each surrogate, as plain values.

    Args:
        solutions: see `preimage.evidence.recommend.distinct_solutions`.
        models: predictions (n, m) of points (n, d), by surrogate.

    Keys: `surrogate`, `objective`; `value` (see `preimage.core.judging.Judged`) by the model at `draws` fresh draws,
    `kept`, the share of them that keeps the limits of a direction (None without); `simulated` by the simulator (None
    without) and `simulated_draws`; `alone` by the model with each input varying alone, by its name.
    """
    found = []
    for (surrogate, name), part in solutions.groupby(["surrogate", "objective"], sort=False):
        wanted = objectives[str(name)]
        if not isinstance(wanted, Varied) or wanted.name != wanted.entry or part["predicted_loss"].isna().iloc[0]:
            continue
        x = space.encode(inputs_of(part.head(1), space))
        truth = None if simulate is None else tolerant(simulate, len(outputs))
        model = truth if surrogate == SIMULATOR else models[str(surrogate)]
        assert model is not None
        draws = wanted.variation.on(space, rng, DRAWS if surrogate == SIMULATOR else FRESH)
        fewer = wanted.variation.on(space, rng)
        alone = {
            vary.input: float(judged(wanted, draws.only(k), model, x).value[0])
            for k, vary in enumerate(wanted.variation.inputs)
        }
        found.append(
            {
                "surrogate": str(surrogate),
                "objective": str(name),
                "value": float(judged(wanted, draws, model, x).value[0]),
                "draws": len(draws.absolute),
                "alone": alone,
                "kept": _kept(wanted, draws, model, x),
                "simulated": None if truth is None else float(judged(wanted, fewer, truth, x).value[0]),
                "simulated_draws": DRAWS,
            }
        )
    return found


def _kept(wanted: Varied, draws: Draws, model: Outputs, x: np.ndarray) -> float | None:
    if wanted.of_shares or not wanted.limits:
        return None
    return float((wanted.base.violation(outputs_around(model, draws, x)[0]) == 0).mean())
