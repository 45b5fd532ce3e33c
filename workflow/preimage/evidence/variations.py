"""Studies of a family side by side: how answers change as the number of inputs and of rows does."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from preimage.core.candidates import inputs_of
from preimage.core.objective import Minimize, Objective
from preimage.core.space import Space
from preimage.problems.loading import Problem

CASE = ["surrogate", "objective", "inverter"]
TAKEN = ["predicted_loss", "simulated_loss", "certified_bound", "gap", "optimizer_regret", "surrogate_regret"]


@dataclass(frozen=True)
class Member:
    """One seed of one study of a family.

    Attributes:
        varied: what this study has of its own, by key of `vary`.
        test: outputs of the rows held out (n, m).
        about: what training wrote, by surrogate.
        summary, timings: the study's tables, of this seed alone.
        baselines: inverters that don't search, but look up.
    """

    study: str
    seed: int
    varied: Mapping[str, Any]
    space: Space
    objectives: Mapping[str, Objective]
    test: np.ndarray
    about: Mapping[str, Mapping[str, Any]]
    summary: pd.DataFrame
    timings: pd.DataFrame
    simulator: Problem | None
    baselines: Collection[str] = ()


def side_by_side(members: Iterable[Member]) -> pd.DataFrame:
    """Return a row a (study, seed, surrogate, objective, inverter).

    Columns beside the summary's: `training_rows`; `baseline`, whether the inverter only looks up; `test_r2` of the
    objective's first output; `usual_loss`, the mean loss of the rows held out, which is what an input drawn at random
    would give; `least_loss`, the smallest that is possible in truth, and `distance` to where that is, in inputs scaled
    to [0, 1], over the box's diagonal, both where a minimum is known; `seconds` that the search took.
    """
    return pd.DataFrame([_row(m, case) for m in members for case in m.summary.to_dict("records")])


def _row(m: Member, case: Mapping[str, Any]) -> dict[str, Any]:
    wanted, about = m.objectives[str(case["objective"])], m.about.get(str(case["surrogate"]))
    seconds = m.timings.loc[m.timings["step"] == "invert " + " ".join(str(case[c]) for c in CASE), "wall_seconds"]
    least, distance = _known(m, case, wanted)
    return {
        "study": m.study,
        **m.varied,
        "training_rows": round(about["learning"]["rows"]) if about else 0,
        "seed": m.seed,
        **{c: case[c] for c in CASE},
        "baseline": case["inverter"] in m.baselines,
        "test_r2": about["test"].get(wanted.outputs[0], {"r2": np.nan})["r2"] if about else np.nan,
        "usual_loss": float(wanted.loss(m.test).mean()),
        "least_loss": least,
        **{c: case[c] for c in TAKEN},
        "distance": distance,
        "evaluations": case["evaluations"],
        "seconds": float(seconds.iloc[0]) if len(seconds) else np.nan,
    }


def _known(m: Member, case: Mapping[str, Any], wanted: Objective) -> tuple[float, float]:
    """Return the least loss that is possible and how far the answer is from there; NaN where that is not known."""
    minimum = m.simulator.minimum.get(wanted.outputs[0]) if m.simulator and len(wanted.outputs) == 1 else None
    frame = pd.DataFrame([case])
    if (
        minimum is None
        or not isinstance(wanted, Minimize)
        or frame[[f"x.{n}" for n in m.space.names]].isna().any(axis=None)
    ):
        return np.nan, np.nan
    x = m.space.coordinates(m.space.encode(inputs_of(frame, m.space)))
    away = np.linalg.norm(x - m.space.coordinates(np.array(minimum.x)[None]))
    return wanted.low[0] * minimum.y, float(away / np.sqrt(len(m.space.inputs)))
