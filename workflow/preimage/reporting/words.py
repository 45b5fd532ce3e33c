"""Findings as sentences and cells. Every number comes from a table; nothing is known here of any one study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from preimage.core.candidates import DOMAIN_LIMIT, NOT_RUN, UNTRUE
from preimage.core.objective import Objective, interval_words
from preimage.core.objective.reference import Reference
from preimage.core.sentences import UNMOVED
from preimage.support import digits

LEVEL = "90 %"
NONE = "\N{EN DASH}"
MOST_PLATEAUS = 3


def number(value: Any, step: float = 0.0) -> str:
    """Return a number as people read it (`preimage.support.digits`), text as it is, a dash where there is neither."""
    if value is None or pd.isna(value):
        return NONE
    return value if isinstance(value, str) else digits.number(value, step)


def setting(value: Any) -> str:
    """Return a parameter of a model in short."""
    if isinstance(value, list):
        return f"[{', '.join(setting(v) for v in value)}]"
    return number(value) if isinstance(value, float) else str(value)


def label(name: str) -> str:
    return name.replace("_", " ")


def quantity(value: Any, unit: str, step: float = 0.0) -> str:
    return f"{number(value, step)} {unit}".strip()


def of(value: Any, name: str, units: Mapping[str, str]) -> str:
    """Return a value of a column with its unit, in as many digits as tell it from its neighbours."""
    return quantity(value, units.get(name, ""), digits.step_of(units, name))


def listing(items: Sequence[str]) -> str:
    """Return "a, b and c"."""
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + f" and {items[-1]}" if items else ""


def values(row: Mapping[str, Any], prefix: str, outputs: Sequence[str], units: Mapping[str, str]) -> str:
    """Return the outputs of one row, named where there are several."""
    return listing(each_value(row, prefix, outputs, units))


def each_value(row: Mapping[str, Any], prefix: str, outputs: Sequence[str], units: Mapping[str, str]) -> list[str]:
    """Return each output of one row, named where there are several."""
    return [(f"{label(o)} " if len(outputs) > 1 else "") + of(row[f"{prefix}.{o}"], o, units) for o in outputs]


def interval(row: Mapping[str, Any], outputs: Sequence[str], units: Mapping[str, str]) -> str:
    """Return the prediction intervals of one row."""
    return listing(each_interval(row, outputs, units))


def each_interval(row: Mapping[str, Any], outputs: Sequence[str], units: Mapping[str, str]) -> list[str]:
    """Return the prediction interval of each output of one row."""
    if pd.isna(row[f"interval_low.{outputs[0]}"]):
        return [NONE]
    return [between(row[f"interval_low.{o}"], row[f"interval_high.{o}"], o, units) for o in outputs]


def between(low: float, high: float, name: str, units: Mapping[str, str]) -> str:
    """Return two values of a column, with its unit after the second; one where they are the same."""
    return (
        of(high, name, units)
        if low == high
        else f"{number(low, digits.step_of(units, name))} to {of(high, name, units)}"
    )


def span(low: float, high: float, low_text: str, high_text: str) -> str:
    """Return the words of an interval whose ends are given in digits; one end may be infinite."""
    if low == -np.inf:
        return f"below {high_text}"
    return f"above {low_text}" if high == np.inf else f"between {low_text} and {high_text}"


def away(loss: float, wanted: Objective, unit: str, step: float = 0.0) -> str:
    """Return a squared distance to what is wanted as the distance that it is of."""
    distance = float(np.sqrt(max(loss, 0.0)))
    if len(wanted.outputs) == 1:
        return quantity(distance * wanted.scale[0], unit, step)
    # Outputs of several units have no distance but in units of their own.
    return f"{number(distance)} {'' if set(wanted.scale) == {1.0} else 'standard deviations '}(root mean square)"


def answer(row: Mapping[str, Any], wanted: Objective, units: Mapping[str, str]) -> list[str]:
    """Return what to say of the recommended answer to an objective."""
    outputs = list(wanted.involved)
    who = "the simulator gives" if row["surrogate"] == "simulator" else f"{label(row['surrogate'])} predicts"
    said = f"{_capital(who)} {values(row, 'predicted', outputs, units)}"
    if not pd.isna(row[f"interval_low.{outputs[0]}"]):
        said += f" ({LEVEL} interval {interval(row, outputs, units)})"
    sentences = [said + "."]
    if not row["solves"]:
        sentences.insert(0, _not_solved(row, wanted, units))
    if wanted.near:
        sentences.insert(1 - row["solves"], change(row, wanted.near, units))
    if not pd.isna(row["simulated_loss"]) and row["surrogate"] != "simulator":
        sentences.append(f"Re-simulated, the true value is {values(row, 'simulated', outputs, units)}.")
        if missed := limits_missed(row, "simulated", wanted, units):
            sentences.append(f"In truth, {listing(missed)}.")
    elif untrue(row):
        sentences.append(f"{untrue(row)}.")
    elif pd.isna(row["simulated_loss"]):
        sentences.append("No simulator is available to check it: measure it before you rely on it.")
    sentences.append(domain(row))
    return sentences


def untrue(row: Mapping[str, Any]) -> str:
    """Return why the true value of a candidate is unknown though there is a simulator; "" where it is known."""
    why = row.get(UNTRUE)
    if why is None or pd.isna(why):
        return ""
    if why == NOT_RUN:
        return "Its true value is unknown: it was not re-simulated, as the budget of simulations is spent"
    return f"Its true value is unknown: the simulator failed there ({why})"


def _not_solved(row: Mapping[str, Any], wanted: Objective, units: Mapping[str, str]) -> str:
    if missed := limits_missed(row, "predicted", wanted, units):
        asked = "meet this objective" if wanted.near else "keep every limit"
        return f"No method found inputs that {asked}: at the nearest found, {listing(missed)}."
    by = "" if row["surrogate"] == "simulator" else " by the model"
    return f"No method found inputs that meet this objective{by}; the nearest found is shown."


def limits_missed(row: Mapping[str, Any], prefix: str, wanted: Objective, units: Mapping[str, str]) -> list[str]:
    """Return which limits of outputs one row misses, and by how much."""
    said = []
    for limit in wanted.limits:
        value = float(row[f"{prefix}.{limit.output}"])
        if (over := max(limit.low - value, value - limit.high)) > 0:
            allowed, what = interval_words(limit.low, limit.high), "the wanted" if limit.wanted else "its limit"
            asked = f"{what} {allowed}" if limit.wanted else f"{what} ({allowed})"
            said.append(f"{label(limit.output)} misses {asked} by {of(over, limit.output, units)}")
    return said


def change(row: Mapping[str, Any], near: Reference, units: Mapping[str, str]) -> str:
    """Return what an answer changes of its reference."""
    said = []
    for name, old in zip(near.names, near.labels, strict=True):
        new = row[f"x.{name}"]
        if new == old:
            continue
        said.append(f"{label(name)} from {' to '.join(moved(new, old, name, units))} {units.get(name, '')}".rstrip())
    if not said:
        return f"Nothing needs to change: {near.words} meets this objective as it is, by prediction."
    rest = len(near.names) - len(said)
    stay = f"; the other {rest} inputs stay" if rest > 1 else "; the other input stays" if rest else ""
    change, as_there = "Change" if row["solves"] else "These change", f" as in {near.words}" if rest else ""
    return f"{change} {listing(said)}{stay}{as_there} (distance {number(row['distance'])})."


def moved(new: Any, old: Any, name: str, units: Mapping[str, str]) -> tuple[str, str]:
    """Return the value of an input in a reference and that of an answer, told apart however small the change is.

    What is nearest to the reference is at the edge of what will do: it is rounded to the other side."""
    if isinstance(new, str):
        return str(old), new
    step = min(digits.step_of(units, name) or abs(new - old), abs(new - old) / 10)
    return number(old, step), digits.beyond(new, old, step)


def domain(row: Mapping[str, Any]) -> str:
    score = row["domain_score"]
    if pd.isna(score):
        return ""
    if score <= DOMAIN_LIMIT:
        return f"It lies within the data (domain score {score:.2f}; up to {DOMAIN_LIMIT} counts as inside)."
    return (
        f"It lies outside the data (domain score {score:.2f}, above {DOMAIN_LIMIT}): the prediction is an "
        "extrapolation, and its interval is not reliable."
    )


def held_out(promise: Mapping[str, Any], wanted: Objective, units: Mapping[str, str], trained_here: bool = True) -> str:
    """Return how well predictions near an objective hold on held-out rows."""
    if not promise["rows"]:
        return "No held-out row satisfies the bounds, constraints and fixed inputs of this objective."
    rows = promise["rows"]
    predicted, measured, error = (
        listing([of(v, o, units) for o, v in zip(wanted.involved, promise[key], strict=True)])
        for key in ("predicted", "measured", "rmse")
    )
    which = "held-out rows" if trained_here else "held-out rows (which it may have been trained on elsewhere)"
    text = (
        f"Check on {which}: for the {rows} predicted to be nearest to this objective, the mean prediction is "
        f"{predicted} and the mean measurement {measured} (RMSE {error})."
    )
    if promise["met"] is not None:
        what = "met the objective" if wanted.bounded else "kept every limit"
        text += f" {promise['met']} of the {rows} {what}."
    return text


def coverage(found: Mapping[str, Any] | None, test: Sequence[float]) -> str:
    """Return how often intervals held, on held-out rows and, apart, on candidates."""
    text = f"On held-out rows, {share(min(test))} of the {LEVEL} intervals contain the true value."
    if not found or not found["all"]["rows"]:
        return (
            text + " Candidates could not be re-simulated, so the coverage of their intervals is unknown; expect less."
        )
    every, first = found["all"], found["first"]
    text += f" Of {every['rows']} re-simulated candidates {share(min(every['coverage']))} do"
    if first["coverage"]:
        text += f", of the {first['rows']} that their methods rank in the first ten {share(min(first['coverage']))}"
    return text + ". Selecting the best predictions also selects prediction errors, so use the second number."


def without_influence(inputs: Sequence[str]) -> str:
    """Return what follows from inputs that a model does not take."""
    if not inputs:
        return ""
    names, have = listing([label(name) for name in inputs]), "has" if len(inputs) == 1 else "have"
    return (
        f"{_capital(names)} {have} no influence on this model's predictions: any value "
        "within bounds and constraints is as good to it, and solutions that differ in nothing else count as one."
    )


def unmoved(candidates: pd.DataFrame) -> list[str]:
    """Return what is to be said of local searches that never left their start."""
    said = []
    for (surrogate, inverter), part in candidates.groupby(["surrogate", "inverter"], sort=False):
        still = part["message"].str.startswith(UNMOVED).sum()
        if still:
            said.append(
                f"{label(str(inverter))} on {label(str(surrogate))}: {still} of {len(part)} starts did not move, as "
                "the model is flat there (a forest is a step function: its finite differences are 0)."
            )
    return said


def plateaus(found: Mapping[str, Any]) -> str:
    """Return where the starts of one case ended: how many at one loss, and at which."""
    missed = f" ({found['missed']} more missed a limit)" if found.get("missed") else ""
    if missed and not found["starts"]:
        return f"none of {found['missed']} starts kept every limit"
    if not found["count"]:
        return f"no three of {found['starts']} starts{missed} ended at the same loss: more starts may find a better one"
    shown = found["plateaus"][:MOST_PLATEAUS]
    step = digits.step(float(np.ptp([p["loss"] for p in shown])))
    levels = [f"{p['size']} at loss {number(p['loss'], step)}" for p in shown]
    more = f", others on {found['count'] - len(shown)} more plateaus" if found["count"] > len(shown) else ""
    return f"of {found['starts']} starts{missed} {listing(levels)}{more}"


def minimum(found: Mapping[str, Any], wanted: Objective, units: Mapping[str, str]) -> list[str]:
    """Return how far answers are from a minimum that is known."""
    output = wanted.outputs[0]
    where = ", ".join(number(v) for v in found["x"][:6]) + (", ..." if len(found["x"]) > 6 else "")
    return [
        f"The true minimum is {of(found['y'], output, units)} at ({where}). The answer on {label(a['surrogate'])} is "
        f"{quantity(a['excess'], units.get(output, ''))} above it, {a['distance']:.3f} away in inputs scaled to [0, 1]."
        for a in found["answers"]
    ]


def share(value: float) -> str:
    """Return a share in words that say 100 % of nothing less than all, and 0 % of nothing more than none."""
    if 0 < value < 1 and round(100 * value) in (0, 100):
        return f"{min(max(value, 0.001), 0.999):.1%}"
    return f"{value:.0%}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
