"""The report: one self-contained page, from tables and findings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from preimage.core.candidates import best_first, outputs_in
from preimage.core.objective import Fit, Objective, Pareto, Varied
from preimage.core.space import Input
from preimage.evidence.answer_findings import enough_loss
from preimage.evidence.fronts import VOLUMES
from preimage.inversion.base import Inverter
from preimage.reporting import (
    calibration,
    calls,
    cards,
    dag,
    diagnosis,
    fronts,
    learning,
    next_experiments,
    preimages,
    production,
    proofs,
    windows,
    words,
)
from preimage.reporting.live import candidates
from preimage.reporting.live import page as live
from preimage.reporting.material import Material
from preimage.reporting.rounds import tables_of_rounds
from preimage.reporting.targets import tables_of_targets
from preimage.reporting.templates import environment
from preimage.support import digits

# Outputs beside those wanted that a sentence lists.
MOST_OTHERS = 8
# The report's own edges: it has no record yet when it is drawn.
LAST = [("gather", "report"), ("figures", "report"), ("evidence", "report"), ("diagnose", "report")]


def render(material: Material) -> str:
    """Return the page as HTML; every value is escaped, only our own figures are taken as they are."""
    return (
        environment()
        .get_template("page.html")
        .render(
            study=material.study["study"],
            seeds=material.study["seeds"],
            truth=bool(material.candidates["simulated_loss"].notna().any()),
            cards=cards.cards(material),
            live=live.section(material),
            candidates=None if material.live else candidates.address(material.candidates),
            next_experiments=next_experiments.section(material),
            answers=[
                _answer(material, name)
                for name, w in material.objectives.items()
                if name == w.entry and not isinstance(w, Fit)
            ],
            formulas=_formulas(material),
            fits=calibration.fits(material),
            line=learning.line(material),
            digits=learning.digits(material),
            targets=tables_of_targets(material),
            rounds=tables_of_rounds(material.rounds),
            surrogates=[_surrogate(material, name) for name in material.surrogates],
            warnings=material.warnings,
            unmoved=words.unmoved(material.candidates),
            diagnosis=diagnosis.section(material.diagnosis, material.objectives, material.units),
            calls=calls.section(material),
            figures=material.figures,
            made=_made(material),
            dag=dag.draw(material.records, LAST),
            timings=material.timings.to_dict("records"),
        )
    )


def _answer(material: Material, name: str) -> dict[str, Any]:
    wanted, units = material.objectives[name], material.units
    mine = material.solutions[material.solutions["objective"] == name]
    promises = material.evidence["held_out"]
    return {
        "name": name,
        "wanted": wanted.words(units),
        "by_surrogate": [
            {
                "surrogate": surrogate,
                "front": wanted.front,
                "proven": bool(material.summary.get("hypervolume_bound", pd.Series(dtype=float)).notna().any()),
                "sentences": [
                    *_said(material, part.iloc[0].to_dict(), wanted),
                    *_reference(material, wanted),
                    *_production(material, str(surrogate), wanted),
                    *_others_predicted(material, part.iloc[0], wanted),
                    *filter(None, [windows.window(part.iloc[0].to_dict(), wanted, material.space, units)]),
                    *_preimage(material, str(surrogate), wanted),
                    *(
                        [words.held_out(promises[surrogate][name], wanted, units, _trained_here(material, surrogate))]
                        if surrogate in promises
                        else []
                    ),
                ],
                "recipe": _recipe(material, part.iloc[0], wanted),
                "reference": wanted.near.words if wanted.near else "",
                "window": bool(pd.notna(part.iloc[0].get("tolerance_width"))),
                "others": _others(material, wanted, part),
                "production": production.heading(wanted),
                "methods": _methods(material, name, surrogate, wanted),
            }
            for surrogate, part in mine.groupby("surrogate", sort=False)
        ],
        "minimum": words.minimum(material.evidence["known_minimum"][name], wanted, units)
        if name in material.evidence["known_minimum"]
        else [],
    }


def _said(material: Material, row: dict[str, Any], wanted: Objective) -> list[str]:
    """Return what is proven, and what to say of the answer; what an answer changes leads."""
    proven = _proofs(material, wanted.name, str(row["surrogate"]), wanted)
    said = words.answer(row, wanted, material.units)
    first = 1 if wanted.near and row["solves"] else 0
    return [*said[:first], *proven, *said[first:]]


def _formulas(material: Material) -> list[dict[str, str]]:
    """Return what each formula of the study is."""
    return [
        {"name": words.label(name), "expression": entry["expression"], "unit": entry.get("unit") or ""}
        for name, entry in (material.study["problem"].get("formulas") or {}).items()
    ]


def _others_predicted(material: Material, row: pd.Series, wanted: Objective) -> list[str]:
    """Return what else a study with formulas predicts: beside a cost its strength, beside a strength its cost."""
    outputs = [c.removeprefix("predicted.") for c in row.index if str(c).startswith("predicted.")]
    others = [o for o in outputs if o not in wanted.involved][:MOST_OTHERS]
    if not others or not material.study["problem"].get("formulas"):
        return []
    listed = words.listing([f"{words.label(o)} {words.of(row[f'predicted.{o}'], o, material.units)}" for o in others])
    return [f"The same inputs give {listed}, as predicted."]


def _reference(material: Material, wanted: Objective) -> list[str]:
    """Return why what the answer is to be near can't stay as it is, where the study itself does not allow it."""
    if not wanted.near or not (broken := wanted.near.broken(material.space)):
        return []
    itself = f"{wanted.near.words[:1].upper()}{wanted.near.words[1:]}"
    return [f"{itself} must change in any case: the study does not allow it ({'; '.join(broken)})."]


