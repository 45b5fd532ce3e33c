"""The loss of one question along the inputs that may move, and its derivative by whatever way was asked for.

`exact`: the model's own derivative, by the chain rule through the objective. `2-point` and `3-point`: finite
differences, with steps above the rounding of the model, of its outputs and of its inputs (scipy's own see nothing else
where a model computes in single precision, or an output varies little beside its value). `cs`: the complex step (Squire
and Trapp 1998, SIAM Review 40), exact to rounding for a model that computes with complex numbers as with real ones.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial

import numpy as np
from scipy.optimize import NonlinearConstraint

from preimage.inversion.question import Question

COMPLEX_STEP = 1e-30
# Steps are this root of the rounding.
ORDERS = {"2-point": 2, "3-point": 3}
# Steps of finite differences never come from a coarser rounding than this.
COARSEST = 1e-6


class Line:
    """The loss around one start, over the movable inputs scaled to [0, 1], counted from `zero` in units of `unit`;
    counts its calls.

    Attributes:
        movable: which inputs move (d,); all free numbers where nothing else is said.
        evaluations: model evaluations so far.
        least: smallest loss so far that keeps the limits of outputs, in its own unit.
        slope: norm of the last derivative, NaN where none was taken.
        seen: what is known, by point: value and derivative in the line's unit.
        edges: by point, the outputs that have limits (k,), in units of each limit's scale, with derivatives (k, n).
    """

    def __init__(
        self, question: Question, x0: np.ndarray, unit: float = 1.0, movable: np.ndarray | None = None
    ) -> None:
        space = question.space
        self.question, self.x0, self.unit, self.zero = question, x0, unit, 0.0
        self.movable = space.free & ~space.discrete if movable is None else movable
        self.low, self.width = space.low[self.movable], (space.high - space.low)[self.movable]
        self.evaluations = 0
        self.least = self.slope = np.nan
        self.seen: dict[bytes, tuple[float, np.ndarray]] = {}
        self.edges: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}

    @property
    def start(self) -> np.ndarray:
        return np.clip((self.x0[self.movable] - self.low) / self.width, 0, 1)

    def point(self, u: np.ndarray) -> np.ndarray:
        """Return the point (d,) at scaled coordinates u, never outside the bounds."""
        x = self.x0.astype(u.dtype)
        x[self.movable] = self.low + u * self.width
        return x if np.iscomplexobj(x) else np.clip(x, self.question.space.low, self.question.space.high)

    def over(self, movable: np.ndarray, slope: np.ndarray) -> np.ndarray:
        """Return derivatives (..., n) by more inputs (d,) than move here: 0 by those that don't."""
        out = np.zeros((*slope.shape[:-1], int(movable.sum())))
        out[..., self.movable[movable]] = slope
        return out

    def loss(self, u: np.ndarray) -> float:
        self.evaluations += 1
        return self._noted(self.question.outputs(self.point(u)[None]))

    def _noted(self, Y: np.ndarray, slope: np.ndarray | None = None) -> float:
        """Return the loss of outputs (1, m) in the line's unit."""
        wanted = self.question.objective
        loss = float(wanted.loss(Y)[0])
        if not wanted.limits or wanted.violation(Y)[0] == 0:
            self.least = float(np.fmin(self.least, loss))
        if slope is not None:
            self.slope = float(np.linalg.norm(slope)) * self.unit
        return (loss - self.zero) / self.unit

    def exact(self, u: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the loss and its derivative by the model's own."""
        assert self.question.gradient is not None
        self.evaluations += 1
        Y, J = self.question.gradient(self.point(u)[None])
        wanted = self.question.objective
        slope = wanted.slope(Y)[0] @ J[0][:, self.movable] * self.width / self.unit
        self._keep_edge(u, Y[0], J[0][:, self.movable] * self.width)
        return self._noted(Y, slope), slope

    def complex_step(self, u: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the loss and its derivative by one complex evaluation an input."""
        steps = u + 1j * COMPLEX_STEP * np.eye(len(u))
        self.evaluations += len(u)
        Y = self.question.predict(np.array([self.point(step) for step in steps]))
        slope = self.question.objective.loss(Y).imag / COMPLEX_STEP / self.unit
        self._keep_edge(u, Y[0].real, Y.imag.T / COMPLEX_STEP)
        return self._noted(Y[:1].real, slope), slope

    def differences(self, gradient: str, u: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the loss and its derivative by finite differences that the model can resolve, in one call.

        They are of the outputs, so that their error fades with the distance to a target. Steps are a root of the
        rounding (Nocedal and Wright 2006, Numerical Optimization, 8.1). `3-point` is the slope of the parabola through
        the point and two beside it, both on the inner side where a bound is near.
        """
        h = self.roundings ** (1 / ORDERS[gradient])
        steps = [np.where(u + h <= 1, h, -h)]
        if gradient == "3-point":
            steps = [np.where(u >= h, -h, 2 * h), np.where(u + h <= 1, h, -2 * h)]
        U = np.concatenate([u[None], *(u + np.diag(step) for step in steps)])
        self.evaluations += len(U)
        Y = self.question.outputs(np.array([self.point(v) for v in U]))
        rises = [(part - Y[0]) / step[:, None] for part, step in zip(np.split(Y[1:], len(steps)), steps, strict=True)]
        slopes = rises[0]
        if gradient == "3-point":
            a, b = (step[:, None] for step in steps)
            slopes = (rises[0] * b - rises[1] * a) / (b - a)
        wanted = self.question.objective
        slope = slopes @ wanted.slope(Y[:1])[0] / self.unit
        self._keep_edge(u, Y[0], slopes.T)
        return self._noted(Y[:1], slope), slope

    def _keep_edge(self, u: np.ndarray, y: np.ndarray, slopes: np.ndarray) -> None:
        """Keep outputs (m,) that have limits at a point, and their derivatives (m, n)."""
        if limits := self.question.objective.limits:
            columns, scale = [limit.column for limit in limits], np.array([limit.scale for limit in limits])
            self.edges[np.asarray(u, float).tobytes()] = y[columns] / scale, slopes[columns] / scale[:, None]

    @cached_property
    def roundings(self) -> np.ndarray:
        """The smallest share of each movable input's range (k,) beside which rounding is small: the model's own, more
        where outputs vary little beside their values, or an input beside its own."""
        Y, eps = self.question.Y, float(np.finfo(float).eps)
        low, middle, high = np.quantile(Y, [0.25, 0.5, 0.75], axis=0) if len(Y) else np.ones((3, 1))
        part = np.where(high > low, np.abs(middle) / np.where(high > low, high - low, 1.0), 1.0)
        wanted = self.question.objective
        columns = [*wanted.columns, *(limit.column for limit in wanted.limits)]
        share = self.question.resolution * max(1.0, float(part[columns].max()))
        share = max(share, self.question.cancellation)
        reach = np.maximum(np.abs(self.low), np.abs(self.low + self.width)) / self.width
        return np.clip(np.maximum(share, eps * reach), self.question.resolution, COARSEST)

    def derivative(self, gradient: str, u: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the loss and its derivative by the way that is named."""
        if gradient == "exact":
            return self.exact(u)
        return self.complex_step(u) if gradient == "cs" else self.differences(gradient, u)

    def for_scipy(self, gradient: str) -> tuple[Callable[[np.ndarray], tuple[float, np.ndarray]], bool]:
        """Return what `scipy.optimize.minimize` takes as function and `jac`; a point seen before costs nothing."""

        def function(u: np.ndarray) -> tuple[float, np.ndarray]:
            value, slope = self._known(gradient, u)
            return value, slope.copy()

        return function, True

    def limits(self, gradient: str) -> NonlinearConstraint:
        """Return the limits of outputs as scipy takes them, in units of their scales."""
        limits = self.question.objective.limits
        ends = ([getattr(limit, end) / limit.scale for limit in limits] for end in ("low", "high"))

        def edge(which: int, u: np.ndarray) -> np.ndarray:
            self._known(gradient, u)
            return self.edges[np.asarray(u, float).tobytes()][which].copy()

        return NonlinearConstraint(partial(edge, 0), *map(np.array, ends), jac=partial(edge, 1))

    def _known(self, gradient: str, u: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the loss and its derivative at a point, at no cost where it has been seen before."""
        key = np.asarray(u, float).tobytes()
        if key not in self.seen:
            self.seen[key] = self.derivative(gradient, u)
        return self.seen[key]

    def rescale(self, unit: float, zero: float) -> None:
        """Count the loss from `zero` in units of `unit` from now on, both in the present ones."""
        for key, (value, slope) in self.seen.items():
            self.seen[key] = ((value - zero) / unit, slope / unit)
        self.zero, self.unit = self.zero + zero * self.unit, self.unit * unit
