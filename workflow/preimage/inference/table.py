"""Answers as tables, and back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from preimage.inference.answer import Estimate, Trained
from preimage.inference.checks.weighted import moments, resampled
from preimage.inference.simulator import Simulator
from preimage.support.errors import StudyError, without_secrets

# Sets that a method is asked about in one call: methods that compile a program for many at once take no more.
TOGETHER = 32
# Most letters of what a method says of its failure.
MESSAGE = 200
# The folders of an absolute path: they say where this ran, not what went wrong.
FOLDERS = re.compile(r"(?<![\w.:/])(?:~|[A-Za-z]:)?[/\\](?:[^\s'\":;,/\\]+[/\\])+")


def ask(
    trained: Trained, x: np.ndarray, rng: np.random.Generator, report: Any = None, state: Path | None = None
) -> list[Estimate]:
    """Return the answer to each of the sets (sets, n, D), asked some at a time; one that raises is an answer with a
    status, and costs the others nothing. What a user's simulator does against its word is raised as a StudyError.

    Args:
        state: a folder for methods that train anew for each set, from which they go on after a kill.
    """
    if state is not None and hasattr(trained, "keeping"):
        trained = trained.keeping(state)
    found: list[Estimate] = []
    blocks = range(0, len(x), TOGETHER)
    for k, own in zip(blocks, rng.spawn(len(blocks)), strict=True):
        found += _asked(trained, x[k : k + TOGETHER], own)
        if report is not None:
            report(len(found), float("nan"))
    return found


def _asked(trained: Trained, x: np.ndarray, rng: np.random.Generator) -> list[Estimate]:
    from preimage.inference.callback import told_plainly

    try:
        with told_plainly():
            return trained.infer(x, rng)
    except StudyError:
        raise
    except Exception as error:
        if len(x) > 1:
            return [
                answer
                for one, own in zip(x, rng.spawn(len(x)), strict=True)
                for answer in _asked(trained, one[None], own)
            ]
        return [Estimate(np.empty((0, 0)), np.empty(0), 0, status="failed", message=_said(error))]


def _said(error: Exception) -> str:
    """Return what was raised in one short line, without folders. An error of a compiled program has the trace of the
    code that it called out to, of which the last line is the error."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if any(line.endswith("Traceback (most recent call last):") for line in lines):
        said = lines[-1]
    else:
        said = ": ".join([type(error).__name__, *lines[:1]])
    return FOLDERS.sub("", without_secrets(said))[:MESSAGE]


def answered(answer: Estimate) -> bool:
    """Whether there is an answer; one that did not converge is one."""
    return answer.status != "failed"


def kept(answer: Estimate, most: int, rng: np.random.Generator) -> Estimate:
    """Return an answer with at most so many draws: resampled to equal weights where it had more."""
    if len(answer.draws) <= most:
        return answer
    return replace(answer, draws=resampled(answer.draws, answer.weights, most, rng), weights=np.full(most, 1 / most))


def draws_frame(names: Sequence[Any], answers: Sequence[Estimate], parameters: Sequence[str]) -> pd.DataFrame:
    """Return a row a draw: observation, draw, weight, and the parameters."""
    parts = [
        pd.DataFrame(
            {
                "observation": [name] * len(answer.draws),
                "draw": np.arange(len(answer.draws)),
                "weight": answer.weights,
                **{f"theta.{p}": answer.draws[:, j] for j, p in enumerate(parameters)},
            }
        )
        for name, answer in zip(names, answers, strict=True)
        if answered(answer)
    ]
    empty = draws_frame_columns(parameters)
    return pd.concat(parts, ignore_index=True) if parts else empty


def draws_frame_columns(parameters: Sequence[str]) -> pd.DataFrame:
    """Return the frame of no draws at all."""
    return pd.DataFrame(
        {"observation": pd.Series(dtype=int), "draw": pd.Series(dtype=int), "weight": pd.Series(dtype=float)}
        | {f"theta.{p}": pd.Series(dtype=float) for p in parameters}
    )


