"""Findings of one fit beyond its candidates: fitted series, profiles, forecasts, derivatives."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from preimage.calibration import (
    bands,
    building,
    by_condition,
    derivatives,
    engine,
    forecasts,
    information,
    likelihoods,
    losses,
    overlooked,
    posterior,
    profiles,
)
from preimage.calibration.fit import Fit
from preimage.core import polytope
from preimage.core.dynamics import Curve
from preimage.core.space import Space
from preimage.data import clock
from preimage.data.series import Series
from preimage.inversion.logarithmic import Logarithms

# Starts of the fit to the whole series, which a forecast is tried with.
STARTS = 50


class Judged(NamedTuple):
    """Tables of one fit, findings as plain values, and milliseconds of each derivative (the one part that differs
    between runs)."""

    tables: dict[str, pd.DataFrame]
    findings: dict[str, Any]
    times: dict[str, float]


def judge(
    spec: Mapping[str, Any],
    entry: Mapping[str, Any],
    space: Space,
    solutions: pd.DataFrame,
    rng: np.random.Generator,
    with_derivatives: bool = True,
    state: Path | None = None,
) -> Judged:
    """Judge a fit.

    Args:
        entry: the objective's `fit`.
        solutions: distinct candidates that fit as well as the best, the best first, with `seed` and `inverter`.
        rng: for the starts of the fit to the whole series.
        state: where profiles keep what they need to go on after a kill.
    """
    found, whole = building.build(spec, entry), building.observed(spec, entry)
    X = solutions[[f"x.{name}" for name in space.names]].to_numpy(float)
    logarithms = Logarithms.of(found.logarithmic, space)
    if logarithms:  # all that follows is of the logarithms, but for what is written
        found, space, X = found.by_logarithms(logarithms.mask), logarithms.bounds(), logarithms.taken(X)
    told = profiles.profile(found, space, X, state)
    if told.better:  # it is the best from here on: of the fitted series, the forecast and the derivatives
        X = np.concatenate([told.best[None], X])
        first = solutions.iloc[[0]].assign(inverter="profile", start=-1, predicted_loss=told.least)
        solutions = pd.concat([first, solutions], ignore_index=True)
    tables = {"fit": fitted(found, whole, X, solutions)}
    tables["profiles"] = profile_table(told, found, logarithms)
    tables |= _information(found, space, told, X[0])
    findings = _findings(found, told, space, X[0], logarithms)
    within = told.X[told.loss <= told.limit]
    least, left = float(told.loss.min()), max(1.0, told.rows - max(1, told.determined))
    if found.noises:
        findings["negative_log_likelihood"] = found.negative_log_likelihood(told.least, X[0])
    if entry.get("sample"):
        tables["posterior"], findings["sample"] = sampled(found, space, told, entry["sample"], logarithms, rng)
    if found.model.traceable:
        tables["bands"] = _bands(found, X[0], within, tables.get("posterior"), logarithms)
    if len(whole) > len(found.series):
        noise = forecasts.noise(found, whole, X[0], float(np.sqrt(least * told.rows / left)))
        rows = forecast(found, whole, space, X[0], within, noise, rng)
        tables["forecast"] = rows
        findings["forecast"] = forecasts.judged(rows, found.loss)
    times: dict[str, float] = {}
    if with_derivatives and not found.series.conditions:  # each of its many solutions would be one per condition
        tables["derivatives"], tables["steps"], times, findings["reference"] = derivatives.measure(found, space, X[0])
    return Judged(tables, findings, times)


def _findings(
    found: Fit, told: profiles.Profiles, space: Space, best: np.ndarray, logarithms: Logarithms
) -> dict[str, Any]:
    """Return what rows, equations and profiles say of a fit, as plain values."""
    findings: dict[str, Any] = {
        "rows": len(found.series),
        "counted": len(found.counted),
        "notes": found.series.notes,
        "logarithmic": losses.scale(found.loss) != "values",
    }
    if found.model.own:
        findings["solving"] = solved(found, space, best)
    if told.better:
        values = dict(zip(space.names, logarithms.undone(told.best[None])[0].tolist(), strict=True))
        findings["better"] = {"loss": told.least, "searched": told.searched, "parameters": values}
    if found.series.conditions:
        findings["conditions"] = by_condition.residuals(found, best)
    return findings | {
        "parameters": [_undone(row, found.logs, found.names) for row in profiles.findings(told, found, space)],
        "determined": told.determined,
        "directions": told.directions.tolist(),
        "residuals": told.rows,
        "limit": told.limit,
    }


def _information(found: Fit, space: Space, told: profiles.Profiles, best: np.ndarray) -> dict[str, pd.DataFrame]:
    """Return which parameters are not told apart at the best fit, and which data tells which; nothing where no data
    tells anything."""
    names = [name for name, free in zip(found.names, space.free, strict=True) if free]
    variance = found.variance(told.least, max(1.0, told.rows - len(names)))
    data = information.sources(found, space, best, variance)
    if not data:
        return {}
    return {"correlations": information.correlations(names, data), "information": information.lost(names, data)}


def _bands(
    found: Fit, best: np.ndarray, within: np.ndarray, drawn: pd.DataFrame | None, logarithms: Logarithms
) -> pd.DataFrame:
    """Return the band of the fitted series: by draws from the posterior, where there are some."""
    if drawn is None:
        return bands.table(found, np.concatenate([best[None], within]), drawn=False)
    X = logarithms.taken(drawn[[f"x.{name}" for name in found.names]].to_numpy(float))
    return bands.table(found, X, drawn=True)


def sampled(
    found: Fit,
    space: Space,
    told: profiles.Profiles,
    entry: dict[str, int],
    logarithms: Logarithms,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return draws from the posterior, a row each, and what they say of the parameters."""
    begin = np.concatenate([told.best[None], told.X[told.loss <= told.limit]])
    drawn = posterior.sample(found, space, begin, entry, rng)
    chains, draws, width = drawn.values.shape
    X = logarithms.undone(drawn.values.reshape(-1, width))
    frame = pd.DataFrame(X, columns=[f"x.{name}" for name in found.names])
    frame.insert(0, "chain", np.repeat(np.arange(chains), draws))
    frame.insert(1, "draw", np.tile(np.arange(draws), chains))
    return frame, posterior.summary(drawn, X.reshape(chains, draws, width), found.names, space)


