"""Local searches by scipy, one after the other; and what every engine says of where its searches ended.

scipy's methods see inputs scaled to [0, 1] and a loss in units of the training rows' own losses, so that tolerances
mean the same in every problem.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import LinearConstraint, OptimizeResult, minimize

from preimage.inversion import Question, Report
from preimage.inversion.gradients import Line
from preimage.inversion_kinds import HOLDS_CONSTRAINTS, NO_GRADIENT
from preimage.secrecy import without_secrets

# Tighter than scipy's own: with an exact gradient the last digits are real, and re-simulation shows them.
TIGHT = {
    "L-BFGS-B": {"ftol": 1e-18, "gtol": 1e-12, "maxiter": 1000},
    "SLSQP": {"ftol": 1e-16, "maxiter": 1000},
    "TNC": {"ftol": 1e-18, "gtol": 1e-12, "maxfun": 2000},
    "trust-constr": {"gtol": 1e-10, "xtol": 1e-12, "maxiter": 500},
}


class Ends(NamedTuple):
    """Where n searches ended, by whichever engine.

    Attributes:
        X: last points (n, d); the start where a search failed.
        loss: of the model there (n,), NaN where there is none.
        evaluations: spent (n,).
        status: see `preimage.candidates.STATUSES`.
        message: in the method's words.
        history: iteration, best loss and its gradient's norm, where the engine keeps them.
    """

    X: np.ndarray
    loss: np.ndarray
    evaluations: np.ndarray
    status: list[str]
    message: list[str]
    history: Sequence[tuple[int, float, float]] = ()

    def at(self, index: np.ndarray) -> Ends:
        """Return the searches at these positions."""
        status, message = ([part[k] for k in index] for part in (self.status, self.message))
        return Ends(self.X[index], self.loss[index], self.evaluations[index], status, message, self.history)


def descend(
    questions: Sequence[Question],
    owner: np.ndarray,
    X0: np.ndarray,
    movable: np.ndarray,
    units: Sequence[float],
    options: Mapping[str, Any],
    report: Report | None = None,
) -> Ends:
    """Search from every start (n, d), each for the question that `owner` (n,) names, over the movable inputs (d,)."""
    rows = []
    best = np.inf
    progress = Progress(report)
    for k, (x0, q) in enumerate(zip(X0, owner, strict=True)):
        line = Line(questions[q], x0, units[q], movable)
        rows.append(_one(line, options, partial(progress.iteration, k, line)))
        best = np.fmin(best, rows[-1][1])
        if report:
            report(k + 1, float(best))
    X, loss, evaluations, status, message = zip(*rows, strict=True)
    return Ends(np.array(X), np.array(loss), np.array(evaluations), list(status), list(message), progress.history)


class Progress:
    """What is said of scipy's iterations as they run, over all starts: the best loss so far, and the norm of the last
    gradient where one was asked for."""

    def __init__(self, report: Report | None) -> None:
        self.report, self.best = report, np.inf
        self.history: list[tuple[int, float, float]] = []

    def iteration(self, start: int, line: Line, loss: float) -> None:
        self.best = float(np.fmin(self.best, loss * line.unit))
        self.history.append((len(self.history) + 1, self.best, line.slope))
        if self.report:
            self.report(start, self.best, iteration=len(self.history), gradient=line.slope)


def _one(
    line: Line, options: Mapping[str, Any], note: Callable[[float], None]
) -> tuple[np.ndarray, float, int, str, str]:
    """Return where one search ended, its loss, evaluations, status and message."""
    try:
        result = _minimize(line, options, note)
    except Exception as error:
        return line.x0, np.nan, line.evaluations, "failed", without_secrets(f"{type(error).__name__}: {error}")
    if not np.isfinite(result.fun):
        reason = next(iter(line.question.errors.values()), "no finite loss")
        return line.x0, np.nan, line.evaluations, "failed", f"loss {result.fun} ({reason})"
    # Scaling there and back would move a start that stayed by a rounding.
    stayed = np.array_equal(result.x, line.start)
    x = line.x0 if stayed else line.point(np.asarray(result.x, float))
    status = "ok" if result.success else "not_converged"
    said = f"in {result.nit} iterations: {result.message}"
    return x, float(result.fun) * line.unit, line.evaluations, status, said


def _minimize(line: Line, options: Mapping[str, Any], note: Callable[[float], None]) -> OptimizeResult:
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
        # Not all of scipy's methods say their loss here.
        callback=lambda *_: note(line.least),
        options=TIGHT.get(method, {}) if gradient in ("exact", "cs") else {},
    )


def _scaled_rows(line: Line) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the constraints on the movable inputs, scaled to [0, 1], as (A, low, high)."""
    matrix, bottom, top = line.question.space.rows
    scale, movable = line.question.space.row_scale, line.movable
    held = matrix[:, ~movable] @ line.x0[~movable] + matrix[:, movable] @ line.low
    return matrix[:, movable] * line.width / scale[:, None], (bottom - held) / scale, (top - held) / scale
