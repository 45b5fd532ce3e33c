"""Fronts of a study's trade-offs: the candidates that are on one, how much they dominate, and what is proven of them.

Volumes and gaps are in shares of the training rows' ranges (`preimage.core.objective.pareto`), so that no unit has a
part in them: the hypervolume is that of the box between the rows' best and worst values which a front dominates, above
1 only where a front goes far beyond the rows' best.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from preimage.core import fronts
from preimage.core.candidates import CASE
from preimage.core.certificates import Certificate
from preimage.core.objective import Pareto
from preimage.core.objective.base import SAME

QUESTION = CASE[:-1]
VOLUMES = ("hypervolume", "simulated_hypervolume", "hypervolume_bound")


def on_front(part: pd.DataFrame, wanted: Pareto, outputs: Sequence[str]) -> pd.DataFrame:
    """Return those ranked candidates of a case that none of the others is predicted to dominate, in order of rank; of
    equal outputs the first."""
    part = part[part["rank"].notna()].sort_values("rank")
    part = part[wanted.best(_values(part, "predicted", outputs))]
    return part[~part.duplicated([f"predicted.{o}" for o in wanted.outputs])]


def volumes(
    part: pd.DataFrame, wanted: Pareto, outputs: Sequence[str], certificates: Iterable[Certificate]
) -> dict[str, float]:
    """Return the hypervolume of a case's front as predicted, of the same candidates re-simulated (NaN without truth),
    and the proven bound that no front exceeds (NaN without one)."""
    front = on_front(part, wanted, outputs)
    known = bool(front["simulated_loss"].notna().any())
    bound = corners(wanted, certificates)
    found = (
        _volume(wanted, front, "predicted", outputs),
        _volume(wanted, front, "simulated", outputs) if known else np.nan,
        np.nan if bound is None else fronts.hypervolume(bound),
    )
    return dict(zip(VOLUMES, found, strict=True))


def proofs(folder: Path, cases: Iterable[Sequence[str]], objective: str) -> dict[str, list[Certificate]]:
    """Return what was proven of an objective by surrogate; what holds near the data alone is left out.

    Args:
        folder: of the round and seed.
        cases: of the study: surrogate, objective, inverter.
    """
    found: dict[str, list[Certificate]] = {}
    for surrogate, name, inverter in cases:
        if name == objective:
            path = folder / f"inversion/{surrogate}/{name}/{inverter}.parquet"
            certificate = pd.read_parquet(path).attrs.get("certificates", {}).get(name)
            found.setdefault(surrogate, []).extend([certificate] if certificate and not certificate["limited"] else [])
    return found


def corners(wanted: Pareto, certificates: Iterable[Certificate]) -> np.ndarray | None:
    """Return the corners of the tightest proven bound, as shares (n, k): whatever valid input there is, its outputs are
    at least as large as some corner in every output. None where nothing is proven."""
    found = [wanted.shares_of(np.array(c["front"], float)) for c in certificates if "front" in c]
    return min(found, key=fronts.hypervolume, default=None)


def table(
    candidates: pd.DataFrame,
    wanted: Pareto,
    outputs: Sequence[str],
    proven: Mapping[str, Sequence[Certificate]],
) -> pd.DataFrame:
    """Return the fronts of one objective in one round and seed, a row per candidate on the front of its case.

    Columns beside those of the candidates: `gap`, by how much some input may still be better in every output at once,
    in shares of the ranges; `proven`, whether that is nothing but for a millionth; `dominated`, whether another
    method's candidate is predicted to dominate it; `truly_dominated`, whether another of its front does, re-simulated.

    Args:
        proven: certificates by surrogate.
    """
    parts = []
    for surrogate, found in candidates.groupby("surrogate", sort=False):
        whole = wanted.shares(_values(found[found["rank"].notna()], "predicted", outputs))
        bound = corners(wanted, proven.get(str(surrogate), ()))
        for _, part in found.groupby("inverter", sort=False):
            front = on_front(part, wanted, outputs)
            predicted, simulated = (
                wanted.shares(_values(front, prefix, outputs)) for prefix in ("predicted", "simulated")
            )
            parts.append(front.assign(**_judged(predicted, simulated, whole, bound)))
    return pd.concat(parts, ignore_index=True)


def _judged(
    predicted: np.ndarray, simulated: np.ndarray, whole: np.ndarray, bound: np.ndarray | None
) -> dict[str, Any]:
    known = np.isfinite(simulated).all(axis=1)
    truly = pd.array(fronts.dominated_by(simulated, simulated[known]), dtype="boolean")
    truly[~known] = pd.NA
    gap = np.full(len(predicted), np.nan) if bound is None else gaps(predicted, bound)
    proven = pd.array(gap <= SAME, dtype="boolean")
    proven[np.isnan(gap)] = pd.NA
    return {
        "gap": gap,
        "proven": proven,
        "dominated": fronts.dominated_by(predicted, whole[fronts.undominated(whole)]),
        "truly_dominated": truly,
    }


def gaps(F: np.ndarray, bound: np.ndarray) -> np.ndarray:
    """Return by how much each point (n, k) may be beaten in every output at once where outputs keep to a bound's
    corners (m, k), shape (n,)."""
    if not len(bound):
        return np.zeros(len(F))
    return np.array([max(0.0, float((point - bound).min(axis=1).max())) for point in F])


def _volume(wanted: Pareto, front: pd.DataFrame, prefix: str, outputs: Sequence[str]) -> float:
    return fronts.hypervolume(wanted.shares(_values(front, prefix, outputs)))


def _values(frame: pd.DataFrame, prefix: str, outputs: Sequence[str]) -> np.ndarray:
    return frame[[f"{prefix}.{o}" for o in outputs]].to_numpy(float)
