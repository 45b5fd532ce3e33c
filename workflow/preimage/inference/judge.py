"""What is found of a method: of its answers to the observed sets, and of those to fresh sets whose parameters are
known. Draws alone are judged where a method gives no density."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from preimage.inference.answer import Bank, Estimate, Task, Trained
from preimage.inference.checks import coverage, identifiability, misspecification, predictive, sbc, tarp, uniformity
from preimage.inference.checks.c2st import c2st
from preimage.inference.checks.features import features, scale
from preimage.inference.checks.weighted import resampled
from preimage.inference.observations import Observed
from preimage.inference.table import answered, moments_of

LEVEL = 0.9
# Observed sets of which figures are drawn, and how much is simulated from an answer for them.
SHOWN, SHOWN_SETS, SHOWN_SAMPLES = 3, 40, 20_000
# Draws of an answer that is compared with a reference: fewer look like those of any posterior, and each drawn several
# times like those of none.
FEWEST_COMPARED = 1000


# -- observed sets -----------------------------------------------------------------------------------------------------


def novelty(x: np.ndarray, fresh: Bank) -> list[float] | None:
    """Return the p-value of each observed set (sets, n, D) for coming from prior and simulator; None where there are
    too few fresh sets to say."""
    try:
        return [float(p) for p in misspecification.learn(fresh.x).p_value(x)]
    except ValueError:
        return None


def observed(
    task: Task, sets: Observed, answers: Sequence[Estimate], count: int, rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Return the findings of each answer: posterior predictive check, C2ST against a reference, and what is identified.

    Args:
        count: sets simulated from each answer.
    """
    found = []
    for k, (answer, own) in enumerate(zip(answers, rng.spawn(len(answers)), strict=True)):
        row: dict[str, Any] = {"observation": sets.names[k]}
        if answered(answer):
            row |= _predicted(task, sets.x[k], answer, count, own)
            row |= {"directions": [] if answer.point else _directions(task, [answer])}
            if sets.references:
                row |= _against(sets.references[k], answer, own)
        found.append(row)
    return found


