"""Approximate Bayesian computation in rounds, which move particles from the prior towards the posterior.

Adaptive population Monte Carlo (Lenormand, Jabot and Deffuant, "Adaptive approximate Bayesian computation for complex
models", 2013): each round proposes as many particles as the last one dropped, from a normal kernel around those kept
(twice their covariance: Beaumont, Cornuet, Marin and Robert, 2009), weighs them by prior over proposal, and keeps the
nearest half of all. No simulation is wasted on a tolerance that was set too tight. It ends with the budget, or once
few new particles are nearer than the last tolerance. Particles live on the scale where the prior is standard normal, so
that no proposal leaves it; those of the last round are adjusted by regression.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import logsumexp

from preimage.inference.answer import Estimate, Task, Trained, Untrained, failed
from preimage.inference.kinds.abc_smc import AbcSmc as Options
from preimage.inference.methods import budget, statistics
from preimage.support.progress import ALONE, TrainingContext

# Particles: the fewest and the most of a population, which is made so large that the budget allows so many rounds.
FEWEST, MOST, ROUNDS = 100, 4000, 12
# A round where fewer of the new particles than this are nearer than the last tolerance is the last.
WORTH = 0.02


def train(task: Task, options: Options, rng: np.random.Generator, context: TrainingContext = ALONE) -> Trained:
    """Return the method; nothing is trained. Raises StudyError for a budget below a population of FEWEST sets."""
    return restored(task, options, {})


def restored(task: Task, options: Options, arrays: Mapping[str, np.ndarray]) -> Trained:
    batch = FEWEST * task.size
    sets = budget.batches(options.simulations, batch, f"a population of {FEWEST} sets of {task.size}") * FEWEST
    simulated = statistics.Simulated(task)
    return Untrained(lambda x, rng: _ask(task, simulated, sets, x, rng))


def _ask(task: Task, simulated: statistics.Simulated, sets: int, x: np.ndarray, rng: np.random.Generator) -> Estimate:
    prior = task.simulator.prior
    d = len(prior.names)
    observed = simulated.of(x[None])[0]
    if np.isnan(observed).any():
        return failed(d, "the set has samples that failed (NaN): its statistics are not known")
    population = int(np.clip(2 * sets // (ROUNDS + 1), FEWEST, MOST))
    keep = population // 2

    w = rng.standard_normal((population, d))
    found = simulated(rng, prior.from_normal(w))
    used, scale = population, statistics.scales(found)
    far = statistics.distances(found, observed, scale)
    log_weight = np.zeros(population)
    while True:
        nearest = np.argsort(far, kind="stable")[:keep]
        w, found, far, log_weight = w[nearest], found[nearest], far[nearest], log_weight[nearest]
        if not np.isfinite(far[-1]):
            return failed(d, f"fewer than {keep} of {used:,} simulated sets did not fail", used * task.size)
        if used + keep > sets:
            break
        new, log_new = _moved(w, log_weight, keep, rng)
        statistic = simulated(rng, prior.from_normal(new))
        distance = statistics.distances(statistic, observed, scale)
        used += keep
        worth = (distance < far[-1]).mean()
        w, found = np.concatenate([w, new]), np.concatenate([found, statistic])
        far, log_weight = np.concatenate([far, distance]), np.concatenate([log_weight, log_new])
        if worth < WORTH:
            nearest = np.argsort(far, kind="stable")[:keep]
            w, found, log_weight = w[nearest], found[nearest], log_weight[nearest]
            break
    weights = np.exp(log_weight - logsumexp(log_weight))
    moved = statistics.adjusted(prior, prior.from_normal(w), weights, (found - observed) / scale)
    return Estimate(moved, weights, used * task.size)


def _moved(
    w: np.ndarray, log_weight: np.ndarray, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return new particles (count, d) from the kernel around those kept, and their log weights (count,)."""
    weights = np.exp(log_weight - logsumexp(log_weight))
    d = w.shape[1]
    about = w - weights @ w
    covariance = 2 * (about * weights[:, None]).T @ about + 1e-12 * np.eye(d)
    root = np.linalg.cholesky(covariance)
    new = w[rng.choice(len(w), count, p=weights)] + rng.standard_normal((count, d)) @ root.T
    # In units of the kernel, where it is round.
    ours, theirs = np.linalg.solve(root, new.T).T, np.linalg.solve(root, w.T).T
    squares = cdist(ours, theirs, "sqeuclidean")
    proposal = logsumexp(np.log(np.maximum(weights, 1e-300)) - squares / 2, axis=1) - np.log(np.diag(root)).sum()
    return new, -(new**2).sum(axis=1) / 2 - proposal
