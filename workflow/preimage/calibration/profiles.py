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

from preimage.calibration import least_squares, one_by_one, stationary, traced
from preimage.calibration.engine import box, program
from preimage.calibration.fit import Fit
from preimage.calibration.stationary import SAME
from preimage.core.dynamics import Curve
from preimage.core.space import Space

LEVEL = 0.95
# Held values: so many over the whole range, and at these multiples of the parameter's local standard deviation.
SPREAD = np.linspace(0, 1, 9)
NEAR = np.array([-4, -2, -1, -0.5, 0, 0.5, 1, 2, 4])
# Turns in which every held value starts again from where its neighbours ended.
SWEEPS = 2
# Held values more on each side, where a profile crosses its limit: as many as before, for one compiled program.
FINER = (len(SPREAD) + len(NEAR)) // 2
ITERATIONS = 60
# Times that profiles go on from a better fit than the one before.
TURNS = 4
# A fit whose loss is lower by this share is another one.
BETTER = 0.01
# A search that has not ended is outside for certain where so many of its next steps would not bring it inside.
MARGIN = 4.0
# Residuals as small as this share of the values need not be told apart.
PRECISE = 1e-5
STEPS = (2, 4, 8, 16, 32)
# A direction or a parameter is determined where its interval takes less than this share of the range.
DETERMINED = 0.5


class Profiles(NamedTuple):
    """Profiles of all parameters.

    Attributes:
        parameter, value, loss: of each held value (k,), in order: position of the parameter.
        lowest: how low the loss may still get there (k,): below it where a search has not ended.
        X: the parameters fitted there (k, d).
        limit: largest loss within the interval.
        rows: n, the number of residuals that count.
        directions: standard deviation along each direction of the scaled parameters (d,), best determined first.
        axes: those directions (d, d), a row each.
        best, least: the best parameters (d,) and their loss.
        searched: the loss of the best fit that the search found, where a profile may have found a better one.
        margin: by how much a loss has to be lower to be another fit's.
    """

    parameter: np.ndarray
    value: np.ndarray
    loss: np.ndarray
    lowest: np.ndarray
    X: np.ndarray
    limit: float
    rows: float
    directions: np.ndarray
    axes: np.ndarray
    best: np.ndarray
    least: float
    searched: float
    margin: float = 0.0

    @property
    def better(self) -> bool:
        """Whether what began from the search's best fit, or a profile, came to a better one."""
        return self.least < self.searched - self.margin

    @property
    def determined(self) -> int:
        return int((2 * 1.96 * self.directions < DETERMINED).sum())


def counted(fit: Fit) -> float:
    """Return how many residuals count (Kish 1965): all rows of all series, fewer where weights differ."""
    if not fit.complete:
        return float(1 / (fit.weight**4).sum())
    return float(fit.weights.sum() ** 2 / (fit.weights**2).sum()) * len(fit.columns)


def profile(fit: Fit, space: Space, X: np.ndarray, state: Path | None = None) -> Profiles:
    """Return the profiles of the free parameters.

    A profile may find a better fit than the search did: then all profiles start over from there.

    Args:
        X: where searches ended (n, d), the best first: starts for what is fitted anew.
        state: where a model that JAX can't trace keeps what it needs to go on after a kill.
    """
    work = _Traced(fit, space, X) if fit.model.traceable else _Untraced(fit, space, state)
    x, least, J = work.free(X[0])
    for turn in range(TURNS):
        told = _told(work, x, least, J, turn)
        if not told.loss.min() < least - fit.part(least, SAME) - fit.noise**2:
            break
        x, least, J = work.free(told.X[told.loss.argmin()])
    searched, now = fit.losses(np.stack([X[0], told.best]))  # not by the coarse steps of these searches
    return told._replace(searched=float(searched), least=float(now), margin=fit.part(float(searched), BETTER))


def _told(work: Any, x: np.ndarray, least: float, J: np.ndarray, turn: int) -> Profiles:
    """Return the profiles around the best parameters (d,), with J (r, d) there."""
    free, limits = work.space.free, work.limits
    rows = counted(work.fit)
    variance = work.fit.variance(least, max(1.0, rows - free.sum()))
    directions, axes, deviation = _local(J[:, free], free, variance)
    parameter, value = _held(x, limits, np.flatnonzero(free), deviation)
    held = work.held(x, parameter, value, turn)
    # The best fit itself is in every profile.
    at_best = np.where(value == x[parameter], least, np.inf)
    held = held.or_better(Held(np.tile(x, (len(value), 1)), at_best, at_best))
    left = max(1.0, rows - max(1, int((2 * 1.96 * directions < DETERMINED).sum())))
    limit = work.fit.limit(float(min(least, held.loss.min())), left, LEVEL)
    finer = work.finer(parameter, value, held, limit)
    if finer is not None:
        parameter, value, held = finer
    order = np.lexsort((value, parameter))
    limit = work.fit.limit(float(min(least, held.loss.min())), left, LEVEL)
    return Profiles(parameter[order], value[order], held.loss[order], held.lowest[order], held.X[order], limit, rows,
                    directions, axes, x, least, least)  # fmt: skip


