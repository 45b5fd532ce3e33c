"""Likelihoods of observed values, as sums of squares that least squares can work on.

The loss is the deviance: twice the negative logarithm of the likelihood, less what that would be at a perfect fit with
the least noise within the bounds, and more by the number of values of each series whose noise is estimated. Each
value's part is the square of its deviance residual; an estimated noise has one more residual (Raue et al. 2013, PLoS
ONE 8:e74335). For scipy its square is what the noise adds to the deviance. That has a poor second derivative, so that
for JAX it has the right slope, and the curvature that makes the second derivative of both parts right where the
residuals are as large as the noise; what its square lacks is in `rest`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, ClassVar, NamedTuple

import numpy as np

# What a model gives in the place of a positive mean.
LEAST = 1e-300
# Below this relative difference a deviance is its series, as its closed form cancels.
CLOSE = 1e-2
# Residuals of Laplace's distribution have no slope at 0: within this share of its scale they are rounded off.
ROUNDED = 1e-5
# Counts of an overdispersion's information: rarer ones than this are left out, and so many cells are one half of the
# others.
UNLIKELY, CELLS = 1e-10, 256
LOG_2PI = float(np.log(2 * np.pi))


class Noise(NamedTuple):
    """The noise of one series: a number; the parameter of that name, of which `value` is the lower bound then; or what
    a column of the data says row by row, of that key (see `preimage.data.stated_noise`)."""

    name: str
    value: float
    column: str = ""

    def at(self, p: Mapping[str, Any]) -> Any:
        return p[self.name or self.column] if self.name or self.column else self.value


class Likelihood:
    """One distribution of observed values around modelled ones; the larger its noise, the wider.

    Attributes:
        scale: on which values are compared (see `preimage.calibration.losses`).
        noise: what its noise is; "" where it has none.
        counts: whether the values are whole numbers.
    """

    scale: ClassVar[str] = "values"
    noise: ClassVar[str] = "standard deviation"
    counts: ClassVar[bool] = False

    def residuals(self, modelled: Any, wanted: Any, noise: Any, xp: ModuleType) -> Any:
        """Return the deviance residuals of values on the scale."""
        raise NotImplementedError

    def saturated(self, wanted: Any, noise: Any, xp: ModuleType) -> Any:
        """Return twice the negative log-likelihood of values at a perfect fit."""
        raise NotImplementedError

    def information(self, modelled: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the expected information in values on their mean, on the scale, and on the logarithm of their noise.
        There is none on both at once."""
        raise NotImplementedError


