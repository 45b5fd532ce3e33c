"""Data from a simulator: points drawn over the space, outputs with measurement noise."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from preimage import polytope
from preimage.errors import StudyError
from preimage.problem import Problem
from preimage.space import Space


def generate(
    problem: Problem,
    space: Space,
    samples: int,
    rng: np.random.Generator,
    sampling: str = "uniform",
    noise: float = 0.0,
) -> pa.Table:
    """Simulate `samples` rows; columns are the inputs, then the outputs.

    Args:
        sampling: see `preimage.polytope.sample`.
        noise: standard deviation of the normal noise added to every output, in its unit.

    Raises StudyError where an output is not finite: such a row can't be trained on.
    """
    X = polytope.sample(space, samples, rng, sampling)
    Y = problem.simulate(X)
    if not np.isfinite(Y).all():
        row = int(np.flatnonzero(~np.isfinite(Y).all(axis=1))[0])
        raise StudyError(f"simulator '{problem.name}' gave {Y[row].tolist()} at {X[row].tolist()}")
    Y = Y + noise * rng.standard_normal(Y.shape)
    columns = {**space.decode(X), **{name: Y[:, k] for k, name in enumerate(problem.outputs)}}
    return pa.table({name: pa.array(column) for name, column in columns.items()})
