"""What the page of a study of inference says: which method's answers to trust, what the samples tell of each
parameter, and the answers. Every number comes from the tables and findings of the steps before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from preimage.inference import verdict
from preimage.inference.checks import predictive
from preimage.inference.checks.comparison import Compared, shared
from preimage.inference.judge import FEWEST_COMPARED, LEVEL
from preimage.reporting import dag, told, words
from preimage.reporting.inference_material import PREDICTIVE_P, Material
from preimage.support import digits

# Answers shown before the others are folded away.
FIRST = 3
WHAT = {
    verdict.TRUSTED: "no fault found on {sets} fresh problems, which would show {visible}",
    verdict.ROUGH: "no fault found on {sets} fresh problems, which are few: they would show {visible}",
    verdict.INCOMPLETE: "no fault found on the {sets} fresh problems that it answered, which would show {visible}; "
    "the others may be the harder ones",
    verdict.POINT: "a point: nothing is said of its uncertainty",
    verdict.UNCHECKED: "not checked on fresh problems",
    verdict.OVERCONFIDENT: "its 90 % regions hold too few of the true parameters: they are too narrow",
    verdict.CAUTIOUS: "its 90 % regions hold too many of the true parameters: they are wider than need be",
    verdict.BIASED: "true parameters do not rank among its draws as they should: shifted, or of a wrong shape",
    verdict.IGNORANT: "right in each parameter alone, wrong in all of them together, or blind to some of the samples",
    verdict.FAILED: "no answer to any fresh problem",
}
# Neither praised nor warned of: what a few problems did not refute is not shown to be right.
NEUTRAL = (verdict.ROUGH, verdict.POINT)


def context(material: Material) -> dict[str, Any]:
    """Return what the template shows."""
    quantities = [*material.derived, *material.parameters]
    errors = {q: material.compared(partial(_errors, quantity=q)) for q in quantities}
    scores = material.compared(_scores)
    methods = [_method(material, name, errors, scores) for name in material.study["inference"]]
    return {
        "study": material.study["study"],
        "seeds": material.seeds,
        "question": _question(material),
        "trust": _trust(material),
        "flags": _flags(material),
        "told": [*_told(material), *_uses(material)],
        "quantities": [(q, material.units.get(q, "")) for q in quantities],
        "answers": _answers(material, quantities),
        "first": FIRST,
        "truth": bool(material.summary[f"true.{quantities[0]}"].notna().any()),
        "reference": bool(material.summary["c2st"].notna().any()),
        "fewest_compared": f"{FEWEST_COMPARED:,}",
        "methods": methods,
        "common": _range([shared(found) for found in errors[quantities[0]]], words.number),
        "apart": any(cell["few"] for row in methods for cell in [*row["errors"], row["score"]]),
        "rule": {"p": f"{verdict.LEAST_P:g}", "sets": verdict.ENOUGH_SETS, "often": words.share(verdict.OFTEN)},
        "predictive_p": f"{PREDICTIVE_P:g}",
        "priors": [(p, material.priors[p], material.units.get(p, "")) for p in material.parameters],
        "figures": material.figures,
        "made": _made(material),
        "dag": dag.draw(
            material.records, [("gather_posterior", "inference_report"), ("inference_figures", "inference_report")]
        ),
        "timings": material.timings.to_dict("records"),
    }


# -- in words ----------------------------------------------------------------------------------------------------------


def _question(m: Material) -> str:
    sets = m.summary["observation"].nunique()
    samples = "1 sample" if m.size == 1 else f"{m.size:,} samples"
    what = words.listing([words.label(p) for p in m.parameters])
    given = "an observed set" if sets == 1 else f"{sets} observed sets"
    made = ", simulated at parameters drawn from the prior" if "simulate" in m.study["observations"] else ""
    return (
        f"Which values of {what} of the simulator {words.label(m.study['problem']['simulator'])} are plausible, given "
        f"{given} of {samples}{'' if sets == 1 else ' each'}{made}?"
    )


def _trust(m: Material) -> list[dict[str, Any]]:
    """Return the verdict on each method, those to be trusted first."""
    found = []
    for name in sorted(m.methods, key=lambda n: verdict.ORDER.index(m.verdict(n))):
        said, fresh = m.verdict(name), m.fresh(name)
        fewest = min(map(verdict.judged, fresh))
        text = WHAT[said].format(sets=f"{fewest:,}", visible=_visible(fewest))
        held = [f["coverage"]["found"] for f in fresh if "coverage" in f]
        if held:
            text += f" (90 % regions hold {_range(held, words.share)})"
        failed = sum(f["failed"] for f in fresh)
        if failed and said != verdict.FAILED:
            text += f"; no answer to {failed:,} of {sum(f['sets'] for f in fresh):,}"
        found.append({"method": name, "verdict": said, "good": said == verdict.TRUSTED, "neutral": said in NEUTRAL,
                      "text": text})  # fmt: skip
    return found


def _visible(sets: int) -> str:
    """Return which wrong coverage as many fresh sets would show."""
    off = verdict.visible(sets, LEVEL)
    return "no wrong coverage at all" if off is None else f"coverage off by more than about {100 * off:.0f} points"


def _range(values: Sequence[float], show: Any) -> str:
    """Return one value, or the smallest and the largest of several seeds."""
    low, high = show(min(values)), show(max(values))
    return low if low == high else f"{low} to {high}"


def _flags(m: Material) -> list[str]:
    """Return what a reader must not overlook."""
    said = []
    outside = m.summary[m.summary["misspecified"].eq(True)]
    for (seed, name), part in outside.groupby(["seed", "observation"], sort=False):
        said.append(
            f"Observation {name}{_of_seed(m, int(seed))} lies outside of what the simulator produces under the prior "
            f"(p = {words.number(part['observation_p'].iloc[0])}): every answer to it is an extrapolation."
        )
    said += _predictive(m)
    failed = m.summary[m.summary["status"] != "ok"]
    for (method, status), part in failed.groupby(["method", "status"], sort=False):
        said.append(f"{words.label(str(method))}: {len(part)} answers {words.label(str(status))}"
                    f" ({part['message'].iloc[0]}).")  # fmt: skip
    return said + _lost(m)


def _predictive(m: Material) -> list[str]:
    """Return whose answers do not predict what was observed, and of whose this can't be told."""
    said, mine = [], m.summary["method"].isin(m.methods)
    unlike = m.summary["predictive_p"] <= PREDICTIVE_P
    for method, part in m.summary[unlike & mine].groupby("method", sort=False):
        said.append(
            f"Samples simulated from the answers of {words.label(str(method))} do not look like the observed ones for "
            f"{_observations(m, method, part)} (posterior predictive check, p at most {PREDICTIVE_P:g})."
        )
    for method, part in m.summary[m.silent & ~unlike & mine].groupby("method", sort=False):
        sets, failed = m.study["checks"]["predictive"], int(part["predictive_failed"].max())
        least = predictive.least_p(sets - failed)
        said.append(
            f"Whether samples simulated from the answers of {words.label(str(method))} look like the observed ones "
            f"cannot be determined for {_observations(m, method, part)}: of {sets} simulated sets up to {failed} "
            "failed, and "
            f"with those left p of the posterior predictive check is {least:.2g} at the least, where {PREDICTIVE_P:g} "
            "would count."
        )
    return said


