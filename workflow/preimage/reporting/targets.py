"""What each method made of a table of targets, in a few figures a method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from preimage.core.candidates import missed
from preimage.core.objective import Objective
from preimage.reporting import words
from preimage.reporting.material import Material


def tables_of_targets(material: Material) -> list[dict[str, Any]]:
    """Return a table for each entry of the objectives that stands for many, over all seeds."""
    entries = dict.fromkeys(w.entry for name, w in material.objectives.items() if name != w.entry)
    return [_table(material, entry) for entry in entries]


def _table(material: Material, entry: str) -> dict[str, Any]:
    wanted = {name: w for name, w in material.objectives.items() if w.entry == entry}
    first, asked = next(iter(wanted.values())), material.study["objectives"][entry]
    summary = material.summary[material.summary["objective"].isin(list(wanted))]
    methods = summary.groupby(["surrogate", "inverter"], sort=False)
    return {
        "name": entry,
        "count": len(wanted),
        "source": asked.get("targets", "test rows"),
        "outputs": words.listing([words.label(o) for o in first.outputs]),
        "tolerance": words.listing(
            [words.quantity(t, material.units.get(o, "")) for t, o in zip(first.tolerance, first.outputs, strict=True)]
        ),
        "committee": first.committee is not None,
        "rows": [_row(material, wanted, entry, str(s), str(i), part) for (s, i), part in methods],
    }


def _row(
    material: Material, wanted: Mapping[str, Objective], entry: str, surrogate: str, inverter: str, part: pd.DataFrame
) -> dict[str, Any]:
    curves = material.best_of
    mine = curves[
        (curves["objective"] == entry) & (curves["surrogate"] == surrogate) & (curves["inverter"] == inverter)
    ]
    r = mine.groupby("T")["r"].mean()
    shown = r.index[[0, -1]] if len(r) > 1 else r.index
    known = bool(part["simulated_loss"].notna().any())
    return {
        "surrogate": surrogate,
        "inverter": inverter,
        "baseline": material.study["inverters"][inverter]["kind"] == "lookup",
        "predicted": words.share(met(part, wanted, "predicted")),
        "true": words.share(met(part, wanted, "simulated")) if known else words.NONE,
        "r": [(int(T), words.number(r[T])) for T in shown],
        "in_domain": words.share(part["in_domain"].astype("boolean").fillna(False).mean()),
        "evaluations": words.number(part["evaluations"].mean()),
        "failed": int(part["failed"].sum()),
    }


def met(part: pd.DataFrame, wanted: Mapping[str, Objective], prefix: str) -> float:
    """Return the share of rows of the summary that meet their own target by the columns of a prefix."""
    first = next(iter(wanted.values()))
    Y = part[[f"{prefix}.{o}" for o in first.outputs]].to_numpy(float)
    goals = np.array([wanted[name].low for name in part["objective"]])
    near = (np.abs(Y - goals) <= np.array(first.tolerance)).all(axis=1)
    return float((near & (missed(part, "" if prefix == "predicted" else "simulated_") == 0)).mean())
