"""What a report says of fits: the parameters, which of them the data tells, what they forecast, and how good the
derivatives were."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from preimage.core.objective import NEAR_DEVIANCE, NEAR_LEAST, NEAR_SHARE, Fit
from preimage.reporting import identifiability, words
from preimage.reporting.material import Material
from preimage.support import digits

LOSSES = {
    "msle": "mean squared log error",
    "log": "mean squared error of logarithms",
    "mse": "mean squared error",
    "normal": "deviance of a normal likelihood",
    "log_normal": "deviance of a log-normal likelihood",
    "laplace": "deviance of a Laplace likelihood",
    "poisson": "deviance of a Poisson likelihood",
    "negative_binomial": "deviance of a negative binomial likelihood",
}
# What chains that agree have for R-hat, and how many independent draws an interval needs (Vehtari et al. 2021).
MIXED, ENOUGH = 1.01, 400
UNITS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days", "week": "weeks", "year": "years of 365.25 days"}


def fits(material: Material) -> list[dict[str, Any]]:
    """Return what the template needs of each fit."""
    return [_fit(material, name, w) for name, w in material.objectives.items() if isinstance(w, Fit)]


def _fit(material: Material, name: str, wanted: Fit) -> dict[str, Any]:
    entry = material.study["objectives"][name]["fit"]
    solutions = material.solutions[material.solutions["objective"] == name]
    found = material.fits.get(name, {})
    said = found.get("findings", {})
    best = solutions.iloc[0].to_dict()
    return {
        "name": name,
        "best": best,
        "sentences": [_loss(entry, said), *_notes(said), *_solved(said.get("solving", {})), *_told(said)],
        "parameters": _parameters(material, best, said),
        "told_apart": identifiability.sentences(material, wanted, found),
        "near": solutions.to_dict("records"),
        "near_words": _near_words(wanted),
        "inputs": material.space.names,
        "methods": _methods(material, name),
        "conditions": _conditions(said),
        "sample": _sample(said),
        "trust": _trust(said),
        "likelihood": "negative_log_likelihood" in said,
        "forecast": _forecast(said),
        "verdict": _verdict(said),
        "derivatives": _derivatives(found, material.fit_times.get(name, {})),
        "reference": said.get("reference", ""),
        "answer": _answer(found, material.fit_times.get(name, {})),
    }


def _near_words(wanted: Fit) -> str:
    """Return which losses count as good as the best."""
    if wanted.deviance:
        return f"loss at most {NEAR_DEVIANCE:g} above the best"
    return f"loss at most {1 + NEAR_SHARE:g} times the best" + (f" + {NEAR_LEAST:g}" if wanted.unit else "")


def _loss(entry: Mapping[str, Any], said: Mapping[str, Any]) -> str:
    text = f"The loss is the {LOSSES[entry['loss']]}"
    if said:
        text += f" over {said['counted']} of {said['rows']} rows"
    if entry["weights"] == "recent":
        text += ", weighted by 1 / age with the newest heaviest"
    if (value := said.get("negative_log_likelihood")) is not None:
        text += f"; the negative log-likelihood of the best fit is {value:.6g}"
    return text + "."


def _notes(said: Mapping[str, Any]) -> list[str]:
    """Return how the data was read, as sentences."""
    return [f"{note}." for note in said.get("notes", [])]


def _solved(said: Mapping[str, Any]) -> list[str]:
    """Return how the equations of a user's model were solved, and what the solver may have overlooked."""
    out = []
    if said.get("zero"):
        begins = "" if said["start"] == 0 else f" The initial values hold at t = {words.number(said['start'])}."
        out.append(f"Time t is in {UNITS.get(said['unit'], said['unit'])} from {said['zero']}.{begins}")
    elif said.get("start"):
        out.append(f"The initial values hold at t = {words.number(said['start'])}.")
    if between := said.get("between"):
        times = words.listing([digits.plain(t, digits.step(t)) for t in between])
        out.append(f"The solver begins anew at every row and at t = {times}, where rates jump or events are stated.")
    if said.get("implicit"):
        out.append("The equations are stiff: an implicit method solves them.")
    for name in said.get("unmoved", ()):
        out.append(f"Do not interpret {name}: it moves no value of the series at the best fit.")
    if said.get("apart"):
        out.append(
            f"Do not trust these parameters: on a finer grid of steps the best series differ by "
            f"{words.share(said['apart'])}, as the solver steps over something short; state its times as `events`, or "
            "set `solver: {largest_step: ...}`."
        )
    return out


