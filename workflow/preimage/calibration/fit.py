"""A fit: a model, observed series and a loss, as one function of the parameters.

It stands where a surrogate stands, with the loss as its one output, so that every inverter can work on it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy.stats import chi2
from scipy.stats import f as fisher

from preimage.calibration import likelihoods, losses, priors, solvers
from preimage.calibration.course import Course
from preimage.calibration.giving_up import NoSolutionError
from preimage.calibration.likelihoods import Noise
from preimage.calibration.priors import Prior
from preimage.calibration.solvers import IMPLICIT, IMPLICIT_BY_SCIPY, WHOLE, by_scipy
from preimage.core.dynamics import Curve, Dynamics, Model
from preimage.core.objective import NEAR_DEVIANCE, NEAR_SHARE
from preimage.data.series import Series

# Parameters evaluated in one compiled program.
BATCH = 64
# The last word on a loss: another solver, of high order, at tight tolerance; and of stiff equations.
REFERENCE = {"method": "DOP853", "rtol": 1e-12, "atol": 1e-12}
STIFF_REFERENCE = {"traced": "LSODA", "untraced": "BDF"}
# Of a user's model it takes so many steps at least between two stops: not those of the search, which may step over
# what is between them.
REFERENCE_PARTS = 16
# What a curve's values are uncertain by, as a share of them.
ROUNDING = 1e-14
# Tolerance of the coarse solutions of stiff equations.
COARSE = 1e-5
# By how much a deviance is larger at the end of a 95 % interval, about.
DEVIANCE = 4.0
# Residuals of this share of the values are as good as none.
NEAR = 1e-6


@dataclass(frozen=True)
class Fit:
    """One fit.

    Attributes:
        model, names: what is fitted, and its parameters in order.
        series: what it is fitted to, held-out rows left out.
        loss, weights, columns: see `preimage.calibration.losses`; weights (n,) of the rows, columns of the series.
        rtol, atol, solver: tolerances, the absolute one as a share of each state's size; the name of the solver for
            JAX: diffrax's, or that of stiff equations.
        start: where a search starts first (d,).
        course: where solvers begin, and begin anew.
        logarithmic: which parameters are to be searched by their logarithms (d,); empty where none is.
        logs: which parameters are given by their logarithms to base 10 (d,); empty where none is.
        noises: of each of the columns, where the loss is a likelihood; empty otherwise.
        priors: of parameters that have one.
    """

    model: Model
    names: tuple[str, ...]
    series: Series
    loss: str
    weights: np.ndarray
    columns: tuple[int, ...]
    start: np.ndarray
    rtol: float = 1e-9
    atol: float = 1e-9
    solver: str = "Dopri8"
    course: Course = WHOLE
    logarithmic: tuple[bool, ...] = ()
    logs: tuple[bool, ...] = ()
    noises: tuple[Noise, ...] = ()
    priors: tuple[Prior, ...] = ()

    # -- as a surrogate ------------------------------------------------------------------------------------------------

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the loss (n, 1) at parameters (n, d). Complex parameters give a complex loss, by scipy's solver.

        Where the solver gives up it is NaN for models that JAX traces; for others NoSolutionError is raised.
        """
        if np.iscomplexobj(X):
            return np.array([[self.by_scipy(x)] for x in X])
        if not self.model.traceable:
            return np.array([[self.by_scipy(x)] for x in X]).reshape(len(X), 1)
        from preimage.calibration import traced

        if len(X) == 1:
            return np.asarray(traced.losses_at(self.form, self.data, X))[:, None]
        return self._batched(traced.losses_at, X)[:, None]

    def losses(self, X: np.ndarray) -> np.ndarray:
        """Return the loss (n,) at parameters (n, d); NaN where there is none."""
        if self.model.traceable:
            return self.predict(X)[:, 0]
        return np.array([self._tried(x) for x in X])

    @property
    def differentiable(self) -> bool:
        return self.model.traceable

    def spread(self, X: np.ndarray) -> np.ndarray:
        return np.zeros((len(X), 1))

    def gradient(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the loss (n, 1) and its exact derivative (n, 1, d)."""
        from preimage.calibration import traced

        found = [traced.value_and_gradient(self.form, self.data, x) for x in X]
        return np.array([[float(f)] for f, _ in found]), np.array([[np.asarray(g)] for _, g in found])

    # -- by other solvers ----------------------------------------------------------------------------------------------

    def curves(self, X: np.ndarray, of: Series | None = None) -> np.ndarray:
        """Return the modelled series (n, rows, m) over all rows of the data, or of a longer `of`."""
        of = of or self.series
        out = np.full((len(X), len(of), len(of.names)), np.nan)
        for k, x in enumerate(X):
            try:
                out[k] = self._solved(x, of, np.arange(len(of)))
            except NoSolutionError:
                continue
        return out

    def by_scipy(self, x: np.ndarray, **solver: Any) -> Any:
        """Return the loss at parameters (d,) by `scipy.integrate.solve_ivp`. Raises NoSolutionError."""
        return (self.residuals_by_scipy(x, **solver) ** 2).sum()

    def residuals_by_scipy(self, x: np.ndarray, **solver: Any) -> np.ndarray:
        """Return the residuals, (n, c) or of a likelihood (r,), whose squares sum to the loss, at parameters (d,).
        Raises NoSolutionError."""
        columns = list(self.columns)
        found = losses.scaled(self.loss, self.modelled(x, **solver))
        if self.noises:
            both, p = (found[:, columns], self.wanted[:, columns]), self.by_row(self.named(x))
            with np.errstate(all="ignore"):
                found = np.asarray(likelihoods.residuals(self.loss, *both, self.weight, self.noises, p, np))
                own = priors.residuals(self.priors, self.named(x), np) if self.priors else np.empty(0)
                return np.concatenate([found, own])
        return np.asarray((found - self.wanted)[:, columns] * self.weight)

    @property
    def many(self) -> int:
        """How many residuals there are."""
        more = sum(bool(noise.name) for noise in self.noises) + len(self.priors)
        return len(self.counted) * len(self.columns) + more

    def modelled(self, x: np.ndarray, rows: np.ndarray | None = None, **solver: Any) -> np.ndarray:
        """Return the series (n, m) in the rows that count, or in some `rows` (n,), at parameters (d,), by scipy. Raises
        NoSolutionError."""
        return self._solved(x, self.series, self.counted if rows is None else rows, **solver)

    def _solved(self, x: np.ndarray, s: Series, rows: np.ndarray, **solver: Any) -> np.ndarray:
        """Return the series (n, m) in some rows (n,) of the data, condition by condition. Raises NoSolutionError."""
        parts, options = s.by_condition(rows), self._options(**solver)
        found = []
        for condition, places in parts:
            mine, p = rows[places], self.named(x, condition)
            at = {name: column[mine] for name, column in s.at.items()}
            found.append(by_scipy(self.model, p, s.known, s.times[mine], at, **options))
        if len(parts) == 1:
            return found[0]
        return np.concatenate(found)[np.argsort(np.concatenate([places for _, places in parts]))]

    def reference(self, X: np.ndarray) -> np.ndarray:
        """Return the loss (n,) by a solver of high order at tight tolerance; NaN where it gives up.

        Its steps are not those of the search: what one steps over, the other sees.
        """
        return np.array([self._tried(x, **self.reference_options) for x in X])

    @property
    def reference_options(self) -> dict[str, Any]:
        """Options of scipy that give the last word."""
        options = {**REFERENCE, "course": self.reference_course, "most_calls": 10 * solvers.MOST_CALLS}
        if self.implicit:
            options["method"] = STIFF_REFERENCE["traced" if self.model.traceable else "untraced"]
        return options

    @property
    def reference_course(self) -> Course:
        """The course of the last word: of a user's model on a finer grid than the search's."""
        return self.course.finer(REFERENCE_PARTS) if self.course.stopped else self.course

    @property
    def implicit(self) -> bool:
        """Whether the equations are solved as stiff ones."""
        return self.solver == IMPLICIT

    def _options(self, **solver: Any) -> dict[str, Any]:
        """Return scipy's options, the absolute tolerance in every state's own unit."""
        method = {"method": IMPLICIT_BY_SCIPY} if self.implicit else {}
        options = {"rtol": self.rtol, "atol": self.atol, "course": self.course, **method, **solver}
        return {**options, "atol": options["atol"] * self.sizes}

    def _tried(self, x: np.ndarray, **solver: Any) -> float:
        try:
            return float(self.by_scipy(x, **solver))
        except NoSolutionError:
            return float("nan")

    # -- for JAX -------------------------------------------------------------------------------------------------------

    @cached_property
    def form(self) -> Any:
        """The program's form by the adaptive solver."""
        from preimage.calibration.traced import Form

        course, conditions = self.course, self.series.conditions
        about = (course.start, course.stopped, float(course.largest))
        form = Form(
            self.model,
            self.names,
            self.loss,
            self.columns,
            self.solver,
            self.rtol,
            self.atol,
            course=about,
            logs=self.logs,
            noises=self.noises,
            own=conditions.inputs if conditions else (),
            priors=self.priors,
        )
        return form if not self.implicit else form._replace(**self._taken())

    def _taken(self) -> dict[str, Any]:
        """Return which parameters stiff equations take, those that stand for them in a condition too, and whether all
        conditions share their rest: for the program's form."""
        from preimage.calibration import pooled

        assert isinstance(self.model, Dynamics)
        s = self.series
        found, at_rest = pooled.taken(self.model, self.names, s.known, self.course.start)
        own = s.conditions.inputs if s.conditions else ()
        together = bool(own) and self.model.before is not None and not at_rest & set(own)
        for k, name in enumerate(own):
            if name in found and s.conditions:
                found |= {str(row[k]) for row in s.conditions.cells}
        return {"taken": tuple(k for k, name in enumerate(self.names) if name in found), "together": together}

    @cached_property
    def data(self) -> Any:
        return self._data(0)

    def stepped(self, steps: int) -> tuple[Any, Any]:
        """Return form and data of a coarse solution: Runge-Kutta steps of fixed length, `steps` between rows; of stiff
        equations the same solver at a tolerance that goes by the square of them."""
        if self.implicit:
            coarse = max(self.rtol, COARSE / steps**2)
            return self.form._replace(rtol=coarse, atol=max(self.atol, coarse)), self.data
        return self.form._replace(steps=steps), self._data(steps)

    def _data(self, steps: int) -> Any:
        import jax
        import jax.numpy as jnp

        from preimage.calibration.traced import Data

        counted, s = self.counted, self.series
        times, pick = s.times[counted], counted
        rows: Any = ()
        grid: tuple[np.ndarray, ...] = ()
        if steps:
            grid, pick = self._mesh(steps)
            if s.conditions:
                pick, rows = np.unique(pick, return_inverse=True)
        elif not isinstance(self.model, Curve):
            knots, where = self.course.knots(times)
            times, rows = (times, rows) if np.array_equal(knots, times) and not s.conditions else (knots, where)
        elif s.conditions:
            rows = np.arange(len(counted))
        at = {name: column[counted] for name, column in s.at.items()}
        cells: Any = () if self.complete and not self.noises else self.weight
        weights = self.weights[counted]
        own: Any = (*s.conditions.arrays(self.names), s.condition[counted]) if s.conditions else ()
        given: Any = self.course.given(times) if self.course.doses and not steps else ()
        numbers = s.known, times, pick, weights, self.wanted, grid, at, self.sizes
        found = Data(*numbers, rows, cells, own, given, self.stated)
        return jax.tree.map(jnp.asarray, found)  # handed over once, not at every call

    def _mesh(self, steps: int) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        """Return the mesh of so many steps from knot to knot, and which knot each row that counts is (n,)."""
        course, times = self.course, self.series.times
        knots = course.fine(course.knots(np.append(course.start, times))[0], steps)
        return solvers.mesh(knots, steps, course.stopped), np.searchsorted(knots, times[self.counted])

    def _batched(self, call: Any, X: np.ndarray) -> np.ndarray:
        parts = []
        for k in range(0, len(X), BATCH):
            part = X[k : k + BATCH]
            full = np.concatenate([part, np.repeat(part[-1:], BATCH - len(part), axis=0)])
            parts.append(np.asarray(call(self.form, self.data, full))[: len(part)])
        return np.concatenate(parts) if parts else np.empty(0)

    # -- parts ---------------------------------------------------------------------------------------------------------

    @property
    def counted(self) -> np.ndarray:
        """Positions of the rows that have a weight."""
        return np.flatnonzero(self.weights > 0)

    @cached_property
    def wanted(self) -> np.ndarray:
        """The observed values in the rows that count (n, m), on the loss's scale; 0 where a cell is empty."""
        return np.nan_to_num(losses.scaled(self.loss, self.series.values[self.counted]))

    @cached_property
    def weight(self) -> np.ndarray:
        """What the differences in the rows that count are multiplied by, so that the squares sum to the loss (n, c): 0
        where a cell is empty, 1 elsewhere where the loss is a likelihood."""
        counted, columns = self.counted, list(self.columns)
        if self.noises:
            return 1.0 - np.isnan(self.series.values[counted][:, columns])
        weight = np.repeat(np.sqrt(self.weights[counted] / len(columns))[:, None], len(columns), axis=1)
        if self.complete:
            return weight
        weight = np.where(np.isnan(self.series.values[counted][:, columns]), 0.0, weight)
        return np.asarray(weight / np.linalg.norm(weight))

    @property
    def complete(self) -> bool:
        """Whether there is a value in every cell that counts."""
        return not np.isnan(self.series.values[self.counted][:, list(self.columns)]).any()

    @cached_property
    def sizes(self) -> np.ndarray:
        """How large each state of an equation is (k,), at the parameters of the start."""
        s = self.series
        largest, rows = float(np.nanmax(np.abs(s.values))), np.arange(len(s))
        found = [
            solvers.sizes(self.model, self.named(self.start, c), s.known, s.times[mine], largest, self.course.start)
            for c, mine in s.by_condition(rows)
        ]
        return np.max(found, axis=0)

    @cached_property
    def size(self) -> float:
        """The norm that residuals would have if every value were off by all of itself."""
        size = losses.size(self.loss, self.wanted[:, list(self.columns)]) * self.weight
        if self.noises and likelihoods.LIKELIHOODS[self.loss].noise:
            size = size / self.noise_by_row(self.start)
        return float(np.linalg.norm(size))

    @property
    def noise(self) -> float:
        """The norm of what residuals are uncertain by: rounding, and the tolerance of an equation's solver."""
        return self.size * (ROUNDING if isinstance(self.model, Curve) else self.rtol)

    def as_good_as(self, best: float) -> float:
        """Return the largest loss that counts as good as the best one found: a share above it, or, where that is all
        but perfect, residuals of a millionth of the values."""
        if self.noises:
            return best + NEAR_DEVIANCE
        return best * (1 + NEAR_SHARE) + (NEAR * self.size) ** 2

    def limit(self, least: float, left: float, level: float) -> float:
        """Return the largest loss of an interval of one parameter (Bates and Watts 1988; of a likelihood, Wilks 1938).

        Args:
            left: residuals less the directions that are determined.
        """
        if self.noises:
            return least + float(chi2.ppf(level, 1))
        return least * (1 + float(fisher.ppf(level, 1, left)) / left)

    def variance(self, least: float, left: float) -> float:
        """Return the variance of residuals, of which those of a likelihood have 1."""
        return 1.0 if self.noises else least / left

    def part(self, loss: float, share: float) -> float:
        """Return a share of a loss; of a likelihood's, whose least value says nothing, that share of its limit."""
        return share * (DEVIANCE if self.noises else loss)

    def negative_log_likelihood(self, loss: float, x: np.ndarray | None = None) -> float | None:
        """Return the negative log-likelihood that a loss stands for; None where the loss stands for none.

        Args:
            x: the parameters (d,), where they have priors, which it leaves out.
        """
        if not self.noises:
            return None
        wanted = self.wanted[:, list(self.columns)]
        if self.priors and x is not None:
            loss -= float((priors.residuals(self.priors, self.named(x), np) ** 2).sum())
        return 0.5 * (loss + likelihoods.constant(self.loss, wanted, self.weight, self.noises, self.stated))

    def named(self, x: np.ndarray, condition: int | None = None) -> dict[str, Any]:
        """Return parameters (d,) by name: as they are, or as a condition has them."""
        if self.logs:
            x = np.where(self.logs, 10.0 ** np.where(self.logs, x, 0.0), x)
        p, conditions = dict(zip(self.names, x, strict=True)), self.series.conditions
        return p if condition is None or conditions is None else conditions.of(p, condition)

    @property
    def stated(self) -> dict[str, np.ndarray]:
        """What columns of noise say of the rows that count (n,), by key."""
        return {key: column[self.counted] for key, column in self.series.noise.items()}

    def by_row(self, p: dict[str, Any]) -> dict[str, Any]:
        """Return parameters by name, those that conditions have of their own by row that counts (n,); and columns of
        noise by key."""
        s, p = self.series, {**p, **self.stated}
        if s.conditions is None:
            return p
        each = [s.conditions.of(p, c) for c in range(len(s.conditions.names))]
        rows = s.condition[self.counted]
        return {**p, **{name: np.array([q[name] for q in each])[rows] for name in s.conditions.inputs}}

    def noise_by_row(self, x: np.ndarray) -> np.ndarray:
        """Return the noise of each value (n, c) of a likelihood, at parameters (d,), which may be complex."""
        p = self.by_row(self.named(x))
        return np.stack([noise.at(p) + np.zeros(len(self.counted)) for noise in self.noises], axis=1)

    def by_logarithms(self, logs: np.ndarray) -> Fit:
        """Return the same fit as a function of some parameters' logarithms to base 10 (d,)."""
        start = np.where(logs, np.log10(np.where(logs, self.start, 1.0)), self.start)
        return replace(self, start=start, logs=tuple(logs.tolist()))

    def over(self, rows: Series, window: int | None, weights: str) -> Fit:
        """Return the same fit to other rows, with other weights."""
        return replace(self, series=rows, weights=losses.by_time(rows.times, window, weights))
