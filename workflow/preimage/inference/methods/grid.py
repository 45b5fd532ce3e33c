"""The exact posterior of up to 3 parameters, on cells that are split until the posterior's mass is resolved.

The cells tile the unit cube of the prior's cumulative probabilities, where the prior is uniform: a cell's mass is the
likelihood at its middle times its volume. To split only cells that matter, however narrow the posterior is, the
likelihood is tempered: raised to the largest power b <= 1 at which the mass spreads over enough cells (their effective
number, (sum m)^2 / sum m^2). Cells that hold too much of that mass are split in two along each axis, which allows a
higher power; once no cell holds too much at b = 1, the posterior itself is resolved.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize
from scipy.special import logsumexp

from preimage.errors import StudyError
from preimage.inference.answer import ALONE, Answer, Means, Task, Trained, Untrained, failed
from preimage.inference.methods import likelihood
from preimage.inference.prior import Prior

# By number of parameters: cells an axis at first, and the effective number of cells that is enough.
AXIS = {1: 512, 2: 64, 3: 24}
ENOUGH = {1: 400, 2: 3000, 3: 8000}
# The most that one cell may hold of the mass, times the effective number that is enough.
LIGHT = 0.1
# Mass of the cells that are left out of the answer.
SLIVER = 1e-5
# The most draws of an answer.
DRAWS = 10_000
# Splits of one place: a cell's edge is then at the end of what double precision tells apart.
DEEPEST = 45
# Cells in all; a posterior that is not resolved with these is said to be not converged.
MOST = 4_000_000


def train(task: Task, spec: Mapping[str, Any], rng: np.random.Generator, means: Means = ALONE) -> Trained:
    """Return the method; nothing is trained.

    Raises StudyError where the likelihood is not known, or the parameters are more than 3.
    """
    return restored(task, spec, {})


def restored(task: Task, spec: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Trained:
    likelihood.needed(task.simulator, "grid")
    d = len(task.simulator.prior.names)
    if d not in AXIS:
        raise StudyError(f"kind grid: '{task.simulator.name}' has {d} parameters, expected at most {max(AXIS)}")
    return Untrained(lambda x, rng: _ask(task, x, rng))


@dataclass(frozen=True)
class Cells:
    """Cells of the unit cube: middles (k, d), edges 2^-level of the first ones', (k,), log likelihood there, (k,)."""

    middle: np.ndarray
    level: np.ndarray
    log_likelihood: np.ndarray

    @property
    def log_volume(self) -> np.ndarray:
        d = self.middle.shape[1]
        return -d * (np.log(AXIS[d]) + self.level * np.log(2))

    def log_mass(self, power: float = 1.0) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return np.where(np.isneginf(self.log_likelihood), -np.inf, power * self.log_likelihood) + self.log_volume

    def __getitem__(self, rows: np.ndarray) -> Cells:
        return Cells(self.middle[rows], self.level[rows], self.log_likelihood[rows])


def _ask(task: Task, x: np.ndarray, rng: np.random.Generator) -> Answer:
    prior = task.simulator.prior
    d = len(prior.names)
    if np.isnan(x).any():
        return failed(d, "the set has samples that failed (NaN): its likelihood is not known")
    log_likelihood = likelihood.of(task.simulator, x)
    cells = _first(prior, log_likelihood)
    if not np.isfinite(cells.log_likelihood).any():
        return failed(d, "the likelihood is 0 everywhere that was tried: no parameter explains the samples")
    cells, power = resolved(cells, prior, log_likelihood)
    log_mass = cells.log_mass()
    log_evidence = logsumexp(log_mass)
    kept, weights = _drawn(cells[_heaviest(log_mass)], rng)
    edge = 2.0 ** -kept.level[:, None] / AXIS[d]
    places = kept.middle + edge * rng.uniform(-0.5, 0.5, kept.middle.shape)
    # A cell may reach over the end of where the likelihood is positive; its middle does not.
    beyond = np.isneginf(log_likelihood(prior.quantile(places)))
    places[beyond] = kept.middle[beyond]
    message = (
        "" if power == 1 else f"the posterior is not resolved with {MOST:,} cells: tempered to the power {power:.3g}"
    )
    return Answer(
        prior.quantile(places),
        weights,
        0,
        log_density=lambda theta: log_likelihood(theta) + prior.log_density(theta) - log_evidence,
        status="ok" if power == 1 else "not_converged",
        message=message,
    )


