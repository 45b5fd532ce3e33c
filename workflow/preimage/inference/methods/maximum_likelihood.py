"""Maximum likelihood inside the prior's support, by bounded multistart on the known likelihood; a point.

The search is in the prior's cumulative probabilities, a unit cube whatever the margins are. The best of many places
start L-BFGS-B (Byrd, Lu, Nocedal and Zhu, 1995) with central differences; Nelder and Mead's simplex (1965) polishes the
winner, because a likelihood may jump where the support of the samples ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import optimize
from scipy.stats import qmc

from preimage.inference.answer import Estimate, Task, Trained, Untrained, failed
from preimage.inference.kinds.maximum_likelihood import MaximumLikelihood as Options
from preimage.inference.methods import likelihood
from preimage.support.progress import ALONE, TrainingContext

PLACES = 1024
# Of the cube's edge: the step of differences, and what is kept from its ends.
STEP, EDGE = 1e-6, 1e-9


def train(task: Task, options: Options, rng: np.random.Generator, context: TrainingContext = ALONE) -> Trained:
    """Return the method; nothing is trained. Raises StudyError where the likelihood is not known."""
    return restored(task, options, {})


def restored(task: Task, options: Options, arrays: Mapping[str, np.ndarray]) -> Trained:
    likelihood.needed(task.simulator, "maximum_likelihood")
    return Untrained(lambda x, rng: _ask(task, options.starts, x, rng))


def _ask(task: Task, starts: int, x: np.ndarray, rng: np.random.Generator) -> Estimate:
    prior = task.simulator.prior
    if np.isnan(x).any():
        return failed(len(prior.names), "the set has samples that failed (NaN): its likelihood is not known")
    log_likelihood = likelihood.of(task.simulator, x)
    d = len(prior.names)
    places = np.clip(qmc.Sobol(d, rng=rng).random(PLACES), EDGE, 1 - EDGE)
    values = -log_likelihood(prior.quantile(places))
    if not np.isfinite(values).any():
        return failed(d, "the likelihood is 0 everywhere that was tried: no parameter explains the samples")
    # L-BFGS-B needs numbers everywhere; where the likelihood is 0 it sees the worst of the places, and more.
    worst = 2 * np.abs(values[np.isfinite(values)]).max() + 1e3

    def loss(u: np.ndarray) -> np.ndarray:
        return np.minimum(-log_likelihood(prior.quantile(np.clip(u, EDGE, 1 - EDGE))), worst)

    def with_gradient(u: np.ndarray) -> tuple[float, np.ndarray]:
        steps = STEP * np.eye(d)
        all_of_them = loss(np.concatenate([u[None], u + steps, u - steps]))
        return all_of_them[0], (all_of_them[1 : d + 1] - all_of_them[d + 1 :]) / (2 * STEP)

    bounds = [(EDGE, 1 - EDGE)] * d
    found = [
        optimize.minimize(with_gradient, places[k], jac=True, method="L-BFGS-B", bounds=bounds)
        for k in np.argsort(values, kind="stable")[:starts]
    ]
    best = _polished(loss, min(found, key=lambda f: f.fun), bounds)
    return Estimate(prior.quantile(best)[None], np.ones(1), 0, point=True)


def _polished(loss: Any, best: Any, bounds: list[tuple[float, float]]) -> np.ndarray:
    """Return the end (d,) of simplex searches from `best`, each from the last one's end until none gains."""
    u, value = best.x, best.fun
    for edge in (1e-2, 1e-3, 1e-4):
        simplex = np.concatenate(
            [u[None], np.where(u + edge * np.eye(len(u)) < 1, u + edge * np.eye(len(u)), u - edge)]
        )
        options = {"initial_simplex": simplex, "xatol": 1e-10, "fatol": 1e-10, "maxfev": 400 * len(u)}
        found = optimize.minimize(lambda v: loss(v[None])[0], u, method="Nelder-Mead", bounds=bounds, options=options)
        if found.fun < value:
            u, value = found.x, found.fun
    return np.asarray(u)
