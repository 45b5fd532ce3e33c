"""The diagnosis in words: which traps were found, where, by which numbers, and what helps."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from preimage.core.objective import Objective
from preimage.evidence.findings import ABSENT, COLUMNS, FOUND, UNKNOWN
from preimage.reporting import words
from preimage.support import digits

Units = Mapping[str, str]


class Found(NamedTuple):
    """One finding to be said: its row (of the first seed in which it was found), its details, and how often."""

    row: Mapping[str, Any]
    details: Mapping[str, Any]
    seeds: str
    wanted: Objective | None
    unit: str

    @property
    def model(self) -> str:
        return words.label(str(self.row["surrogate"]))

    @property
    def objective(self) -> str:
        return words.label(str(self.row["objective"]))

    @property
    def output(self) -> str:
        return words.label(str(self.row["output"]))

    @property
    def share(self) -> str:
        return words.share(float(self.row["measured"]))


def section(table: pd.DataFrame, objectives: Mapping[str, Objective], units: Units) -> dict[str, Any] | None:
    """Return what the page says of a study's findings (`results/<study>/diagnosis.csv`); None where there are none."""
    if table.empty:
        return None
    table = table.assign(**{c: table[c].fillna("") for c in COLUMNS[1:]})
    traps = []
    for kind, (title, say, remedy) in TRAPS.items():
        found = _found(table[table["finding"] == kind], objectives, units)
        if found:
            serious = kind != "poor_search" or any(not _near(table, f) for f in found)
            sentences = [say(f) + _elsewhere(table, f) + f.seeds for f in found]
            traps.append({"title": title, "sentences": sentences, "remedy": remedy, "serious": serious})
    traps.sort(key=lambda t: not t["serious"])
    return {"summary": _summary(table, traps), "traps": traps, "rows": _rows(table, units)}


def _summary(table: pd.DataFrame, traps: list[dict[str, Any]]) -> str:
    unknown = table.groupby("finding", sort=False)["verdict"].agg(lambda v: v.eq(UNKNOWN).all())
    open_ = [TRAPS[kind].title.lower() for kind in unknown.index[unknown]]
    rest = f" Cannot be determined here: {words.listing(open_)}." if open_ else ""
    showed = f"{len(traps)} were found" if len(traps) > 1 else "1 was found" if traps else "none was found"
    return f"Of {len(TRAPS)} common pitfalls of inverse analysis, {showed}.{rest}"


def _found(part: pd.DataFrame, objectives: Mapping[str, Objective], units: Units) -> list[Found]:
    """Return what was found of one kind, by place, over all seeds."""
    out = []
    for _, rows in part.groupby(COLUMNS[1:], sort=False):
        hits = rows[rows["verdict"] == FOUND]
        if len(hits):
            row = hits.iloc[0].to_dict()
            wanted = objectives.get(str(row["objective"]))
            output = wanted.outputs[0] if wanted else str(row["output"])
            # What is found of a front has no output's unit.
            unit = "" if wanted and wanted.front else units.get(output, "")
            seeds = f" (In {len(hits)} of {len(rows)} seeds.)" if len(rows) > 1 else ""
            out.append(Found(row, json.loads(row["details"]), seeds, wanted, unit))
    return out


def _rows(table: pd.DataFrame, units: Units) -> list[dict[str, Any]]:
    """Return every trap at every place in cells."""
    out = []
    for key, rows in table.groupby(["finding", *COLUMNS[1:]], sort=False):
        kind, surrogate, objective, inverter, output = map(str, key)
        where = ", ".join(words.label(part) for part in (surrogate, objective or output, inverter) if part)
        hits = int((rows["verdict"] == FOUND).sum())
        first = rows.iloc[0]
        out.append(
            {
                "title": TRAPS[kind].title,
                "where": where,
                "quantity": first["quantity"],
                "reason": json.loads(first["details"]).get("reason", ""),
                "measured": words.number(rows["measured"].median()),
                "threshold": words.number(first["threshold"]),
                "found": hits > 0,
                "verdict": first["verdict"] if len(rows) == 1 else f"found in {hits} of {len(rows)} seeds",
            }
        )
    order = list(TRAPS)
    titles = [TRAPS[kind].title for kind in order]
    return sorted(out, key=lambda r: titles.index(r["title"]))


