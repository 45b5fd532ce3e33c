"""What the data tells of each parameter: profile likelihoods (Raue et al. 2009, Bioinformatics 25), and the directions
of parameters that it determines at all.

A parameter is held at values over its range and all others are fitted anew. For a loss that is a weighted mean of n
squared residuals (n counted as Kish counts weighted samples), values whose profile is at most 1 + F(1, n - r) / (n - r)
times the best loss are within the 95 % interval (Bates and Watts 1988), where r directions are determined. Residuals of
cumulative counts depend on each other, so true intervals are wider still.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import f as fisher

from preimage.calibration import least_squares, one_by_one, traced
from preimage.calibration.engine import box
from preimage.calibration.fit import Fit
from preimage.space import Space

LEVEL = 0.95
# Held values: so many over the whole range, and at these multiples of the parameter's local standard deviation.
SPREAD = np.linspace(0, 1, 9)
NEAR = np.array([-4, -2, -1, -0.5, 0, 0.5, 1, 2, 4])
# Turns in which every held value starts again from where its neighbours ended.
SWEEPS = 2
ITERATIONS = 60
STEPS = (2, 4, 8, 16, 32)
# A direction or a parameter is determined where its interval takes less than this share of the range.
DETERMINED = 0.5


class Profiles(NamedTuple):
    """Profiles of all parameters.

    Attributes:
        parameter, value, loss: of each held value (k,): position of the parameter.
        X: the parameters fitted there (k, d).
        limit: largest loss within the interval.
        rows: n, the number of residuals that count.
        directions: standard deviation along each direction of the scaled parameters (d,), best determined first.
        axes: those directions (d, d), a row each.
    """

    parameter: np.ndarray
    value: np.ndarray
    loss: np.ndarray
    X: np.ndarray
    limit: float
    rows: float
    directions: np.ndarray
    axes: np.ndarray

    @property
    def determined(self) -> int:
        return int((2 * 1.96 * self.directions < DETERMINED).sum())


def counted(fit: Fit) -> float:
    """Return how many residuals count (Kish 1965): all rows of all series, fewer where weights differ."""
    return float(fit.weights.sum() ** 2 / (fit.weights**2).sum()) * len(fit.columns)


def profile(fit: Fit, space: Space, X: np.ndarray, state: Path | None = None) -> Profiles:
    """Return the profiles of the free parameters.

    Args:
        X: where searches ended (n, d), the best first: starts for what is fitted anew.
        state: where a model that JAX can't trace keeps what it needs to go on after a kill.
    """
    limits, free = box(fit, space), space.free
    scipys = (fit, limits.low, limits.width)
    program: tuple[Any, Any] = ()  # type: ignore[assignment]
    if fit.model.traceable:
        program = fit.stepped(steps_for(fit, X[0]))
        ended = least_squares.minimise(*program, X[:1], limits, free)
        x, least = ended.X[0], float(ended.loss[0])
        J = least_squares.jacobian(fit.form, fit.data, limits, (x - limits.low) / limits.width)
    else:
        x, least = one_by_one.minimise(*scipys, X[0], free)
        J = one_by_one.jacobian(*scipys, x)
    rows = counted(fit)
    directions, axes, deviation = _local(J[:, free], free, least, rows)
    parameter, value = _held(x, limits, np.flatnonzero(free), deviation)
    if fit.model.traceable:
        found, loss = _in_lockstep(program, limits, free, x, X, parameter, value)
    else:
        found, loss = one_by_one.outward(*scipys, free, x, parameter, value, state)
    least = min(least, float(np.nanmin(loss)))  # a profile may find a better fit than the search did
    left = max(1.0, rows - max(1, int((2 * 1.96 * directions < DETERMINED).sum())))
    limit = least * (1 + fisher.ppf(LEVEL, 1, left) / left)
    return Profiles(parameter, value, loss, found, float(limit), rows, directions, axes)


def _in_lockstep(
    program: tuple[Any, Any],
    limits: Any,
    free: np.ndarray,
    best: np.ndarray,
    X: np.ndarray,
    parameter: np.ndarray,
    value: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the best parameters (k, d) and losses (k,) with one parameter held at each value (k,): from the best and
    from the nearest end (n, d) of a search, then from where the neighbours' searches ended."""
    nearest = np.abs(X[None, :, :] - value[:, None, None])[np.arange(len(value)), :, parameter].argmin(axis=1)
    found, loss = _fitted(program, limits, free, parameter, value, [np.tile(best, (len(value), 1)), X[nearest]])
    for _ in range(SWEEPS):
        beside = [_neighbours(found, parameter, shift) for shift in (-1, 1)]
        again, lower = _fitted(program, limits, free, parameter, value, beside)
        better = lower < loss
        found, loss = np.where(better[:, None], again, found), np.where(better, lower, loss)
    return found, loss


