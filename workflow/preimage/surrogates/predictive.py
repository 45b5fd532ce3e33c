"""What an output may turn out to be at a point: a surrogate's prediction, corrected and spread as its errors say.

The errors of a surrogate are not the same everywhere: they are smaller beside a row that it was trained on, and
neighbours err alike (a forest, say, is always too low near a peak). So they are kriged: errors are taken as a Gaussian
process over the inputs with noise (Matérn 5/2, one length), in units of the model's own spread as far as that tells
large errors from small ones. What the whole model misses at its own rows, kriged, corrects its prediction elsewhere,
and the distance to those rows says how large an error is left. Length, noise and unit are those by which the misses at
all other rows tell best how far models are off that never saw a row (out-of-fold residuals, left out one by one); where
they tell nothing, errors are noise alone. The form of what is left, and how errors of several outputs go together, are
those of the same residuals, standardised: one draw per row (a conformal predictive distribution: Vovk, Shen, Manokhin,
Xie 2019, Machine Learning 108; leave-one-out kriging: Rasmussen and Williams 2006, section 5.4.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from preimage.core.portable import Portable
from preimage.support.blas import one_blas_thread
from preimage.surrogates.encoding import Encoding
from preimage.surrogates.kernels import squared_distances
from preimage.surrogates.protocol import Surrogate

# Of more rows than these, some are drawn: each step costs the cube of them.
MOST_ROWS = 1000
FEWEST_ROWS = 5
# Lengths in standard deviations of the inputs, times the root of their number; shares of the variance that are noise.
LENGTHS = np.geomspace(0.15, 10, 10)
NOISE = (0.02, 0.1, 0.3, 0.6, 0.9, 0.999)
# What is added to a model's spread to make the unit of its errors, in mean spreads: with much, the unit is a constant.
ADDED = (0.1, 1.0, 100.0)


Pair = tuple[np.ndarray, np.ndarray]


class Basis(NamedTuple):
    """The correlation of a length, as eigenvalues (n,) and eigenvectors (n, n)."""

    length: float
    eigenvalues: np.ndarray
    vectors: np.ndarray


@dataclass(frozen=True)
class Errors:
    """The errors of one output as a process, in units of the model's spread and what is `added` to it.

    Attributes:
        variance: of an error far from all rows, its noise included.
        length, noise: of the covariance; the noise is a share of the variance.
        factor: of the covariance of the rows, by `scipy.linalg.cho_factor`.
        missed: weights of what the whole model misses at its rows (n,).
        form: leave-one-out residuals, standardised (n,).
    """

    added: float
    variance: float
    length: float
    noise: float
    factor: tuple[np.ndarray, bool]
    missed: np.ndarray
    form: np.ndarray

    def at(self, squares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what to add to a prediction, and the standard deviation of what is left, each (p,), at points of these
        squared distances to the rows (p, n)."""
        covariance = (1 - self.noise) * _matern(squares, self.length)
        known = np.einsum("pn,np->p", covariance, cho_solve(self.factor, covariance.T))
        return covariance @ self.missed, np.sqrt(self.variance * np.maximum(1 - known, 0.0))


@dataclass(frozen=True)
class Predictive:
    """The distribution of outputs at points, given by one draw for each of n rows.

    Attributes:
        encoding: of the inputs.
        Z: the rows, encoded (n, D).
        errors: of each output.
    """

    encoding: Encoding
    Z: np.ndarray
    errors: tuple[Errors, ...]

    def portable(self) -> Portable:
        """Return the errors as arrays; the factors of their covariances are made again where they are needed."""
        numbers = ("added", "variance", "length", "noise", "missed", "form")
        by_output = {name: np.array([getattr(e, name) for e in self.errors]) for name in numbers}
        return Portable("errors", {"Z": self.Z, **by_output, **self.encoding.arrays()})

    def draws(self, X: np.ndarray, predicted: np.ndarray, spread: np.ndarray) -> np.ndarray:
        """Return equally likely outputs (p, n, m) at points (p, d) with their predictions and spreads (p, m)."""
        with one_blas_thread():
            squares = squared_distances(self.encoding(X), self.Z)
            out = np.empty((len(X), len(self.Z), len(self.errors)))
            for k, errors in enumerate(self.errors):
                unit = spread[:, k] + errors.added
                shift, deviation = errors.at(squares)
                out[..., k] = (predicted[:, k] + unit * shift)[:, None] + (unit * deviation)[:, None] * errors.form
        return out


