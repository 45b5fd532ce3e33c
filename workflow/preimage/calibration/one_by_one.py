"""Bounded least squares of fits that JAX can't trace: one search after another, by scipy, with central differences.

Trust-region reflective (Branch, Coleman, Li 1999), over parameters scaled to [0, 1]. Differences take a step that suits
the tolerance of the equations' solver, not that of the machine's numbers: the cube root of it (Nocedal and Wright 2006,
section 8.1).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.optimize import least_squares

from preimage.calibration import losses
from preimage.calibration.fit import Fit
from preimage.calibration.giving_up import NoSolutionError
from preimage.support import npz
from preimage.support.checkpoints import Pace
from preimage.support.files import replacing
from preimage.support.resume_state import resumed

MOST_EVALUATIONS = 60
# Solvers give what they are asked for; what is smaller than that is noise.
ENOUGH = 1e-8


def residuals(fit: Fit, x: np.ndarray) -> np.ndarray:
    """Return the residuals whose squares sum to the loss, at parameters (d,); infinite where the solver gives up."""
    try:
        return fit.residuals_by_scipy(x).ravel()
    except NoSolutionError:
        return np.full(fit.many, np.inf)


def minimise(
    fit: Fit, low: np.ndarray, width: np.ndarray, x0: np.ndarray, moves: np.ndarray
) -> tuple[np.ndarray, float]:
    """Return where a search from parameters (d,) over those that move (d,) ends, and its loss; infinite, at the start,
    where there is no solution."""
    x, unit = x0.copy(), fit.size or 1.0
    if not moves.any():
        return x, float((residuals(fit, x) ** 2).sum())
    try:
        found = least_squares(
            lambda u: residuals(fit, _at(x, low, width, moves, u)) / unit,
            np.clip((x0 - low) / width, 0, 1)[moves],
            "3-point",
            (0, 1),
            diff_step=_step(fit),
            xtol=ENOUGH,
            gtol=None,  # it would be compared with a gradient that has a unit
            x_scale="jac",
            max_nfev=MOST_EVALUATIONS,
        )
    except (ValueError, np.linalg.LinAlgError):  # what scipy says of residuals that are not finite
        return x, np.inf
    return _at(x, low, width, moves, found.x), float(2 * found.cost) * unit**2


def jacobian(fit: Fit, low: np.ndarray, width: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return the derivatives of the residuals (r, d) by the scaled parameters, at one point (d,); 0 where there is no
    solution beside it: nothing is told of that parameter from here."""
    everything = np.ones(len(x), bool)
    u, h = np.clip((x - low) / width, 0, 1), _step(fit)
    columns = []
    for e in np.eye(len(x)):
        a, b = (np.clip(u + s * h * e, 0, 1) for s in (-1, 1))
        ends = [residuals(fit, _at(x, low, width, everything, v)) for v in (a, b)]
        solved = all(np.isfinite(r).all() for r in ends)
        columns.append((ends[1] - ends[0]) / (b - a).sum() if solved else np.zeros(len(ends[0])))
    return np.stack(columns, axis=1)


def sensitivities(
    fit: Fit, low: np.ndarray, width: np.ndarray, x: np.ndarray, columns: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the series that the loss takes, on its scale (n, c), at one point (d,), and their derivatives (n, c, k) by
    some of the scaled parameters (k,); NaN where there is no solution at the point, 0 where there is none beside it."""
    everything = np.ones(len(x), bool)
    u, h = np.clip((x - low) / width, 0, 1), _step(fit)
    at = _series(fit, x)
    slopes = []
    for j in columns:
        a, b = (np.clip(u + s * h * np.eye(len(x))[j], 0, 1) for s in (-1, 1))
        ends = [_series(fit, _at(x, low, width, everything, v)) for v in (a, b)]
        slopes.append(np.nan_to_num((ends[1] - ends[0]) / (b - a).sum()))
    return at, np.stack(slopes, axis=-1)


def _series(fit: Fit, x: np.ndarray) -> np.ndarray:
    """Return the series that the loss takes, on its scale (n, c); NaN where the solver gives up."""
    try:
        return losses.scaled(fit.loss, fit.modelled(x)[:, list(fit.columns)])
    except NoSolutionError:
        return np.full((len(fit.counted), len(fit.columns)), np.nan)


def outward(
    fit: Fit,
    low: np.ndarray,
    width: np.ndarray,
    free: np.ndarray,
    best: np.ndarray,
    parameter: np.ndarray,
    value: np.ndarray,
    state: Path | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the best parameters (k, d) and losses (k,) with one parameter held at each value (k,).

    From the best parameters (d,) outwards to both sides, so that each search starts from where its neighbour ended.
    There are hundreds of searches, each of many solutions of a model that may be slow: what has ended is kept in the
    file `state` for the next attempt.
    """
    X, loss, ended = np.tile(best, (len(value), 1)), np.full(len(value), np.inf), np.zeros(len(value), bool)

    def read(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        kept = npz.read(path)
        found = kept["X"], kept["loss"], kept["ended"]
        if [part.shape for part in found] != [X.shape, loss.shape, ended.shape]:
            raise ValueError("of another search")
        return found

    X, loss, ended = resumed(state, read) or (X, loss, ended)

    def save(path: Path) -> None:
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez(file, X=X, loss=loss, ended=ended)

    pace = Pace(save, state, None)
    try:
        for j in np.unique(parameter):
            mine = np.flatnonzero(parameter == j)
            moves = free & (np.arange(len(best)) != j)
            for side in (mine[value[mine] <= best[j]][::-1], mine[value[mine] > best[j]]):
                x = best
                for k in side:
                    if not ended[k]:
                        begin = x.copy()
                        begin[j] = value[k]
                        X[k], loss[k] = minimise(fit, low, width, begin, moves)
                        ended[k] = True
                        pace.turn()
                    x = X[k] if np.isfinite(loss[k]) else x
    except SystemExit:  # one search may take longer than there is time to end
        if state is not None:
            save(state)
        raise
    return X, loss


def _at(x: np.ndarray, low: np.ndarray, width: np.ndarray, moves: np.ndarray, u: np.ndarray) -> np.ndarray:
    point = x.copy()
    point[moves] = low[moves] + width[moves] * u
    return point


def _step(fit: Fit) -> float:
    return float(max(fit.rtol, 1e-15) ** (1 / 3))
