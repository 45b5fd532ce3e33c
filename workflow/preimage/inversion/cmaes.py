"""Inverter `cmaes`: covariance matrix adaptation (Hansen and Ostermeier 2001, Evolutionary Computation 9), by the
library cmaes, restarted with a doubled population while evaluations are left (IPOP: Auger and Hansen 2005, IEEE CEC).

The distribution lives on the free inputs scaled to [0, 1] and knows no bounds: a draw is repaired (clipped, rounded,
moved to satisfy the constraints) before the model sees it. The distribution learns from the draw, not from its repair,
at the repaired point's loss and a penalty on how far it lay outside; where repair chooses one of several pieces of the
space, or a value of a list, it learns from the repaired point. Each run is a row: the best point that it saw.

The library compares losses with a constant, which would end a search in one unit and not in another. As the method
itself looks at nothing but their order, the library is told ranks, in which what keeps the limits of outputs comes
first, and a run ends by a rule of its own: where it has reached the target, or draws all but the same point, or sees
losses that differ by no more than rounding.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from cmaes import CMA

from preimage.core import polytope
from preimage.core.objective import Objective
from preimage.inversion.kinds.cmaes import Cmaes
from preimage.inversion.question import Answer, Question, SearchContext, repaired
from preimage.inversion.rounding import Rounding

# Standard deviation of the first draws, as a share of each input's range (Hansen's 0.3 of the search interval).
FIRST_STEP = 0.3
# A run ends where its draws spread over no more of an input's range than this. One that the library ends for reasons of
# its arithmetic, or whose losses stay the same, has converged where they spread over no more than these shares: a wider
# plain is no minimum.
NARROW, ENDED, PLAIN = 1e-8, 1e-6, 1e-3


class Run(NamedTuple):
    """The best point (d,) of a run, its merit (NaN where no loss was finite), and what the run spent."""

    x: np.ndarray
    merit: float
    note: str
    generations: int
    population: int
    converged: bool


def invert(question: Question, options: Cmaes, context: SearchContext) -> Answer:
    """Spend `evaluations` on runs from uniform starts, each with twice the population of the one before."""
    space, total, report = question.space, options.evaluations, context.report
    if not space.free.any():
        return Answer(space.low[None], [1], ["ok"], ["every input is fixed"])
    population = min(4 + int(3 * np.log(space.free.sum())), total)
    runs, left, best = list[Run](), total, np.inf
    while left >= population:
        runs.append(_run(question, population, left // population, context.rng))
        left -= runs[-1].generations * population
        best = float(np.fmin(best, runs[-1].merit))
        if report:
            report(total - left, question.objective.loss_of_merit(best))
        population *= 2
    if report:
        report(total, question.objective.loss_of_merit(best))  # what is left is less than a generation
    message = [f"{r.generations} generations of {r.population}" + (f"; {r.note}" if r.note else "") for r in runs]
    status = ["ok" if r.converged else "not_converged" for r in runs]
    return Answer(np.array([r.x for r in runs]), [r.generations * r.population for r in runs], status, message)


def _run(question: Question, population: int, generations: int, rng: np.random.Generator) -> Run:
    """Adapt a distribution until it has converged, for some generations at most."""
    space, wanted = question.space, question.objective
    free, low, width = space.free, space.low, space.high - space.low
    best = Run(polytope.sample(space, 1, rng)[0], np.nan, "", 0, population, False)
    mean = ((space.places(best.x[None])[0] - low) / np.where(free, width, 1.0))[free]
    seed = int(rng.integers(2**31 - 1))
    cma = CMA(mean, FIRST_STEP, seed=seed, population_size=population)
    rounding, bests, narrow, limit, ended = Rounding(question), list[float](), FIRST_STEP, ENDED, False
    loss = np.inf
    close, memory = rounding.close(wanted), 10 + int(np.ceil(30 * len(mean) / population))
    while cma.generation < generations and not ended:
        u = np.array([cma.ask() for _ in range(population)])
        drawn = np.tile(low, (population, 1))
        drawn[:, free] += u * width[free]
        X, notes = _valid(question, drawn)
        merit = question.merit(X)
        if np.isfinite(merit).any() and not merit[k := int(np.nanargmin(merit))] >= best.merit:
            best = best._replace(x=X[k], merit=float(merit[k]), note=notes[k])
        if space.plain:
            values = _judged(merit, u, _outside(drawn, space.places(X), space.discrete)[:, free] / width[free])
        else:
            u = (space.places(X) - low)[:, free] / width[free]
            values = _judged(merit, u, 0 * u)
        # Ranks from one generation to the next never stay the same, as the library's own rule would have them.
        ranks = np.argsort(np.argsort(values, kind="stable"), kind="stable") + float(cma.generation)
        cma.tell(list(zip(u, ranks.tolist(), strict=True)))
        bests.append(float(np.nanmin(merit, initial=np.inf)))
        narrow = float(u.std(axis=0).max())
        loss = wanted.loss_of_merit(best.merit)
        still = len(bests) > memory and np.ptp(bests[-memory:]) <= _noise(rounding, wanted, loss, free)
        ended = bool(loss <= close or narrow <= NARROW or still or cma.should_stop())
        limit = PLAIN if still else ENDED
    converged = ended and not np.isinf(loss) and bool(loss <= close or narrow <= limit)
    return best._replace(generations=cma.generation, converged=converged)


def _noise(rounding: Rounding, wanted: Objective, loss: float, free: np.ndarray) -> float:
    """Return how much of a merit near that of a loss is rounding."""
    noise = rounding.noise(wanted, wanted.middle if np.isinf(loss) else loss, np.zeros(int(free.sum())), free)
    return noise / (wanted.loss_unit or 1.0) if wanted.limits else noise


def _valid(question: Question, drawn: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Return draws (n, d) as points of the space, with a message where constraints moved one."""
    space = question.space
    return repaired(space, space.codes(space.rounded(drawn)))


def _outside(drawn: np.ndarray, X: np.ndarray, discrete: np.ndarray) -> np.ndarray:
    """Return how far repair moved draws (n, d); rounding a whole number or a category doesn't count."""
    moved = np.abs(drawn - X)
    return np.where(discrete, np.maximum(moved - 0.5, 0.0), moved)


def _judged(merit: np.ndarray, u: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """Return what the distribution is told of draws u (n, k): their merits, with a penalty on lying `outside` (n, k).

    A draw that lies outside by the spread of the draws pays the spread of the merits, whatever the units of either.
    """
    finite = merit[np.isfinite(merit)]
    worst, spread = (finite.max(), np.ptp(finite)) if len(finite) else (0.0, 0.0)
    step = max(float(u.std(axis=0).mean()), np.finfo(float).tiny)
    penalty = spread * ((outside / step) ** 2).sum(axis=1)
    return np.where(np.isfinite(merit), merit, worst + spread) + penalty
