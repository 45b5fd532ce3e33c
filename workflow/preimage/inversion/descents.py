"""Local searches by scipy, one after the other; and what every engine says of where its searches ended.

scipy's methods compare numbers that have units with constants. So they see inputs scaled to [0, 1], and a loss in the
unit that makes the slope at the start `FIRST_STEP`: what they take for their first step is then a twentieth of the
range, and their tolerances are shares of what there is to gain. Whether they ended where they say is judged elsewhere
(`preimage.inversion.ending`).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import LinearConstraint, NonlinearConstraint, OptimizeResult, minimize

from preimage.core.scaled import curved_slopes, curved_values
from preimage.core.space import Space
from preimage.inversion.gradients import Line
from preimage.inversion.kinds.multistart import Multistart
from preimage.inversion.question import Question
from preimage.support.blas import one_blas_thread
from preimage.support.masking import without_secrets
from preimage.support.progress import Report

NOTHING_TO_MOVE = "nothing to move"
FIRST_STEP = 0.05
# An input so near to a bound, as a share of its range, is on it.
HELD = 1e-6
# The barrier that keeps trust-constr off the bounds keeps it as far off as this, at a slope of 1.
BARRIER = {"initial_tr_radius": FIRST_STEP, "barrier_tol": 1e-10}
# Tighter than scipy's own: with an exact gradient the last digits are real, and re-simulation shows them.
TIGHT = {
    "L-BFGS-B": {"ftol": 1e-18, "gtol": 1e-12, "maxiter": 1000},
    "SLSQP": {"ftol": 1e-16, "maxiter": 1000},
    "TNC": {"ftol": 1e-18, "gtol": 1e-12, "maxfun": 2000},
    "trust-constr": {"gtol": 1e-10, "xtol": 1e-12, "maxiter": 500, **BARRIER},
}
# Finite differences cost more and see less.
BY_DIFFERENCES = {
    "L-BFGS-B": {"ftol": 1e-14, "gtol": 1e-10, "maxiter": 1000},
    "SLSQP": {"ftol": 1e-13, "maxiter": 1000},
    "TNC": {"ftol": 1e-14, "gtol": 1e-10, "maxfun": 2000},
    "trust-constr": {"gtol": 1e-8, "xtol": 1e-10, "maxiter": 500, **BARRIER},
}
# Along limits of outputs, whose rounding the tightest tolerance would chase; what is left is begun again from there.
ALONG_LIMITS = {"SLSQP": {"ftol": 1e-12, "maxiter": 50}}
# A search along limits that ends so near to a bound, as a share of an input's range, is on it.
ON_BOUND = 1e-12
# Without a slope: by the size of the simplex or of the steps, as shares of the range.
WITHOUT = {"Nelder-Mead": {"xatol": 1e-8, "fatol": np.inf}, "Powell": {"xtol": 1e-9, "ftol": 1e-14}}


class Ends(NamedTuple):
    """Where n searches ended, by whichever engine.

    Attributes:
        X: last points (n, d); the start where a search failed.
        loss: of the model there (n,), NaN where there is none.
        evaluations: spent (n,).
        status: see `preimage.core.candidates.STATUSES`.
        message: in the method's words.
        history: iteration, best loss and its gradient's norm, where the engine keeps them.
        slope: derivative of the loss there by the movable inputs scaled to [0, 1] (n, k), NaN where it is not known;
            None where the engine keeps none.
        violation: of limits of outputs there (n,); None where there are none, or where it is not known yet.
    """

    X: np.ndarray
    loss: np.ndarray
    evaluations: np.ndarray
    status: list[str]
    message: list[str]
    history: Sequence[tuple[int, float, float]] = ()
    slope: np.ndarray | None = None
    violation: np.ndarray | None = None

    @property
    def missed(self) -> np.ndarray:
        """By how much each end misses the limits of outputs (n,): 0 where there are none."""
        return np.zeros(len(self.X)) if self.violation is None else self.violation

    def at(self, index: np.ndarray) -> Ends:
        """Return the searches at these positions."""
        status, message = ([part[k] for k in index] for part in (self.status, self.message))
        slope, violation = (None if part is None else part[index] for part in (self.slope, self.violation))
        X, loss, evaluations = self.X[index], self.loss[index], self.evaluations[index]
        return Ends(X, loss, evaluations, status, message, self.history, slope, violation)


def descend(
    questions: Sequence[Question],
    owner: np.ndarray,
    X0: np.ndarray,
    movable: np.ndarray,
    options: Multistart,
    report: Report | None = None,
) -> Ends:
    """Search from every start (n, d), each for the question that `owner` (n,) names, over the movable inputs (d,) that
    are free in its space."""
    rows = []
    best = np.inf
    progress = Progress(report)
    with one_blas_thread():  # others would only wait, busily: what scipy solves between evaluations is small
        for k, (x0, q) in enumerate(zip(X0, owner, strict=True)):
            line = Line(questions[q], x0, movable=movable & questions[q].space.free)
            x, last, *end, own = _one(line, options, partial(progress.iteration, k, line))
            rows.append((x, last, *end, line.over(movable, own)))
            best = np.fmin(best, last)
            if report:
                report(k + 1, float(best))
    X, loss, evaluations, status, message, slope = map(list, zip(*rows, strict=True))
    return Ends(np.array(X), np.array(loss), np.array(evaluations), status, message, progress.history, np.array(slope))


class Progress:
    """What is said of scipy's iterations as they run, over all starts: the best loss so far, and the norm of the last
    gradient where one was asked for."""

    def __init__(self, report: Report | None) -> None:
        self.report, self.best = report, np.inf
        self.history: list[tuple[int, float, float]] = []

    def iteration(self, start: int, line: Line) -> None:
        self.best = float(np.fmin(self.best, line.least))
        self.history.append((len(self.history) + 1, self.best, line.slope))
        if self.report:
            self.report(start, self.best, iteration=len(self.history), gradient=line.slope)


def _one(
    line: Line, options: Multistart, note: Callable[[], None]
) -> tuple[np.ndarray, float, int, str, str, np.ndarray]:
    """Return where one search ended, its loss, evaluations, status, message and slope."""
    unknown = np.full(len(line.low), np.nan)
    if not line.movable.any():
        loss = line.loss(line.start)
        return line.x0, loss, line.evaluations, "ok" if np.isfinite(loss) else "failed", NOTHING_TO_MOVE, unknown
    try:
        result = _minimize(line, options, note)
    except Exception as error:
        said = without_secrets(f"{type(error).__name__}: {error}")
        return line.x0, np.nan, line.evaluations, "failed", said, unknown
    if not np.isfinite(result.fun):
        reason = next(iter(line.question.errors.values()), "no finite loss")
        return line.x0, np.nan, line.evaluations, "failed", f"loss {result.fun} ({reason})", unknown
    u = np.asarray(result.x, float)
    if line.question.objective.limits:
        u = np.where(u < ON_BOUND, 0.0, np.where(u > 1 - ON_BOUND, 1.0, u))
    # Scaling there and back would move a start that stayed by a rounding.
    x = line.x0 if np.array_equal(u, line.start) else line.point(u)
    status = "ok" if result.success else "not_converged"
    said = f"in {result.nit} iterations: {result.message}"
    _, slope = line.seen.get(u.tobytes(), (np.nan, unknown))
    return x, float(result.fun) * line.unit + line.zero, line.evaluations, status, said, slope * line.unit


def _minimize(line: Line, options: Multistart, note: Callable[[], None]) -> OptimizeResult:
    space, limits = line.question.space, line.question.objective.limits
    gradient = way_of(line.question, options)
    method = options.method or ("SLSQP" if space.constraints or space.curved or limits else "L-BFGS-B")
    function: Any
    function, jac = line.for_scipy(gradient)
    own: dict[str, Any] = dict((TIGHT if gradient in ("exact", "cs") else BY_DIFFERENCES).get(method, {}))
    if limits:
        own |= ALONG_LIMITS.get(method, {})
    if method in WITHOUT:
        function, jac, own = line.loss, False, dict(WITHOUT[method])
        if method == "Nelder-Mead":
            u = line.start
            own["initial_simplex"] = u + np.vstack([0 * u, np.diag(np.where(u < 0.5, FIRST_STEP, -FIRST_STEP))])
    else:
        _fit_scale(line, function, 1.0 if method == "trust-constr" else FIRST_STEP)
    constraints: Any = []
    if method in options.hold_constraints:
        constraints += [LinearConstraint(*scaled_rows(space, line.x0, line.movable))] if space.constraints else []
        constraints += [_curves(line)] if space.curved else []
        constraints += [line.limits(gradient)] if limits else []
    with warnings.catch_warnings():
        # trust-constr warns of linear functions, which are welcome.
        warnings.filterwarnings("ignore", "delta_grad == 0.0")
        # Nor does it matter here that equalities stand beside inequalities.
        warnings.filterwarnings("ignore", "Equality and inequality constraints are specified")
        return minimize(
            function,
            line.start,
            method=method,
            jac=jac,
            bounds=[(0.0, 1.0)] * int(line.movable.sum()),
            constraints=constraints,
            callback=lambda *_: note(),
            options=own,
        )


def _curves(line: Line) -> NonlinearConstraint:
    """Return the curved constraints as scipy takes them, in units of their scales."""
    space = line.question.space
    scale = space.curved_scale
    ends = np.array([(c.low, c.high) for c in space.curved]) / scale[:, None]

    def values(u: np.ndarray) -> np.ndarray:
        return curved_values(space, line.point(u)) / scale

    def slopes(u: np.ndarray) -> np.ndarray:
        return curved_slopes(space, line.point(u))[:, line.movable] * line.width / scale[:, None]

    return NonlinearConstraint(values, ends[:, 0], ends[:, 1], jac=slopes)


def way_of(question: Question, options: Multistart) -> str:
    """Return how derivatives are had: as the study says, or the model's own where it has one."""
    return options.gradient or ("exact" if question.gradient else "3-point")


def _fit_scale(line: Line, function: Callable[[np.ndarray], Any], steepness: float) -> None:
    """Count the loss in the unit that makes the slope at the start, along what bounds leave free, `steepness`; and from
    its value there, where that is large beside the unit and would hide what is gained."""
    u = line.start
    value, slope = function(u)
    held = np.where(slope > 0, u, 1 - u) <= HELD
    free = np.linalg.norm(np.where(held, 0.0, slope))
    unit = free / steepness if np.isfinite(free) and free > 0 else abs(value)
    if np.isfinite(unit) and unit > 0:
        line.rescale(float(unit), value if abs(value) > unit else 0.0)


def scaled_rows(space: Space, x: np.ndarray, movable: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the constraints on the movable inputs around a point (d,), scaled to [0, 1], as (A, low, high)."""
    matrix, bottom, top = space.rows
    scale, width = space.row_scale, (space.high - space.low)[movable]
    held = matrix[:, ~movable] @ x[~movable] + matrix[:, movable] @ space.low[movable]
    return matrix[:, movable] * width / scale[:, None], (bottom - held) / scale, (top - held) / scale