def _observations(m: Material, method: Any, part: pd.DataFrame) -> str:
    return f"{len(part)} of {int((m.summary['method'] == method).sum())} observations"


def _lost(m: Material) -> list[str]:
    """Return what is to be said of simulations that failed, and of the rule for them."""
    lost = max(found["failed"] for found in m.observed.values())
    banked = max((t["failed"] for t in m.trained.values() if t["failed"]), default=0)
    if not lost and not banked:
        return []
    bank = f" ({words.share(banked)} of it)" if banked else ""
    return [
        f"{words.share(lost or banked)} of the simulations at parameters from the prior failed. Methods that take "
        f"theirs from the bank leave failed ones out{bank}; fresh problems and simulated observations are those that "
        "did not fail: answers hold for parameters where the simulator works."
    ]


def _of_seed(m: Material, seed: int) -> str:
    return f" of seed {seed}" if len(m.seeds) > 1 else ""


def _told(m: Material) -> list[str]:
    """Return what samples tell of the parameters, by the method that is trusted most of those with a density."""
    best = next((t["method"] for t in _trust(m) if t["verdict"] not in (verdict.POINT, verdict.FAILED)), None)
    return told.sentences(m, best) if best is not None else []


def _uses(m: Material) -> list[str]:
    """Return whether methods that simulate as they infer gain by it."""
    said = []
    for use in m.uses:
        interval = f"{words.number(use['low'])} to {words.number(use['high'])}"
        said.append(
            f"Does {words.label(use['method'])}{_of_seed(m, use['seed'])} use what it simulates? Trained again without "
            f"sight of it, its mean \N{MINUS SIGN}log q on {use['problems']} fresh problems changes by "
            f"{use['gain']:+.3g} (95 % interval {interval}): {use['verdict']}."
        )
    return said


# -- in tables ---------------------------------------------------------------------------------------------------------


def _answers(m: Material, quantities: Sequence[str]) -> list[dict[str, Any]]:
    """Return a table for each observation of each seed: a row a method."""
    found = []
    for (seed, name), part in m.summary.groupby(["seed", "observation"], sort=False):
        row = part.iloc[0]
        found.append(
            {
                "name": f"Observation {name}{_of_seed(m, int(seed))}",
                "misspecified": bool(row["misspecified"]) if pd.notna(row["misspecified"]) else None,
                "p": row["observation_p"],
                "true": [words.number(row[f"true.{q}"], _step(part[f"sd.{q}"].min())) for q in quantities],
                "rows": [
                    _answer(r, quantities, silent)
                    for r, silent in zip(part.to_dict("records"), m.silent[part.index], strict=True)
                    if r["method"] in m.methods
                ],
            }
        )
    return found


