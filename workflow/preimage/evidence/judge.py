"""The findings that are no column of a table: coverage, held-out promises, plateaus of starts, known minima."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from preimage.core.candidates import inputs_of
from preimage.core.objective import Minimize, Objective
from preimage.core.space import Space
from preimage.data.rows import Rows
from preimage.evidence.assess import candidate_coverage
from preimage.evidence.held_out import promise
from preimage.evidence.plateaus import by_case
from preimage.problems.loading import Problem


def judge(
    table: pd.DataFrame,
    solutions: pd.DataFrame,
    space: Space,
    objectives: Mapping[str, Objective],
    simulator: Problem | None,
    test: Rows,
    tests: Mapping[str, np.ndarray],
    info: Mapping[str, Mapping[str, Any]],
    warnings: Sequence[str],
    outputs: list[str],
) -> dict[str, Any]:
    """Return the findings of one round and seed as plain values.

    Args:
        tests: predicted outputs of the test rows (n, m), by surrogate.
        info: what training has written of each surrogate.
        warnings: what is to be said of rows and wishes that don't fit.
        outputs: those whose intervals are the models' own, without formulas.
    """
    held_out = {
        name: {
            key: promise(wanted.nominal, test.Y, predicted, wanted.allowed(space).contains(test.X))
            for key, wanted in objectives.items()
            if key == wanted.entry
        }
        for name, predicted in tests.items()
    }
    return {
        "test": {name: {k: i[k] for k in ("test", "test_coverage", "level")} for name, i in info.items()},
        "candidate_coverage": candidate_coverage(table, outputs),
        "held_out": held_out,
        "plateaus": by_case(
            table[table["objective"].isin([k for k, w in objectives.items() if k == w.entry])], objectives
        ),
        "warnings": list(warnings),
        "known_minimum": _known_minimum(solutions, space, objectives, simulator),
    }


def _known_minimum(
    solutions: pd.DataFrame,
    space: Space,
    objectives: Mapping[str, Objective],
    simulator: Problem | None,
) -> dict[str, Any]:
    """Return, by objective that minimises an output whose true minimum is known and valid here, how far the
    recommended answer of each surrogate is from it: in the output, and in the space's coordinates."""
    found: dict[str, Any] = {}
    for name, wanted in objectives.items():
        minimum = simulator.minimum.get(wanted.outputs[0]) if simulator and len(wanted.outputs) == 1 else None
        if minimum is None or not isinstance(wanted, Minimize):
            continue
        x = np.array(minimum.x)[None]
        if not wanted.allowed(space).contains(x)[0]:
            continue
        rows = []
        for surrogate, part in solutions[solutions["objective"] == name].groupby("surrogate", sort=False):
            best = inputs_of(part.head(1), space)
            distance = np.linalg.norm(space.coordinates(space.encode(best)) - space.coordinates(x))
            true = float(part.iloc[0][f"simulated.{wanted.outputs[0]}"])
            rows.append({"surrogate": surrogate, "true": true, "excess": true - minimum.y, "distance": float(distance)})
        found[name] = {"x": list(minimum.x), "y": minimum.y, "answers": rows}
    return found