# -- one trap each -----------------------------------------------------------------------------------------------------


def _curve(f: Found) -> str:
    points = [
        f"{words.quantity(e, f.unit)} with {n}" for n, e in zip(f.details["rows"], f.details["rmse"], strict=True)
    ]
    return f"its error (RMSE on held-out rows) was {words.listing(points)} rows"


def _too_little_data(f: Found) -> str:
    return (
        f"The learning curve of {f.model} is still falling: {_curve(f)}. Twice the rows should explain {f.share} more "
        f"of the variance of {f.output}."
    )


def _rising_error(f: Found) -> str:
    return (
        f"The learning curve of {f.model} rises: {_curve(f)}. Trained on fewer rows it explained {f.share} more of the "
        f"variance of {f.output}: the rows contradict each other, or the model cannot use them."
    )


def _unsuitable_model(f: Found) -> str:
    by = {"quadratic": "a quadratic in the inputs predicts", "neighbours": "the nearest rows predict"}[f.details["by"]]
    return (
        f"The errors of {f.model} on {f.output} are not noise: {by} {words.share(f.details['of_the_residuals'])} of "
        f"their square on rows not seen. A model of another kind would explain {f.share} more of the variance."
    )


def _too_many_inputs(f: Found) -> str:
    kept = [words.label(n) for n in f.details["kept"]]
    shown = words.listing(kept) if len(kept) <= 8 else ", ".join(kept[:8]) + ", ..."
    return (
        f"With {len(kept)} of the {f.details['of']} inputs ({shown}) {f.model} explains {f.share} more of the variance "
        f"of {f.output}: there are too many inputs for the rows."
    )


def _noise_as_signal(f: Found) -> str:
    own, test, noise = (words.quantity(f.details[key], f.unit) for key in ("training", "test", "noise"))
    return (
        f"The model {f.model} fits its training rows more closely than the noise permits (RMSE {own}, noise "
        f"{noise}), and on "
        f"held-out rows it errs by {test}: {f.share} of the variance of {f.output} is what fitting the noise, or too "
        "few rows to tell it from signal, costs."
    )


def _poor_search(f: Found) -> str:
    method = words.label(str(f.row["inverter"]))
    if f.details.get("limits"):
        return f"{f.objective}: {method} on {f.model} missed a limit, which can be kept, by {f.share} of the range."
    if f.wanted is not None and f.wanted.near:
        farther = words.number(float(f.row["measured"]))
        return f"{f.objective}: {method} on {f.model} ended {farther} of an input's range farther away than need be."
    if f.wanted is not None and f.wanted.front:
        most = "possible on the model" if f.details["certified"] else "that any method found"
        return f"{f.objective}: the front of {method} on {f.model} lacks {f.share} of the largest hypervolume {most}."
    if f.wanted is not None and f.wanted.bounded:
        away = words.away(float(f.row["measured"]), f.wanted, f.unit)
        return f"{f.objective}: {method} on {f.model} ended {away} from the objective, although it can be met."
    short, known = words.quantity(f.row["measured"], f.unit), f.details["certified"]
    what = "the proven bound of the model" if known else "the best value found on the model"
    return f"{f.objective}: {method} on {f.model} ended {short} short of {what}."


def _sparse_data(f: Found) -> str:
    score, ratio = float(f.row["measured"]), f.details["interval"]
    # An exact formula of inputs has no width.
    wide = f", its interval {words.number(ratio)} times as wide as usual" if ratio > 0 else ""
    return (
        f"The answer to {f.objective} by {f.model} lies where data is sparse: its domain score is "
        f"{score:.2f} ({f.row['threshold']:g} is the edge of the data){wide}."
    )


def _no_solution(f: Found) -> str:
    known = f.wanted is not None and len(f.wanted.outputs) == 1 and not pd.isna(f.row["measured"])
    near = words.away(float(f.row["measured"]), f.wanted, f.unit) if f.wanted and known else ""
    more = f"; the nearest is {near} away" if near else ""
    return f"Proven for the model {f.model}: nothing within the bounds and constraints meets {f.objective}{more}."


