"""What a solver of a user's equations may overlook: an input so short that it steps over it, and with it the parameters
that act there alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from preimage.calibration.fit import Fit
from preimage.calibration.giving_up import NoSolutionError
from preimage.core.dynamics import Curve

# A parameter is moved by this share of its range; a change of a value is the solver's error up to so many times its
# tolerance.
MOVED, ERRORS = 0.1, 100
# Solutions on two grids are the same where they differ by no more than this share of the largest value of a series.
SAME = 1e-4
REMEDY = "state its times as `problem.events`, or set `problem.solver.largest_step`"


def unmoved(fit: Fit, x: np.ndarray, low: np.ndarray, high: np.ndarray) -> list[str]:
    """Return the parameters, of those that have a range and are no noise, that move no value of the series at
    parameters (d,)."""
    values = _series(fit, x)
    size = np.abs(values).max(axis=0)
    still = []
    noises = {noise.name for noise in fit.noises}
    for k in np.flatnonzero((low < high) & np.array([name not in noises for name in fit.names])):
        beside = x.copy()
        beside[k] += MOVED * (high[k] - low[k]) * (1 if x[k] < (low[k] + high[k]) / 2 else -1)
        try:
            change = np.abs(_series(fit, beside) - values)
        except NoSolutionError:
            continue
        if (change <= ERRORS * fit.rtol * size).all():
            still.append(fit.names[k])
    return still


def apart(fit: Fit, x: np.ndarray) -> float:
    """Return how far the series at parameters (d,) are from those on a finer grid, as a share of their largest value; 0
    where that is the solver's error."""
    if isinstance(fit.model, Curve):
        return 0.0
    try:
        both = np.stack([_series(fit, x), _series(replace(fit, course=fit.reference_course), x)])
    except NoSolutionError:
        return 0.0
    size = np.abs(both).max(axis=(0, 1))
    share = float((np.abs(both[1] - both[0]).max(axis=0) / np.where(size > 0, size, 1.0)).max())
    return share if share > SAME else 0.0


def sentences(still: Sequence[str], share: float, where: str, curve: bool = False) -> list[str]:
    """Return what is to be said of parameters that move nothing, and of a grid that is too coarse."""
    said = []
    if still:
        names = ", ".join(f"'{name}'" for name in still)
        them = f"parameter {names} moves" if len(still) == 1 else f"parameters {names} move"
        short = "" if curve else f"; if an input acts for a short time only, {REMEDY}"
        said.append(f"{them} no value of the series {where}{short}")
    if share:
        said.append(
            f"on a finer grid the series {where} differ by {100 * share:.2g} %: the solver steps over something short; "
            f"{REMEDY}"
        )
    return said


def _series(fit: Fit, x: np.ndarray) -> np.ndarray:
    """Return the modelled series (n, c) that the loss takes. Raises NoSolutionError."""
    return np.real(fit.modelled(x))[:, list(fit.columns)]
