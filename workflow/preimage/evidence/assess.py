"""Candidates judged: re-simulated, given intervals and a domain score, and ranked by the truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from preimage.core import candidates
from preimage.core.candidates import CASE, DOMAIN_LIMIT, NOT_RUN, UNTRUE, inputs_of
from preimage.core.domain import Domain
from preimage.core.formulas import NONE, Formulas
from preimage.core.judging import judged, tolerant
from preimage.core.objective import Draws, Objective, Varied
from preimage.core.sizes import FIRST
from preimage.core.space import Space
from preimage.evidence.chance import Outlook, with_chance
from preimage.evidence.recommend import distinct_solutions
from preimage.problems.calls import attempt
from preimage.problems.loading import Problem
from preimage.support import spending
from preimage.support.spending import Simulator
from preimage.surrogates.intervals import Intervals
from preimage.surrogates.metrics import coverage
from preimage.surrogates.protocol import Surrogate

# A candidate's surrogate where the simulator itself was searched.
SIMULATOR = "simulator"


def points(frame: pd.DataFrame, space: Space) -> tuple[np.ndarray, np.ndarray]:
    """Return which rows hold a point (n,), and those points (k, d)."""
    has = frame["predicted_loss"].notna().to_numpy()
    part = frame.loc[has, ["x." + n for n in space.names]].rename(columns=lambda c: c[2:])
    return has, space.encode(part)


def assess(
    frame: pd.DataFrame,
    space: Space,
    models: Mapping[str, tuple[Surrogate, Intervals]],
    rows: np.ndarray,
    simulator: Problem | None,
    objectives: Mapping[str, Objective],
    outputs: list[str],
    formulas: Formulas = NONE,
    draws: Mapping[str, Draws] | None = None,
    outlooks: Mapping[str, Outlook] | None = None,
    most: int | None = None,
) -> pd.DataFrame:
    """Return the whole table of candidates, typed: with intervals, chances, domain score and, where it can be had, the
    truth.

    Args:
        models: each surrogate with its intervals, both of the outputs without formulas.
        rows: the training rows (n, d).
        simulator, objectives, outputs: with formulas as further outputs.
        draws: how inputs vary, by objective with variation.
        outlooks: what outputs may turn out to be, by surrogate.
        most: points to simulate at most; all where it is None.
    """
    frame = with_intervals(frame, space, models, outputs, formulas)
    frame = with_chance(frame, space, outlooks or {}, objectives, draws or {})
    frame = with_domain(frame, space, rows)
    if simulator is not None:
        order = None if most is None else _preferred(frame, space, objectives, outputs)
        frame = resimulate(frame, space, simulator.simulate, objectives, outputs, draws, most, order)
    return candidates.typed(frame, space.names, outputs)


def resimulate(
    frame: pd.DataFrame,
    space: Space,
    simulate: Simulator,
    objectives: Mapping[str, Objective],
    outputs: list[str],
    draws: Mapping[str, Draws] | None = None,
    most: int | None = None,
    order: np.ndarray | None = None,
) -> pd.DataFrame:
    """Return the table with `simulated.` columns, `simulated_loss` and `true_rank`, in a study with limits
    `simulated_violation`, and where a candidate has no truth `simulated_message`, which says why; equal points are run
    once.

    Where inputs vary, the first ten of each case are run at all their draws, and the others have no true loss.

    Args:
        most: points to run at most, all where it is None; what was searched on the simulator is not run again then.
        order: in which candidates are run then (n,), the smallest number first.
    """
    Y, why = _truth(frame, space, simulate, outputs, most, order)
    left = None if most is None else spending.account().left
    frame = frame.assign(**{f"simulated.{o}": Y[:, k] for k, o in enumerate(outputs)})
    if any(why):
        frame = frame.assign(**{UNTRUE: [w or None for w in why]})
    nothing = np.full(len(frame), np.nan)
    loss, violation, production = nothing.copy(), nothing.copy(), dict[str, np.ndarray]()
    for name, wanted in objectives.items():
        mine = (frame["objective"] == name).to_numpy()
        if isinstance(wanted, Varied) and draws:
            mine = mine & (frame["rank"] <= FIRST).fillna(False).to_numpy(bool)
            if left is not None:
                mine = _first(mine, frame["rank"], left // len(draws[name].absolute))
                left -= int(mine.sum()) * len(draws[name].absolute)
            first = space.encode(inputs_of(frame[mine], space))
            found = judged(wanted, draws[name], tolerant(simulate, len(outputs)), first)
            loss[mine], violation[mine] = found.loss, found.violation
            production[f"simulated_{wanted.column}"] = production.get(f"simulated_{wanted.column}", nothing.copy())
            production[f"simulated_{wanted.column}"][mine] = found.value
        else:
            loss[mine], violation[mine] = wanted.loss(Y[mine]), wanted.violation(Y[mine])
        if wanted.near:
            loss[mine] = frame["distance"][mine].where(np.isfinite(loss[mine]))
    frame = frame.assign(simulated_loss=loss, **production)
    if "violation" in frame:
        frame = frame.assign(simulated_violation=violation)
    missed = candidates.missed(frame, "simulated_")
    by = [frame[c] for c in CASE]
    return frame.assign(true_rank=candidates.ranked(_order(frame, objectives, Y), by, missed))


def _truth(
    frame: pd.DataFrame,
    space: Space,
    simulate: Simulator,
    outputs: list[str],
    most: int | None,
    order: np.ndarray | None,
) -> tuple[np.ndarray, list[str]]:
    """Return the simulator's outputs of candidates (n, m), and why some have none (n,), "" where they have or there is
    no point."""
    has, X = points(frame, space)
    Y, why = np.full((len(frame), len(outputs)), np.nan), np.full(len(frame), "", object)
    asked = has.copy()
    if most is not None:
        known = has & (frame["surrogate"] == SIMULATOR).to_numpy()
        Y[known] = frame.loc[known, [f"predicted.{o}" for o in outputs]].to_numpy(float)
        asked &= ~known
    distinct, inverse = np.unique(X[asked[has]], axis=0, return_inverse=True)
    inverse = inverse.ravel()
    run = np.ones(len(distinct), bool)
    if most is not None and order is not None:
        first = np.full(len(distinct), np.inf)
        np.minimum.at(first, inverse, order[asked])
        run[np.argsort(first, kind="stable")[most:]] = False
    found, said = np.full((len(distinct), len(outputs)), np.nan), np.full(len(distinct), NOT_RUN, object)
    if run.any():
        found[run], said[run] = attempt(simulate, distinct[run])
    Y[asked], why[asked] = found[inverse], said[inverse]
    return Y, why.tolist()


def _preferred(
    frame: pd.DataFrame, space: Space, objectives: Mapping[str, Objective], outputs: list[str]
) -> np.ndarray:
    """Return the order in which candidates are worth a simulation (n,): those to be recommended first, then by rank."""
    shown = distinct_solutions(frame, space, dict(objectives), outputs)
    shown = shown[~shown.duplicated(["surrogate", "objective"])]
    keys = [*CASE, "start"]
    recommended = pd.MultiIndex.from_frame(frame[keys]).isin(pd.MultiIndex.from_frame(shown[keys]))
    rank = frame["rank"].astype("Float64").fillna(np.inf).to_numpy(float)
    return np.where(recommended, 0.0, rank)


def _first(mine: np.ndarray, rank: pd.Series, most: int) -> np.ndarray:
    """Return which of some candidates (n,) are the first so many by rank."""
    at = np.flatnonzero(mine)
    kept = np.zeros(len(mine), bool)
    kept[at[np.argsort(rank.to_numpy(float)[at], kind="stable")][:most]] = True
    return kept


def _order(frame: pd.DataFrame, objectives: Mapping[str, Objective], Y: np.ndarray) -> pd.Series:
    """Return the numbers in whose order candidates rank by their true outputs Y (n, m): losses, but of fronts."""
    order = frame["simulated_loss"].to_numpy(copy=True)
    in_front = frame["objective"].map(lambda name: objectives[name].front)
    for case, at in frame[in_front].groupby(CASE, sort=False).indices.items():
        mine = np.flatnonzero(in_front)[at]
        order[mine] = objectives[case[CASE.index("objective")]].ranking(Y[mine])
    return pd.Series(order, frame.index)


def with_intervals(
    frame: pd.DataFrame,
    space: Space,
    models: Mapping[str, tuple[Surrogate, Intervals]],
    outputs: list[str],
    formulas: Formulas = NONE,
) -> pd.DataFrame:
    """Return the table with the prediction interval of each candidate by its own surrogate."""
    has, X = points(frame, space)
    low = np.full((len(frame), len(outputs)), np.nan)
    high = low.copy()
    position = np.flatnonzero(has)
    for name, (model, intervals) in models.items():
        mine = (frame["surrogate"].to_numpy() == name)[position]
        if mine.any():
            part = X[mine]
            own = intervals.at(model.predict(part), model.spread(part))
            low[position[mine]], high[position[mine]] = formulas.intervals(part, *own) if formulas else own
    ends = {f"interval_{end}.{o}": v[:, k] for end, v in (("low", low), ("high", high)) for k, o in enumerate(outputs)}
    return frame.assign(**ends)


def with_domain(frame: pd.DataFrame, space: Space, rows: np.ndarray) -> pd.DataFrame:
    """Return the table with `domain_score` and `in_domain`, against the training rows (n, d)."""
    has, X = points(frame, space)
    score = np.full(len(frame), np.nan)
    score[has] = Domain(space.coordinates(rows), space.one_hot).score(space.coordinates(X))
    inside = pd.Series(score <= DOMAIN_LIMIT, frame.index, dtype="boolean").where(has)
    return frame.assign(domain_score=score, in_domain=inside)


def candidate_coverage(frame: pd.DataFrame, outputs: list[str]) -> dict[str, dict[str, Any]]:
    """Return, by surrogate, the share of re-simulated candidates whose truth lies in their interval.

    `all`: every candidate; `first`: the ten that each case ranks first, where the choice of the best has its effect.
    """
    out: dict[str, dict[str, Any]] = {}
    columns = {p: [f"{p}.{o}" for o in outputs] for p in ("simulated", "interval_low", "interval_high")}
    judged = frame.dropna(subset=[c for part in columns.values() for c in part])
    for name, part in judged.groupby("surrogate", sort=False) if outputs else ():
        first = part[part["rank"] <= FIRST]
        out[str(name)] = {
            label: {
                "rows": len(rows),
                "coverage": coverage(*(rows[columns[p]].to_numpy(float) for p in columns)) if len(rows) else None,
            }
            for label, rows in (("all", part), ("first", first))
        }
    return out
