"""What a report says of fits: the parameters, and which of them the data tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from preimage.reporting import words

if TYPE_CHECKING:
    from preimage.reporting.page import Material

KIND = "fit"


def fits(material: Material) -> list[dict[str, Any]]:
    """Return what the template needs of each fit."""
    return [_fit(material, name) for name, w in material.objectives.items() if w.kind == KIND]


def _fit(material: Material, name: str) -> dict[str, Any]:
    entry = material.study["objectives"][name]["fit"]
    solutions = material.solutions[material.solutions["objective"] == name]
    return {
        "name": name,
        "entry": entry,
        "best": solutions.iloc[0].to_dict(),
        "near": solutions.to_dict("records"),
        "inputs": material.space.inputs,
        "methods": _methods(material, name),
    }


def _methods(material: Material, name: str) -> list[dict[str, Any]]:
    """Return a row a method, medians over seeds."""
    summary = material.summary[material.summary["objective"] == name]
    kinds: Mapping[str, Any] = {n: v["kind"] for n, v in material.study["inverters"].items()}
    return [
        {
            "inverter": inverter,
            "kind": kinds[str(inverter)],
            "baseline": kinds[str(inverter)] == "lookup",
            "loss": words.number(part["predicted_loss"].median()),
            "reference": words.number(part["simulated_loss"].median()),
            "near": _near(material, name, str(inverter)),
            "hits": words.number(part["hits"].median()),
            "distinct": words.number(part["distinct"].median()),
            "evaluations": int(part["evaluations"].median()),
            "failed": int(part["failed"].sum()),
        }
        for inverter, part in summary.groupby("inverter", sort=False)
    ]


def _near(material: Material, name: str, inverter: str) -> str:
    """Return the share of a method's starts that ended near the best loss of all methods."""
    mine: pd.DataFrame = material.candidates[material.candidates["objective"] == name]
    least = material.objectives[name].as_good_as(float(mine["predicted_loss"].min()))
    part = mine[mine["inverter"] == inverter]
    return f"{int((part['predicted_loss'] <= least).sum())} of {len(part)}"