def fit(
    X: np.ndarray,
    levels: np.ndarray,
    Y: np.ndarray,
    out_of_fold: Pair,
    model: Surrogate,
    rng: np.random.Generator,
) -> Predictive | None:
    """Return the distribution of a surrogate's outputs; None where rows are too few to know.

    Args:
        X, Y: the training rows (n, d) and their outputs (n, m).
        levels: see `preimage.data.rows.Rows`.
        out_of_fold: prediction and spread at each row, each (n, m), of models that did not see it.
        model: which was trained on all of them.
    """
    if len(X) < FEWEST_ROWS:
        return None
    encoding = Encoding.of(X, levels)
    rows = _some(encoding(X), Y - out_of_fold[0], rng)
    Z = encoding(X[rows])
    honest, own = (Y - out_of_fold[0])[rows], Y[rows] - model.predict(X[rows])
    spread, own_spread = out_of_fold[1][rows], model.spread(X[rows])
    with one_blas_thread():
        squares = squared_distances(Z, Z)
        bases = [Basis(at, *np.linalg.eigh(_matern(squares, at))) for at in np.sqrt(Z.shape[1]) * LENGTHS]
        errors = tuple(
            _errors(squares, bases, (honest[:, k], spread[:, k]), (own[:, k], own_spread[:, k]))
            for k in range(Y.shape[1])
        )
    return Predictive(encoding, Z, errors)


def _some(Z: np.ndarray, residuals: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return positions of rows to use, at random, whatever the order of rows, inputs and outputs."""
    if len(Z) <= MOST_ROWS:
        return np.arange(len(Z))
    order = np.lexsort(((residuals**2).sum(axis=1), (Z**2).sum(axis=1)))
    return np.sort(order[rng.choice(len(Z), MOST_ROWS, replace=False)])


class Fitted(NamedTuple):
    """Numbers of a process, and how badly they tell out-of-fold residuals: the less the better."""

    misfit: float
    added: float
    length: float
    noise: float
    variance: float


@dataclass(frozen=True)
class Misses:
    """What models miss of one output at rows: `honest` out of fold, `own` by the whole model, each residuals and spread
    (n,). Residuals are in units of the largest, spreads in means."""

    honest: tuple[np.ndarray, np.ndarray]
    own: tuple[np.ndarray, np.ndarray]

    def in_units(self, added: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return out-of-fold residuals and the model's own as multiples of what is expected, and the unit (n,)."""
        unit = self.honest[1] + added
        return self.honest[0] / unit, self.own[0] / (self.own[1] + added), unit


def _errors(squares: np.ndarray, bases: Sequence[Basis], honest: Pair, own: Pair) -> Errors:
    """Return the process of residuals at rows of these squared distances (n, n).

    Args:
        bases: of the correlation of each length.
        honest, own: residuals and spread at the rows, each (n,), out of fold and of the model itself.
    """
    size, mean = float(np.abs(honest[0]).max()), float(honest[1].mean())
    if size == 0:
        nothing = np.zeros(len(squares))
        return Errors(1.0, 0.0, 1.0, 1.0, cho_factor(np.eye(len(squares)), lower=True), nothing, nothing)
    mean, parts = (mean, ADDED) if mean else (1.0, (1.0,))
    misses = Misses((honest[0] / size, honest[1] / mean), (own[0] / size, own[1] / mean))
    found = min(_fitted(basis, noise, misses, part) for basis in bases for noise in NOISE for part in parts)
    covariance = (1 - found.noise) * _matern(squares, found.length)
    covariance[np.diag_indices_from(covariance)] = 1.0
    factor = cho_factor(covariance, lower=True)
    inverse = cho_solve(factor, np.eye(len(squares)))
    residuals, missed, _ = misses.in_units(found.added)
    weights = inverse @ missed
    left = residuals - (missed - weights / np.diag(inverse))
    form = left * np.sqrt(np.diag(inverse) / found.variance)
    unit = size / mean
    return Errors(found.added * mean, found.variance * unit**2, found.length, found.noise, factor, weights * unit, form)


def _fitted(basis: Basis, noise: float, misses: Misses, added: float) -> Fitted:
    """Return how well out-of-fold residuals follow from the misses at all other rows, and the variance of what is left
    far from all rows.

    The misfit is that of Akaike: the logarithm of the mean square times the number of rows, and two for each of length
    and noise.
    """
    residuals, missed, unit = misses.in_units(added)
    spectrum = np.maximum((1 - noise) * basis.eigenvalues + noise, noise)
    diagonal = basis.vectors**2 @ (1 / spectrum)
    left = residuals - (missed - basis.vectors @ ((basis.vectors.T @ missed) / spectrum) / diagonal)
    misfit = len(unit) * np.log(np.mean(left**2)) + 2 * np.log(unit).sum() + (4 if noise < NOISE[-1] else 0)
    return Fitted(float(misfit), added, basis.length, noise, float((left**2 * diagonal).mean()))


def _matern(squares: np.ndarray, length: float) -> np.ndarray:
    """Return the Matérn correlation of order 5/2 at squared distances."""
    r = np.sqrt(5 * squares) / length
    return (1 + r + r * r / 3) * np.exp(-r)
