"""A fit: a model, observed series and a loss, as one function of the parameters.

It stands where a surrogate stands, with the loss as its one output, so that every inverter can work on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from preimage.calibration import losses, solvers
from preimage.calibration.solvers import NoSolutionError, by_scipy
from preimage.core.dynamics import Curve, Model
from preimage.core.objective import NEAR_SHARE
from preimage.data import series
from preimage.data.series import Series
from preimage.problems import loading, user_code, user_series
from preimage.support.errors import StudyError

# Parameters evaluated in one compiled program.
BATCH = 64
# The last word on a loss: another solver, of high order, at tight tolerance.
REFERENCE = {"method": "DOP853", "rtol": 1e-12, "atol": 1e-12}
# What a curve's values are uncertain by, as a share of them.
ROUNDING = 1e-14
# Residuals of this share of the values are as good as none.
NEAR = 1e-6


@dataclass(frozen=True)
class Fit:
    """One fit.

    Attributes:
        model, names: what is fitted, and its parameters in order.
        series: what it is fitted to, held-out rows left out.
        loss, weights, columns: see `preimage.calibration.losses`; weights (n,) of the rows, columns of the series.
        rtol, atol, solver: tolerances, the absolute one as a share of each state's size; diffrax's name of the solver.
        start: where a search starts first (d,).
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
                out[k] = by_scipy(self.model, self.named(x), of.known, of.times, of.at, **self._tolerances())
            except NoSolutionError:
                continue
        return out

    def by_scipy(self, x: np.ndarray, **solver: Any) -> Any:
        """Return the loss at parameters (d,) by `scipy.integrate.solve_ivp`. Raises NoSolutionError."""
        return (self.residuals_by_scipy(x, **solver) ** 2).sum()

    def residuals_by_scipy(self, x: np.ndarray, **solver: Any) -> np.ndarray:
        """Return the residuals (n, m) whose squares sum to the loss, at parameters (d,). Raises NoSolutionError."""
        counted, columns = self.counted, list(self.columns)
        at = {name: column[counted] for name, column in self.series.at.items()}
        options = self._tolerances(**solver)
        found = by_scipy(self.model, self.named(x), self.series.known, self.series.times[counted], at, **options)
        difference = losses.scaled(self.loss, found) - losses.scaled(self.loss, self.series.values[counted])
        weight: np.ndarray = np.sqrt(self.weights[counted] / len(columns))[:, None]
        return difference[:, columns] * weight

    def reference(self, X: np.ndarray) -> np.ndarray:
        """Return the loss (n,) by a solver of high order at tight tolerance; NaN where it gives up."""
        return np.array([self._tried(x, **REFERENCE) for x in X])

    def _tolerances(self, **solver: Any) -> dict[str, Any]:
        """Return scipy's options, the absolute tolerance in every state's own unit."""
        options = {"rtol": self.rtol, "atol": self.atol, **solver}
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

        return Form(self.model, self.names, self.loss, self.columns, self.solver, self.rtol, self.atol)

    @cached_property
    def data(self) -> Any:
        return self._data(0)

    def stepped(self, steps: int) -> tuple[Any, Any]:
        """Return form and data for Runge-Kutta steps of fixed length, `steps` between rows."""
        return self.form._replace(steps=steps), self._data(steps)

    def _data(self, steps: int) -> Any:
        import jax
        import jax.numpy as jnp

        from preimage.calibration.solvers import mesh
        from preimage.calibration.traced import Data

        counted, s = self.counted, self.series
        grid = mesh(s.times, steps) if steps else ()
        at = {name: column[counted] for name, column in s.at.items()}
        wanted = losses.scaled(self.loss, s.values[counted])
        found = Data(s.known, s.times[counted], counted, self.weights[counted], wanted, grid, at, self.sizes)
        return jax.tree.map(jnp.asarray, found)  # handed over once, not at every call

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
    def sizes(self) -> np.ndarray:
        """How large each state of an equation is (k,), at the parameters of the start."""
        s = self.series
        return solvers.sizes(self.model, self.named(self.start), s.known, s.times, float(np.abs(s.values).max()))

    @cached_property
    def size(self) -> float:
        """The norm that residuals would have if every value were off by all of itself."""
        counted = self.counted
        wanted = losses.scaled(self.loss, self.series.values[counted])[:, list(self.columns)]
        size = losses.size(self.loss, wanted) * np.sqrt(self.weights[counted] / len(self.columns))[:, None]
        return float(np.linalg.norm(size))

    @property
    def noise(self) -> float:
        """The norm of what residuals are uncertain by: rounding, and the tolerance of an equation's solver."""
        return self.size * (ROUNDING if isinstance(self.model, Curve) else self.rtol)

    def as_good_as(self, best: float) -> float:
        """Return the largest loss that counts as good as the best one found: a share above it, or, where that is all
        but perfect, residuals of a millionth of the values."""
        return best * (1 + NEAR_SHARE) + (NEAR * self.size) ** 2

    def named(self, x: np.ndarray) -> dict[str, Any]:
        return dict(zip(self.names, x, strict=True))

    def over(self, rows: Series, window: int | None, weights: str) -> Fit:
        """Return the same fit to other rows, with other weights."""
        return replace(self, series=rows, weights=losses.by_age(len(rows), window, weights))