class Held(NamedTuple):
    """What was fitted with one parameter held (k, ...): all parameters, the loss, and how low it may still get."""

    X: np.ndarray
    loss: np.ndarray
    lowest: np.ndarray

    def or_better(self, other: Held) -> Held:
        better = other.loss < self.loss
        return Held(*(np.where(better if a.ndim == 1 else better[:, None], b, a)
                      for a, b in zip(self, other, strict=True)))  # fmt: skip


class _Untraced:
    """Searches one by one, of a model that JAX can't trace."""

    def __init__(self, fit: Fit, space: Space, state: Path | None) -> None:
        self.fit, self.space, self.limits, self.state = fit, space, box(fit, space), state
        self.search = (fit, self.limits.low, self.limits.width)

    def free(self, x: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
        """Return where a search over all free parameters ends, its loss, and the residuals' derivatives there."""
        found, loss = one_by_one.minimise(*self.search, x, self.space.free)
        return found, loss, one_by_one.jacobian(*self.search, found)

    def held(self, x: np.ndarray, parameter: np.ndarray, value: np.ndarray, turn: int) -> Held:
        state = self.state and self.state.with_name(f"{self.state.name}{turn or ''}")
        found, loss = one_by_one.outward(*self.search, self.space.free, x, parameter, value, state)
        return Held(found, loss, loss)

    def finer(self, parameter: np.ndarray, value: np.ndarray, held: Held, limit: float) -> None:
        """A model may be slow: its limits are interpolated."""


class _Traced:
    """Searches in lockstep, by the steps of fixed length that are enough for the best of the ends X (n, d)."""

    def __init__(self, fit: Fit, space: Space, X: np.ndarray) -> None:
        self.fit, self.space, self.limits, self.X = fit, space, box(fit, space), X
        self.program = program(fit, steps_for(fit, X[0]))

    def free(self, x: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
        """Return where a search over all free parameters ends, its loss, and the residuals' derivatives there."""
        ended = least_squares.minimise(*self.program, x[None], self.limits, self.space.free)
        return ended.X[0], float(ended.loss[0]), ended.J[0]

    def held(self, x: np.ndarray, parameter: np.ndarray, value: np.ndarray, turn: int) -> Held:
        """Return what is fitted with one parameter held at each value (k,): from the best and from the nearest end of a
        search, then from where the neighbours' searches ended."""
        far = np.abs(self.X[None, :, :] - value[:, None, None])[np.arange(len(value)), :, parameter]
        found = self._fitted(parameter, value, [np.tile(x, (len(value), 1)), self.X[far.argmin(axis=1)]])
        for _ in range(SWEEPS):
            beside = [_neighbours(found.X, parameter, shift) for shift in (-1, 1)]
            found = found.or_better(self._fitted(parameter, value, beside))
        return found

    def finer(
        self, parameter: np.ndarray, value: np.ndarray, held: Held, limit: float
    ) -> tuple[np.ndarray, np.ndarray, Held]:
        """Return the profiles with as many held values again, in the intervals where they cross the limit."""
        more, low, high = [], [], []
        for j in np.unique(parameter):
            mine = np.flatnonzero(parameter == j)
            inside = mine[held.loss[mine] <= limit]
            inside = inside if len(inside) else mine[[held.loss[mine].argmin()]]
            for a, b in ((max(inside[0] - 1, mine[0]), inside[0]), (inside[-1], min(inside[-1] + 1, mine[-1]))):
                more.append(np.linspace(value[a], value[b], FINER + 2)[1:-1])
                low.append(np.full(FINER, a))
                high.append(np.full(FINER, b))
        values, a, b = (np.concatenate(v) for v in (more, low, high))
        found = self._fitted(parameter, values, [held.X[a], held.X[b]])
        both = Held(*(np.concatenate(pair) for pair in zip(held, found, strict=True)))
        return np.concatenate([parameter, parameter]), np.concatenate([value, values]), both

    def _fitted(self, parameter: np.ndarray, value: np.ndarray, starts: list[np.ndarray]) -> Held:
        """Return the best that is fitted with one parameter held, from any of the starts (k, d)."""
        k = np.arange(len(value))
        lanes = np.concatenate(starts)
        who = np.tile(k, len(starts))
        lanes[np.arange(len(lanes)), parameter[who]] = value[who]
        moves = np.tile(self.space.free, (len(lanes), 1))
        moves[np.arange(len(lanes)), parameter[who]] = False
        found = least_squares.minimise(*self.program, lanes, self.limits, moves, iterations=ITERATIONS)
        loss = np.where(np.isfinite(found.loss), found.loss, np.inf)
        # What a step by the slopes would still take away, with a margin for curvature; nothing where none is promised.
        left = stationary.offsets(np.nan_to_num(found.r), np.nan_to_num(found.J), found.u, moves)[0] ** 2
        lowest = loss - MARGIN * np.where(found.rest == 1, 0.0, left)
        first = loss.reshape(len(starts), -1).argmin(axis=0)
        return Held(*(v.reshape(len(starts), len(k), *v.shape[1:])[first, k] for v in (found.X, loss, lowest)))


def steps_for(fit: Fit, x: np.ndarray) -> int:
    """Return how many Runge-Kutta steps between rows give the loss at parameters (d,) to a hundredth."""
    right = float(fit.losses(x[None])[0])
    if isinstance(fit.model, Curve):
        return STEPS[0]
    for steps in STEPS:
        form, data = fit.stepped(steps)
        found = float(np.asarray(traced.losses_at(form, data, x[None]))[0])
        if abs(found - right) <= fit.part(right, 0.01) + (PRECISE * fit.size) ** 2:
            break
    return steps


def _local(J: np.ndarray, free: np.ndarray, variance: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return standard deviations along the directions of curvature, these directions, and the parameters' own standard
    deviations, all in parameters scaled to [0, 1]; at most 1. J (r, f) are the residuals' derivatives by those free."""
    _, singular, axes = np.linalg.svd(J, full_matrices=True)
    curvature = np.zeros(len(axes))
    curvature[: len(singular)] = singular**2
    with np.errstate(divide="ignore", invalid="ignore"):
        along = np.fmin(np.sqrt(variance / curvature), 1.0)
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


def interval(profiles: Profiles, j: int) -> tuple[float, float, bool, bool]:
    """Return the 95 % interval of a parameter, and whether it is open below and above: it reaches the bound, or no
    search outside it ended where its loss can't get within the limit any more."""
    mine = profiles.parameter == j
    value, loss = profiles.value[mine], profiles.loss[mine]
    first, last = _inside(profiles, j)
    low = value[0] if first == 0 else _crossing(value, loss, first - 1, first, profiles.limit)
    high = value[-1] if last == len(value) - 1 else _crossing(value, loss, last + 1, last, profiles.limit)
    return float(low), float(high), first == 0, last == len(value) - 1


def _inside(profiles: Profiles, j: int) -> tuple[int, int]:
    """Return the first and the last held value of a parameter that may be inside: from those whose loss is within the
    limit outwards, to the first that is outside for certain. What a search beyond that promises, but did not reach, is
    another valley's, if it is there."""
    mine = profiles.parameter == j
    found, may = (np.flatnonzero(v[mine] <= profiles.limit) for v in (profiles.loss, profiles.lowest))
    first, last = (int(found[0]), int(found[-1])) if len(found) else (int(may[0]), int(may[-1]))
    while first - 1 in may:
        first -= 1
    while last + 1 in may:
        last += 1
    return first, last


def _crossing(value: np.ndarray, loss: np.ndarray, out: int, inside: int, limit: float) -> float:
    """Return where the loss crosses the limit, by its logarithm between two held values; at the one inside where the
    other has no loss, at the one outside where the search inside had not ended."""
    a, b = loss[[out, inside]]
    if b > limit:
        return float(value[out])
    share = np.log(a / limit) / np.log(a / b) if np.inf > a > b > 0 else float(a == np.inf)
    return float(value[out] + share * (value[inside] - value[out]))


def findings(profiles: Profiles, fit: Fit, space: Space) -> list[dict[str, Any]]:
    """Return a row a free parameter: its interval, and whether the data determines it."""
    rows = []
    for j in np.unique(profiles.parameter):
        low, high, below, above = interval(profiles, j)
        # Of a search that had not ended, inside the interval or beside it, nothing is known.
        first, last = _inside(profiles, j)
        loss = profiles.loss[profiles.parameter == j][first : last + 1]
        unended = bool((loss > profiles.limit).any())
        share = (high - low) / space.width[j]
        rows.append(
            {
                "parameter": fit.names[j],
                "low": low,
                "high": high,
                "open_below": below,
                "open_above": above,
                "share": share,
                "unended": unended,
                "determined": bool(share < DETERMINED and not below and not above and not unended),
            }
        )
    return rows
