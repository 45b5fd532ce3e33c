"""Proposals: Gaussians over parameters on the scale of their prior (z), truncated to its support.

A proposal is a vector psi = (mu, log s, u) with mu and s of length d, and u the d (d - 1) / 2 entries below the
diagonal of U, which has ones on it: z = mu + s U e with e ~ N(0, 1)^d. Without u the covariance is diagonal. Entries of
u have no unit, so that a change of u means the same for wide proposals and for narrow ones.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from preimage.inference.prior import HALF_WIDTH, Prior

# mu may leave the support of a uniform margin a little, where the posterior leans on an end of the prior.
FARTHEST = {"uniform": 2.5, "normal": 6.0, "log_normal": 6.0}
LOG_SD = (-8.5, 1.5)
# Largest change in one step: of mu in sds, of log s, of u; and of a first proposal's, made from the prior.
STEP = (4.0, 2.5, 2.0)
FIRST_STEP = (4.0, 8.0, 8.0)
# Nodes of the integral over what lies in the support, where it is one over one variable and where over more.
NODES, MORE_NODES = 12, 32
# Less than this inside of the support counts as this much, in training.
LEAST_MASS = 1e-3
# Draws at a time that measure how much of a proposal lies in the prior's support, and most such times.
DRAWN, TIMES = 10_000, 50


class Proposals(NamedTuple):
    """The proposals over parameters of one prior."""

    prior: Prior
    full: bool

    @property
    def d(self) -> int:
        return len(self.prior.margins)

    @property
    def length(self) -> int:
        """Of psi."""
        return 2 * self.d + (self.d * (self.d - 1) // 2 if self.full else 0)

    def split(self, psi: Any) -> tuple[Any, Any, Any]:
        """Return mu (..., d), log s (..., d) and u (..., rest) of psi (..., length)."""
        return psi[..., : self.d], psi[..., self.d : 2 * self.d], psi[..., 2 * self.d :]

    def factor(self, psi: Any) -> Any:
        """Return s U (..., d, d): z = mu + s U e."""
        _, logs, off = self.split(psi)
        unit = jnp.broadcast_to(jnp.eye(self.d, dtype=psi.dtype), (*psi.shape[:-1], self.d, self.d))
        if self.full:
            unit = unit.at[..., *np.tril_indices(self.d, -1)].set(off)
        return jnp.exp(logs)[..., None] * unit

    def placed(self, psi: Any, e: Any) -> Any:
        """Return z (..., k, d) of standard normal e (..., k, d) under psi (..., length)."""
        return psi[..., None, : self.d] + jnp.einsum("...ij,...kj->...ki", self.factor(psi), e)

    def whitened(self, psi: Any, z: Any) -> Any:
        """Return e (..., d) of z (..., d): its squares add up to the squared Mahalanobis distance."""
        centred = z - psi[..., : self.d]
        if not self.full:
            return centred * jnp.exp(-psi[..., self.d :])
        solved = jax.scipy.linalg.solve_triangular(self.factor(psi), centred[..., None], lower=True)
        return solved[..., 0]

    def log_density(self, psi: Any, z: Any) -> Any:
        """Return log q (...) at z (..., d), per unit of z and before truncation."""
        logs = self.split(psi)[1]
        return -0.5 * (self.whitened(psi, z) ** 2).sum(-1) - logs.sum(-1) - self.d / 2 * np.log(2 * np.pi)

    def log_mass(self, psi: Any) -> Any:
        """Return the log of how much of q lies in the prior's support, (...): truncation takes it off log q.

        One parameter after the other, given those before: each node stands for a draw from the truncated Gaussian
        (Genz 1992, "Numerical computation of multivariate normal probabilities", J. Comput. Graph. Stat. 1).
        """
        bounded = [m.kind == "uniform" for m in self.prior.margins.values()]
        if not any(bounded):
            return jnp.zeros(psi.shape[:-1], psi.dtype)
        factor, (nodes, weights) = self.factor(psi)[..., None, :, :], _nodes(self.d - 1)
        mass: Any = 1.0
        e: list[Any] = []
        for i, inside in enumerate(bounded):
            middle = psi[..., None, i] + sum(factor[..., i, j] * e[j] for j in range(i))
            far = HALF_WIDTH if inside else 50.0
            low, high = (jax.scipy.special.ndtr((end - middle) / factor[..., i, i]) for end in (-far, far))
            mass = mass * (high - low)
            if i < self.d - 1:
                e.append(jax.scipy.special.ndtri(jnp.clip(low + nodes[:, i] * (high - low), 1e-6, 1 - 1e-6)))
        return jnp.log((mass * weights).sum(-1) + LEAST_MASS)

    def score(self, e: Any) -> Any:
        """Return the gradient of log q by mu, log s and u at draws e (..., d), in the units of these draws: mu in sds,
        and all along the axes of e where the covariance is full."""
        parts = [e, e**2 - 1]
        if self.full:
            i, j = np.tril_indices(self.d, -1)
            parts.append(e[..., i] * e[..., j])
        return jnp.concatenate(parts, axis=-1)

    def moved(self, psi: Any, change: Any) -> Any:
        """Return psi after a bounded change, that of mu in sds."""
        mu, logs, off = self.split(psi)
        d_mu, d_logs, d_off = (_bounded(c, b) for c, b in zip(self.split(change), STEP, strict=True))
        sd = jnp.exp(logs)
        if self.full:  # of the margins
            sd = jnp.sqrt((self.factor(psi) ** 2).sum(-1))
        return self._kept(mu + sd * d_mu, logs + d_logs, off + d_off)

    def first(self, change: Any) -> Any:
        """Return psi after a bounded change of the standard normal, wide enough to reach any corner of the prior."""
        return self._kept(*(_bounded(c, b) for c, b in zip(self.split(change), FIRST_STEP, strict=True)))

    def _kept(self, mu: Any, logs: Any, off: Any) -> Any:
        farthest = np.array([FARTHEST[m.kind] for m in self.prior.margins.values()], np.float32)
        return jnp.concatenate([jnp.clip(mu, -farthest, farthest), jnp.clip(logs, *LOG_SD), off], axis=-1)

    def in_units(self, psi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return means and sds (..., d) in the units of the parameters; of a log-normal margin the median, and half
        the distance between the quantiles one sd to either side."""
        psi = np.asarray(psi, dtype=float)
        mu = psi[..., : self.d]
        sd = np.exp(psi[..., self.d : 2 * self.d])
        if self.full:
            sd = np.sqrt((np.asarray(self.factor(jnp.asarray(psi, jnp.float32)), dtype=float) ** 2).sum(-1))
        low, middle, high = (unclipped(self.prior, mu + step * sd) for step in (-1, 0, 1))
        return middle, (high - low) / 2