def _told(said: Mapping[str, Any]) -> list[str]:
    """Return what the data tells of the parameters, in words that nobody overlooks."""
    rows = said.get("parameters")
    if not rows:
        return []
    n = len(rows)
    out = []
    if better := said.get("better"):
        values = words.listing([f"{k} {words.number(v)}" for k, v in better["parameters"].items()])
        losses = [words.number(better[key]) for key in ("loss", "searched")]
        out.append(
            f"A profile found a better fit than the searches, at {values}: its loss {losses[0]}, theirs {losses[1]}. "
            "Intervals, fitted series and forecasts are of the better fit; search from more starts."
        )
    out += [f"The data determines {said['determined']} of {n} directions of the parameters."]
    unended = [r["parameter"] for r in rows if r["unended"]]
    if unended:
        out.append(
            f"Searches with {words.listing(unended)} held did not all end: their intervals may be wider or narrower."
        )
    open_one = [r for r in rows if not r["determined"] and r["open_below"] != r["open_above"]]
    unknown = [r["parameter"] for r in rows if not r["determined"] and r not in open_one]
    for r in open_one:
        side, end = ("at least", r["low"]) if r["open_above"] else ("at most", r["high"])
        out.append(f"Do not interpret {r['parameter']}: the data only shows that it is {side} {words.number(end)}.")
    if unknown:
        out.append(f"Do not interpret {words.listing(unknown)}: any value within most of the bounds fits as well.")
    if all(r["determined"] for r in rows):
        out.append("Every parameter has an interval that ends inside its bounds.")
    return out


