"""Data from a simulator: points drawn over the space, outputs with measurement noise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from preimage.core import polytope
from preimage.core.space import Space
from preimage.problems.loading import Problem
from preimage.support.errors import StudyError

# A natural distribution is drawn from, and what falls outside bounds and constraints drawn anew, this many times.
MOST_REDRAWS = 1000


def generate(
    problem: Problem,
    space: Space,
    samples: int,
    rng: np.random.Generator,
    sampling: str | None = None,
    noise: float = 0.0,
    parts: Sequence[pa.Table] = (),
) -> pa.Table:
    """Simulate `samples` rows; columns are the inputs, then the outputs.

    Args:
        sampling: "natural", the problem's own distribution, or see `preimage.core.polytope.sample`; by default natural
            where the problem has one, uniform otherwise.
        noise: standard deviation of the normal noise added to every output, in its unit.
        parts: what `simulate_part` gave for each share, by generators in the same state; none where the rows are to be
            simulated here.

    Raises StudyError where an output is not finite: such a row can't be trained on.
    """
    X = points(problem, space, samples, rng, sampling)
    Y = pa.concat_tables(parts).to_pandas().to_numpy() if parts else _simulated(problem, X)
    Y = Y + noise * rng.standard_normal(Y.shape)
    columns = {**space.decode(X), **{name: Y[:, k] for k, name in enumerate(problem.outputs)}}
    return pa.table({name: pa.array(column) for name, column in columns.items()})


def simulate_part(
    problem: Problem,
    space: Space,
    samples: int,
    rng: np.random.Generator,
    sampling: str | None,
    part: tuple[int, int],
) -> pa.Table:
    """Return the noise-free outputs of one share of the rows: (which, from 0; of how many). See `generate`."""
    X = points(problem, space, samples, rng, sampling)
    Y = _simulated(problem, np.array_split(X, part[1])[part[0]])
    return pa.table({name: Y[:, k] for k, name in enumerate(problem.outputs)})


def points(
    problem: Problem, space: Space, samples: int, rng: np.random.Generator, sampling: str | None = None
) -> np.ndarray:
    """Draw the points (n, d) that are simulated."""
    if sampling is None:
        sampling = "uniform" if problem.draw is None else "natural"
    if sampling == "natural":
        return _natural(problem, space, samples, rng)
    return polytope.sample(space, samples, rng, sampling)


def _simulated(problem: Problem, X: np.ndarray) -> np.ndarray:
    Y = problem.simulate(X)
    if not np.isfinite(Y).all():
        row = int(np.flatnonzero(~np.isfinite(Y).all(axis=1))[0])
        raise StudyError(
            f"simulator '{problem.name}' returned {Y[row].tolist()} at {X[row].tolist()}, expected finite numbers"
        )
    return Y


def _natural(problem: Problem, space: Space, samples: int, rng: np.random.Generator) -> np.ndarray:
    """Draw points (n, d) from the problem's own distribution, cut to bounds, fixed inputs and constraints."""
    if problem.draw is None:
        raise StudyError(f"problem.sampling: '{problem.name}' has no natural distribution; use uniform")
    held = ~space.free
    X = np.empty((0, len(space.inputs)))
    for _ in range(MOST_REDRAWS):
        more = problem.draw(samples, rng)
        more[:, held] = space.low[held]
        X = np.concatenate([X, more[space.contains(more)]])
        if len(X) >= samples:
            return X[:samples]
    raise StudyError("problem.sampling: natural draws rarely satisfy these bounds and constraints; use uniform")
