"""The engine `batched` of a fit: least squares from all starts at once, then the best polished.

All starts take Runge-Kutta steps of fixed length together (steps of low tolerance where equations are stiff); where
they end is judged, and the best are searched on, by the adaptive solver, so that no answer rests on the coarse steps.
`ok` is an end that `preimage.calibration.stationary` finds solved and that no other start's is better than.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from preimage.calibration import least_squares, pooled, stationary
from preimage.calibration.fit import Fit
from preimage.calibration.least_squares import LITTLE, WHY, Box, Found
from preimage.calibration.starts import TRIALS, design, tried
from preimage.core.dynamics import Curve
from preimage.core.space import Space
from preimage.inversion.descents import Ends
from preimage.inversion.question import Question
from preimage.support.progress import Report

# How many of the best ends are polished; equal numbers make one compiled program.
POLISHED = 8
# A polished end that still moves after so many iterations slides along a valley that the data does not tell apart; but
# of stiff equations, whose coarse steps end further away, it goes on where they brought this share of the loss, or of a
# likelihood's limit: for so many times as many.
POLISHING, GAINED, ROUNDS = 40, 1e-3, 10
# Ends of the coarse steps within this share of every range are one place.
TOGETHER = 1e-5
# The errors of a solver's steps add up to so many times its tolerance.
ADDED_UP = 10
COARSE = "not polished: by coarse steps alone"


def box(fit: Fit, space: Space) -> Box:
    """Return the bounds of a fit's parameters and which of them may only halve in a step."""
    sticky = np.array([name in fit.model.sticky and low == 0 for name, low in zip(fit.names, space.low, strict=True)])
    return Box(space.low, np.where(space.free, space.high - space.low, 1.0), np.where(sticky, 0.5, 0.0))


def descend(question: Question, X0: np.ndarray, movable: np.ndarray, steps: int, report: Report | None = None) -> Ends:
    """Search for a question from every start (n, d) over the movable parameters (d,)."""
    return search(question.fit, question.space, X0, movable, steps, report)