def _parameters(material: Material, best: Mapping[str, Any], said: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = {r["parameter"]: r for r in said.get("parameters", [])}
    return [
        {
            "name": i.name,
            "unit": i.unit,
            "value": words.number(best[f"x.{i.name}"], _step(i, rows.get(i.name))),
            "interval": _interval(rows.get(i.name)),
            "bounds": f"{digits.exact(i.low)} to {digits.exact(i.high)}",
            "determined": rows[i.name]["determined"] if i.name in rows else None,
        }
        for i in material.space.inputs
    ]


def _step(i: Any, row: Mapping[str, Any] | None) -> float:
    """Return the smallest difference that must show of a parameter's value."""
    return 0.0 if row and row.get("logarithmic") else digits.step(i.high - i.low)


def _interval(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return words.NONE
    step = 0.0 if row.get("logarithmic") else digits.step(row["high"] - row["low"])
    low = ("\N{LESS-THAN OR EQUAL TO} " if row["open_below"] else "") + words.number(row["low"], step)
    high = ("\N{GREATER-THAN OR EQUAL TO} " if row["open_above"] else "") + words.number(row["high"], step)
    return f"{low} to {high}"


def _methods(material: Material, name: str) -> list[dict[str, Any]]:
    """Return a row a method, medians over seeds."""
    summary = material.summary[material.summary["objective"] == name]
    kinds: Mapping[str, Any] = {n: v["kind"] for n, v in material.study["inverters"].items()}
    return [
        {
            "inverter": inverter,
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


def _sample(said: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what draws from the posterior say of each parameter, beside its profile's interval."""
    profiled = {r["parameter"]: r for r in said.get("parameters", [])}
    return [
        {
            "name": r["parameter"],
            "mean": words.number(r["mean"]),
            "sd": words.number(r["sd"]),
            "interval": f"{words.number(r['low'])} to {words.number(r['high'])}",
            "profile": _interval(profiled.get(r["parameter"])),
            "r_hat": f"{r['r_hat']:.3f}",
            "effective": f"{r['effective']:.0f}",
        }
        for r in said.get("sample", {}).get("parameters", [])
    ]


def _trust(said: Mapping[str, Any]) -> str:
    """Return whether the draws are to be trusted."""
    found = said.get("sample")
    if not found:
        return ""
    text = (
        f"{found['draws']} draws of {found['chains']} chains by the No-U-Turn sampler, {found['gradients']} gradients."
    )
    rows = found["parameters"]
    if late := [r["parameter"] for r in rows if not r["r_hat"] <= MIXED]:
        text += f" Do not use them yet: chains disagree on {words.listing(late)} (R-hat above {MIXED}); draw more."
    elif few := [r["parameter"] for r in rows if not r["effective"] >= ENOUGH]:
        text += f" Fewer than {ENOUGH} independent draws of {words.listing(few)}: intervals are rough; draw more."
    else:
        text += (
            f" All chains agree (R-hat at most {MIXED}), and every parameter has {ENOUGH} independent draws or more."
        )
    if found["diverged"]:
        text += f" {found['diverged']} trajectories diverged: a narrow part of the posterior may be missing."
    return text


def _conditions(said: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return how well each condition is met, a row a condition and series."""
    return [
        {**row, "residual": words.NONE if row["residual"] is None else words.number(row["residual"])}
        for row in said.get("conditions", [])
    ]


def _forecast(said: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "method": row["method"],
            "series": row["series"],
            "error": words.number(row["error"]),
            "last": words.NONE if row["last_error"] is None else f"{100 * row['last_error']:.3g} %",
            "inside": words.NONE if row["inside"] is None else words.share(row["inside"]),
        }
        for row in said.get("forecast", [])
    ]


def _verdict(said: Mapping[str, Any]) -> str:
    """Return whether the fit's forecast beats the naive ones, over all series."""
    rows = pd.DataFrame(said.get("forecast", []))
    if rows.empty:
        return ""
    error = rows.groupby("method", sort=False)["error"].mean()
    best = str(error.idxmin())
    if best == "this fit":
        return "The fit forecasts better than the naive methods."
    beaten = [m for m in ("last value", "last week's growth") if error[m] < error["this fit"]]
    if not beaten:
        return f"The smallest error is that of the {best}; the fit still beats the naive methods."
    return (
        f"The fit forecasts worse than {words.listing(beaten)}: a good fit to the last rows does not predict the next "
        f"ones. The smallest error is that of {best}."
    )


def _derivatives(found: Mapping[str, Any], times: Mapping[str, float]) -> list[dict[str, Any]]:
    if "derivatives" not in found:
        return []
    return [
        {
            "way": row["way"],
            "error": f"{row['error']:.1e}",
            "calls": row["calls"],
            "ms": words.number(times.get(row["way"])),
            "final": words.number(row["final_loss"]),
            "iterations": row["iterations"],
            "final_calls": row["final_calls"],
            "message": row["message"],
        }
        for row in found["derivatives"].to_dict("records")
    ]


def _answer(found: Mapping[str, Any], times: Mapping[str, float]) -> str:
    """Return the answer to the question of the section, from its own figures."""
    if "derivatives" not in found:
        return ""
    rows = found["derivatives"].set_index("way")
    unasked = rows.iloc[0]
    text = (
        f"By default it takes finite differences: {unasked['calls']} solutions of the equations for one gradient, "
        f"with a relative error of {unasked['error']:.1g} at the solver's default tolerance."
    )
    exact = rows[rows["rule"] == "exact"]
    if len(exact):
        best = exact.iloc[-1]
        text += f" Differentiated through the solver, one solution gives it with an error of {best['error']:.1g}"
        same = rows[(rows["rule"] == "3-point") & (rows["tolerance"] == best["tolerance"])]
        if len(same) and best.name in times and same.index[0] in times:
            ratio = times[same.index[0]] / times[str(best.name)]
            text += f", {ratio:.0f} times as fast as central differences at the same tolerance"
        text += "."
    return text
