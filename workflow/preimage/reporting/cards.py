"""The first screen: for each objective a verdict, its chance, a recipe to weigh, and what stands against it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from preimage.core.candidates import NOT_RUN, UNTRUE, best_first
from preimage.core.objective import Fit, Objective
from preimage.core.space import Input
from preimage.evidence.held_out import error
from preimage.reporting import proofs, words
from preimage.reporting.material import Material
from preimage.support import digits

# A chance from here on is called likely.
LIKELY = 0.5
# Below these a model's own figures stand in the headline.
LOW_COVERAGE, LOW_R2 = 0.8, 0.5
GOOD, WARN, BAD = "good", "warn", "bad"


def cards(material: Material) -> list[dict[str, Any]]:
    """Return a card for each objective that is no fit, with the model first that is best on held-out rows."""
    return [
        _card(material, name, wanted)
        for name, wanted in material.objectives.items()
        if name == wanted.entry and not isinstance(wanted, Fit) and len(_answers(material, name))
    ]


def recommended(material: Material) -> dict[str, pd.Series]:
    """Return by objective the answer that its card leads with: that of the model with the smallest error."""
    found = {}
    for name, wanted in material.objectives.items():
        answers = _answers(material, name)
        if len(answers) and name == wanted.entry:
            best = by_error(material, answers["surrogate"], wanted)[0]
            found[name] = answers[answers["surrogate"] == best].iloc[0]
    return found


def _answers(material: Material, name: str) -> pd.DataFrame:
    """Return the first solution of each surrogate."""
    mine = material.solutions[material.solutions["objective"] == name]
    return mine[~mine["surrogate"].duplicated()]


def _card(material: Material, name: str, wanted: Objective) -> dict[str, Any]:
    answers = _answers(material, name)
    order = by_error(material, answers["surrogate"], wanted)
    best, *others = (_on(material, answers[answers["surrogate"] == s].iloc[0], wanted) for s in order)
    return {"name": name, "wanted": wanted.words(material.units), **best, "others": others}


def by_error(material: Material, surrogates: Iterable[str], wanted: Objective) -> list[str]:
    """Return surrogates, that with the smallest error of an objective's outputs on held-out rows first."""
    tests = {s: material.surrogates.get(s, {}).get("test", {}) for s in surrogates}
    return sorted(tests, key=lambda s: (error(tests[s], wanted), s))


def _on(material: Material, row: pd.Series, wanted: Objective) -> dict[str, Any]:
    """Return what a card says of the answer of one model."""
    surrogate, units = str(row["surrogate"]), material.units
    recipe = next(
        (
            r
            for r in material.evidence.get("recipes", ())
            if (r["surrogate"], r["objective"]) == (surrogate, wanted.name)
        ),
        None,
    )
    verdict, colour = _verdict(material, row, recipe, wanted)
    return {
        "surrogate": surrogate,
        "explored": recipe is not None and surrogate in material.live.get("models", ()),
        "verdict": verdict,
        "colour": colour,
        "flags": [*_missed(row, recipe, wanted, units), *_flags(material, row, surrogate, wanted)],
        "chance": _chance(recipe, wanted),
        **_recipe(material, recipe["x"] if recipe else _inputs(material, row), surrogate, wanted),
        "predicted": _predicted(recipe, row, wanted, units),
        "coverage": _coverage(material, surrogate, wanted),
        "domain": words.domain({"domain_score": recipe["domain_score"] if recipe else row["domain_score"]}),
        "in_domain": bool(recipe["in_domain"] if recipe else row["in_domain"]),
        "truth": _truth(row, wanted, units),
        "proof": _proof(material, surrogate, wanted),
    }


# -- verdict ----------------------------------------------------------------------------------------------------------


def _verdict(
    material: Material, row: pd.Series, recipe: Mapping[str, Any] | None, wanted: Objective
) -> tuple[str, str]:
    known = material.evidence.get("measured", {}).get(wanted.name, {"count": 0})
    if wanted.bounded and pd.notna(row["simulated_loss"]):
        met = _met_in_truth(row, wanted)
        return ("Met when re-simulated", GOOD) if met else ("Not met when re-simulated", BAD)
    if wanted.bounded and known["count"] and not wanted.near:
        rows = f"{known['count']} known rows meet" if known["count"] > 1 else "A known row meets"
        said = _values(known["values"], wanted, material.units)
        return f"{rows} it already: row {known['row']}, {said}", GOOD
    if wanted.bounded and _feasible(material, str(row["surrogate"]), wanted) == "no":
        return "Proven impossible by the model", BAD
    chance = recipe["chance"] if recipe else None
    if chance is None:
        return "Unknown how likely", WARN
    what, than = ("", "") if wanted.bounded else _beats(known, wanted, material.units)
    if wanted.near:
        changed = int(row["changed"])
        what = f" with {changed} of {len(wanted.near.names)} inputs changed" if changed else " as it is"
    return (f"Likely{what}{than}", GOOD) if chance >= LIKELY else (f"Unlikely{what}{than}", WARN)