def simulate_from(task: Task, answer: Estimate, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return sets (count, n, D), each simulated at a draw of an answer."""
    return task.simulator.draw(rng, resampled(answer.draws, answer.weights, count, rng), task.size)


def _predicted(task: Task, x: np.ndarray, answer: Estimate, count: int, rng: np.random.Generator) -> dict[str, Any]:
    found = predictive.check(x, simulate_from(task, answer, count, rng), rng)
    return {
        "predictive_error": found.distance,
        "predictive_typical": found.typical,
        "predictive_p": found.p_value,
        "predictive_failed": found.failed,
    }


def _against(reference: np.ndarray, answer: Estimate, rng: np.random.Generator) -> dict[str, Any]:
    """Return C2ST, or the reason why it is not measured."""
    if answer.point:
        return {"c2st_missing": "a point, not draws"}
    if len(answer.draws) < FEWEST_COMPARED:
        return {"c2st_missing": f"{len(answer.draws):,} draws, of which its classifier needs {FEWEST_COMPARED:,}"}
    return {"c2st": _apart(reference, answer, rng)}


def _apart(reference: np.ndarray, answer: Estimate, rng: np.random.Generator) -> float:
    count = min(len(reference), len(answer.draws))
    return c2st(reference[:count], resampled(answer.draws, answer.weights, count, rng))


def _directions(task: Task, answers: Sequence[Estimate]) -> list[dict[str, Any]]:
    """Return the principal directions of answers, widest first: unit vector and width, as a share of the prior's."""
    matrices = [identifiability.covariance(task.simulator.prior.to_z(a.draws), a.weights) for a in answers]
    return [{"vector": d.vector, "width": d.width} for d in identifiability.directions(matrices)]


def shown(
    task: Task, answers: Sequence[Estimate], paths: Sequence[np.ndarray | None], rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return samples for figures of the first answers: `predictive.<k>` (m, D), pooled over draws of answer k, and
    where proposals had a way, `way.<k>` (steps, n, D), simulated at the mean of each.

    Args:
        paths: means of the proposals (steps, d) of each answer; None where there is no way.
    """
    found = {}
    prior = task.simulator.prior
    for k, (answer, path) in enumerate(zip(answers[:SHOWN], paths[:SHOWN], strict=True)):
        if answered(answer):
            sets = simulate_from(task, answer, max(1, min(SHOWN_SETS, SHOWN_SAMPLES // task.size)), rng)
            found[f"predictive.{k}"] = sets.reshape(-1, sets.shape[-1])
            if path is not None and np.isfinite(path).all():
                # A proposal may lie beyond a uniform prior, where nothing is simulated.
                found[f"way.{k}"] = task.simulator.draw(rng, prior.from_z(prior.to_z(path)), task.size)
    return found


def untrained(task: Task, x: np.ndarray, blank: Trained, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return what figures show of a network before its training, for the first of the sets (sets, n, D): the way of
    its proposals, `untrained_mean.<k>` and `untrained_sd.<k>` (steps, d), and `untrained.<k>` (steps, n, D), simulated
    at their means. Nothing of proposals of one step. Raises StudyError for what a user's simulator may not do."""
    from preimage.inference.callback import told_plainly

    found, prior = {}, task.simulator.prior
    with told_plainly():
        answers = blank.infer(x[:SHOWN], rng)
    for k, answer in enumerate(answers):
        if answer.path is not None and len(answer.path[0]) > 1 and np.isfinite(answer.path[0]).all():
            found[f"untrained_mean.{k}"], found[f"untrained_sd.{k}"] = answer.path
            found[f"untrained.{k}"] = task.simulator.draw(rng, prior.from_z(prior.to_z(answer.path[0])), task.size)
    return found


# -- fresh sets --------------------------------------------------------------------------------------------------------


def fresh(
    task: Task, known: Bank, answers: Sequence[Estimate], rng: np.random.Generator
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return the findings of answers to sets whose parameters are known, and a row a set.

    Ranks (SBC), levels of the region of highest density (expected coverage) and of TARP are all uniform where answers
    are exact; a method that gives points has errors only.
    """
    simulator = task.simulator
    rows = [_errors(k, truth, answer, task) for k, (truth, answer) in enumerate(zip(known.theta, answers, strict=True))]
    table = pd.DataFrame(rows)
    fine = np.array([answered(a) for a in answers], bool)
    points = [a.point for a in answers if answered(a)]
    found: dict[str, Any] = {"sets": len(answers), "failed": int((~fine).sum()), "point": bool(points and all(points))}
    if not fine.any():
        return found, table
    prior = simulator.prior.sample(rng, 10_000).std(axis=0)
    found["error"] = {
        name: float(np.sqrt(np.nanmean((table[f"mean.{name}"] - table[f"true.{name}"]) ** 2)))
        for name in [*simulator.prior.names, *simulator.derived]
    }
    found["prior_sd"] = dict(zip(simulator.prior.names, map(float, prior), strict=True))
    if "score" in table:
        found["score"] = float(table["score"].mean())
    if not found["point"]:
        good = [a for a in answers if answered(a)]
        found |= _calibration(task, Bank(known.theta[fine], known.x[fine]), good, table, fine, rng)
    return found, table


def _errors(number: int, truth: np.ndarray, answer: Estimate, task: Task) -> dict[str, Any]:
    row: dict[str, Any] = {"set": number, "status": answer.status, "message": answer.message}
    row |= {"simulations": answer.simulations, **moments_of(answer, task.simulator, truth)}
    if answered(answer) and answer.log_density is not None and not answer.point:
        row["score"] = -float(answer.log_density(truth[None])[0])
    return row


def _calibration(
    task: Task, known: Bank, answers: list[Estimate], table: pd.DataFrame, fine: np.ndarray, rng: np.random.Generator
) -> dict[str, Any]:
    """Return what ranks, coverage and TARP say; their values are added to the table, set by set."""
    simulator, truths = task.simulator, known.theta
    draws, weights = [a.draws for a in answers], [a.weights for a in answers]
    likelihood = simulator.log_likelihood
    more = [] if likelihood is None else [lambda i, theta: likelihood(known.x[i], theta)]
    names = [*simulator.prior.names, *(["log likelihood"] if more else [])]
    ranks = sbc.ranks(truths, draws, weights, rng, more)
    densities = [a.log_density for a in answers]
    z_truths, z_draws = simulator.prior.to_z(truths), [simulator.prior.to_z(d) for d in draws]
    if all(d is not None for d in densities):
        levels = coverage.by_density(truths, [d for d in densities if d is not None], draws, weights, rng)
    else:
        levels = coverage.by_draws(z_truths, z_draws, weights, rng)
    places = tarp.near(z_truths, features(known.x, scale(known.x)), rng)
    balls = tarp.levels(z_truths, z_draws, weights, places, rng)
    by_name = {f"rank.{name}": column for name, column in zip(names, ranks.T, strict=True)}
    for name, values in {"level": levels, "tarp": balls, **by_name}.items():
        table.loc[fine, name] = values
    held = coverage.coverage(levels, LEVEL)
    return {
        "coverage": {**held._asdict(), "error": held.error},
        "sbc_p": dict(zip(names, map(float, sbc.p_values(ranks)), strict=True)),
        "tarp_p": float(uniformity.p_value(balls)),
        "by_density": all(d is not None for d in densities),
        "directions": _directions(task, answers),
    }