def solved(found: Fit, space: Space, best: np.ndarray) -> dict[str, Any]:
    """Return how the equations of a user's model were solved, and what their solver may have overlooked at the best
    parameters (d,)."""
    findings: dict[str, Any] = {"unmoved": overlooked.unmoved(found, best, space.low, space.high)}
    if isinstance(found.model, Curve):
        return findings
    s, stops = found.series, found.course.stops
    return findings | {
        "apart": overlooked.apart(found, best),
        "implicit": found.implicit,
        "between": stops[~np.isin(stops, s.times)].tolist(),
        "unit": s.clock.unit,
        "zero": clock.said(s.clock.zero) if s.clock.seconds else "",
        "start": s.start,
    }


def fitted(found: Fit, whole: Series, X: np.ndarray, solutions: pd.DataFrame) -> pd.DataFrame:
    """Return observed and fitted series of the best candidates (n, d), a row a time and series."""
    parts = []
    n, rows = len(found.series), len(whole)
    used = np.concatenate([found.weights > 0, np.zeros(rows - n, bool)])
    of: dict[str, Any] = {}
    if whole.conditions:
        of = {"condition": np.array(whole.conditions.names, object)[whole.condition]}
    keys = solutions[["seed", "inverter", "start", "predicted_loss"]].to_dict("records")
    for k, (key, Y) in enumerate(zip(keys, found.curves(X, whole), strict=True)):
        for j, series in enumerate(whole.names):
            parts.append(
                pd.DataFrame(
                    {
                        **key,
                        "candidate": k + 1,
                        "series": series,
                        **of,
                        "time": whole.times,
                        "date": whole.dates or [""] * rows,
                        "observed": whole.values[:, j],
                        "fitted": Y[:, j],
                        "in_loss": used,
                        "held_out": np.arange(rows) >= n,
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)


def profile_table(found: profiles.Profiles, fitted: Fit, logarithms: Logarithms) -> pd.DataFrame:
    X = logarithms.undone(found.X)
    others = {f"x.{name}": X[:, j] for j, name in enumerate(fitted.names)}
    names = [fitted.names[j] for j in found.parameter]
    held = np.where(logarithms.mask[found.parameter], 10.0**found.value, found.value)
    return pd.DataFrame({"parameter": names, "value": held, "loss": found.loss, **others})


def _undone(row: dict[str, Any], logs: tuple[bool, ...], names: tuple[str, ...]) -> dict[str, Any]:
    """Return a parameter's row with the ends of its interval, where they are of its logarithm, as they are."""
    if not (logs and logs[names.index(row["parameter"])]):
        return row
    return {**row, "logarithmic": True, **{end: float(10.0 ** row[end]) for end in ("low", "high")}}


def forecast(
    found: Fit,
    whole: Series,
    space: Space,
    best: np.ndarray,
    within: np.ndarray,
    noise: np.ndarray,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return forecasts of the held-out rows: by the fit, by one to the whole series, and naive ones."""
    ahead = whole.times[len(found.series) :]
    parts = [forecasts.table("this fit", found, whole, forecasts.forecast(found, whole, within, best, noise))]
    everything = found.over(found.series, None, "equal")
    if found.model.traceable and not np.allclose(everything.weights, found.weights):
        X0 = polytope.sample(space, STARTS, rng, "latin_hypercube")
        ends = engine.search(everything, space, X0, space.free, profiles.steps_for(everything, best))
        order = np.argsort(np.where(np.isfinite(ends.loss), ends.loss, np.inf), kind="stable")
        near = ends.X[order][ends.loss[order] <= everything.as_good_as(ends.loss[order[0]])]
        spread = forecasts.noise(everything, whole, ends.X[order[0]], float(np.sqrt(ends.loss[order[0]])))
        value = forecasts.forecast(everything, whole, near, ends.X[order[0]], spread)
        parts.append(forecasts.table("fit to the whole series", everything, whole, value))
    for name, values in forecasts.naive(found.series, ahead).items():
        parts.append(
            forecasts.table(name, found, whole, {"value": np.maximum(values, 0) if _counts(found) else values})
        )
    return pd.concat(parts, ignore_index=True)


def _counts(found: Fit) -> bool:
    return losses.scale(found.loss) != "values" or bool(found.noises and likelihoods.LIKELIHOODS[found.loss].counts)
