"""Inverter `evolution`: scipy's differential evolution (Storn and Price 1997, J. Global Optimization 11), a generation
at once; the last population is kept.

The method looks at nothing but the order of losses: with limits of outputs, what keeps them comes first.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import LinearConstraint, differential_evolution

from preimage.core import polytope
from preimage.inversion.kinds.evolution import Evolution
from preimage.inversion.question import Answer, Question, SearchContext, repaired

FEWEST, PER_INPUT = 20, 10


def invert(question: Question, options: Evolution, context: SearchContext) -> Answer:
    """Evolve a population until `evaluations` are spent; each member of the last one is a row."""
    space = question.space
    free = space.free
    if not free.any():
        return Answer(space.low[None], [1], ["ok"], ["every input is fixed"])
    n = min(max(FEWEST, PER_INPUT * int(free.sum())), options.evaluations)
    generations = max(0, options.evaluations // n - 1)
    spent = 0

    def points(u: np.ndarray) -> np.ndarray:
        X = np.tile(space.low, (u.shape[1], 1))
        X[:, free] = u.T
        X = space.codes(space.rounded(X))
        return X if space.plain else repaired(space, X)[0]

    def merits(u: np.ndarray) -> np.ndarray:
        nonlocal spent
        spent += u.shape[1]
        merit = question.merit(points(u))
        if context.report:
            best = question.objective.loss_of_merit(float(np.nanmin(merit, initial=np.inf)))
            context.report(min(spent, options.evaluations), best)
        return np.where(np.isfinite(merit), merit, np.inf)

    matrix, low, high = space.rows
    held = matrix[:, ~free] @ space.low[~free]
    result = differential_evolution(
        merits,
        list(zip(space.low[free], space.high[free], strict=True)),
        init=space.places(polytope.sample(space, max(n, 5), context.rng, "latin_hypercube"))[:, free],
        maxiter=generations,
        tol=0,
        atol=0,
        polish=False,
        vectorized=True,
        updating="deferred",
        integrality=space.discrete[free],
        constraints=LinearConstraint(matrix[:, free], low - held, high - held) if space.plain and len(matrix) else (),
        rng=context.rng,
    )
    order = np.argsort(result.population_energies, kind="stable")
    X, notes = repaired(space, points(result.population[order].T))
    each = [spent // len(X) + (k < spent % len(X)) for k in range(len(X))]
    message = [f"{result.nit} generations" + (f"; {note}" if note else "") for note in notes]
    return Answer(X, [int(e) for e in each], ["ok"] * len(X), message)