def starts(
    question: Question, n: int, mine: np.ndarray, steps: int, rng: np.random.Generator
) -> tuple[np.ndarray, int]:
    """Return those of n starts that are `mine` (k, d), and what each has cost: the question's own start first, of the
    others each the most promising of several points, after some iterations."""
    fit, space = question.fit, question.space
    draws, iterations = TRIALS["curve" if isinstance(fit.model, Curve) else "equation"]
    drawn = design(space, n * draws, rng, fit.logs).reshape(n, draws, -1)
    own = np.arange(n) == 0 if space.contains(fit.start[None])[0] else np.zeros(n, bool)
    drawn[own, 0] = fit.start
    form, data = program(fit, steps)
    movable = space.free & ~space.discrete

    def trial(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = least_squares.minimise(form, data, X, box(fit, space), movable, iterations=iterations)
        return found.X, found.loss

    return tried(drawn[mine], own[mine], trial), draws * (iterations + 1)


def search(
    fit: Fit, space: Space, X0: np.ndarray, movable: np.ndarray, steps: int, report: Report | None = None
) -> Ends:
    """Search from every start (n, d) over the movable parameters (d,)."""
    bounds = box(fit, space)
    form, data = program(fit, steps)

    def progress(iteration: int, best: float, slope: float) -> None:
        if report:
            report(min(len(X0) - 1, iteration * len(X0) // least_squares.MOST_ITERATIONS), best, gradient=slope)

    found = least_squares.minimise(form, data, X0, bounds, movable, progress)
    message = [f"in {n} iterations: {WHY[int(r)]}" for n, r in zip(found.evaluations, found.rest, strict=True)]
    found, polished = (
        (found, np.isfinite(found.loss)) if form == fit.form else _polished(fit, bounds, movable, found, message)
    )
    moves = np.broadcast_to(movable, X0.shape)
    reasons = stationary.why_not(found.r, found.J, found.u, moves, fit.noise)
    reasons = [r if p else COARSE for r, p in zip(reasons, polished, strict=True)]
    failed = ~np.isfinite(found.loss)
    status = np.where(failed, "failed", np.where(np.array(reasons, object) == "", "ok", "not_converged")).tolist()
    message = [
        "the solver gave up here" if bad else "; ".join(filter(None, [m, r]))
        for m, r, bad in zip(message, reasons, failed, strict=True)
    ]
    if report:
        report(len(X0), float(np.nanmin(np.where(failed, np.inf, found.loss), initial=np.inf)))
    return Ends(found.X, np.where(failed, np.nan, found.loss), found.evaluations, status, message, found.history)


def program(fit: Fit, steps: int) -> tuple[Any, Any]:
    """Return form and data of a search: of a curve as it is, of an equation coarsely."""
    return (fit.form, fit.data) if isinstance(fit.model, Curve) else fit.stepped(steps)


def settled(question: Question, ends: Ends) -> Ends:
    """Return all the ends of one fit with those no longer called solved that are worse than the best, a row of the
    table included, or that one start of many alone has found."""
    known = question.Y[:, 0] if len(question.Y) else np.empty(0)
    said = stationary.doubts(ends.loss, question.fit.noise, float(np.min(known[np.isfinite(known)], initial=np.inf)))
    doubted = [bool(s) and a == "ok" for s, a in zip(said, ends.status, strict=True)]
    status = ["not_converged" if bad else a for bad, a in zip(doubted, ends.status, strict=True)]
    message = [f"{m}; {s}" if bad else m for bad, s, m in zip(doubted, said, ends.message, strict=True)]
    return ends._replace(status=status, message=message)


def _on(
    fit: Fit, bounds: Box, movable: np.ndarray, X: np.ndarray, loss: np.ndarray, mine: np.ndarray, rounds: int
) -> Found:
    """Return searches from parameters (n, d) with a loss (n,), of those that are `mine` (n,): of so many rounds of
    iterations as long as each brings something."""
    whole = least_squares.minimise(fit.form, fit.data, X, bounds, movable, iterations=POLISHING, only=mine)
    for _ in range(rounds - 1):
        gained = [a - b > fit.part(b, GAINED) for a, b in zip(loss.tolist(), whole.loss.tolist(), strict=True)]
        mine = mine & np.array(gained)
        if not mine.any():
            break
        loss = whole.loss.copy()
        part = least_squares.minimise(fit.form, fit.data, whole.X, bounds, movable, iterations=POLISHING, only=mine)
        mine = mine & (part.loss <= loss)
        for old, new in zip(whole[:2] + whole[3:7], part[:2] + part[3:7], strict=True):
            old[mine] = new[mine]
        whole.evaluations[mine] += part.evaluations[mine]
    return whole


def _losses(fit: Fit, bounds: Box, movable: np.ndarray, X: np.ndarray) -> np.ndarray:
    """Return the losses (n,) at parameters (n, d) as a search sees them; infinite or NaN where there is none."""
    return least_squares.minimise(fit.form, fit.data, X, bounds, movable, iterations=0).loss


def _polished(fit: Fit, bounds: Box, movable: np.ndarray, found: Found, message: list[str]) -> tuple[Found, np.ndarray]:
    """Return the ends by the adaptive solver, the best of them searched on, and which those are (n,); says so.

    Coarse ends in one place have one polished end.
    """
    together = pooled.solves(fit.form)  # in the program of the search
    loss = np.array(_losses(fit, bounds, movable, found.X) if together else fit.losses(found.X))  # a copy: JAX's is not
    place = np.round(found.u / TOGETHER)
    order = np.argsort(np.where(np.isfinite(loss), loss, np.inf), kind="stable")
    order = order[np.isfinite(loss[order])]
    first = order[np.sort(np.unique(place[order], axis=0, return_index=True)[1])][:POLISHED]
    found, done = found._replace(loss=loss, evaluations=found.evaluations + 1), np.zeros(len(loss), bool)
    if not len(first):
        return found, done
    lanes = np.arange(len(loss)) if together else np.resize(first, POLISHED)
    bounds, mine = bounds._replace(noise=np.float64(ADDED_UP * fit.noise)), np.isin(lanes, first)
    if together and fit.noises:  # the loss of a likelihood is large or small by a constant that says nothing
        bounds = bounds._replace(little=np.float64(fit.part(1.0, LITTLE) / max(float(loss[order[0]]), 1.0)))
    again = _on(fit, bounds, movable, found.X[lanes], loss[lanes], mine, ROUNDS if together else 1)
    for k, lane in [(lanes.tolist().index(lane), lane) for lane in first]:
        if not np.sqrt(again.loss[k]) <= np.sqrt(loss[lane]) + bounds.noise:
            continue
        for other in np.flatnonzero((place == place[lane]).all(axis=1)):
            for whole, part in zip(found[:1] + found[4:7], again[:1] + again[4:7], strict=True):
                whole[other] = part[k]
            found.loss[other], done[other] = again.loss[k], True
            found.evaluations[other] += again.evaluations[k] if other == lane else 0
            message[other] += f"; polished in {again.evaluations[k]}"
    return found, done
