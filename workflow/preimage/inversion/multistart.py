"""Inverter `multistart`: scipy's local search from many starts.

L-BFGS-B (Byrd, Lu, Nocedal, Zhu 1995) where there are bounds alone, SLSQP (Kraft 1988) where there are linear
constraints. Inputs are scaled to [0, 1]. On a step function, a forest say, finite differences are 0 and no start
moves: the message of each start says how far it came.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import LinearConstraint, OptimizeResult, minimize

from preimage import polytope
from preimage.inversion import Answer, Question, Report, repaired
from preimage.inversion_kinds import UNMOVED


def invert(
    question: Question, options: Mapping[str, Any], rng: np.random.Generator, state: Path | None, report: Report | None
) -> Answer:
    """Search from `starts` points; every start is kept, one that fails with its reason."""
    X0 = startpoints(question, int(options["starts"]), options.get("start_from"), rng)
    rows = []
    best = np.inf
    for k, x0 in enumerate(X0):
        rows.append(_descend(question, x0, options["gradient"]))
        loss = question.loss(rows[-1][0][None])[0]
        best = min(best, loss) if np.isfinite(loss) else best
        if report:
            report(k + 1, best)
    X, evaluations, status, message = zip(*rows, strict=True)
    return Answer(np.array(X), list(evaluations), list(status), list(message))


def startpoints(question: Question, n: int, start_from: str | None, rng: np.random.Generator) -> np.ndarray:
    """Return n starts (n, d).

    `best_rows`: the training rows nearest to the objective (topped up from a Latin hypercube where there are fewer
    inside the space); the default on surrogates, whose false optima lie in corners without data.
    """
    start_from = start_from or ("latin_hypercube" if question.on_simulator else "best_rows")
    if start_from != "best_rows":
        return polytope.sample(question.space, n, rng, start_from)
    rows = question.X[question.best_rows(n)]
    if len(rows) == n:
        return rows
    return np.concatenate([rows, polytope.sample(question.space, n - len(rows), rng, "latin_hypercube")])


def _descend(question: Question, x0: np.ndarray, gradient: str) -> tuple[np.ndarray, int, str, str]:
    """Return where one search from x0 ended, its evaluations, status and message."""
    space = question.space
    movable = space.free & ~np.array([bool(i.categories) for i in space.inputs], bool)
    low, width = space.low[movable], (space.high - space.low)[movable]
    count = 0

    def point(u: np.ndarray) -> np.ndarray:
        x = x0.copy()
        x[movable] = np.clip(low + u * width, space.low[movable], space.high[movable])
        return x

    def loss(u: np.ndarray) -> float:
        nonlocal count
        count += 1
        return float(question.loss(point(u)[None])[0])

    if not movable.any():
        return x0, 1, "ok", "nothing to move"
    start = np.clip((x0[movable] - low) / width, 0, 1)
    try:
        result = _minimize(loss, start, gradient, *_scaled_rows(question, x0, movable, low, width))
    except Exception as error:
        return x0, count, "failed", f"{type(error).__name__}: {error}"
    if not np.isfinite(result.fun):
        reason = next(iter(question.errors.values()), "no finite loss")
        return x0, count, "failed", f"loss {result.fun} ({reason})"
    x, note = repaired(space, point(result.x)[None])
    share = float((np.abs(x[0] - x0)[movable] / width).max())
    went = UNMOVED if share == 0 else f"moved {share:.3g} of an input's range"
    message = f"{went} in {result.nit} iterations: {result.message}"
    return x[0], count, "ok" if result.success else "not_converged", "; ".join(filter(None, [message, *note]))


def _scaled_rows(
    question: Question, x0: np.ndarray, movable: np.ndarray, low: np.ndarray, width: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the constraints on the movable inputs, scaled to [0, 1], as (A, low, high)."""
    matrix, bottom, top = question.space.rows
    scale = question.space.row_scale
    held = matrix[:, ~movable] @ x0[~movable] + matrix[:, movable] @ low
    return matrix[:, movable] * width / scale[:, None], (bottom - held) / scale, (top - held) / scale


def _minimize(
    loss: Any, start: np.ndarray, gradient: str, rows: np.ndarray, low: np.ndarray, high: np.ndarray
) -> OptimizeResult:
    bounds = [(0.0, 1.0)] * len(start)
    if len(rows):
        constraint = LinearConstraint(rows, low, high)
        return minimize(loss, start, method="SLSQP", jac=gradient, bounds=bounds, constraints=constraint)
    return minimize(loss, start, method="L-BFGS-B", jac=gradient, bounds=bounds)
