"""The exact posterior of up to 3 parameters, on cells that are split until the posterior's mass is resolved.

The cells tile the unit cube of the prior's cumulative probabilities, where the prior is uniform: a cell's mass is the
likelihood at its middle times its volume. To split only cells that matter, however narrow the posterior is, the
likelihood is tempered: raised to the largest power b <= 1 at which the mass spreads over enough cells (their effective
number, (sum m)^2 / sum m^2). Cells that may hold too much of that mass are halved, which allows a higher power; once
none may hold too much at b = 1, the posterior itself is resolved. What a cell may hold is judged by the best of its
middle and the middles of its faces, so that a peak just beyond the edge of a cell is not left out; it is halved across
the axis along which the likelihood varies most, so that cells take the posterior's shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from scipy import optimize
from scipy.special import logsumexp

from preimage.inference.answer import Estimate, Task, Trained, Untrained, failed
from preimage.inference.kinds.grid import Grid as Options
from preimage.inference.methods import likelihood
from preimage.inference.prior import Prior
from preimage.support.errors import StudyError
from preimage.support.progress import ALONE, TrainingContext

# By number of parameters: cells an axis at first, and the effective number of cells that is enough.
AXIS = {1: 512, 2: 64, 3: 24}
ENOUGH = {1: 400, 2: 3000, 3: 8000}
# The most that one cell may hold of the mass, times the effective number that is enough.
LIGHT = 0.3
# Mass of the cells that are left out of the answer.
SLIVER = 1e-5
# The most draws of an answer.
DRAWS = 10_000
# Halvings across an axis: a cell's edge is then at the end of what double precision tells apart.
DEEPEST = 40
# How near to the ends of the cube the likelihood is looked at.
END = 1e-15
# Cells in all; a posterior that is not resolved with these is said to be not converged.
MOST = 4_000_000


def train(task: Task, options: Options, rng: np.random.Generator, context: TrainingContext = ALONE) -> Trained:
    """Return the method; nothing is trained.

    Raises StudyError where the likelihood is not known, or the parameters are more than 3.
    """
    return restored(task, options, {})


def restored(task: Task, options: Options, arrays: Mapping[str, np.ndarray]) -> Trained:
    likelihood.needed(task.simulator, "grid")
    d = len(task.simulator.prior.names)
    if d not in AXIS:
        raise StudyError(f"kind grid: '{task.simulator.name}' has {d} parameters, expected at most {max(AXIS)}")
    return Untrained(lambda x, rng: _ask(task, x, rng))


@dataclass(frozen=True)
class Cells:
    """Cells of the unit cube.

    Attributes:
        middle: (k, d).
        level: how often each was halved across each axis, (k, d).
        log_likelihood: at the middle, (k,).
        best: the largest log likelihood of the middle and the middles of the faces, (k,).
        axis: across which to halve next, (k,).
    """

    middle: np.ndarray
    level: np.ndarray
    log_likelihood: np.ndarray
    best: np.ndarray
    axis: np.ndarray

    @property
    def edges(self) -> np.ndarray:
        return np.asarray(2.0**-self.level / AXIS[self.level.shape[1]])

    def log_mass(self) -> np.ndarray:
        """Return the log mass of each, (k,), by its middle."""
        return self.log_likelihood + np.log(self.edges).sum(axis=1)

    def log_promise(self, power: float) -> np.ndarray:
        """Return the log of what each may hold of the tempered mass, (k,)."""
        tempered = np.where(np.isneginf(self.best), -np.inf, power * np.maximum(self.best, -1e300))
        return np.asarray(tempered + np.log(self.edges).sum(axis=1))

    def __getitem__(self, rows: np.ndarray) -> Cells:
        return Cells(*(getattr(self, f.name)[rows] for f in fields(self)))


def _valued(middle: np.ndarray, level: np.ndarray, prior: Prior, log_likelihood: likelihood.LogLikelihood) -> Cells:
    """Return cells with what the likelihood is in their middles and on their faces."""
    k, d = middle.shape
    edges = 2.0**-level / AXIS[d]
    faces = np.concatenate([np.zeros((1, d)), -np.eye(d) / 2, np.eye(d) / 2])
    points = np.clip(middle[:, None] + edges[:, None] * faces, END, 1 - END)
    values = log_likelihood(prior.quantile(points.reshape(-1, d))).reshape(k, 1 + 2 * d)
    # Where the likelihood is 0 it counts as far below; a tie is halved across the longest edge.
    low = np.maximum(values, values.max(axis=1, keepdims=True) - 1e300)
    along = np.stack([np.broadcast_to(low[:, :1], (k, d)), low[:, 1 : d + 1], low[:, d + 1 :]])
    with np.errstate(invalid="ignore"):
        spread = np.where(np.isneginf(values.max(axis=1))[:, None], 0, along.max(axis=0) - along.min(axis=0))
    axis = np.argmax(np.where(level < DEEPEST, spread + 1e-9 * edges, -1), axis=1)
    return Cells(middle, level, values[:, 0], values.max(axis=1), axis)


def _ask(task: Task, x: np.ndarray, rng: np.random.Generator) -> Estimate:
    prior = task.simulator.prior
    d = len(prior.names)
    if np.isnan(x).any():
        return failed(d, "the set has samples that failed (NaN): its likelihood is not known")
    log_likelihood = likelihood.of(task.simulator, x)
    cells = _first(prior, log_likelihood)
    if not np.isfinite(cells.best).any():
        return failed(d, "the likelihood is 0 everywhere that was tried: no parameter explains the samples")
    cells, power = resolved(cells, prior, log_likelihood)
    log_mass = cells.log_mass()
    log_evidence = logsumexp(log_mass)
    kept, weights = _drawn(cells[_heaviest(log_mass)], rng)
    places = kept.middle + kept.edges * rng.uniform(-0.5, 0.5, kept.middle.shape)
    # A cell may reach over the end of where the likelihood is positive; its middle does not.
    beyond = np.isneginf(log_likelihood(prior.quantile(places)))
    places[beyond] = kept.middle[beyond]
    message = (
        "" if power == 1 else f"the posterior is not resolved with {MOST:,} cells: tempered to the power {power:.3g}"
    )
    return Estimate(
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
    return _valued(middle, np.zeros(middle.shape, int), prior, log_likelihood)


def resolved(cells: Cells, prior: Prior, log_likelihood: likelihood.LogLikelihood) -> tuple[Cells, float]:
    """Halve cells until none may hold much of the posterior's mass; return them and the power that allowed it."""
    log_light = np.log(LIGHT / ENOUGH[len(prior.names)])
    while True:
        power = _power(cells)
        promise = cells.log_promise(power)
        heavy = promise - logsumexp(promise) > log_light
        rows = np.flatnonzero(heavy & (cells.level.min(axis=1) < DEEPEST))
        if not len(rows) or len(cells.best) > MOST:
            return cells, power
        cells = _halved(cells, rows, prior, log_likelihood)


def _halved(cells: Cells, rows: np.ndarray, prior: Prior, log_likelihood: likelihood.LogLikelihood) -> Cells:
    split, whole = cells[rows], cells[np.setdiff1d(np.arange(len(cells.best)), rows, assume_unique=True)]
    across = np.eye(split.level.shape[1], dtype=int)[split.axis]
    step = across * split.edges / 4
    middle = np.concatenate([split.middle - step, split.middle + step])
    halves = _valued(middle, np.tile(split.level + across, (2, 1)), prior, log_likelihood)
    return Cells(*(np.concatenate([getattr(whole, f.name), getattr(halves, f.name)]) for f in fields(cells)))


def _power(cells: Cells) -> float:
    """Return the largest power of the likelihood at which the effective number of cells is enough."""
    enough = np.log(ENOUGH[cells.middle.shape[1]])

    def beyond(power: float) -> float:
        promise = cells.log_promise(power)
        return float(2 * logsumexp(promise) - logsumexp(2 * promise) - enough)

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
