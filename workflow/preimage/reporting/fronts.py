"""The front of a trade-off in words: how far it reaches, what it covers, and what is proven of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from preimage.core.objective import Pareto
from preimage.evidence.fronts import on_front
from preimage.reporting import words

COMPROMISE = "The inputs shown are a compromise: as near as possible to the rows' best value in every output at once."
BOX = "the box between the training rows' worst and best values"


def front(
    candidates: pd.DataFrame, summary: pd.DataFrame, wanted: Pareto, outputs: list[str], units: Mapping[str, str]
) -> list[str]:
    """Return what to say of the front with the largest hypervolume that a method found.

    Args:
        candidates, summary: of one objective on one surrogate, in one seed.
        outputs: every output of the problem, in order.
    """
    best = summary.loc[summary["hypervolume"].idxmax()]
    found = on_front(candidates[candidates["inverter"] == best["inverter"]], wanted, outputs)
    if found.empty:
        return ["No method found inputs that keep the limits of this objective."]
    method, model = words.label(str(best["inverter"])), words.label(str(best["surrogate"]))
    said = f"The front that {method} found on {model} has {len(found)} points, {_reach(found, wanted, units)}."
    covers = f"It covers {words.share(best['hypervolume'])} of {BOX}"
    if pd.notna(best["simulated_hypervolume"]) and model != "simulator":
        covers += f"; re-simulated, the same inputs cover {words.share(best['simulated_hypervolume'])}"
    outside = int((~found["in_domain"].fillna(True).astype(bool)).sum())
    sentences = [said, covers + "."]
    if outside:
        sentences.append(f"{outside} of its {len(found)} points lie outside the data, where predictions extrapolate.")
    return [*sentences, *_proof(best.to_dict(), model), COMPROMISE]


def _reach(found: pd.DataFrame, wanted: Pareto, units: Mapping[str, str]) -> str:
    """Return between which outputs a front lies: its two ends, or the range of each of three outputs."""
    rows = found.to_dict("records")
    if len(wanted.outputs) == 2:
        ordered = sorted(rows, key=lambda row: wanted.low[0] * row[f"predicted.{wanted.outputs[0]}"])
        last, first = (words.values(row, "predicted", wanted.outputs, units) for row in (ordered[0], ordered[-1]))
        return f"from {first} to {last}" if len(rows) > 1 else f"with {first}"
    ranges = [
        f"{words.label(o)} from {words.between(column.min(), column.max(), o, units)}"
        for o in wanted.outputs
        for column in [found[f"predicted.{o}"]]
    ]
    return f"with {words.listing(ranges)}"


def _proof(best: Mapping[str, Any], model: str) -> list[str]:
    bound, volume = float(best["hypervolume_bound"]), float(best["hypervolume"])
    if pd.isna(bound):
        return []
    if volume >= bound * (1 - 1e-9):
        return [f"Proven for the model {model}: nothing within the bounds and constraints extends this front."]
    left = words.share(max(0.0, 1 - volume / bound))
    return [f"Proven for the model {model}: the front lacks at most {left} of the largest hypervolume possible."]
