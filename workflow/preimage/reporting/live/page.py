"""The live part of a page: its data and its code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from preimage.core.candidates import DOMAIN_LIMIT
from preimage.core.objective import Fit
from preimage.reporting.cards import by_error
from preimage.reporting.live import candidates, study
from preimage.reporting.material import Material
from preimage.surrogates.intervals import LEVEL

# In the order in which each needs those before.
CODE = (
    *("arrays", "cholesky", "models", "study"),
    *("chart", "moving", "inputs", "readings", "profiles", "table", "explorer", "linked", "start"),
)


def section(material: Material) -> dict[str, Any] | None:
    """Return the data of the live part as JSON, and its code; None where there is no answer to start from."""
    if not material.live:
        return None
    found = data(material)
    text = json.dumps(found, allow_nan=False, separators=(",", ":"))
    # A name may hold what ends a script.
    table = {key: found["candidates"][key] for key in ("rows", "of")}
    return {"data": text.replace("<", "\\u003c"), "code": code(), "models": list(material.live["models"]), **table}


def code() -> str:
    """Return the JavaScript of a page."""
    return "\n".join((Path(__file__).parent / f"{name}.js").read_text(encoding="utf-8") for name in CODE)


def data(material: Material) -> dict[str, Any]:
    """Return what the page's code evaluates."""
    live, space = material.live, material.space
    names = [*material.outputs, *material.formulas.names]
    shown = [
        w for n, w in material.objectives.items() if n == w.entry and not isinstance(w, Fit) and _starts(material, n)
    ]
    return {
        "inputs": study.inputs(space, live["data"]["density"]),
        "outputs": study.outputs(names, material.units, live["data"]["reach"]),
        "formulas": study.formulas(material.formulas),
        "conditions": study.conditions(space),
        "objectives": [
            {
                **study.objective(w, space, names, live["best"].get(w.name)),
                "words": w.words(material.units),
                "starts": _starts(material, w.name),
            }
            for w in shown
        ],
        "models": live["models"],
        "errors": live["errors"],
        "intervals": {name: material.surrogates[name]["intervals"] for name in live["models"]},
        "data": live["data"],
        "level": LEVEL,
        "limit": DOMAIN_LIMIT,
        "candidates": candidates.table(material.candidates),
    }


def _starts(material: Material, objective: str) -> dict[str, list[float]]:
    """Return the answers of an objective by surrogate, as points, that of the best model first."""
    codes = {i.name: {label: float(k) for k, label in enumerate(i.categories)} for i in material.space.inputs}
    found = {
        str(r["surrogate"]): [codes[name].get(r["x"][name], r["x"][name]) for name in material.space.names]
        for r in material.evidence.get("recipes", ())
        if r["objective"] == objective and r["surrogate"] in material.live["models"]
    }
    return {name: found[name] for name in by_error(material, found, material.objectives[objective])}
