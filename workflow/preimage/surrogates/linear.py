"""Surrogate `linear`: one plane an output, by least squares; a yardstick, and the model to beat where rows are few.

Inputs are standardised, a category is a column of 0 and 1 for each of its values. With a `penalty` it is ridge
regression (Hoerl and Kennard 1970, Technometrics 12): the mean squared error plus the penalty times the sum of squared
coefficients, of standardised inputs, is smallest.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from preimage.core.portable import Portable
from preimage.data.rows import Rows
from preimage.data.split import folds as make_folds
from preimage.exact import forms as exact_forms
from preimage.support import npz
from preimage.support.blas import one_blas_thread
from preimage.support.files import replacing
from preimage.support.progress import ALONE, TrainingContext
from preimage.surrogates.encoding import Encoding
from preimage.surrogates.kinds.linear import Linear as Options
from preimage.surrogates.protocol import Traceable, Trained

ARRAYS = "linear.npz"
# So much of a penalty there always is: columns of a category add up to 1, and others may depend on each other too.
LEAST_PENALTY = 1e-10


@dataclass(frozen=True)
class Linear:
    """Planes y = base + slopes' z over encoded points z (D,).

    Attributes:
        slopes: (D, m); base: (m,).
        inverse: of the penalised second moments of (1, z), (D + 1, D + 1): what the spread is made of.
        deviation: of the residuals, (m,).
    """

    encoding: Encoding
    slopes: np.ndarray
    base: np.ndarray
    inverse: np.ndarray
    deviation: np.ndarray

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return outputs (n, m) at points (n, d)."""
        return np.asarray(self.base + np.einsum("nd,dm->nm", np.asarray(self.encoding(X), float), self.slopes))

    def spread(self, X: np.ndarray) -> np.ndarray:
        """Return the standard deviation of a new measurement (n, m) at points (n, d)."""
        Z = _with_one(np.asarray(self.encoding(X), float))
        leverage = np.einsum("np,pq,nq->n", Z, self.inverse, Z)
        return np.sqrt(1 + np.maximum(leverage, 0))[:, None] * self.deviation

    def gradient(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return outputs (n, m) and their derivatives by the inputs (n, m, d) at points (n, d); 0 by a category."""
        inputs, columns = self.encoding.numbers()
        J = np.zeros((len(X), len(self.base), X.shape[1]))
        J[:, :, inputs] = (self.slopes[columns] / self.encoding.scale[inputs][:, None]).T
        return self.predict(X), J

    def traceable(self) -> Traceable:
        """Return the prediction for JAX to trace, in float64."""
        from preimage.support.jax_setup import enable_double

        enable_double()
        e = self.encoding
        return Traceable(Planes(tuple(e.levels.tolist())), (e.centre, e.scale, self.base, self.slopes))

    def portable(self) -> Portable:
        """Return the planes as arrays."""
        parts = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "encoding"}
        return Portable("linear", {**parts, **self.encoding.arrays()})

    def exact_form(self) -> exact_forms.Planes:
        """Return the planes as arrays, for exact searches."""
        return exact_forms.Planes(exact_forms.Columns.of(self.encoding), self.base, self.slopes)

    def save(self, path: Path) -> None:
        arrays = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "encoding"}
        with replacing(path) as temporary, temporary.open("wb") as stream:
            np.savez(stream, **arrays, **self.encoding.arrays())


@dataclass(frozen=True)
class Planes:
    """Planes for JAX to trace: of parameters and a point (d,)."""

    levels: tuple[int, ...]

    def __call__(self, p: Any, x: Any) -> Any:
        import jax.numpy as jnp

        centre, scale, base, slopes = p
        return base + Encoding(np.array(self.levels), centre, scale)(jnp.asarray(x, jnp.float64), jnp) @ slopes


def train(rows: Rows, options: Options, rng: np.random.Generator, context: TrainingContext = ALONE) -> Trained:
    """Train by the normal equations.

    Args:
        options: the study's settings (penalty, folds).
    """
    fold = make_folds(rows.group, options.folds, rng)
    refit = partial(fit, penalty=float(options.penalty))
    model = refit(rows)
    predicted, spread = np.empty(rows.Y.shape), np.empty(rows.Y.shape)
    for k in np.unique(fold):
        held = np.flatnonzero(fold == k)
        other = refit(rows.part(np.flatnonzero(fold != k)))
        predicted[held], spread[held] = other.predict(rows.X[held]), other.spread(rows.X[held])
    parameters = {"penalty": float(options.penalty), "coefficients": model.slopes.T.tolist()}
    return Trained(model, lambda folder: model.save(folder / ARRAYS), (predicted, spread), parameters, refit=refit)


def fit(rows: Rows, penalty: float) -> Linear:
    """Return the planes through rows."""
    encoding = Encoding.of(rows.X, rows.levels)
    encoded = np.asarray(encoding(rows.X), float)
    columns = encoding.in_order_of_rows(encoded)
    Z = _with_one(encoded[:, columns])
    n = len(Z)
    weight = n * (penalty + LEAST_PENALTY)
    # Of values that no row has, nothing but the penalty is known.
    whole, inverse = np.zeros((encoded.shape[1] + 1, rows.Y.shape[1])), np.eye(encoded.shape[1] + 1) / weight
    used = np.r_[0, 1 + columns]
    with one_blas_thread():
        factor = cho_factor(Z.T @ Z + np.diag(np.r_[0.0, np.full(len(columns), weight)]))
        whole[used] = solution = cho_solve(factor, Z.T @ rows.Y)
        inverse[np.ix_(used, used)] = cho_solve(factor, np.eye(Z.shape[1]))
        residual = rows.Y - Z @ solution
    freedom = max(n - Z.shape[1], 1)
    return Linear(encoding, whole[1:], whole[0], inverse, np.sqrt((residual**2).sum(axis=0) / freedom))


def load(folder: Path) -> Linear:
    arrays = npz.read(folder / ARRAYS)
    encoding = Encoding(**{f.name: arrays[f"encoding.{f.name}"] for f in fields(Encoding)})
    return Linear(encoding, **{f.name: arrays[f.name] for f in fields(Linear) if f.name != "encoding"})


def logged(folder: Path) -> dict[str, Any]:
    """Return how a tracking server is to keep the model."""
    return {"flavor": "arrays", "path": str(folder), "packages": []}


def _with_one(Z: np.ndarray) -> np.ndarray:
    return np.column_stack([np.ones(len(Z)), Z])