def _first(prior: Prior, log_likelihood: likelihood.LogLikelihood) -> Cells:
    d = len(prior.names)
    axis = (np.arange(AXIS[d]) + 0.5) / AXIS[d]
    middle = np.stack(np.meshgrid(*[axis] * d, indexing="ij"), axis=-1).reshape(-1, d)
    return Cells(middle, np.zeros(len(middle), int), log_likelihood(prior.quantile(middle)))


def resolved(cells: Cells, prior: Prior, log_likelihood: likelihood.LogLikelihood) -> tuple[Cells, float]:
    """Split cells until none holds much of the posterior's mass; return them and the power that allowed it."""
    log_light = np.log(LIGHT / ENOUGH[len(prior.names)])
    while True:
        power = _power(cells)
        log_mass = cells.log_mass(power)
        rows = np.flatnonzero((log_mass - logsumexp(log_mass) > log_light) & (cells.level < DEEPEST))
        if not len(rows) or len(cells.level) > MOST:
            return cells, power
        cells = _split(cells, rows, prior, log_likelihood)


def _split(cells: Cells, rows: np.ndarray, prior: Prior, log_likelihood: likelihood.LogLikelihood) -> Cells:
    d = cells.middle.shape[1]
    split = cells[rows]
    corners = np.array(list(itertools.product([-0.25, 0.25], repeat=d)))
    edge = 2.0 ** -split.level[:, None, None] / AXIS[d]
    middle = (split.middle[:, None] + edge * corners).reshape(-1, d)
    level = np.repeat(split.level + 1, len(corners))
    rest = np.ones(len(cells.level), bool)
    rest[rows] = False
    whole = cells[rest]
    return Cells(
        np.concatenate([whole.middle, middle]),
        np.concatenate([whole.level, level]),
        np.concatenate([whole.log_likelihood, log_likelihood(prior.quantile(middle))]),
    )


def _power(cells: Cells) -> float:
    """Return the largest power of the likelihood at which the effective number of cells is enough."""
    enough = np.log(ENOUGH[cells.middle.shape[1]])

    def beyond(power: float) -> float:
        log_mass = cells.log_mass(power)
        return float(2 * logsumexp(log_mass) - logsumexp(2 * log_mass) - enough)

    if beyond(1.0) >= 0:
        return 1.0
    # Where the likelihood is 0 on most cells, no power spreads the mass over enough of the others.
    return float(optimize.brentq(beyond, 0.0, 1.0, xtol=1e-12, rtol=1e-6)) if beyond(0.0) > 0 else 0.0


def _drawn(cells: Cells, rng: np.random.Generator) -> tuple[Cells, np.ndarray]:
    """Return the cells with their masses for weights; where they are many, DRAWS of them, drawn by their masses."""
    log_mass = cells.log_mass()
    weights = np.exp(log_mass - logsumexp(log_mass))
    if len(weights) <= DRAWS:
        return cells, weights
    # Systematic resampling, in the order of the first parameter: its margin keeps its shape.
    order = np.lexsort(cells.middle.T[::-1])
    places = (np.arange(DRAWS) + rng.random()) / DRAWS
    rows = order[np.searchsorted(np.cumsum(weights[order]), places).clip(max=len(order) - 1)]
    return cells[rows], np.full(DRAWS, 1 / DRAWS)


def _heaviest(log_mass: np.ndarray) -> np.ndarray:
    """Return the rows of the heaviest cells that together hold all but a sliver of the mass, in order."""
    order = np.argsort(-log_mass, kind="stable")
    share = np.cumsum(np.exp(log_mass[order] - logsumexp(log_mass)))
    return np.sort(order[: int(np.searchsorted(share, 1 - SLIVER)) + 1])
