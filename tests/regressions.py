"""Textbook models of nonlinear regression with data made here, and the least squares of each by other means.

The families are those that certified collections take (Bates and Watts 1988; Ratkowsky 1983; NIST's StRD names most);
parameters, designs and noise are this file's own. The least squares are found in 80-bit arithmetic, from the truth.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Regression(NamedTuple):
    """A model f(x, p, xp), where it is measured (n,), the truth (d,), and the noise as a share of the largest value."""

    name: str
    model: Callable[..., Any]
    x: np.ndarray
    true: tuple[float, ...]
    noise: float = 0.01


def _line(a: float, b: float, n: int) -> np.ndarray:
    return np.linspace(a, b, n)


def _peak(x: Any, height: Any, middle: Any, width: Any, xp: Any) -> Any:
    return height * xp.exp(-(((x - middle) / width) ** 2))


def _cubics(x: Any, p: Any, xp: Any) -> Any:
    return (p[0] + p[1] * x + p[2] * x**2 + p[3] * x**3) / (1 + p[4] * x + p[5] * x**2 + p[6] * x**3)


def _seasons(x: Any, p: Any, xp: Any) -> Any:
    waves = sum(p[k + 1] * xp.cos(6.283185307179586 * x / p[k]) + p[k + 2] * xp.sin(6.283185307179586 * x / p[k])
                for k in (1, 4))  # fmt: skip
    return p[0] + waves


REGRESSIONS = (
    Regression("Michaelis-Menten", lambda x, p, xp: p[0] * x / (p[1] + x), _line(0.02, 1.1, 24), (212.0, 0.064)),
    Regression("Hill", lambda x, p, xp: p[0] * x ** p[2] / (p[1] ** p[2] + x ** p[2]), _line(0.5, 30, 30),
               (41.0, 7.5, 2.6)),
    Regression("logistic growth", lambda x, p, xp: p[0] / (1 + xp.exp(p[1] - p[2] * x)), _line(9, 79, 12),
               (72.5, 2.6, 0.067)),
    Regression("growth by Richards", lambda x, p, xp: p[0] / (1 + xp.exp(p[1] - p[2] * x)) ** (1 / p[3]),
               _line(1, 15, 20), (700.0, 5.3, 0.76, 1.28), 0.005),
    Regression("Gompertz", lambda x, p, xp: p[0] * xp.exp(-p[1] * xp.exp(-p[2] * x)), _line(0, 20, 25),
               (84.0, 6.1, 0.31)),
    Regression("Weibull growth", lambda x, p, xp: p[0] - p[1] * xp.exp(-p[2] * x ** p[3]), _line(0.5, 12, 30),
               (70.0, 61.0, 0.04, 1.9)),
    Regression("saturation", lambda x, p, xp: p[0] * (1 - xp.exp(-p[1] * x)), _line(80, 760, 14), (240.0, 5.5e-4),
               0.002),
    Regression("demand of oxygen", lambda x, p, xp: p[0] * (1 - xp.exp(-p[1] * x)),
               np.array([1.0, 2, 3, 5, 7, 10]), (214.0, 0.55), 0.06),
    Regression("saturation by a square", lambda x, p, xp: p[0] * (1 - 1 / (1 + p[1] * x / 2) ** 2), _line(80, 760, 14),
               (340.0, 3.9e-4), 0.002),
    Regression("saturation by a root", lambda x, p, xp: p[0] * (1 - (1 + 2 * p[1] * x) ** -0.5), _line(80, 760, 14),
               (640.0, 2.1e-4), 0.002),
    Regression("hyperbola", lambda x, p, xp: p[0] * p[1] * x / (1 + p[1] * x), _line(80, 760, 14), (440.0, 3.0e-4),
               0.002),
    Regression("decay over a line", lambda x, p, xp: xp.exp(-p[0] * x) / (p[1] + p[2] * x), _line(0.5, 6, 54),
               (0.19, 0.0061, 0.0105), 0.02),
    Regression("power law", lambda x, p, xp: p[0] * x ** p[1], _line(1.3, 1.75, 7), (0.77, 3.86), 0.005),
    Regression("two exponentials", lambda x, p, xp: p[0] * xp.exp(-p[1] * x) + p[2] * xp.exp(-p[3] * x),
               _line(0, 6, 40), (2.4, 0.4, 5.1, 2.9), 0.002),
    Regression("three exponentials", lambda x, p, xp: sum(p[k] * xp.exp(-p[k + 1] * x) for k in (0, 2, 4)),
               _line(0, 1.15, 24), (0.1, 1.1, 0.85, 3.1, 1.5, 5.2), 1e-6),
    Regression("three exponentials to the last digits",
               lambda x, p, xp: sum(p[k] * xp.exp(-p[k + 1] * x) for k in (0, 2, 4)),
               _line(0, 1.15, 24), (0.1, 1.1, 0.85, 3.1, 1.5, 5.2), 1e-13),
    Regression("exponentials and a constant",
               lambda x, p, xp: p[0] + p[1] * xp.exp(-p[3] * x) + p[2] * xp.exp(-p[4] * x),
               _line(0, 320, 33), (0.375, 1.94, -1.46, 0.0129, 0.0221), 0.001),
    Regression("two peaks on a decay",
               lambda x, p, xp: p[0] * xp.exp(-p[1] * x) + _peak(x, *p[2:5], xp) + _peak(x, *p[5:8], xp),
               _line(1, 250, 250), (98.0, 0.011, 101.0, 67.0, 23.0, 72.0, 178.0, 18.5), 0.02),
    Regression("one narrow peak", lambda x, p, xp: p[0] / p[1] * xp.exp(-0.5 * ((x - p[2]) / p[1]) ** 2),
               np.concatenate([_line(400, 435, 8), _line(436.5, 465, 20), _line(470, 500, 7)]),
               (1.55, 4.1, 451.5), 0.01),
    Regression("quadratics", lambda x, p, xp: (p[0] + p[1] * x + p[2] * x**2) / (1 + p[3] * x + p[4] * x**2),
               _line(10, 370, 150), (1.67, -0.139, 0.0026, -0.0017, 2.2e-5), 0.002),
    Regression("cubics in temperature", _cubics, _line(14, 850, 236),
               (1.08, -0.123, 4.1e-3, -1.43e-6, -5.8e-3, 2.4e-4, -1.23e-7), 0.002),
    Regression("cubics of mobility", _cubics, _line(-3.07, 2.2, 37),
               (1288.0, 1491.0, 583.0, 75.4, 0.966, 0.398, 0.0497), 0.005),
    Regression("rational of four", lambda x, p, xp: p[0] * (x**2 + x * p[1]) / (x**2 + x * p[2] + p[3]),
               np.array([4.0, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625]),
               (0.193, 0.191, 0.123, 0.136), 0.02),
    Regression("Antoine", lambda x, p, xp: p[0] - p[1] / (x + p[2]), _line(10, 95, 18), (8.07, 1730.6, 233.4), 1e-4),
    Regression("thermistor", lambda x, p, xp: p[0] * xp.exp(p[1] / (x + p[2])), _line(50, 125, 16),
               (0.0056, 6180.0, 345.0), 2e-4),
    Regression("Arrhenius", lambda x, p, xp: p[0] * xp.exp(-p[1] / (8.314 * x)), _line(300, 400, 15), (3.2e6, 4.1e4),
               0.01),
    Regression("superconductor", lambda x, p, xp: p[0] * (p[1] + x) ** (-1 / p[2]), _line(7.4, 64, 154),
               (-2520.0, 46.7, 0.93), 5e-4),
    Regression("arctangent", lambda x, p, xp: p[0] - p[1] * x - xp.arctan(p[2] / (x - p[3])) / 3.141592653589793,
               -_line(1000, 5000, 25), (0.2, -6.2e-6, 1204.0, -181.0), 0.001),
    Regression("seasons", _seasons, np.arange(1.0, 169.0), (10.5, 44.3, -1.6, 0.5, 26.9, 0.2, -1.5), 0.08),
    Regression("waves of Mises", lambda x, p, xp: p[0] + p[1] * xp.exp(p[2] * xp.cos(x - p[3])), _line(0, 6.2, 40),
               (1.2, 0.7, 1.6, 2.1), 0.01),
    Regression("breakdown in time and heat", lambda x, p, xp: p[0] - p[1] * x[0] * xp.exp(-p[2] * x[1]),
               np.stack(np.meshgrid([1.0, 2, 4, 8, 16, 32, 48, 64], [180.0, 225, 250, 275])).reshape(2, -1),
               (2.59, 5.6e-9, -0.0577), 0.02),
)  # fmt: skip


def observed(case: Regression, seed: int = 0) -> np.ndarray:
    """Return the noisy values (n,) of a regression."""
    y = np.asarray(case.model(case.x, np.array(case.true), np))
    rng = np.random.default_rng(seed)
    return y + case.noise * np.abs(y).max() * rng.standard_normal(len(y))


def least_squares(case: Regression, y: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the parameters (d,) of least squares beside the truth and their sum of squares, by Levenberg and
    Marquardt's method in long double with derivatives by complex steps."""
    x, y = case.x.astype(np.longdouble), y.astype(np.longdouble)
    p, damping = np.array(case.true, np.longdouble), 1e-3

    def at(p):
        step = 1e-40 * np.abs(p)
        J = [
            case.model(x, p + 1j * np.longdouble(s) * e, np).imag / s for s, e in zip(step, np.eye(len(p)), strict=True)
        ]
        return case.model(x, p, np) - y, np.stack(J, axis=1)

    r, J = at(p)
    for _ in range(2000):
        size = np.sqrt((J**2).sum(axis=0))
        A = J / size
        step = -_solve(A.T @ A + damping * np.eye(len(p), dtype=np.longdouble), A.T @ r) / size
        with np.errstate(all="ignore"):
            again, slopes = at(p + step)
        if np.isfinite(again).all() and again @ again < r @ r:
            p, r, J, damping = p + step, again, slopes, damping / 5
        else:
            damping *= 3
        if damping > 1e6 or np.abs(step / p).max() < 1e-17:
            break
    return p.astype(float), float(r @ r)


def _solve(A: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the solution of symmetric positive definite equations in long double, by Cholesky's factors."""
    n = len(b)
    L = np.zeros_like(A)
    for j in range(n):
        L[j, j] = np.sqrt(A[j, j] - L[j, :j] @ L[j, :j])
        for i in range(j + 1, n):
            L[i, j] = (A[i, j] - L[i, :j] @ L[j, :j]) / L[j, j]
    x = b.copy()
    for i in range(n):
        x[i] = (x[i] - L[i, :i] @ x[:i]) / L[i, i]
    for i in reversed(range(n)):
        x[i] = (x[i] - L[i + 1 :, i] @ x[i + 1 :]) / L[i, i]
    return x
