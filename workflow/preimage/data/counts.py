"""What counts say of themselves: cases that have yet to begin, cumulative counts that fall, and ones that can't be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from preimage.core.dynamics import Model
from preimage.data import clock
from preimage.support import digits
from preimage.support.errors import StudyError, did_you_mean

# Losses of values of any sign, and of counts.
SIGNED, WHOLE = ("mse", "normal", "laplace"), ("poisson", "negative_binomial")


def from_first(frame: pd.DataFrame, spec: Mapping[str, Any], model: Model, places: Mapping[str, str]) -> pd.DataFrame:
    """Return the rows from the first with as many of the first cumulative series as the study asks."""
    since = next((name for name in model.observed if name in model.cumulative), None)
    if since is None:
        return frame
    least = float(spec.get("since", 1))
    reached = np.flatnonzero(frame[since].to_numpy() >= least)
    if not len(reached):
        most = digits.plain(frame[since].max())
        raise StudyError(f"{places[since]}: no row reaches {digits.plain(least)} (its largest is {most})")
    return frame.iloc[reached[0] :].reset_index(drop=True)


def risen(
    frame: pd.DataFrame, spec: Mapping[str, Any], model: Model, places: Mapping[str, str]
) -> tuple[pd.DataFrame, list[str]]:
    """Return counts as the study's policy wants those that fall: refused, kept, or lifted to the highest so far."""
    policy, notes = spec.get("falling", "refuse"), list[str]()
    for name in sorted(model.cumulative):
        falls = np.flatnonzero(np.diff(frame[name].ffill().to_numpy()) < 0)
        if not len(falls):
            continue
        k = int(falls[0])
        high, low = (digits.plain(v) for v in frame[name].ffill().iloc[[k, k + 1]])
        said = f"falls from {high} to {low} on {clock.said(frame['time'].iloc[k + 1])}"
        if policy == "refuse":
            raise StudyError(
                f"{places[name]}: a cumulative count {said} ({len(falls)} rows fall); "
                "set 'falling: lift' to use the highest so far, or 'falling: keep' to leave it"
            )
        notes.append(f"{name} {said} ({len(falls)} rows fall); policy: {policy}")
        if policy == "lift":
            frame = frame.assign(**{name: frame[name].cummax()})
    return frame, notes


def check(
    values: np.ndarray, spec: Mapping[str, Any], model: Model, places: Mapping[str, str], population: float | None
) -> None:
    """Raise StudyError for values (n, m) that are not there, or can't be taken by the loss or the model."""
    for k, name in enumerate(model.observed):
        there = values[:, k][~np.isnan(values[:, k])]
        if not len(there):
            raise StudyError(f"{places[name]}: found no value in any row")
        if name in model.begins and np.isnan(values[0, k]):
            raise StudyError(f"{places[name]}: found no value in the first row, which the model begins with")
        low = there.min()
        if spec["loss"] in WHOLE and (there % 1 != 0).any():
            fraction = digits.plain(there[there % 1 != 0][0])
            raise StudyError(f"{places[name]}: found {fraction}, expected whole numbers (loss {spec['loss']})")
        if low < 0 and (spec["loss"] not in SIGNED or name in model.cumulative):
            raise StudyError(
                f"{places[name]}: found {digits.plain(low)}, expected no negative value (loss {spec['loss']})"
            )
        if low <= 0 and spec["loss"] in ("log", "log_normal"):
            raise StudyError(
                f"{places[name]}: found {digits.plain(low)}, expected values above 0 (loss {spec['loss']})"
            )
        if name in used(spec, model) and name in model.cumulative and not there.any():
            raise StudyError(
                f"{places[name]}: every value is 0, which carries no information; exclude it with 'outputs'"
            )
    if not model.population:
        return
    if population is None:
        raise StudyError("population: missing; the model needs one")
    most = np.nanmax(values)
    if population < most:
        raise StudyError(
            f"population: found {digits.plain(population)}, fewer than the {digits.plain(most)} cases of "
            f"{places[model.observed[0]]}"
        )


def used(spec: Mapping[str, Any], model: Model) -> list[str]:
    """Return the series that a loss takes. Raises StudyError for one that the model hasn't."""
    names = list(spec.get("outputs") or model.observed)
    for name in names:
        if name not in model.observed:
            raise StudyError(f"outputs: the model has no series '{name}'{did_you_mean(name, model.observed)}")
    return names