def _beats(known: Mapping[str, Any], wanted: Objective, units: Mapping[str, str]) -> tuple[str, str]:
    if not known["count"]:
        return " to keep every limit", ", as no known row does"
    if wanted.front:
        return " to be better than every known row", ""
    return " to be better than the best known row", f" (row {known['row']}: {_values(known['values'], wanted, units)})"


def _met_in_truth(row: pd.Series, wanted: Objective) -> bool:
    nominal = wanted.nominal
    if "simulated_share_met" in row and pd.notna(row["simulated_share_met"]):
        return float(row["simulated_share_met"]) >= LIKELY
    Y = {o: float(row[f"simulated.{o}"]) for o in wanted.involved}
    limits = all(limit.low <= Y[limit.output] <= limit.high for limit in nominal.limits)
    return limits and (wanted.near is not None or float(row["simulated_loss"]) <= nominal.enough)


def _feasible(material: Material, surrogate: str, wanted: Objective) -> str:
    s = material.summary
    mine = s[(s["objective"] == wanted.name) & (s["surrogate"] == surrogate)]
    return str(mine["feasible"].iloc[0]) if len(mine) else ""


# -- what is known of it ----------------------------------------------------------------------------------------------


def _chance(recipe: Mapping[str, Any] | None, wanted: Objective) -> str:
    """Return how likely a measurement is to come out as wanted, with its interval."""
    if recipe is None or recipe["chance"] is None:
        return ""
    ends = f"{words.share(recipe['chance_low'])} to {words.share(recipe['chance_high'])}"
    return f"{words.share(recipe['chance'])} ({ends})"


def _predicted(
    recipe: Mapping[str, Any] | None, row: pd.Series, wanted: Objective, units: Mapping[str, str]
) -> list[dict[str, str]]:
    """Return each output with its prediction and interval: of the recipe as rounded, or of the answer as found."""
    lines = []
    for o in wanted.involved:
        value = recipe["predicted"][o] if recipe else row[f"predicted.{o}"]
        low, high = (recipe["low"][o], recipe["high"][o]) if recipe else (None, None)
        step = digits.step_of(units, o)
        known = low is not None and high is not None and low < high
        interval = f"{words.number(low, step)} to {words.number(high, step)}" if known else ""
        lines.append({"output": words.label(o), "value": words.of(value, o, units), "interval": interval})
    return lines


def _coverage(material: Material, surrogate: str, wanted: Objective) -> str:
    info = material.surrogates.get(surrogate)
    if not info:
        return ""
    shares = dict(zip(info["test"], info["test_coverage"], strict=True))
    worst = min((shares[o] for o in wanted.involved if o in shares), default=None)
    return (
        "" if worst is None else f"{words.share(worst)} of this model's {words.LEVEL} intervals hold on held-out rows"
    )


def _truth(row: pd.Series, wanted: Objective, units: Mapping[str, str]) -> str:
    if pd.isna(row["simulated_loss"]) or row["surrogate"] == "simulator":
        return words.untrue(row)
    return f"Re-simulated before rounding: {words.values(row, 'simulated', wanted.involved, units)}"


def _proof(material: Material, surrogate: str, wanted: Objective) -> str:
    s = material.summary
    mine = s[(s["objective"] == wanted.name) & (s["surrogate"] == surrogate)]
    if wanted.front or not len(mine):
        return ""
    first = best_first(mine).sort_values("seed", kind="stable").iloc[0]
    return proofs.proof(first.to_dict(), wanted, material.units)