class Normal(Likelihood):
    """Normal."""

    def residuals(self, modelled: Any, wanted: Any, noise: Any, xp: ModuleType) -> Any:
        return (modelled - wanted) / noise

    def saturated(self, wanted: Any, noise: Any, xp: ModuleType) -> Any:
        return LOG_2PI + 2 * xp.log(noise) + 0 * wanted

    def information(self, modelled: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return 1 / noise**2, np.full(noise.shape, 2.0)


class LogNormal(Normal):
    """Normal in the logarithm."""

    scale = "logs"
    noise = "standard deviation of the logarithm"

    def saturated(self, wanted: Any, noise: Any, xp: ModuleType) -> Any:
        return LOG_2PI + 2 * xp.log(noise) + 2 * wanted


class Laplace(Likelihood):
    """Laplace's: the least sum of absolute differences, which outliers hardly move."""

    noise = "scale"

    def residuals(self, modelled: Any, wanted: Any, noise: Any, xp: ModuleType) -> Any:
        d = (modelled - wanted) / noise
        return d * xp.sqrt(2 / (xp.sqrt(d**2 + ROUNDED**2) + ROUNDED))

    def saturated(self, wanted: Any, noise: Any, xp: ModuleType) -> Any:
        return 2 * xp.log(2 * noise) + 0 * wanted

    def information(self, modelled: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return 1 / noise**2, np.ones(noise.shape)


class Poisson(Likelihood):
    """Poisson's, of counts."""

    noise = ""
    counts = True

    def residuals(self, modelled: Any, wanted: Any, noise: Any, xp: ModuleType) -> Any:
        mean = _positive(modelled, xp)
        some = xp.where(wanted > 0, wanted, 1.0)
        of_some = (mean - some) * xp.sqrt(_curvature((mean - some) / some, xp) / some)
        return xp.where(wanted > 0, of_some, xp.sqrt(2 * mean))

    def saturated(self, wanted: Any, noise: Any, xp: ModuleType) -> Any:
        return 2 * (wanted - _entropy(wanted, xp) + _log_gamma(wanted + 1, xp))

    def information(self, modelled: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return 1 / modelled, np.zeros(noise.shape)


class NegativeBinomial(Likelihood):
    """Negative binomial, of counts whose variance is m + noise * m**2 for a mean m."""

    noise = "overdispersion"
    counts = True

    def residuals(self, modelled: Any, wanted: Any, noise: Any, xp: ModuleType) -> Any:
        mean, size = _positive(modelled, xp), 1 / noise
        some = xp.where(wanted > 0, wanted, 1.0)
        apart = mean - some
        by_count = _curvature(apart / some, xp) / some
        by_size = _curvature(apart / (some + size), xp) / (some + size)
        of_none = xp.sqrt(2 * size * xp.log(1 + mean / size))
        return xp.where(wanted > 0, apart * xp.sqrt(by_count - by_size), of_none)

    def saturated(self, wanted: Any, noise: Any, xp: ModuleType) -> Any:
        size = 1 / noise
        chosen = _log_gamma(wanted + size, xp) - _log_gamma(size, xp) - _log_gamma(wanted + 1, xp)
        shares = size * xp.log(size) + _entropy(wanted, xp) - (wanted + size) * xp.log(wanted + size)
        return -2 * (chosen + shares)

    def information(self, modelled: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        by_noise = [_on_overdispersion(m, 1 / s) for m, s in zip(modelled.ravel(), noise.ravel(), strict=True)]
        return 1 / (modelled + noise * modelled**2), np.reshape(by_noise, noise.shape)


LIKELIHOODS: Mapping[str, Likelihood] = {
    "normal": Normal(),
    "log_normal": LogNormal(),
    "laplace": Laplace(),
    "poisson": Poisson(),
    "negative_binomial": NegativeBinomial(),
}


def residuals(
    kind: str,
    modelled: Any,
    wanted: Any,
    cells: Any,
    noises: Sequence[Noise],
    p: Mapping[str, Any],
    xp: ModuleType,
) -> Any:
    """Return the residuals (r,) whose squares sum to the deviance.

    Args:
        modelled, wanted: values on the likelihood's scale (n, c).
        cells: 1 where there is an observed value, 0 elsewhere (n, c).
        noises: of each series (c,).
        p: parameters by name, and columns of noise by key (n,).
    """
    likelihood = LIKELIHOODS[kind]
    parts = []
    for k, noise in enumerate(noises):
        s, there, y = noise.at(p), cells[:, k], wanted[:, k]
        parts.append(likelihood.residuals(modelled[:, k], y, s, xp) * there)
        if noise.name:
            wider, n = _wider(likelihood, y, there, noise, s, xp), there.sum()
            parts.append((xp.sqrt(wider + n) if xp is np else _straight(wider, n))[None])
    return xp.concatenate(parts)


def rest(kind: str, wanted: Any, cells: Any, noises: Sequence[Noise], p: Mapping[str, Any], xp: ModuleType) -> Any:
    """Return what the deviance is above the sum of the squares that `residuals` has for JAX."""
    total = 0.0
    for k, noise in enumerate(noises):
        if noise.name:
            total = total + _wider(LIKELIHOODS[kind], wanted[:, k], cells[:, k], noise, noise.at(p), xp)
    return total


def _wider(likelihood: Likelihood, y: Any, there: Any, noise: Noise, s: Any, xp: ModuleType) -> Any:
    """Return what an estimated noise adds to the deviance of a series, 0 at its lower bound."""
    return ((likelihood.saturated(y, s, xp) - likelihood.saturated(y, noise.value, xp)) * there).sum()


def _straight(wider: Any, n: Any) -> Any:
    """Return a residual whose square has the slope of what a noise adds, and is the number of values whatever it is."""
    import jax
    import jax.numpy as jnp

    return jnp.sqrt(n) * (1 + (wider - jax.lax.stop_gradient(wider)) / (2 * n))


def constant(
    kind: str, wanted: np.ndarray, cells: np.ndarray, noises: Sequence[Noise], columns: Mapping[str, np.ndarray] = {}
) -> float:
    """Return what twice the negative log-likelihood is above the deviance, given columns of noise by key (n,)."""
    likelihood, total = LIKELIHOODS[kind], 0.0
    for k, noise in enumerate(noises):
        there = cells[:, k]
        least = columns[noise.column] if noise.column else noise.value
        total += float((likelihood.saturated(wanted[:, k], least, np) * there).sum())
        total -= float(there.sum()) if noise.name else 0.0
    return total


def _on_overdispersion(mean: float, size: float) -> float:
    """Return the expected information of a negative binomial count on the logarithm of its overdispersion: the mean
    square of the slope of its log-likelihood, over cells of counts that are narrow against what changes there."""
    from scipy.special import digamma, gammaln
    from scipy.stats import nbinom

    last = nbinom.isf(UNLIKELY, size, size / (size + mean))
    edges = np.unique(np.round(np.append(np.arange(CELLS), np.geomspace(CELLS, max(last, CELLS) + 1, CELLS))))
    y, width = (edges[1:] + edges[:-1] - 1) / 2, np.diff(edges)
    log_p = gammaln(y + size) - gammaln(size) - gammaln(y + 1)
    log_p += size * np.log(size / (size + mean)) + y * np.log(mean / (size + mean))
    slope = digamma(y + size) - digamma(size) + np.log(size / (size + mean)) + (mean - y) / (size + mean)
    return float((width * np.exp(log_p) * (size * slope) ** 2).sum())


def _positive(values: Any, xp: ModuleType) -> Any:
    return xp.where(values.real > LEAST, values, LEAST)


def _curvature(z: Any, xp: ModuleType) -> Any:
    """Return 2 (z - log(1 + z)) / z**2, which is 1 at 0."""
    near = abs(z.real) < CLOSE
    far = xp.where(near, 1.0, z)
    series = 1 - z * (2 / 3 - z * (1 / 2 - z * (2 / 5 - z * (1 / 3 - z * (2 / 7 - z / 4)))))
    return xp.where(near, series, 2 * (far - xp.log(1 + far)) / far**2)


def _entropy(y: Any, xp: ModuleType) -> Any:
    return y * xp.log(xp.where(y > 0, y, 1.0))


def _log_gamma(values: Any, xp: ModuleType) -> Any:
    if xp is np:
        from scipy.special import gammaln, loggamma

        return loggamma(values) if np.iscomplexobj(values) else gammaln(values)
    from jax.scipy.special import gammaln as traced

    return traced(values)