def _answer(row: Mapping[str, Any], quantities: Sequence[str], silent: bool) -> dict[str, Any]:
    return {
        "method": row["method"],
        "status": row["status"],
        "message": "" if pd.isna(row["message"]) else row["message"],
        "values": [(words.number(row[f"mean.{q}"], _step(row[f"sd.{q}"])), row[f"sd.{q}"]) for q in quantities],
        "simulations": row["simulations"],
        "predictive_p": words.NONE if pd.isna(row["predictive_p"]) else _p(row["predictive_p"]),
        "unlike": row["predictive_p"] <= PREDICTIVE_P,
        "silent": silent and not row["predictive_p"] <= PREDICTIVE_P,
        "c2st": row["c2st"],
    }


def _step(sd: float) -> float:
    """Return the smallest difference that must show of a posterior's mean, whose answers span about ten of its sds."""
    return digits.step(10 * sd)


def _errors(table: pd.DataFrame, quantity: str) -> np.ndarray:
    # Of a method that answered none, the column holds None.
    return (table[f"mean.{quantity}"].astype(float) - table[f"true.{quantity}"]).to_numpy(float)


def _scores(table: pd.DataFrame) -> np.ndarray:
    """Return the score of each set; NaN where a method has no density."""
    return table["score"].to_numpy(float) if "score" in table else np.full(len(table), np.nan)


def _cell(name: str, found: Sequence[Mapping[str, Compared]], measure: Callable[[np.ndarray], float]) -> dict[str, str]:
    """Return a method's value, over several seeds a range, and on how many problems it rests where these are not those
    of the others."""
    mine = [f[name] for f in found if name in f and len(f[name].values)]
    few = [len(c.values) for c in mine if not c.shared]
    return {
        "value": _range([measure(c.values) for c in mine], words.number) if mine else words.NONE,
        "few": f"on {min(few):,}" if few else "",
    }


def _rms(errors: np.ndarray) -> float:
    return float(np.sqrt(np.mean(errors**2)))


def _method(
    m: Material,
    name: str,
    errors: Mapping[str, Sequence[Mapping[str, Compared]]],
    scores: Sequence[Mapping[str, Compared]],
) -> dict[str, Any]:
    """Return a row of what a method costs and is worth; over several seeds, ranges."""
    fresh, spec = m.fresh(name), m.study["inference"][name]
    mine = m.summary[m.summary["method"] == name]
    checked = [f for f in fresh if "coverage" in f]
    return {
        "name": name,
        "kind": f"{words.label(m.study['ablations'][name])} without its simulations"
        if name in m.study["ablations"]
        else spec["kind"],
        "verdict": m.verdict(name),
        "good": m.verdict(name) == verdict.TRUSTED,
        "training": max(m.trained[seed, name]["simulations"] for seed in m.seeds),
        "each": mine["simulations"].median(),
        "seconds": _seconds(m, name),
        "errors": [_cell(name, found, _rms) for found in errors.values()],
        "sets": min(map(verdict.judged, fresh)),
        "unanswered": sum(f["failed"] for f in fresh),
        "coverage": _range([f["coverage"]["found"] for f in checked], words.share) if checked else words.NONE,
        "interval": _interval(checked),
        "ranks": _range([verdict.rank_p(f) for f in checked], _p) if checked else words.NONE,
        "tarp": _range([f["tarp_p"] for f in checked], _p) if checked else words.NONE,
        "score": _cell(name, scores, lambda values: float(np.mean(values))),
        "c2st": words.number(mine["c2st"].mean()),
        "c2st_missing": "" if mine["c2st"].notna().any() else _reason(m, name),
        "failed": int((mine["status"] == "failed").sum()),
    }


def _reason(m: Material, name: str) -> str:
    """Return why no answer of a method has a C2ST, the commonest reason; "" where there is no reference."""
    seen = [row.get("c2st_missing") for seed in m.seeds for row in m.checks[seed, name]["observed"]]
    given = [reason for reason in seen if reason]
    return max(given, key=given.count) if given else ""


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.2g}"


def _interval(checked: Sequence[Mapping[str, Any]]) -> str:
    if len(checked) != 1:
        return ""
    held = checked[0]["coverage"]
    return f"{words.share(held['low'])} to {words.share(held['high'])}"


def _seconds(m: Material, name: str) -> float:
    """Return the CPU seconds of training and of answering all observed sets, the most of any seed."""
    steps = m.timings[m.timings["step"].isin([f"train inference {name}", f"train_inference {name}", f"infer {name}"])]
    return float(steps.groupby("seed")["cpu_seconds"].sum().max())


def _made(m: Material) -> list[tuple[str, str]]:
    tags = m.records[0]["tags"]
    return [
        ("Seeds", ", ".join(map(str, m.seeds))),
        ("Workflow commit", tags["git_commit"]),
        ("Lock of packages (sha256)", tags["lock_digest"]),
        ("Python", tags["python"]),
        *m.versions.items(),
    ]
