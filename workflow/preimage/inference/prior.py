"""Priors: margins of named parameters, independent or with correlations, and the scale on which networks see these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from preimage.support.errors import StudyError, did_you_mean

# A uniform margin of unit variance lies within this of its middle.
HALF_WIDTH = 3**0.5
# Of the correlations of a prior: below this, rounding decides whether there is such a one.
LEAST_EIGENVALUE = 1e-9


class Margin(NamedTuple):
    """One parameter's prior: `uniform` between two ends, `normal` or `log_normal` with mean and sd (of the log)."""

    kind: str
    first: float
    second: float


def margin(entry: Mapping[str, Any]) -> Margin | None:
    """Return the prior that an entry of a study's `problem.inputs` states; None where it states none."""
    for kind in ("normal", "log_normal"):
        if kind in entry:
            return Margin(kind, float(entry[kind]["mean"]), float(entry[kind]["sd"]))
    return Margin("uniform", float(entry["low"]), float(entry["high"])) if "low" in entry else None


@dataclass(frozen=True)
class Prior:
    """Margins by parameter, in order, independent but for correlations.

    Attributes:
        correlations: of pairs of parameters with normal margins, or of their logarithms with log-normal ones; these are
            multivariate normal.

    Raises StudyError for ends or an sd out of order, and for correlations that no prior has.
    """

    margins: Mapping[str, Margin]
    correlations: tuple[tuple[str, str, float], ...] = ()

    def __post_init__(self) -> None:
        for name, (kind, first, second) in self.margins.items():
            if kind == "uniform" and not first < second:
                raise StudyError(f"prior of '{name}': low {first:g} is not below high {second:g}")
            if kind != "uniform" and not second > 0:
                raise StudyError(f"prior of '{name}': found sd {second:g}, expected more than 0")
        _check_correlations(self.margins, self.correlations)

    @property
    def names(self) -> list[str]:
        return list(self.margins)

    def sample(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Return parameters (count, d)."""
        if self.correlations:
            return np.asarray(self.from_normal(rng.standard_normal((count, len(self.margins)))))
        return np.stack([m.rvs(count, random_state=rng) for m in self._frozen], axis=-1)

    def log_density(self, theta: np.ndarray) -> np.ndarray:
        """Return the log density (n,) at parameters (n, d); minus infinity outside of the support."""
        columns = np.moveaxis(np.asarray(theta, dtype=float), -1, 0)
        found = np.sum([m.logpdf(column) for m, column in zip(self._frozen, columns, strict=True)], axis=0)
        if self.correlations:
            inside = np.isfinite(found)
            found[inside] += self.log_dependence(self.to_z(np.asarray(theta, float)[inside]))
        return found

    def log_dependence(self, z: np.ndarray) -> Any:
        """Return what correlations add to the log density (n,) of the margins at z values (n, d)."""
        if not self.correlations:
            return 0.0
        normal = ~self._uniform
        root = self._root[np.ix_(normal, normal)]
        alone = np.linalg.solve(root, z[:, normal].T)
        return ((z[:, normal] ** 2).sum(axis=1) - (alone**2).sum(axis=0)) / 2 - np.log(np.diag(root)).sum()

    def contains(self, theta: np.ndarray) -> np.ndarray:
        """Return whether parameters (n, d) lie in the support."""
        return np.isfinite(self.log_density(theta))

    def to_z(self, theta: Any, xp: Any = np) -> Any:
        """Return parameters (..., d) on the scale where the prior has mean 0 and sd 1; `xp` is NumPy or jax.numpy."""
        logs = xp.log(xp.maximum(theta, 1e-300)) if self._log.any() else theta
        return (xp.where(self._log, logs, theta) - self._centre) / self._scale

    def from_z(self, z: Any, xp: Any = np) -> Any:
        """Return parameters (..., d) of z values, those beyond a uniform margin moved to its end."""
        inside = xp.clip(z, -self._reach, self._reach) * self._scale + self._centre
        return xp.where(self._log, xp.exp(xp.where(self._log, inside, 0)), inside) if self._log.any() else inside

    def quantile(self, u: np.ndarray) -> np.ndarray:
        """Return parameters (..., d) at which the prior's margins have the cumulative probabilities u in (0, 1); of
        correlated ones, given those before."""
        if self.correlations:
            return np.asarray(self.from_normal(special.ndtri(u)))
        return self.from_z(np.where(self._uniform, HALF_WIDTH * (2 * u - 1), special.ndtri(u)))

    def from_normal(self, w: Any, xp: Any = np) -> Any:
        """Return parameters (..., d) of values on the scale where the prior is standard normal, which nothing leaves.

        With jax.numpy for `xp` JAX can trace it.
        """
        w = self._correlated(w)
        if xp is np:
            cumulative = special.ndtr(w)
        else:
            from jax.scipy.special import ndtr

            cumulative = ndtr(w)
        return self.from_z(xp.where(self._uniform, HALF_WIDTH * (2 * cumulative - 1), w), xp)

    def to_normal(self, theta: np.ndarray) -> np.ndarray:
        """Return values (..., d) on the scale where the prior is standard normal, of parameters in the support."""
        z = self.to_z(theta)
        inside = np.clip((z / HALF_WIDTH + 1) / 2, 1e-12, 1 - 1e-12)
        w = np.where(self._uniform, special.ndtri(inside), z)
        return np.linalg.solve(self._root, w[..., None])[..., 0] if self.correlations else w

    def sample_z(self, key: Any, shape: tuple[int, ...]) -> Any:
        """Return z values (*shape, d) as a JAX array, for use in compiled training."""
        import jax

        one, other = jax.random.split(key)
        full = (*shape, len(self.margins))
        uniform = jax.random.uniform(one, full, minval=-HALF_WIDTH, maxval=HALF_WIDTH)
        return jax.numpy.where(self._uniform, uniform, self._correlated(jax.random.normal(other, full)))

    def _correlated(self, w: Any) -> Any:
        """Return standard normal values (..., d) with the prior's correlations."""
        return w @ self._root.T.astype(w.dtype) if self.correlations else w

    @cached_property
    def _root(self) -> np.ndarray:
        """The Cholesky factor (d, d) of the correlations."""
        return np.linalg.cholesky(_matrix(self.names, self.correlations))

    @cached_property
    def _frozen(self) -> list[Any]:
        from scipy import stats  # half a second, and steps that only gather and show draw nothing

        made = {
            "uniform": lambda a, b: stats.uniform(a, b - a),
            "normal": stats.norm,
            "log_normal": lambda a, b: stats.lognorm(b, scale=np.exp(a)),
        }
        return [made[kind](first, second) for kind, first, second in self.margins.values()]

    @cached_property
    def _uniform(self) -> np.ndarray:
        return np.array([m.kind == "uniform" for m in self.margins.values()])

    @cached_property
    def _log(self) -> np.ndarray:
        return np.array([m.kind == "log_normal" for m in self.margins.values()])

    @cached_property
    def _reach(self) -> np.ndarray:
        return np.where(self._uniform, HALF_WIDTH, np.inf).astype(np.float32)

    @cached_property
    def _centre(self) -> np.ndarray:
        return np.array([(a + b) / 2 if k == "uniform" else a for k, a, b in self.margins.values()], dtype=np.float32)

    @cached_property
    def _scale(self) -> np.ndarray:
        return np.array(
            [(b - a) / (2 * HALF_WIDTH) if k == "uniform" else b for k, a, b in self.margins.values()], dtype=np.float32
        )


def _matrix(names: Sequence[str], correlations: Iterable[tuple[str, str, float]]) -> np.ndarray:
    found = np.eye(len(names))
    for one, other, value in correlations:
        i, j = names.index(one), names.index(other)
        found[i, j] = found[j, i] = value
    return found


def _check_correlations(margins: Mapping[str, Margin], correlations: Sequence[tuple[str, str, float]]) -> None:
    pairs = [frozenset((one, other)) for one, other, _ in correlations]
    for (one, other, value), pair in zip(correlations, pairs, strict=True):
        where = f"problem.correlations.{one}.{other}"
        for name in (one, other):
            if name not in margins:
                raise StudyError(f"{where}: there is no parameter '{name}'{did_you_mean(name, margins)}")
            if margins[name].kind == "uniform":
                raise StudyError(f"{where}: the prior of '{name}' is uniform; expected normal or log_normal")
        if one == other or pairs.count(pair) > 1:
            raise StudyError(f"{where}: expected each pair of two parameters once")
        if not -1 < value < 1:
            raise StudyError(f"{where}: found {value:g}, expected a correlation between -1 and 1, the ends left out")
    if np.linalg.eigvalsh(_matrix(list(margins), correlations)).min(initial=1) <= LEAST_EIGENVALUE:
        raise StudyError("problem.correlations: no multivariate normal has all of these at once; lower the largest")
