"""The engine `batched` of a fit: least squares from all starts at once, then the best polished.

All starts take Runge-Kutta steps of fixed length together; where they end is judged, and the best are searched on, by
the adaptive solver, so that no answer rests on the coarse steps.
"""

from __future__ import annotations

import numpy as np

from preimage.calibration import least_squares
from preimage.calibration.fit import Fit
from preimage.calibration.least_squares import WHY, Box
from preimage.inversion import Question, Report
from preimage.inversion.descents import Ends
from preimage.space import Space

# How many of the best ends are polished; equal numbers make one compiled program.
POLISHED = 8
# A polished end that still moves after so many iterations slides along a valley that the data does not tell apart.
POLISHING = 40


def box(fit: Fit, space: Space) -> Box:
    """Return the bounds of a fit's parameters and which of them may only halve in a step."""
    sticky = np.array([name in fit.model.sticky and low == 0 for name, low in zip(fit.names, space.low, strict=True)])
    return Box(space.low, np.where(space.free, space.high - space.low, 1.0), np.where(sticky, 0.5, 0.0))


def descend(question: Question, X0: np.ndarray, movable: np.ndarray, steps: int, report: Report | None = None) -> Ends:
    """Search for a question from every start (n, d) over the movable parameters (d,)."""
    return search(question.fit, question.space, X0, movable, steps, report)


def search(
    fit: Fit, space: Space, X0: np.ndarray, movable: np.ndarray, steps: int, report: Report | None = None
) -> Ends:
    """Search from every start (n, d) over the movable parameters (d,)."""
    bounds = box(fit, space)
    form, data = fit.stepped(steps)

    def progress(iteration: int, best: float, slope: float) -> None:
        if report:
            report(min(len(X0) - 1, iteration * len(X0) // least_squares.MOST_ITERATIONS), best, gradient=slope)

    found = least_squares.minimise(form, data, X0, bounds, movable, progress)
    X, loss, evaluations = found.X.copy(), fit.losses(found.X), found.evaluations + 1
    message = [f"in {n} iterations: {WHY[int(r)]}" for n, r in zip(found.evaluations, found.rest, strict=True)]
    first = np.argsort(np.where(np.isfinite(loss), loss, np.inf), kind="stable")[:POLISHED]
    first = first[np.isfinite(loss[first])]
    if len(first):
        lanes = np.resize(first, POLISHED)
        polished = least_squares.minimise(fit.form, fit.data, X[lanes], bounds, movable, iterations=POLISHING)
        for k, lane in enumerate(first):
            evaluations[lane] += polished.evaluations[k]
            if polished.loss[k] <= loss[lane]:
                X[lane], loss[lane] = polished.X[k], polished.loss[k]
            message[lane] += f"; polished in {polished.evaluations[k]}"
    failed = ~np.isfinite(loss)
    status = np.where(failed, "failed", np.where(found.rest == 0, "not_converged", "ok")).tolist()
    message = ["the solver gave up here" if bad else m for m, bad in zip(message, failed, strict=True)]
    if report:
        report(len(X0), float(np.nanmin(loss, initial=np.inf)))
    return Ends(X, loss, evaluations, status, message, found.history)