class Truncated:
    """One proposal as an answer: a Gaussian truncated to the prior's support.

    Attributes:
        draws: parameters (k, d).
    """

    def __init__(self, proposals: Proposals, psi: np.ndarray, count: int, rng: np.random.Generator) -> None:
        """Take psi (length,) and draw `count` parameters."""
        self.prior = proposals.prior
        d = proposals.d
        psi = np.asarray(psi, dtype=float)
        factor = np.eye(d)
        factor[np.tril_indices(d, -1)] = psi[2 * d :] if proposals.full else 0
        self.mean, self.factor = psi[:d], np.exp(psi[d : 2 * d])[:, None] * factor
        kept, drawn = np.empty((0, d)), 0
        for _ in range(TIMES):
            z = self.mean + rng.standard_normal((max(DRAWN, 2 * count), d)) @ self.factor.T
            kept = np.concatenate([kept, z[self.prior.contains(unclipped(self.prior, z))]])
            drawn += len(z)
            if len(kept) >= count:
                break
        self.log_mass = np.log(max(len(kept), 1) / drawn)
        # Where too few are inside, the others are moved to the nearest end.
        self.draws = np.asarray(self.prior.from_z(np.concatenate([kept, z])[:count]), dtype=float)

    def log_density(self, theta: np.ndarray) -> np.ndarray:
        """Return the log density (m,) at parameters (m, d), per unit of these; minus infinity outside the support."""
        theta = np.asarray(theta, dtype=float)
        inside = self.prior.contains(theta)
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.where(inside[:, None], self.prior.to_z(theta), 0.0)
            logs = stats.multivariate_normal.logpdf(z, self.mean, self.factor @ self.factor.T, allow_singular=True)
            found = np.atleast_1d(logs) + log_slopes(self.prior, theta) - self.log_mass
        return np.where(inside, found, -np.inf)


def log_slopes(prior: Prior, theta: np.ndarray) -> np.ndarray:
    """Return the log of the product of all dz/dtheta (m,) at parameters (m, d)."""
    logs = np.zeros(len(theta))
    for column, (kind, first, second) in zip(np.asarray(theta, float).T, prior.margins.values(), strict=True):
        if kind == "uniform":
            logs += np.log(12**0.5 / (second - first))
        else:
            logs -= np.log(second)
        if kind == "log_normal":
            logs -= np.log(column)
    return logs


def unclipped(prior: Prior, z: np.ndarray) -> np.ndarray:
    """Return parameters (..., d) of z values in double precision, beyond the ends of uniform margins too."""
    columns = []
    for column, (kind, first, second) in zip(np.moveaxis(z, -1, 0), prior.margins.values(), strict=True):
        centre, scale = ((first + second) / 2, (second - first) / 12**0.5) if kind == "uniform" else (first, second)
        value = column * scale + centre
        columns.append(np.exp(value) if kind == "log_normal" else value)
    return np.stack(columns, axis=-1)


def _nodes(variables: int) -> tuple[Any, Any]:
    """Return nodes (k, variables) in the unit cube and their weights (k,), adding up to 1."""
    if variables <= 1:
        at, weights = np.polynomial.legendre.leggauss(NODES)
        return ((at[:, None] + 1) / 2).astype(np.float32), (weights / 2).astype(np.float32)
    points = stats.qmc.Halton(variables, scramble=False).random(MORE_NODES + 1)[1:]
    return points.astype(np.float32), np.full(MORE_NODES, 1 / MORE_NODES, np.float32)


def _bounded(change: Any, most: float) -> Any:
    """Return nearly the change itself while it is small, and never more than `most`."""
    change = jnp.clip(change, -100, 100)  # beyond, the eighth power below would leave single precision
    return change / (1 + (change / most) ** 8) ** 0.125