def steps_for(fit: Fit, x: np.ndarray) -> int:
    """Return how many Runge-Kutta steps between rows give the loss at parameters (d,) to a hundredth."""
    right = float(fit.losses(x[None])[0])
    for steps in STEPS:
        form, data = fit.stepped(steps)
        found = float(np.asarray(traced.losses_at(form, data, x[None]))[0])
        if abs(found - right) <= 0.01 * right + 1e-10:
            break
    return steps


def _local(J: np.ndarray, free: np.ndarray, least: float, rows: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return standard deviations along the directions of curvature, these directions, and the parameters' own standard
    deviations, all in parameters scaled to [0, 1]; at most 1. J (r, f) are the residuals' derivatives by those free."""
    _, singular, axes = np.linalg.svd(J, full_matrices=True)
    curvature = np.zeros(len(axes))
    curvature[: len(singular)] = singular**2
    left = max(1.0, rows - len(axes))
    along = np.minimum(np.sqrt(least / left / np.maximum(curvature, 1e-300)), 1.0)
    own = np.ones(len(free))
    own[free] = np.minimum(np.sqrt((along[:, None] ** 2 * axes**2).sum(axis=0)), 1.0)
    whole = np.zeros((len(axes), len(free)))
    whole[:, free] = axes
    return along, whole, own


def _held(x: np.ndarray, limits: Any, free: np.ndarray, deviation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which parameter is held at which value, in order: a grid of one length for every parameter."""
    parameter, value = [], []
    for j in free:
        low, width = limits.low[j], limits.width[j]
        near = np.clip(x[j] + NEAR * deviation[j] * width, low, low + width)
        parameter += [j] * (len(SPREAD) + len(NEAR))
        value += sorted([*(low + SPREAD * width), *near])
    return np.array(parameter), np.array(value)


def _neighbours(found: np.ndarray, parameter: np.ndarray, shift: int) -> np.ndarray:
    """Return what was fitted at the held value before or after, of the same parameter; its own at the ends."""
    index = np.clip(np.arange(len(found)) + shift, 0, len(found) - 1)
    return found[np.where(parameter[index] == parameter, index, np.arange(len(found)))]


def _fitted(
    program: tuple[Any, Any],
    limits: Any,
    free: np.ndarray,
    parameter: np.ndarray,
    value: np.ndarray,
    starts: list[np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Return the best parameters (k, d) and losses (k,) with one parameter held, from any of the starts (k, d)."""
    k = np.arange(len(value))
    lanes = np.concatenate(starts)
    who = np.tile(k, len(starts))
    lanes[np.arange(len(lanes)), parameter[who]] = value[who]
    moves = np.tile(free, (len(lanes), 1))
    moves[np.arange(len(lanes)), parameter[who]] = False
    found = least_squares.minimise(*program, lanes, limits, moves, iterations=ITERATIONS)
    loss = np.where(np.isfinite(found.loss), found.loss, np.inf).reshape(len(starts), -1)
    first = loss.argmin(axis=0)
    return found.X.reshape(len(starts), len(k), -1)[first, k], loss[first, k]


def interval(profiles: Profiles, j: int) -> tuple[float, float, bool, bool]:
    """Return the 95 % interval of a parameter, and whether it is open below and above: it reaches the bound."""
    mine = profiles.parameter == j
    order = np.argsort(profiles.value[mine], kind="stable")
    value, loss = profiles.value[mine][order], profiles.loss[mine][order]
    inside = np.flatnonzero(loss <= profiles.limit)
    first, last = int(inside[0]), int(inside[-1])
    low = value[0] if first == 0 else _crossing(value, loss, first - 1, first, profiles.limit)
    high = value[-1] if last == len(value) - 1 else _crossing(value, loss, last + 1, last, profiles.limit)
    return float(low), float(high), first == 0, last == len(value) - 1


def _crossing(value: np.ndarray, loss: np.ndarray, out: int, inside: int, limit: float) -> float:
    """Return where the loss crosses the limit, by its logarithm between two held values; at the one inside where the
    other has no loss."""
    a, b = np.log(loss[[out, inside]])
    share = (a - np.log(limit)) / (a - b) if np.inf > a > b else float(a == np.inf)
    return float(value[out] + share * (value[inside] - value[out]))


def findings(profiles: Profiles, fit: Fit, space: Space) -> list[dict[str, Any]]:
    """Return a row a free parameter: its interval, and whether the data determines it."""
    rows = []
    for j in np.unique(profiles.parameter):
        low, high, below, above = interval(profiles, j)
        share = (high - low) / space.width[j]
        rows.append(
            {
                "parameter": fit.names[j],
                "low": low,
                "high": high,
                "open_below": below,
                "open_above": above,
                "share": share,
                "determined": bool(share < DETERMINED and not below and not above),
            }
        )
    return rows
