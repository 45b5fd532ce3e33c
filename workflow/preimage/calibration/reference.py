"""Derivatives to judge derivatives by: complex steps in 80-bit arithmetic, by a solver of its own.

The solver extrapolates the modified midpoint rule (Gragg 1965, Bulirsch and Stoer 1966; Hairer, Norsett and Wanner
1993, II.9): its coefficients are whole numbers, so that nothing but the long double's own rounding limits it. The
complex step (Squire and Trapp 1998) has no cancellation.
"""

from __future__ import annotations

import numpy as np

from preimage.calibration import losses
from preimage.calibration.course import Course, limits
from preimage.calibration.fit import Fit
from preimage.calibration.solvers import WHOLE
from preimage.core.dynamics import Curve, Dynamics, Known, Parameters

COLUMNS = 8
TOLERANCE = 1e-17
STEP = 1e-40
MOST_STEPS = 20000


def gradient(fit: Fit, x: np.ndarray) -> np.ndarray:
    """Return the derivative of a fit's loss by its parameters (d,), to about 15 digits.

    Raises ArithmeticError where the model does not compute in long double: one written with jax.numpy, say.
    """
    out = []
    for k in range(len(x)):
        point = np.array(x, np.clongdouble)
        point[k] += np.clongdouble(1j) * STEP
        out.append(float(_loss(fit, fit.named(point)).imag / STEP))
    return np.array(out)


def _loss(fit: Fit, p: Parameters) -> np.clongdouble:
    if fit.noises or fit.series.conditions:
        raise ArithmeticError("likelihoods and conditions are not computed in long double")
    counted, s, columns = fit.counted, fit.series, list(fit.columns)
    if isinstance(fit.model, Curve):
        at = {name: column[counted].astype(np.longdouble) for name, column in s.at.items()}
        Y = np.stack(np.broadcast_arrays(*fit.model.function(at, p, np), counted)[:-1], axis=1)
    else:
        Y = integrate(fit.model, p, s.known, s.times[counted], fit.course)
    if Y.dtype != np.clongdouble:
        raise ArithmeticError(f"the model computes in {Y.dtype}, not in long double")
    wanted = losses.scaled(fit.loss, s.values[counted].astype(np.longdouble))
    square = (losses.scaled(fit.loss, Y) - wanted)[:, columns] ** 2
    if fit.complete:
        return (fit.weights[counted].astype(np.longdouble) * square.mean(axis=1)).sum()
    return (fit.weight.astype(np.longdouble) ** 2 * np.nan_to_num(square)).sum()


def integrate(model: Dynamics, p: Parameters, known: Known, times: np.ndarray, course: Course = WHOLE) -> np.ndarray:
    """Return the observed series (n, m) at times (n,), ascending from the start or later, in complex long double."""
    y = np.array([np.asarray(v)[()] for v in model.initial(p, known)], np.clongdouble)
    t, H, steps = np.longdouble(course.start), np.longdouble(1e-3), 0
    rows, again = np.unique(times, return_inverse=True)
    knots, where = course.knots(rows)
    after, last = (ends.astype(np.longdouble) for ends in limits(np.append(course.start, knots[:-1]), knots))
    out = []
    for k, end in enumerate(knots.astype(np.longdouble)):

        def rates(t: np.longdouble, y: np.ndarray, k: int = k) -> np.ndarray:
            t = min(max(t, after[k]), last[k]) if course.stopped else t
            return np.array(list(model.rates(t, list(y), p, known, np)), np.clongdouble)

        while t < end:
            steps += 1
            if steps > MOST_STEPS:
                raise ArithmeticError(f"no accurate solution beyond t = {t:g}")
            h = min(H, end - t)
            v, error = _extrapolated(rates, t, y, h)
            grow = np.longdouble(0.9) * (TOLERANCE / max(error, np.longdouble(1e-30))) ** (1 / (2 * COLUMNS - 1))
            if error <= TOLERANCE:
                t, y = (end if h == end - t else t + h), v
                H = h * min(max(grow, 0.5), 4) if h == H or grow < 1 else max(H, h)
            else:
                H = h * min(max(grow, 0.05), 0.7)
        out.append(np.stack(np.broadcast_arrays(*model.observe(list(y), p))))
    return np.array(out)[where][again]


def _extrapolated(rates: object, t: np.longdouble, y: np.ndarray, H: np.longdouble) -> tuple[np.ndarray, np.longdouble]:
    """Return the states a step H on, and the error relative to their size of the last but one column."""
    row: list[np.ndarray] = []
    for k in range(COLUMNS):
        before, row = row, [_midpoint(rates, t, y, H, 2 * (k + 1))]
        for j in range(k):
            ratio = (np.longdouble(k + 1) / (k - j)) ** 2
            row.append(row[j] + (row[j] - before[j]) / (ratio - 1))
    size = np.maximum(np.abs(row[-1].real), np.abs(y.real)) + np.longdouble(1e-30)
    return row[-1], (np.abs((row[-1] - row[-2]).real) / size).max()


def _midpoint(rates: object, t: np.longdouble, y: np.ndarray, H: np.longdouble, n: int) -> np.ndarray:
    assert callable(rates)
    h = H / n
    a, b = y, y + h * rates(t, y)
    for k in range(1, n):
        a, b = b, a + 2 * h * rates(t + k * h, b)
    return b