def _production(material: Material, surrogate: str, wanted: Objective) -> list[str]:
    """Return what becomes of the recommended answer where inputs vary."""
    mine = [
        found
        for found in material.evidence.get("production", ())
        if (found["surrogate"], found["objective"]) == (surrogate, wanted.name)
    ]
    return production.sentences(mine[0], wanted, material.units) if mine and isinstance(wanted, Varied) else []


def _proofs(material: Material, name: str, surrogate: str, wanted: Objective) -> list[str]:
    """Return what was proven in the first seed, once; the certificate stands in every method's row.

    Of a trade-off: what its front is."""
    mine = material.summary[(material.summary["objective"] == name) & (material.summary["surrogate"] == surrogate)]
    if isinstance(wanted, Pareto):
        first, c = mine[mine["seed"] == mine["seed"].min()], material.candidates
        c = c[(c["objective"] == name) & (c["surrogate"] == surrogate) & (c["seed"] == first["seed"].min())]
        return fronts.front(c, first, wanted, outputs_in(c), material.units)
    best = best_first(mine).sort_values("seed", kind="stable").iloc[0]
    said = proofs.proof(best.to_dict(), wanted, material.units)
    return [said, *_excluded(material, name, surrogate)] if said else []


def _excluded(material: Material, name: str, surrogate: str) -> list[str]:
    """Return which conditions exclude each other, where a search has found that."""
    c = material.candidates
    mine = c[(c["objective"] == name) & (c["surrogate"] == surrogate) & (c["status"] == "no_answer")]
    found = (message.partition("; ")[2] for message in mine["message"] if str(message).startswith("proven"))
    return [f"{why[:1].upper()}{why[1:]}." for why in dict.fromkeys(found) if why]


def _preimage(material: Material, surrogate: str, wanted: Objective) -> list[str]:
    table = material.preimages.get((surrogate, wanted.name))
    if table is None:
        return []
    return preimages.preimage(table, table.attrs["preimage"], surrogate, wanted.allowed(material.space))


def _trained_here(material: Material, surrogate: str) -> bool:
    return not material.surrogates[surrogate].get("warning")


def _recipe(material: Material, row: pd.Series, wanted: Objective) -> list[dict[str, Any]]:
    return [
        {
            "input": words.label(i.name),
            "free": i.name in material.surrogates.get(str(row["surrogate"]), {}).get("without_influence", []),
            **_value(material, i, row[f"x.{i.name}"], wanted),
            "unit": i.unit,
            **_range(material, i),
            "keep": windows.ends(row.to_dict(), i),
        }
        for i in material.space.inputs
    ]


def _value(material: Material, i: Input, value: Any, wanted: Objective) -> dict[str, Any]:
    """Return the value of an input, and that of what it should be near."""
    old = dict(zip(wanted.near.names, wanted.near.labels, strict=True))[i.name] if wanted.near else value
    if old == value:
        text = words.number(value, _step(material, i.name))
        return {"value": text, "reference": text, "changed": False}
    reference, text = words.moved(value, old, i.name, material.units)
    return {"value": text, "reference": reference, "changed": True}


def _range(material: Material, i: Input) -> dict[str, str | None]:
    """Return between which values an input lies in the data; those of one that never varies as they are."""
    if i.categories:
        return {"low": None, "high": None}
    low, high = material.ranges[i.name]
    if low == high:
        return {"low": digits.exact(low), "high": digits.exact(high)}
    return {"low": words.number(low, _step(material, i.name)), "high": words.number(high, _step(material, i.name))}


def _others(material: Material, wanted: Objective, part: pd.DataFrame) -> dict[str, Any] | None:
    """Return the other distinct solutions as a table, where there are any."""
    if len(part) < 2:
        return None
    inputs = material.space.names[:12]
    return {
        "inputs": [words.label(n) for n in inputs],
        "rows": [
            {
                "x": [words.number(row[f"x.{n}"], _step(material, n)) for n in inputs],
                "predicted": words.values(row, "predicted", wanted.involved, material.units),
                "simulated": words.values(row, "simulated", wanted.involved, material.units),
                "domain": row["domain_score"],
                "in_domain": bool(row["in_domain"]),
                "found_by": row["found_by"],
                "place": place,
            }
            for row, place in zip(part.to_dict("records"), candidates.places(material.candidates, part), strict=True)
        ],
    }


