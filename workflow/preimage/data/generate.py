"""Data from a simulator: points drawn over the space, outputs with noise. A point that fails costs its own row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from preimage.core import polytope
from preimage.core.space import Space
from preimage.problems.calls import Attempt, attempt
from preimage.problems.loading import Problem
from preimage.support import spending
from preimage.support.errors import StudyError

# A natural distribution is drawn from, and what falls outside bounds and constraints drawn anew, this many times.
MOST_REDRAWS = 1000
# Least share of the rows that must succeed, unless the study states another.
SUCCESS_FRACTION = 0.5
# Why a row has failed: in tables of those that have, and of all rows of a share.
MESSAGE, WHY = "message", "__why__"
# What a failed point was simulated for: to be a row, or to judge a candidate.
OF, ROWS, CANDIDATES = "of", "rows", "candidates"
# Different reasons that an error lists.
LISTED = 3


class Generated(NamedTuple):
    """Rows from a simulator.

    Attributes:
        table: the inputs, then the outputs, of points that succeeded.
        failed: `x.<input>` of those that failed, and why (`message`); `of` is `rows`.
    """

    table: pa.Table
    failed: pd.DataFrame


def generate(
    problem: Problem,
    space: Space,
    samples: int,
    rng: np.random.Generator,
    sampling: str | None = None,
    noise: float = 0.0,
    parts: Sequence[pa.Table] = (),
    success_fraction: float = SUCCESS_FRACTION,
) -> Generated:
    """Simulate `samples` rows.

    Args:
        sampling: "natural", the problem's own distribution, or see `preimage.core.polytope.sample`; by default natural
            where the problem has one, uniform otherwise.
        noise: standard deviation of the normal noise added to every output, in its unit.
        parts: what `simulate_part` gave for each share, by generators in the same state; none where the rows are to be
            simulated here.
        success_fraction: least share of the rows that must succeed.

    Raises StudyError where fewer do.
    """
    X = points(problem, space, samples, rng, sampling)
    why: list[str]
    if parts:
        whole = pa.concat_tables(parts).to_pandas()
        Y, why = whole[list(problem.outputs)].to_numpy(), whole[WHY].tolist()
    else:
        Y, why = _attempted(problem, X, samples, success_fraction)
    check_success(Counter(filter(None, why)), samples, success_fraction)
    Y = Y + noise * rng.standard_normal(Y.shape)
    good = np.array([not w for w in why])
    columns = {**space.decode(X[good]), **{name: Y[good, k] for k, name in enumerate(problem.outputs)}}
    table = pa.table({name: pa.array(column) for name, column in columns.items()})
    return Generated(table, failures(space, X, why))


def failures(space: Space, X: np.ndarray, why: Sequence[str]) -> pd.DataFrame:
    """Return the points (n, d) that have failed, and why (n,); those that have not have no reason."""
    bad = np.array([bool(w) for w in why], bool)
    columns = {f"x.{name}": column for name, column in space.decode(X[bad]).items()}
    said = pd.Series([w for w in why if w], dtype="str")
    return pd.DataFrame({**columns, MESSAGE: said, OF: pd.Series([ROWS] * len(said), dtype="str")})


def _attempted(problem: Problem, X: np.ndarray, rows: int, least: float) -> Attempt:
    """Simulate points (n, d), as far as enough of all rows may succeed."""
    with spending.account().checked_by(lambda reasons: check_success(reasons, rows, least)):
        return attempt(problem.simulate, X)


def check_success(reasons: Mapping[str, int], rows: int, least: float) -> None:
    """Raise StudyError where fewer rows can succeed than must, of all that there are to be.

    Args:
        reasons: how many rows have failed, by why.
    """
    failed = sum(reasons.values())
    if failed and (failed == rows or rows - failed < least * rows):
        listed = "; ".join(f"{w} ({n} times)" for w, n in Counter(reasons).most_common(LISTED))
        more = f"; and {len(reasons) - LISTED} other reasons" if len(reasons) > LISTED else ""
        raise StudyError(
            f"the simulator failed at {failed} of {rows} points, and must succeed at {least:.0%} of them "
            f"(problem.success_fraction): {listed}{more}"
        )


def simulate_part(
    problem: Problem,
    space: Space,
    samples: int,
    rng: np.random.Generator,
    sampling: str | None,
    part: tuple[int, int],
    success_fraction: float = SUCCESS_FRACTION,
) -> pa.Table:
    """Return the noise-free outputs of one share of the rows, NaN where one failed, and why: (which share, from 0; of
    how many). See `generate`."""
    X = points(problem, space, samples, rng, sampling)
    Y, why = _attempted(problem, np.array_split(X, part[1])[part[0]], samples, success_fraction)
    return pa.table({**{name: Y[:, k] for k, name in enumerate(problem.outputs)}, WHY: pa.array(why, pa.string())})


def points(
    problem: Problem, space: Space, samples: int, rng: np.random.Generator, sampling: str | None = None
) -> np.ndarray:
    """Draw the points (n, d) that are simulated."""
    if sampling is None:
        sampling = "uniform" if problem.draw is None else "natural"
    if sampling == "natural":
        return _natural(problem, space, samples, rng)
    return polytope.sample(space, samples, rng, sampling)


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