def _missed(row: pd.Series, recipe: Mapping[str, Any] | None, wanted: Objective, units: Mapping[str, str]) -> list[str]:
    """Return what is missed by the recipe as rounded, and in truth."""
    said = []
    if recipe and row["solves"] and not recipe["met"]:
        rounded = {f"predicted.{o}": recipe["predicted"][o] for o in wanted.involved}
        limits = words.limits_missed(rounded, "predicted", wanted, units)
        said.append(f"As rounded, {words.listing(limits) or 'it is not predicted to meet the objective'}")
    if pd.notna(row["simulated_loss"]) and (limits := words.limits_missed(row, "simulated", wanted, units)):
        said.append(f"In truth, {words.listing(limits)}")
    return said


def _ended(material: Material, row: pd.Series, surrogate: str, wanted: Objective) -> bool:
    """Return whether nothing is left to search for: values are met, or a proof says that nothing is better."""
    s = material.summary
    gap = s[(s["objective"] == wanted.name) & (s["surrogate"] == surrogate)]["gap"].min()
    return bool(row["solves"]) and (wanted.bounded or gap <= wanted.tolerance[0])


def _flags(material: Material, row: pd.Series, surrogate: str, wanted: Objective) -> list[str]:
    """Return what stands against an answer and must be read with its verdict."""
    said = []
    if not row["solves"]:
        by = "" if row["surrogate"] == "simulator" else " by the model"
        said.append(f"No method found inputs that meet it{by}; the nearest is shown")
    if row.get(UNTRUE) not in (None, NOT_RUN) and pd.notna(row[UNTRUE]):
        said.append("The simulator fails here")
    if str(row["status"]) == "not_converged" and not _ended(material, row, surrogate, wanted):
        said.append("The search had not ended here")
    info = material.surrogates.get(surrogate, {"test": {}, "test_coverage": []})
    for (o, test), covered in zip(info["test"].items(), info["test_coverage"], strict=True):
        if o not in wanted.involved:
            continue
        if test["r2"] is None:
            pass
        elif test["r2"] <= 0:
            said.append(f"The model is worse than the mean at {words.label(o)} (R² {digits.number(test['r2'], 0.01)})")
        elif test["r2"] < LOW_R2:
            said.append(f"The model explains little of {words.label(o)} (R² {digits.number(test['r2'], 0.01)})")
        if covered < LOW_COVERAGE:
            said.append(f"Only {words.share(covered)} of its {words.LEVEL} intervals for {words.label(o)} hold")
    if pd.notna(row["domain_score"]) and not row["in_domain"]:
        said.append("Outside the data")
    return said


# -- values -----------------------------------------------------------------------------------------------------------


def _inputs(material: Material, row: pd.Series) -> dict[str, Any]:
    return {i.name: row[f"x.{i.name}"] for i in material.space.inputs}


def _recipe(material: Material, x: Mapping[str, Any], surrogate: str, wanted: Objective) -> dict[str, Any]:
    """Return the inputs of a recipe; of one that changes a reference those that it changes, and what is said of the
    others."""
    free = material.surrogates.get(surrogate, {}).get("without_influence", [])
    old = dict(zip(wanted.near.names, wanted.near.labels, strict=True)) if wanted.near else {}
    shown = [i for i in material.space.inputs if i.name not in old or old[i.name] != x[i.name]]
    rest = len(material.space.inputs) - len(shown)
    common = _common_unit(shown)
    found = [
        {
            "input": words.label(i.name) + (" (any)" if i.name in free else ""),
            "before": f"from {_weighed(i, old[i.name])} to" if old else "",
            "value": f"{_weighed(i, x[i.name])} {'' if i.unit == common else i.unit or ''}".strip(),
        }
        for i in shown
    ]
    others = f"{'all' if not shown else f'the other {rest}'} inputs as in {wanted.near.words}" if wanted.near else ""
    return {"recipe": found, "rest": others if rest else "", "common_unit": common}


def _common_unit(inputs: Sequence[Input]) -> str:
    """Return the unit that at least three of some inputs, and most of them, have; "" where there is none."""
    units = [i.unit for i in inputs if i.unit]
    most = max(units, key=units.count, default="")
    return most if units.count(most) > max(2, len(inputs) / 2) else ""


def _weighed(i: Input, value: Any) -> str:
    return str(value) if i.categories else digits.exact(float(value))


def _values(values: Mapping[str, Any], wanted: Objective, units: Mapping[str, str]) -> str:
    return words.listing(
        [
            (f"{words.label(o)} " if len(wanted.involved) > 1 else "") + words.of(values[o], o, units)
            for o in wanted.involved
        ]
    )
