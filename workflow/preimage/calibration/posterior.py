"""Draws from the posterior of a fit's parameters, by its likelihood, its priors and its bounds.

A parameter without a prior is uniform within its bounds, of the logarithm where it is searched by that. Bounds are
removed by a logistic map, so that the sampler sees no edge.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np

from preimage.calibration import convergence, engine, nuts, profiles, traced
from preimage.calibration.fit import Fit
from preimage.core.space import Space

# Chains begin no nearer to a bound than this share of the range.
INSIDE = 0.01
LEVEL = 0.95


class Posterior(NamedTuple):
    """Draws of all parameters (chains, draws, d), as the fit takes them; how many trajectories diverged; how many
    gradients were needed."""

    values: np.ndarray
    diverged: int
    gradients: int


class Density:
    """The logarithm of the posterior density over the free parameters, each mapped to the whole line."""

    def __init__(self, fit: Fit, space: Space, best: np.ndarray) -> None:
        import jax

        self.free, self.best = np.flatnonzero(space.free), best
        self.low, self.width = space.low[self.free], (space.high - space.low)[self.free]
        form, data = engine.program(fit, profiles.steps_for(fit, best))
        self.slopes = partial(traced.residuals_and_jacobian, form, data)
        self.call = jax.jit(jax.vmap(partial(traced.value_and_gradient, form, data)))
        priors, logs = {p.name: p for p in fit.priors}, fit.logs or (False,) * len(fit.names)
        # A prior has a density by the parameter or by its logarithm, and the sampler moves the one or the other.
        mine = [(priors.get(fit.names[k]), logs[k]) for k in self.free]
        self.to_logarithm = np.array([bool(p and not p.of_logarithm and log) for p, log in mine])
        self.from_logarithm = np.array([bool(p and p.of_logarithm and not log) for p, log in mine])

    def point(self, Z: np.ndarray) -> np.ndarray:
        """Return all parameters (n, d) at points of the line (n, f)."""
        X = np.tile(self.best, (len(Z), 1))
        X[:, self.free] = self.low + self.width * _logistic(Z)
        return X

    def line(self, X: np.ndarray) -> np.ndarray:
        """Return the points of the line (n, f) of parameters (n, d)."""
        u = np.clip((X[:, self.free] - self.low) / self.width, INSIDE, 1 - INSIDE)
        return np.asarray(np.log(u) - np.log1p(-u))

    def __call__(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the log density (n,) and its gradient (n, f); minus infinity where the equations have no solution."""
        u, X = _logistic(Z), self.point(Z)
        deviance, slope = (np.asarray(v) for v in self.call(X))
        x, inner = X[:, self.free], u * (1 - u)
        safe = np.where(self.from_logarithm & (x > 0), x, 1.0)
        with np.errstate(divide="ignore"):
            change = np.log(inner) + np.log(10) * self.to_logarithm * x - np.log(safe)
        found = -deviance / 2 + change.sum(axis=1)
        by_x = -slope[:, self.free] / 2 + np.log(10) * self.to_logarithm - self.from_logarithm / safe
        gradient = by_x * self.width * inner + 1 - 2 * u
        bad = ~(np.isfinite(found) & np.isfinite(gradient).all(axis=1))
        return np.where(bad, -np.inf, found), np.where(bad[:, None], 0.0, gradient)

    def metric(self) -> np.ndarray:
        """Return the inverse of the Gauss-Newton curvature (f, f) at the best parameters, and of the map's own."""
        u = _logistic(self.line(self.best[None]))[0]
        inner = u * (1 - u)
        J = np.asarray(self.slopes(self.best)[1])[:, self.free] * self.width * inner
        return np.asarray(np.linalg.inv(J.T @ J + np.diag(2 * inner)))


def sample(fit: Fit, space: Space, X: np.ndarray, entry: dict[str, int], rng: np.random.Generator) -> Posterior:
    """Return draws from the posterior of a fit.

    Args:
        X: the best parameters first, then others within their intervals (n, d): chains begin at some of these.
        entry: `draws` of all chains together, `chains`, and `warm_up` iterations of each.
    """
    density = Density(fit, space, X[0])
    starts = X[rng.choice(len(X), entry["chains"], replace=len(X) < entry["chains"])]
    each = -(-entry["draws"] // entry["chains"])
    found = nuts.sample(density, density.line(starts), each, entry["warm_up"], rng, density.metric())
    values = density.point(found.values.reshape(-1, found.values.shape[-1]))
    return Posterior(values.reshape(*found.values.shape[:2], -1), found.diverged, found.gradients)


def summary(found: Posterior, values: np.ndarray, names: tuple[str, ...], space: Space) -> dict[str, Any]:
    """Return what draws say of every free parameter, and whether to trust them.

    Args:
        values: the draws (chains, draws, d) of the parameters themselves, no logarithms.
    """
    tails = [50 * (1 - LEVEL), 50 * (1 + LEVEL)]
    rows = []
    for k in np.flatnonzero(space.free):
        mine = values[:, :, k]
        low, high = np.percentile(mine, tails)
        rows.append(
            {
                "parameter": names[k],
                "mean": float(mine.mean()),
                "sd": float(mine.std(ddof=1)),
                "low": float(low),
                "high": float(high),
                "r_hat": convergence.r_hat(mine),
                "effective": convergence.effective(mine),
            }
        )
    chains, draws = values.shape[:2]
    return {"chains": chains, "draws": chains * draws, "diverged": found.diverged, "gradients": found.gradients,
            "parameters": rows}  # fmt: skip


def _logistic(Z: np.ndarray) -> np.ndarray:
    return np.asarray(0.5 * (1 + np.tanh(Z / 2)))
