"""What a report says of how well the parameters of a fit are told apart: whether starts agree on them, which are
correlated, and which data tells which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from preimage.core.objective import Objective
from preimage.evidence.plateaus import has_starts
from preimage.reporting import words
from preimage.reporting.material import Material

# Starts agree on a parameter where they are within this share of its bounds.
AGREE = 0.01
# Parameters correlated so strongly are hardly told apart: the standard error of each would be less than a third of
# what it is if the other were known.
STRONG = 0.95
# More pairs than these are counted, and more needs are left to the figure.
MOST_PAIRS, MOST_NEEDS = 4, 6
# Without data that holds so much of the information on a parameter, its standard error is at least 1.4 times as wide.
MUCH = 0.5


def sentences(material: Material, wanted: Objective, found: Mapping[str, Any]) -> list[str]:
    """Return what is said of a fit whose tables are `found`."""
    out = _agreement(material, wanted, found.get("findings", {}))
    if "correlations" in found:
        out += _correlated(found["correlations"]) + _told_by(found["information"])
    return out


def _agreement(material: Material, wanted: Objective, findings: Mapping[str, Any]) -> list[str]:
    """Return whether the starts that are as good as the best agree on the parameters."""
    mine = material.candidates[material.candidates["objective"] == wanted.name]
    starts = mine[mine.groupby("inverter")["evaluations"].transform(lambda n: has_starts(n.to_numpy(float)))]
    if starts["predicted_loss"].isna().all():
        return []
    near = starts[starts["predicted_loss"] <= wanted.as_good_as(float(starts["predicted_loss"].min()))]
    if len(near) < 2:
        return [f"Of {len(starts)} starts, only one reached the best loss: nothing shows whether starts agree."]
    logs = {r["parameter"] for r in findings.get("parameters", []) if r.get("logarithmic")}
    spans = {i.name: _span(near[f"x.{i.name}"], i, i.name in logs) for i in material.space.inputs if i.high > i.low}
    apart = [f"{words.label(n)} ({words.share(s)} of its bounds)" for n, s in spans.items() if s > AGREE]
    text = f"{len(near)} of {len(starts)} starts ended as good as the best"
    if not apart:
        return [f"{text}, and agree on every parameter to {words.share(AGREE)} of its bounds."]
    return [f"{text}, but with different values of {words.listing(apart)}."]


def _span(values: pd.Series, of: Any, log: bool) -> float:
    """Return over which share of its bounds a parameter's values spread."""
    ends, seen = np.array([of.low, of.high]), values.to_numpy(float)
    if log:
        ends, seen = np.log(ends), np.log(seen)
    return float(np.ptp(seen) / np.ptp(ends))


def _correlated(table: pd.DataFrame) -> list[str]:
    """Return which parameters are hardly told apart, and of which nothing is known."""
    strong = table[table["correlation"].abs() >= STRONG]
    strong = strong.reindex(strong["correlation"].abs().sort_values(ascending=False, kind="stable").index)
    out = []
    if len(strong):
        pairs = [
            f"{words.label(r.parameter)} and {words.label(r.other)} ({_coefficient(r.correlation)})"
            for r in strong.head(MOST_PAIRS).itertuples()
        ]
        more = f", and {len(strong) - MOST_PAIRS} more pairs" if len(strong) > MOST_PAIRS else ""
        out.append(
            f"Hardly told apart, by their correlation at the best fit: {'; '.join(pairs)}{more}. The data tells a "
            "combination of the two better than each."
        )
    elif len(table) and table["correlation"].notna().any():
        out.append(f"No two parameters are correlated by {STRONG} or more at the best fit.")
    return out


def _coefficient(r: float) -> str:
    """Return a correlation in as many digits as tell it from 1."""
    digits = next((n for n in (2, 3, 4) if abs(round(r, n)) < 1), 4)
    return f"{r:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def _told_by(table: pd.DataFrame) -> list[str]:
    """Return which parameters would be lost without which series or condition."""
    out = []
    if blind := list(dict.fromkeys(table[table["share_lost"].isna()]["parameter"])):
        out.append(f"Near the best fit no value depends on {words.listing([words.label(n) for n in blind])}.")
    single = table[(table["left_out"] != "both") & table["share_lost"].notna()]
    if single.groupby("parameter").size().max() < 2:
        return out
    needed = {
        words.label(str(name)): [_part(row) for row in part[part["share_lost"] >= MUCH].itertuples()]
        for name, part in single.groupby("parameter", sort=False)
    }
    if any(needed.values()):
        out.append(
            "More than half of the information on a parameter is lost without any one of the data in parentheses: "
            f"{_by_need(needed)}."
        )
    if shared := [name for name, parts in needed.items() if not parts]:
        out.append(f"No single part of the data holds half of the information on {words.listing(shared)}.")
    return out


def _part(row: Any) -> str:
    """Return what is left out, in words."""
    parts = {"series": f"series {words.label(row.series)}", "condition": f"condition {row.condition}"}
    return parts.get(row.left_out, "priors")


def _by_need(needed: Mapping[str, Sequence[str]]) -> str:
    """Return which parameters are lost without which parts of the data, those with the same needs together."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for name, parts in needed.items():
        if parts:
            groups.setdefault(tuple(parts), []).append(name)
    largest = sorted(groups.items(), key=lambda group: -len(group[1]))
    said = [f"{words.listing(names)} ({', '.join(parts)})" for parts, names in largest[:MOST_NEEDS]]
    left = sum(len(names) for _, names in largest[MOST_NEEDS:])
    return "; ".join(said) + (f"; {left} more in the figure" if left else "")