def build(spec: Mapping[str, Any], entry: Mapping[str, Any], run: bool = True) -> Fit:
    """Return the fit of a study's objective to all rows but those held out for a forecast.

    Args:
        spec: the study's `problem`.
        entry: the objective's `fit`.
        run: whether it is to be run; otherwise a model of the user's own is not imported.

    Raises StudyError for data that can't be fitted.
    """
    model, names, start = _model(spec, run)
    whole = series.read(entry, model)
    hold_out = int(entry.get("hold_out", 0))
    if len(whole) - hold_out < series.FEWEST_ROWS:
        raise StudyError(
            f"hold_out: found {hold_out} of {len(whole)} rows, which leaves fewer than {series.FEWEST_ROWS}"
        )
    rows = whole.head(len(whole) - hold_out)
    used = series.used(entry, model)
    columns = tuple(k for k, name in enumerate(model.observed) if name in used)
    weights = losses.by_age(len(rows), entry.get("window"), entry["weights"])
    solver = spec.get("solver") or {}
    rtol = float(solver.get("rtol", 1e-9))
    return Fit(
        model, names, rows, losses.check(entry["loss"]), weights, columns, start, rtol, float(solver.get("atol", rtol))
    )


def observed(spec: Mapping[str, Any], entry: Mapping[str, Any]) -> Series:
    """Return all rows of a study's objective, those held out too."""
    return series.read(entry, _model(spec)[0])


def build_all(spec: Mapping[str, Any], entries: Mapping[str, Mapping[str, Any]], run: bool = True) -> dict[str, Fit]:
    """Return the fits of a study's objectives, by name. Raises StudyError naming the objective."""
    found = {}
    for name, entry in entries.items():
        try:
            found[name] = build(spec, entry["fit"], run)
        except StudyError as error:
            raise StudyError(f"objectives.{name}.fit: {error}") from None
    return found


def check(spec: Mapping[str, Any], entries: Mapping[str, Mapping[str, Any]], run: bool = True) -> list[str]:
    """Check a study's fits against their data; return what is to be said of it. Raises StudyError.

    Args:
        run: whether to import and call a model of the user's own too.
    """
    fits = build_all(spec, entries, run)
    settings = spec.get("inputs") or {}
    found = loading.load(spec, run)
    assert found is not None
    said = []
    for name, fit in fits.items():
        for parameter, value in zip(fit.names, fit.start, strict=True):
            low, high = (
                float(settings.get(parameter, {}).get(key, found.inputs[parameter][k]))
                for k, key in enumerate(("low", "high"))
            )
            if "fixed" not in settings.get(parameter, {}) and not low <= value <= high:
                raise StudyError(
                    f"problem.inputs.{parameter}: the start {value:g} is outside its bounds [{low:g}, {high:g}]; "
                    "name one with 'start'"
                )
        if run or user_code.named(spec) is None:
            user_series.checked(fit.model, fit.named(fit.start), fit.series.at)
        said += [f"objective '{name}': {note}" for note in fit.series.notes]
    return said


def _model(spec: Mapping[str, Any], run: bool = True) -> tuple[Model, tuple[str, ...], np.ndarray]:
    found = loading.load(spec, run)
    assert found is not None and found.dynamics is not None
    settings = spec.get("inputs") or {}
    names = tuple(found.inputs)
    start = [float(_start(settings.get(name) or {}, found.start[name])) for name in names]
    return found.dynamics, names, np.array(start)


def _start(settings: Mapping[str, Any], default: float) -> float:
    return float(settings.get("fixed", settings.get("start", default)))
