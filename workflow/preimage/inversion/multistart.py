"""Inverter `multistart`: local search from many starts, by scipy one at a time or by a batched engine all at once.

scipy's methods see inputs scaled to [0, 1] and a loss in units of the training rows' own losses, so that tolerances
mean the same in every problem. On a step function, a forest say, finite differences are 0 and no start moves: the
message of each start says how far it came.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import LinearConstraint, OptimizeResult, minimize

from preimage import polytope
from preimage.inversion import Answer, Question, Report, repaired
from preimage.inversion.gradients import Line
from preimage.inversion_kinds import HOLDS_CONSTRAINTS, NO_GRADIENT, UNMOVED

# Tighter than scipy's own: with an exact gradient the last digits are real, and re-simulation shows them.
TIGHT = {
    "L-BFGS-B": {"ftol": 1e-18, "gtol": 1e-12, "maxiter": 1000},
    "SLSQP": {"ftol": 1e-16, "maxiter": 1000},
    "TNC": {"ftol": 1e-18, "gtol": 1e-12, "maxfun": 2000},
    "trust-constr": {"gtol": 1e-10, "xtol": 1e-12, "maxiter": 500},
}


def invert(
    question: Question, options: Mapping[str, Any], rng: np.random.Generator, state: Path | None, report: Report | None
) -> Answer:
    """Search from `starts` points; every start is kept, one that fails with its reason."""
    X0 = startpoints(question, int(options["starts"]), options.get("start_from"), rng)
    if options.get("engine") == "batched":
        from preimage.inversion import batched

        return batched.descend(question, X0, report)
    unit = typical_loss(question)
    rows = []
    best = np.inf
    for k, x0 in enumerate(X0):
        rows.append(_descend(question, x0, options, unit))
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


def typical_loss(question: Question) -> float:
    """Return the spread of the training rows' losses, the unit in which a search sees the loss; 1 where it is 0."""
    loss = question.objective.loss(question.Y)
    spread = float(np.std(loss)) if len(loss) else 0.0
    return spread if np.isfinite(spread) and spread > 0 else 1.0


def _descend(
    question: Question, x0: np.ndarray, options: Mapping[str, Any], unit: float
) -> tuple[np.ndarray, int, str, str]:
    """Return where one search from x0 ended, its evaluations, status and message."""
    line = Line(question, x0, unit)
    if not line.movable.any():
        return x0, 1, "ok", "nothing to move"
    try:
        result = _minimize(line, options)
    except Exception as error:
        return x0, line.evaluations, "failed", f"{type(error).__name__}: {error}"
    if not np.isfinite(result.fun):
        reason = next(iter(question.errors.values()), "no finite loss")
        return x0, line.evaluations, "failed", f"loss {result.fun} ({reason})"
    # Scaling there and back would move a start that stayed by a rounding.
    stayed = np.array_equal(result.x, line.start)
    x, note = repaired(question.space, (x0 if stayed else line.point(np.asarray(result.x, float)))[None])
    share = float((np.abs(x[0] - x0)[line.movable] / line.width).max())
    went = UNMOVED if share == 0 else f"moved {share:.3g} of an input's range"
    message = f"{went} in {result.nit} iterations: {result.message}"
    status = "ok" if result.success else "not_converged"
    return x[0], line.evaluations, status, "; ".join(filter(None, [message, *note]))


def _minimize(line: Line, options: Mapping[str, Any]) -> OptimizeResult:
    space = line.question.space
    gradient = options.get("gradient") or ("exact" if line.question.gradient else "3-point")
    method = options.get("method") or ("SLSQP" if space.constraints else "L-BFGS-B")
    function, jac = line.for_scipy(gradient)
    if method in NO_GRADIENT:
        function, jac = line.loss, None
    constraints: Any = ()
    if space.constraints and method in HOLDS_CONSTRAINTS:
        constraints = LinearConstraint(*_scaled_rows(line))
    return minimize(
        function,
        line.start,
        method=method,
        jac=jac,
        bounds=[(0.0, 1.0)] * int(line.movable.sum()),
        constraints=constraints,
        options=TIGHT.get(method, {}) if gradient in ("exact", "cs") else {},
    )


def _scaled_rows(line: Line) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the constraints on the movable inputs, scaled to [0, 1], as (A, low, high)."""
    matrix, bottom, top = line.question.space.rows
    scale, movable = line.question.space.row_scale, line.movable
    held = matrix[:, ~movable] @ line.x0[~movable] + matrix[:, movable] @ line.low
    return matrix[:, movable] * line.width / scale[:, None], (bottom - held) / scale, (top - held) / scale