def _several_solutions(f: Found) -> str:
    count = f.details["distinct"]
    text = (
        f"{f.objective}: equally good answers by {f.model} lie up to {f.share} of an input's range apart"
        f"{f', in {count} distinct places' if count > 1 else ''}."
    )
    if count > 1 and "truly" in f.details:
        true = {0: "none", count: "all"}.get(f.details["truly"], f.details["truly"])
        text += f" Re-simulated, {true} of the {count} are equally good."
    return text


def _unstable_answer(f: Found) -> str:
    low, high = (words.number(v, digits.step(np.ptp(f.details["spread"]))) for v in f.details["spread"])
    where = (
        f"the window in which {f.model} provably meets the objective"
        if f.details["proven"]
        else "1 % of each input's range around it"
    )
    return (
        f"The truth jumps by {words.quantity(f.row['measured'], f.unit)} at the answer to {f.objective} by {f.model}: "
        f"within {where} it goes from {low} to {words.quantity(high, f.unit)} (5 % to 95 %), and "
        f"{words.share(f.details['missed'])} of it misses the objective."
    )


def _near(table: pd.DataFrame, f: Found) -> list[str]:
    """Return the methods that did reach what this one missed, of the same question and seed."""
    same = (table["finding"] == f.row["finding"]) & (table["verdict"] != FOUND)
    for column in ("seed", "surrogate", "objective"):
        same &= table[column] == f.row[column]
    # Without a certificate the best method is judged by nothing, but it did end there.
    same &= (table["verdict"] == ABSENT) | table["details"].str.contains('"loss"', regex=False)
    return [words.label(str(name)) for name in table.loc[same, "inverter"]]


def _elsewhere(table: pd.DataFrame, f: Found) -> str:
    """Return, of a search that was caught, which others were not."""
    if f.row["finding"] != "poor_search":
        return ""
    others = _near(table, f)
    return f" Methods that did better: {words.listing(others)}." if others else " No method came closer."


class Trap(NamedTuple):
    title: str
    say: Callable[[Found], str]
    remedy: str


TRAPS: dict[str, Trap] = {
    "too_little_data": Trap(
        "Too little data", _too_little_data, "What helps: more rows, before any tuning of model or search."
    ),
    "rising_error": Trap(
        "More rows make the model worse",
        _rising_error,
        "What helps: check the rows for outliers, mixed units and labels, and repeats that disagree; try another kind "
        "of model or other settings. Do not rely on answers of this model.",
    ),
    "unsuitable_model": Trap(
        "Unsuitable model",
        _unsuitable_model,
        "What helps: another kind of model; a Gaussian process or a network where the output is smooth, a forest where "
        "it has steps.",
    ),
    "too_many_inputs": Trap(
        "Too many inputs for the rows",
        _too_many_inputs,
        "What helps: leave the other inputs out, or measure more rows.",
    ),
    "noise_as_signal": Trap(
        "Noise learned as signal",
        _noise_as_signal,
        "What helps: a smoother model (larger leaves, a penalty, fewer inputs), repeated measurements, more rows.",
    ),
    "poor_search": Trap(
        "A search stuck in a poor optimum",
        _poor_search,
        "What helps: more starts or evaluations, another method; on trees, exact line searches and branch and bound.",
    ),
    "sparse_data": Trap(
        "Sparse data around the answer",
        _sparse_data,
        "What helps: measure or simulate there before you rely on it; narrower bounds keep the search where data is.",
    ),
    "no_solution": Trap(
        "No solution",
        _no_solution,
        "What helps: wider bounds or tolerance, or another objective. The proof is about the model: where the model is "
        "wrong, reality may do better.",
    ),
    "several_solutions": Trap(
        "Several solutions",
        _several_solutions,
        "What helps: choose by what else matters (cost, nearness to the data), or ask for more outputs at once.",
    ),
    "unstable_answer": Trap(
        "An unstable answer: the truth jumps",
        _unstable_answer,
        "What helps: an answer away from the jump, a narrower tolerance, or rows on both sides of the jump.",
    ),
}