def paths_frame(names: Sequence[Any], answers: Sequence[Estimate], parameters: Sequence[str]) -> pd.DataFrame:
    """Return a row a step of each proposal's way: observation, step, mean and sd of each parameter."""
    parts = []
    for name, answer in zip(names, answers, strict=True):
        if answer.path is not None:
            mean, sd = answer.path
            columns = {f"mean.{p}": mean[:, j] for j, p in enumerate(parameters)}
            columns |= {f"sd.{p}": sd[:, j] for j, p in enumerate(parameters)}
            parts.append(pd.DataFrame({"observation": [name] * len(mean), "step": np.arange(len(mean)), **columns}))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def about(names: Sequence[Any], answers: Sequence[Estimate]) -> list[dict[str, Any]]:
    """Return what there is to say of each answer beside its draws."""
    return [
        {
            "observation": name,
            "simulations": answer.simulations,
            "point": answer.point,
            "status": answer.status,
            "message": answer.message,
        }
        for name, answer in zip(names, answers, strict=True)
    ]


def restored(draws: pd.DataFrame, rows: Sequence[Mapping[str, Any]], parameters: Sequence[str]) -> list[Estimate]:
    """Return the answers that were saved, without densities and paths."""
    grouped = dict(tuple(draws.groupby("observation", sort=False)))
    columns = [f"theta.{p}" for p in parameters]
    found = []
    for row in rows:
        mine = grouped.get(row["observation"], draws.iloc[:0])
        found.append(
            Estimate(
                mine[columns].to_numpy(float),
                mine["weight"].to_numpy(float),
                row["simulations"],
                point=row["point"],
                status=row["status"],
                message=row["message"],
            )
        )
    return found


def equal_draws(
    draws: pd.DataFrame, names: Sequence[Any], parameters: Sequence[str], rng: np.random.Generator
) -> list[np.ndarray]:
    """Return the draws (k, d) of each observation, resampled where their weights differ."""
    found = []
    for name in names:
        mine = draws[draws["observation"] == name]
        theta, weights = mine[[f"theta.{p}" for p in parameters]].to_numpy(float), mine["weight"].to_numpy(float)
        found.append(resampled(theta, weights, len(theta), rng) if len(theta) else theta)
    return found


def paths_of(paths: pd.DataFrame, names: Sequence[Any], parameters: Sequence[str]) -> list[Any]:
    """Return the way of each observation's proposals as it was saved: means and sds (steps, d), or None."""
    if paths.empty:
        return [None] * len(names)
    grouped = dict(tuple(paths.groupby("observation", sort=False)))
    columns = [[f"{key}.{p}" for p in parameters] for key in ("mean", "sd")]
    return [tuple(grouped[name][c].to_numpy(float) for c in columns) if name in grouped else None for name in names]


def moments_of(answer: Estimate, simulator: Simulator, truth: np.ndarray | None) -> dict[str, float | None]:
    """Return mean, sd and true value of each parameter, and of what is derived from them; None where unknown."""
    names = [*simulator.prior.names, *simulator.derived]
    known = None if truth is None else with_derived(truth[None], simulator)[0]
    out: dict[str, float | None] = {}
    fine = answered(answer)
    if fine:
        mean, covariance = moments(with_derived(answer.draws, simulator), answer.weights)
    for j, name in enumerate(names):
        out[f"mean.{name}"] = float(mean[j]) if fine else None
        out[f"sd.{name}"] = float(np.sqrt(covariance[j, j])) if fine and not answer.point else None
        out[f"true.{name}"] = None if known is None else float(known[j])
    return out


def with_derived(theta: np.ndarray, simulator: Simulator) -> np.ndarray:
    """Return parameters (k, d) with what is derived from them as further columns (k, d + q)."""
    return np.column_stack([theta, *(np.asarray(f(theta), dtype=float) for f in simulator.derived.values())])