def _methods(material: Material, name: str, surrogate: str, wanted: Objective) -> list[dict[str, Any]]:
    """Return a row a method; over several seeds, medians with the smallest and largest beside."""
    mine = material.summary[(material.summary["objective"] == name) & (material.summary["surrogate"] == surrogate)]
    rows = []
    kinds = {n: v["kind"] for n, v in material.study["inverters"].items()}
    judged = wanted.bounded or wanted.limits
    for inverter, part in mine.groupby("inverter", sort=False):
        rows.append(
            {
                "inverter": inverter,
                "kind": kinds[str(inverter)],
                "baseline": kinds[str(inverter)] == "lookup",
                "predicted": [_spread(part[f"predicted.{o}"], _step(material, o)) for o in wanted.involved],
                "simulated": [_spread(part[f"simulated.{o}"], _step(material, o)) for o in wanted.involved],
                **{c: _spread(part[c]) for c in ("optimizer_regret", "surrogate_regret", "domain_score")},
                "in_domain": bool(part["in_domain"].astype("boolean").fillna(False).all()),
                "meets": words.listing(sorted({_meets(row, wanted) for row in part.to_dict("records")}))
                if judged
                else words.NONE,
                "production": _spread(part[wanted.column]) if isinstance(wanted, Varied) else "",
                "distinct": _spread(part["distinct"]),
                **({c: _spread(part[c]) for c in ("distance", "changed")} if wanted.near else {}),
                **{c: _spread(part[c]) for c in VOLUMES if c in part},
                "evaluations": int(part["evaluations"].median()),
                "failed": int(part["failed"].sum()),
                "note": _note(material, name, surrogate, str(inverter), kinds[str(inverter)]),
            }
        )
    return rows


def _meets(row: Mapping[str, Any], wanted: Objective) -> str:
    """Return whether a method's own answer meets the objective, from its row of the summary, and if not, whether that
    is possible at all."""
    if row["feasible"] != "yes" or wanted.committee is not None or isinstance(wanted, Varied):
        return str(row["feasible"])
    if pd.isna(row["predicted_loss"]):
        return words.NONE
    missed = row.get("violation", 0.0) > 0 or (not wanted.by_loss and row["predicted_loss"] > enough_loss(wanted))
    return "no, though it can be met" if missed else "yes"


def _note(material: Material, name: str, surrogate: str, inverter: str, kind: str) -> str:
    """Return, of the first seed, the row of a lookup, what was proven near the data, or where starts ended together."""
    case = {"surrogate": surrogate, "objective": name, "inverter": inverter}
    if kind == "lookup" or {"distance", "isolation"} & set(material.study["inverters"][inverter]):
        c = material.candidates
        return str(c[(c[list(case)] == pd.Series(case)).all(axis=1)].iloc[0]["message"])
    mine = [
        p for p in material.evidence["plateaus"] if case.items() <= p.items() and not Inverter.registry[kind].population
    ]
    return words.plateaus(mine[0]) if mine else ""


def _spread(column: pd.Series, step: float = 0.0) -> str:
    if column.isna().all():
        return words.NONE
    middle = words.number(column.median(), step)
    if len(column) == 1 or column.min() == column.max():
        return middle
    return f"{middle} ({words.number(column.min(), step)} to {words.number(column.max(), step)})"


def _step(material: Material, name: str) -> float:
    return digits.step_of(material.units, name)


def _surrogate(material: Material, name: str) -> dict[str, Any]:
    info = material.surrogates[name]
    return {
        "name": name,
        "kind": info["kind"],
        "parameters": ", ".join(f"{words.label(k)} {words.setting(v)}" for k, v in info["parameters"].items()),
        "test": [{"output": o, "unit": material.units.get(o, ""), **m} for o, m in info["test"].items()],
        "warning": info.get("warning", ""),
        "without_influence": words.without_influence(info.get("without_influence", [])),
        "coverage": words.coverage(material.evidence["candidate_coverage"].get(name), info["test_coverage"]),
    }


def _made(material: Material) -> list[tuple[str, str]]:
    tags = material.records[0]["tags"]
    sources = {p: d for r in material.records if r["rule"] in ("import_table", "split") for p, d in r["inputs"].items()}
    facts = [
        ("Seeds", ", ".join(map(str, material.study["seeds"]))),
        ("Workflow commit", tags["git_commit"]),
        ("Lock of packages (sha256)", tags["lock_digest"]),
        ("Python", tags["python"]),
        *((name, v) for name, v in material.versions.items()),
    ]
    facts += [(f"{Path(path).name} (sha256)", digest) for path, digest in sources.items()]
    metrics = {m: v for r in material.records if r["rule"] == "import_table" for m, v, _ in r["metrics"]}
    if left_out := metrics.get("data/left_out"):
        facts.append(("Rows with empty cells, left out", f"{left_out:.0f} of {left_out + metrics['data/rows']:.0f}"))
    return facts
