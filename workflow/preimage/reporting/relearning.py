"""The page of a relearning: what each round's rows said of the champion, and whether its model replaced it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from preimage.figures import style
from preimage.figures.gate_ratios import Gate, gate_ratios
from preimage.relearning.gate import FEWEST_ROWS
from preimage.reporting import words

FIGURE = "gates.svg"


@dataclass(frozen=True)
class Outcome:
    """What became of one surrogate of a round and seed; no decision stands before the first round's."""

    round: int
    seed: int
    surrogate: str
    decision: Mapping[str, Any] | None
    promotion: Mapping[str, Any]

    @property
    def at(self) -> str:
        return f"round {self.round}, {words.label(self.surrogate)}"


def context(study: str, outcomes: Sequence[Outcome], said: Mapping[int, Sequence[str]], seeds: int) -> dict[str, Any]:
    """Return what the template shows.

    Args:
        said: by round, what there was to say of its new rows.
    """
    figure = gate_ratios([g for o in outcomes if (g := _gate(o, seeds)) is not None])
    return {
        "study": study,
        "seeds": seeds,
        "champions": _champions(outcomes),
        "verdicts": _latest(outcomes, seeds),
        "rows": [_row(o) for o in outcomes],
        "drifts": [_drift(o) for o in outcomes if o.decision and o.decision["champion"]],
        "said": [(number, list(sentences)) for number, sentences in said.items() if sentences],
        "figure": style.to_svg(figure, FIGURE) if figure is not None else "",
    }


def verdict(o: Outcome) -> str:
    """Return in one sentence whether a round's model is better, by how much, whether that is beyond chance, and what to
    do next."""
    c, name = o.promotion["comparison"] or {}, words.label(o.surrogate)
    if not c and o.promotion["champion_before"] and not o.promotion["promoted"]:
        return (
            f"The model {name} of round {o.round} was {o.promotion['reasons'][0]}; the champion stays: measure "
            "more rows."
        )
    if not c:
        kept = "is the first champion" if o.promotion["promoted"] else "did not become champion"
        return f"The model {name} of round {o.round} {kept}: there was none to compare with."
    after = "it is the champion now: use it" if o.promotion["promoted"] else "the earlier one stays champion"
    if c["rows"] < FEWEST_ROWS or not c["champion"] or c["high"] is None:
        what = "rows are there" if c.get("crossed") else "rows were kept apart"
        return (
            f"Whether the new {name} is better is unknown: {c['rows']} {what} to compare by, at least {FEWEST_ROWS} "
            f"are needed; {after}. Measure more rows."
        )
    ratio = c["challenger"] / c["champion"]
    size = f"{abs(1 - ratio):.0%} {'smaller' if ratio < 1 else 'larger'}"
    span = f"{c['low']:.2f} to {c['high']:.2f} times the earlier one's, with 95 % confidence"
    if c["better"]:
        said, then = "is better, beyond chance", "run the next experiments"
    elif c["low"] > 1:
        said, then = "is worse, beyond chance", "look for errors in the new rows, or for what has changed"
    else:
        said, then = "may be no better", "measure more rows"
    judges = (
        "rows, each predicted by models that never saw it," if c.get("crossed") else "rows that no model trained on"
    )
    return f"The new {name} {said}: its error on {c['rows']} {judges} is {size} ({span}); {after}, and {then}."


def _gate(o: Outcome, seeds: int) -> Gate | None:
    c = o.promotion["comparison"]
    if not c or not c["champion"] or c["high"] is None:
        return None
    name = o.at if seeds == 1 else f"{o.at}, seed {o.seed}"
    return Gate(name, c["challenger"] / c["champion"], c["low"], c["high"], o.promotion["promoted"])


def _latest(outcomes: Sequence[Outcome], seeds: int) -> list[str]:
    """Return the verdict on each surrogate of the last round."""
    last = [o for o in outcomes if o.round == max(o.round for o in outcomes)]
    return [verdict(o) + (f" (Seed {o.seed}.)" if seeds > 1 else "") for o in last]


def _champions(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Return, by registered model, the version that this study's rounds left as champion."""
    found: dict[str, dict[str, Any]] = {}
    for o in outcomes:
        if o.promotion["promoted"]:
            found[o.promotion["model"]] = {"version": o.promotion["version"], "round": o.round}
        elif o.promotion["model"] not in found:
            found[o.promotion["model"]] = {"version": o.promotion["champion_before"], "round": None}
    return [{"model": model, **champion} for model, champion in found.items()]


def _row(o: Outcome) -> dict[str, Any]:
    c = o.promotion["comparison"] or {}
    wanted = None if o.decision is None else ("yes" if o.decision["relearn"] else "no")
    return {
        "round": o.round,
        "seed": o.seed,
        "surrogate": o.surrogate,
        "version": o.promotion["version"],
        "wanted": wanted or words.NONE,
        "why": [] if o.decision is None else (o.decision["reasons"] or ["no limit was reached"]),
        "champion": c.get("champion"),
        "challenger": c.get("challenger"),
        "gate_rows": c.get("rows"),
        "promoted": o.promotion["promoted"],
        "reasons": o.promotion["reasons"],
    }


def _drift(o: Outcome) -> dict[str, Any]:
    """Return the figures behind a decision, by input and by output."""
    assert o.decision is not None
    figures = o.decision["figures"]
    by: dict[str, dict[str, Any]] = {
        "psi": {},
        "drift_p_value": {},
        "test_rmse": {},
        "new_rmse": {},
        "new_coverage": {},
    }
    for key, value in figures.items():
        kind, _, name = key.partition(".")
        if kind in by:
            by[kind][name] = value
    return {
        "at": o.at,
        "seed": o.seed,
        "champion": o.decision["champion"],
        "new_rows": figures["new_rows"],
        "trained_rows": figures["trained_rows"],
        "inputs": [(name, psi, by["drift_p_value"][name]) for name, psi in by["psi"].items()],
        "outputs": [
            (name, rmse, by["new_rmse"][name], by["new_coverage"][name]) for name, rmse in by["test_rmse"].items()
        ],
    }
