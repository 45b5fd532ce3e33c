"""Surrogate `gaussian_process`: exact regression with one length scale an input, and exact derivatives.

Rasmussen and Williams 2006, "Gaussian Processes for Machine Learning", algorithm 2.1. Outputs are standardised and so
are inputs; a category becomes a column of 0 and 1 for each of its values, all with one length scale, so that any two
values are equally far apart. Each output has hyperparameters of its
own, since outputs of one simulator may vary along different inputs and on different scales; the price is a Cholesky
factor an output. They are fitted on `hyperparameter_rows` rows drawn at random, so that these are as dense, and as
often repeated, as the data are. The fit itself is exact on at most `rows` rows: of more, those that lie farthest apart
are used (see `spread_out`).

BLAS is held at one thread wherever it is called, because its sums depend on the number; predictions don't call it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.linalg import cho_solve, qr, solve_triangular
from scipy.linalg.lapack import dtrtri

from preimage.core.portable import Portable
from preimage.data.rows import Rows
from preimage.data.split import folds as make_folds
from preimage.exact.forms import Columns, Process
from preimage.support import npz
from preimage.support.blas import one_blas_thread
from preimage.support.files import replacing
from preimage.support.progress import ALONE, TrainingContext
from preimage.surrogates import marginal_likelihood
from preimage.surrogates.encoding import Encoding
from preimage.surrogates.kernels import KERNELS, Hyperparameters, Kernel, factorised, squared_distances
from preimage.surrogates.kinds.gaussian_process import GaussianProcess as Options
from preimage.surrogates.protocol import Traceable, Trained

ARRAYS = "gaussian_process.npz"
# Sizes of what is held at once, in numbers: one block of covariances, and factors kept between calls (2.4 GB).
BLOCK = 1_000_000
KEPT = 300_000_000
# Farthest-point selection looks at no more rows than this for each that it takes.
CONSIDERED = 10


@dataclass(frozen=True)
class GaussianProcess:
    """A fitted process for each of m outputs; everything standardised, as `Encoding` and `centre`, `scale` say.

    Attributes:
        kernel: name of the kernel.
        encoding: of the inputs (d to D columns).
        centre, scale: of the outputs (m,); the scale of a constant output is 0.
        Z: encoded training points (n, D).
        weights: solutions (m, n) of covariance times weights = outputs.
        parameters: hyperparameters of each output.
    """

    kernel: str
    encoding: Encoding
    centre: np.ndarray
    scale: np.ndarray
    Z: np.ndarray
    weights: np.ndarray
    parameters: tuple[Hyperparameters, ...]

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return the posterior means (n, m) at points (n, d)."""
        Z, out = self.encoding(X), np.empty((len(X), len(self.parameters)))
        for part in self._parts(len(X)):
            for k in range(out.shape[1]):
                covariances = self._kernel.value(self._squared(Z[part], k))
                out[part, k] = np.einsum("pn,n->p", covariances, self._amplified[k])
        return self.centre + self.scale * out

    def spread(self, X: np.ndarray) -> np.ndarray:
        """Return the posterior standard deviations (n, m) of noisy outputs at points (n, d), in the outputs' units."""
        Z, out = self.encoding(X), np.empty((len(X), len(self.parameters)))
        with one_blas_thread():
            for k, h in enumerate(self.parameters):
                L = self._factor(k)
                for part in self._parts(len(X)):
                    covariances = h.amplitude * self._kernel.value(self._squared(Z[part], k))
                    known = solve_triangular(L, covariances.T, lower=True, overwrite_b=True, check_finite=False)
                    out[part, k] = h.amplitude - np.einsum("np,np->p", known, known)
                # Rounding may leave a variance below 0 at a training point.
                out[:, k] = np.sqrt(np.maximum(out[:, k], 0) + h.noise)
        return self.scale * out

    def gradient(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the means (n, m) and their derivatives by the inputs (n, m, d) at points (n, d); 0 by a category.

        With w = weight times k'(r^2), the derivative by input j is 2 / l_j^2 times the sum of w (x_j - row_j).
        """
        Z, (inputs, columns) = self.encoding(X), self.encoding.numbers()
        Y, J = np.empty((len(X), len(self.parameters))), np.zeros((len(X), len(self.parameters), X.shape[1]))
        for part in self._parts(len(X)):
            for k, h in enumerate(self.parameters):
                covariances, w = self._kernel.with_slope(self._squared(Z[part], k))
                Y[part, k] = np.einsum("pn,n->p", covariances, self._amplified[k])
                w *= self._amplified[k]
                by_column = Z[part] * w.sum(axis=1, keepdims=True) - np.einsum("pn,dn->pd", w, self._columns)
                J[part, k, inputs] = (2 * by_column / h.lengths**2)[:, columns]
        return self.centre + self.scale * Y, J * self.scale[:, None] / self.encoding.scale

    @property
    def cancellation(self) -> float:
        """The rounding of a mean, as a share of an output's standard deviation: digits are lost in sums of large
        weights of both signs."""
        return float(np.finfo(float).eps * max(1.0, *(np.abs(w).sum() for w in self._amplified)))

    def traceable(self) -> Traceable:
        """Return the mean for JAX to trace, in float64."""
        from preimage.support.jax_setup import enable_double

        enable_double()
        e = self.encoding
        parameters = {
            "inputs": (e.centre, e.scale),
            "outputs": (self.centre, self.scale),
            "lengths": np.array([h.lengths for h in self.parameters]),
            "rows": np.array([scaled.T for scaled in self._scaled]),
            "weights": np.array(self._amplified),
        }
        return Traceable(Mean(self.kernel, tuple(e.levels.tolist())), parameters)

    def exact_form(self) -> Process:
        """Return the means as arrays, for exact searches."""
        lengths = np.array([h.lengths for h in self.parameters])
        rows, weights = np.array(self._scaled), np.array(self._amplified)
        return Process(Columns.of(self.encoding), self.kernel, self.centre, self.scale, lengths, rows, weights)

    def portable(self) -> Portable:
        """Return the processes as arrays; the factors of their covariances are made again where they are needed."""
        arrays = {name: getattr(self, name) for name in ("centre", "scale", "Z")}
        names = ("amplitude", "noise", "lengths")
        by_output = {name: np.array([getattr(h, name) for h in self.parameters]) for name in names}
        weights = {"weights": np.array(self._amplified)}
        return Portable(
            "gaussian_process", {**arrays, **by_output, **weights, **self.encoding.arrays()}, {"kernel": self.kernel}
        )

    def save(self, path: Path) -> None:
        theta = np.array([[h.amplitude, h.noise, *h.lengths] for h in self.parameters])
        arrays = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("encoding", "parameters")}
        with replacing(path) as temporary, temporary.open("wb") as stream:
            kernel = {"kernel": np.array(self.kernel)}
            np.savez(stream, **{**arrays, **kernel}, **self.encoding.arrays(), parameters=theta)

    @classmethod
    def load(cls, path: Path) -> GaussianProcess:
        arrays = npz.read(path)
        encoding = Encoding(**{f.name: arrays[f"encoding.{f.name}"] for f in fields(Encoding)})
        parameters = tuple(Hyperparameters(float(a), float(s), np.array(v)) for a, s, *v in arrays["parameters"])
        plain = {name: arrays[name] for name in ("centre", "scale", "Z", "weights")}
        return cls(kernel=str(arrays["kernel"]), encoding=encoding, parameters=parameters, **plain)

    @property
    def _kernel(self) -> Kernel:
        return KERNELS[self.kernel]

    @cached_property
    def _scaled(self) -> list[np.ndarray]:
        """Training points over each output's length scales (n, D)."""
        return [self.Z / h.lengths for h in self.parameters]

    @cached_property
    def _columns(self) -> np.ndarray:
        return np.ascontiguousarray(self.Z.T)

    @cached_property
    def _amplified(self) -> list[np.ndarray]:
        return [h.amplitude * w for h, w in zip(self.parameters, self.weights, strict=True)]

    @cached_property
    def _factors(self) -> dict[int, np.ndarray]:
        return {}

    def _squared(self, Z: np.ndarray, k: int) -> np.ndarray:
        return squared_distances(Z / self.parameters[k].lengths, self._scaled[k])

    def _parts(self, n: int) -> Iterator[slice]:
        step = max(1, BLOCK // len(self.Z))
        return (slice(start, start + step) for start in range(0, n, step))

    def _factor(self, k: int) -> np.ndarray:
        """Return the covariance's Cholesky factor; not saved, since making it again is faster than reading it."""
        if k not in self._factors:
            L, _ = factorised(self._kernel, self.Z, self.parameters[k])
            if sum(f.size for f in self._factors.values()) + L.size > KEPT:
                return L
            self._factors[k] = L
        return self._factors[k]


@dataclass(frozen=True)
class Mean:
    """The mean of processes of one kernel, for JAX to trace: of parameters and a point (d,)."""

    kernel: str
    levels: tuple[int, ...]

    def __call__(self, p: Mapping[str, Any], x: Any) -> Any:
        import jax.numpy as jnp

        z = Encoding(np.array(self.levels), *p["inputs"])(jnp.asarray(x, jnp.float64), jnp)
        context = []
        for lengths, rows, weights in zip(p["lengths"], p["rows"], p["weights"], strict=True):
            # A column at a time: XLA makes one loop over the rows of all this.
            squared = sum((a - row) ** 2 for a, row in zip(z / lengths, rows, strict=True))
            context.append(KERNELS[self.kernel].traceable(jnp, squared) @ weights)
        centre, scale = p["outputs"]
        return centre + scale * jnp.stack(context)


def train(known: Rows, options: Options, rng: np.random.Generator, context: TrainingContext = ALONE) -> Trained:
    """Train on at most `rows` of the rows known, starts and outputs side by side on the threads.

    Args:
        options: the study's settings (kernel, rows, hyperparameter_rows, restarts, folds).

    Raises StudyError where nothing can be held out, or where numerics fail for good.
    """
    X, Y = known.X, known.Y
    fold = make_folds(known.group, options.folds, rng)
    kernel, encoding = KERNELS[options.kernel], Encoding.of(X, known.levels)
    Z = encoding(X)
    columns = encoding.in_order_of_rows(Z)
    source = encoding.source[columns]
    rows = spread_out(Z[:, columns], options.rows, rng)
    few = rng.permutation(len(Z))[: options.hyperparameter_rows]
    constant = np.ptp(Y, axis=0) == 0
    centre, scale = np.where(constant, Y[0], Y.mean(axis=0)), np.where(constant, 0.0, Y.std(axis=0))
    outputs = ((Y - centre) / np.where(constant, 1.0, scale)).T

    with one_blas_thread(), ThreadPoolExecutor(max(context.threads, 1)) as pool:
        parameters = _hyperparameters(
            kernel, Z[np.ix_(few, columns)], source, outputs[:, few], constant, options.restarts, rng, pool
        )
        # Back to all columns; one that no row has a 1 in takes its input's length.
        back = [int(np.argmax(source == j)) for j in encoding.source]
        parameters = [h.by_column(np.array(back)) for h in parameters]
        fits = list(pool.map(partial(_fit, kernel, Z[rows], fold[rows]), outputs[:, rows], parameters))
    weights = np.array([f.weights for f in fits])
    model = GaussianProcess(
        options.kernel, encoding, centre, scale, Z[rows], weights, tuple(f.parameters for f in fits)
    )

    predicted, spread = np.empty(Y.shape), np.empty(Y.shape)
    for k, fit in enumerate(fits):
        predicted[rows, k] = centre[k] + scale[k] * fit.held_out
        spread[rows, k] = scale[k] * fit.held_out_deviation
    _left_out(model, known, rows, predicted, spread)
    said = {
        "kernel": options.kernel,
        "rows": len(rows),
        "hyperparameter_rows": len(few),
        **_in_units(model),
        "log_marginal_likelihood": [f.log_likelihood for f in fits],
    }
    refit = partial(_refit, model, known.inputs)
    return Trained(model, lambda folder: model.save(folder / ARRAYS), (predicted, spread), said, refit=refit)


def _refit(model: GaussianProcess, inputs: list[str], rows: Rows) -> GaussianProcess:
    """Return the process of the same hyperparameters that knows these rows, and these of its inputs, alone."""
    kept, whole = np.array([inputs.index(name) for name in rows.inputs]), model.encoding
    encoding = Encoding(whole.levels[kept], whole.centre[kept], whole.scale[kept])
    columns = np.concatenate([np.flatnonzero(whole.source == j) for j in kept])
    parameters = [replace(h, lengths=h.lengths[columns]) for h in model.parameters]
    outputs = (rows.Y - model.centre) / np.where(model.scale > 0, model.scale, 1.0)
    Z, weights, used = encoding(rows.X), [], []
    with one_blas_thread():
        for k, h in enumerate(parameters):
            L, h = factorised(KERNELS[model.kernel], Z, h)
            weights.append(cho_solve((L, True), outputs[:, k], check_finite=False))
            used.append(h)
    return replace(model, encoding=encoding, Z=Z, weights=np.array(weights), parameters=tuple(used))


def load(folder: Path) -> GaussianProcess:
    return GaussianProcess.load(folder / ARRAYS)


def logged(folder: Path) -> dict[str, Any]:
    """Return how a tracking server is to keep the model."""
    return {"flavor": "arrays", "path": str(folder), "packages": []}


def spread_out(Z: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return the positions, in order, of at most n rows of Z (rows, D) that cover the others evenly.

    Greedy: from a random row on, the row that is farthest from all that were taken (Gonzalez 1985, "Clustering to
    minimize the maximum intercluster distance": the largest distance of a row to the nearest taken one is at most
    twice the smallest possible). Of more than 10 n rows, it looks at 10 n drawn at random. A repeated input is taken
    again only when no other is left.
    """
    if len(Z) <= n:
        return np.arange(len(Z))
    considered = rng.permutation(len(Z))[: CONSIDERED * n]
    columns = np.ascontiguousarray(Z[considered].T)
    nearest = np.full(len(considered), np.inf)
    taken = np.empty(n, int)
    farthest = 0
    for k in range(n):
        taken[k] = farthest
        nearest = np.minimum(nearest, sum((c - c[farthest]) ** 2 for c in columns))
        nearest[farthest] = -1.0
        farthest = int(nearest.argmax())
    return np.sort(considered[taken])


@dataclass(frozen=True)
class _Fit:
    """One output's exact fit; all standardised."""

    parameters: Hyperparameters
    weights: np.ndarray
    log_likelihood: float
    held_out: np.ndarray
    held_out_deviation: np.ndarray


def _hyperparameters(
    kernel: Kernel,
    Z: np.ndarray,
    source: np.ndarray,
    outputs: np.ndarray,
    constant: np.ndarray,
    restarts: int,
    rng: np.random.Generator,
    pool: ThreadPoolExecutor,
) -> list[Hyperparameters]:
    """Return the likeliest hyperparameters of each of m outputs (m, n), all from the same starts.

    The columns of Z (n, D) that come from one input, as `source` (D,) says, share a length scale.
    """
    shared = pd.factorize(source)[0]
    starts = marginal_likelihood.starts(int(shared.max()) + 1, restarts, rng)
    # A constant output says nothing of its covariance: any will do.
    parameters = [Hyperparameters.from_log(starts[0]).by_column(shared)] * len(outputs)
    varying = np.flatnonzero(~constant)
    found = marginal_likelihood.fit(kernel, Z, [outputs[k] for k in varying], starts, pool, shared)
    for k, h in zip(varying, found, strict=True):
        parameters[k] = h
    return parameters


def _fit(kernel: Kernel, Z: np.ndarray, fold: np.ndarray, y: np.ndarray, h: Hyperparameters) -> _Fit:
    L, h = factorised(kernel, Z, h)
    weights = cho_solve((L, True), y, check_finite=False)
    value = marginal_likelihood.log_likelihood(L, y)
    return _Fit(h, weights, value, *held_out(L, y, fold))


def held_out(L: np.ndarray, y: np.ndarray, fold: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation (n,), with noise, of each output (n,) given those of the other folds.

    Hyperparameters stay; `L` (n, n) is overwritten. Rasmussen and Williams 2006, equations 5.10 to 5.12, for blocks:
    with B the rows of a fold, the residual is (K^-1)_BB^-1 (K^-1 y)_B and its covariance (K^-1)_BB^-1. With K = L L'
    and A the columns B of L^-1, (K^-1)_BB is A'A and the residual the least squares solution of A r = L^-1 y, which by
    QR needs no product of ill-conditioned matrices.
    """
    whitened = solve_triangular(L, y, lower=True, check_finite=False)
    inverse = dtrtri(L, lower=1, overwrite_c=1)[0]
    mean, deviation = np.empty(len(y)), np.empty(len(y))
    for k in np.unique(fold):
        block = np.flatnonzero(fold == k)
        # L^-1 is lower triangular: above a block's first row its columns are 0.
        A = np.asfortranarray(inverse[block[0] :, block])
        # LAPACK applies Q' to one more column by itself when that column is factorised with the others.
        R = qr(np.column_stack([A, whitened[block[0] :]]), mode="r", overwrite_a=True, check_finite=False)[0]
        upper = R[: len(block), : len(block)]
        residual = solve_triangular(upper, R[: len(block), -1], check_finite=False)
        root = solve_triangular(upper, np.eye(len(block)), check_finite=False)
        mean[block], deviation[block] = y[block] - residual, np.sqrt(np.einsum("ij,ij->i", root, root))
    return mean, deviation


def _left_out(model: GaussianProcess, known: Rows, rows: np.ndarray, predicted: np.ndarray, spread: np.ndarray) -> None:
    """Fill in predictions and spreads (n, m) of rows that the exact fit left out, and so never saw.

    One whose input is repeated among those it saw gets what was held out for that input.
    """
    X, group = known.X, known.group
    same = np.full(int(group.max()) + 1, -1)
    same[group[rows]] = rows
    left = np.setdiff1d(np.arange(len(X)), rows)
    twin = same[group[left]]
    predicted[left[twin >= 0]], spread[left[twin >= 0]] = predicted[twin[twin >= 0]], spread[twin[twin >= 0]]
    unseen = left[twin < 0]
    if len(unseen):
        predicted[unseen], spread[unseen] = model.predict(X[unseen]), model.spread(X[unseen])


def _in_units(model: GaussianProcess) -> dict[str, list[Any]]:
    """Return length scales in the inputs' units (one a column), and deviations of signal and noise in the outputs'."""
    root = np.sqrt([[h.amplitude, h.noise] for h in model.parameters]) * model.scale[:, None]
    return {
        "length_scales": [[float(v) for v in h.lengths * model.encoding.unit] for h in model.parameters],
        "signal_deviation": root[:, 0].tolist(),
        "noise_deviation": root[:, 1].tolist(),
    }
