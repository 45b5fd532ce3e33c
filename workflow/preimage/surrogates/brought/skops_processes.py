"""Gaussian processes and support vectors of scikit-learn as sums over their rows: of a kernel that is a sum, one for
each part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from preimage.exact.forms import Columns, Process
from preimage.support.errors import StudyError
from preimage.surrogates.brought.layered import Layered
from preimage.surrogates.brought.skops_members import Member
from preimage.surrogates.brought.supported import VECTORS

MATERN = {0.5: "matern12", 1.5: "matern32", 2.5: "matern52", np.inf: "rbf"}
# Of columns that a process does not see.
ENDLESS = 1e300
UNIT = 2.0**-53


class Part(NamedTuple):
    """Of a kernel's parts, one that depends on a distance: amplitude * shape(|x / length|)."""

    amplitude: float
    shape: str
    length: np.ndarray
    parameter: float = 0.0


class Kernel(NamedTuple):
    """A kernel as a constant and such parts; noise has no part in what is predicted."""

    constant: float
    parts: tuple[Part, ...] = ()


class _Rows(NamedTuple):
    """A model as a sum over rows (n, d): centre + scale * weights (m, n) times its kernel."""

    rows: np.ndarray
    weights: np.ndarray
    centre: np.ndarray
    scale: np.ndarray
    kernel: Kernel


class _Sum(NamedTuple):
    """One sum over rows: the output that it adds to, its part of the kernel, lengths, rows and weights."""

    output: int
    part: Part
    lengths: np.ndarray
    rows: np.ndarray
    weights: np.ndarray


def form(members: Sequence[tuple[Member, Layered]], columns: Columns) -> Process:
    """Return the weighted mean of processes, each behind what steps make of the columns. Raises StudyError, by name,
    for what has no bounds."""
    sums, centre, off, around = list[_Sum](), np.zeros(1), np.zeros(1), None
    for member, before in members:
        ours, theirs, factor, shift = _seen(before)
        own, width = _rows(member.model), before.width
        given, alpha = own.rows[:, theirs], own.weights
        around = _centres((given - shift) / factor, ours, columns) if around is None else around
        # As differences in the process's own columns: those are exact, where the columns themselves would be rounded.
        rows = np.zeros((len(given), len(around)))
        rows[:, ours] = (given - (around[ours] * factor + shift)) / factor
        times = np.broadcast_to(member.share * member.factor * own.scale, len(alpha))
        for part in own.kernel.parts:
            lengths = np.full(rows.shape[1], ENDLESS)
            lengths[ours] = np.broadcast_to(part.length, width)[theirs] / np.abs(factor)
            sums += [
                _Sum(k, part, lengths, rows / lengths, part.amplitude * times[k] * alpha[k]) for k in range(len(alpha))
            ]
        constants, added = times * own.kernel.constant, member.share * (member.factor * own.centre + member.shift)
        centre = centre + constants * alpha.sum(axis=1) + added
        size = np.abs(constants) * np.abs(alpha).sum(axis=1)
        off = off + UNIT * ((2 * len(rows) + 64) * size + 16 * np.abs(added))
    if not sums:
        raise StudyError("a kernel without distances in it has no proven bounds")
    return _joined(sums, columns._replace(centre=_of_inputs(around, columns)), centre, off)


def _rows(model: Any) -> _Rows:
    """Return a fitted model as a sum over rows: those of its training, or its support vectors. Raises StudyError, by
    name, for a kernel that has no bounds."""
    if type(model).__name__ in VECTORS:
        if model.kernel != "rbf":
            raise StudyError(f"{type(model).__name__} of the kernel {model.kernel} has no proven bounds; expected rbf")
        kernel = Kernel(0.0, (Part(1.0, "rbf", np.asarray(1.0 / np.sqrt(2.0 * model._gamma))),))
        weights, centre = np.asarray(model.dual_coef_, float), np.asarray(model.intercept_, float)
        return _Rows(np.asarray(model.support_vectors_, float), weights, centre, np.ones(1), kernel)
    rows = np.asarray(model.X_train_, float)
    weights = np.asarray(model.alpha_, float).reshape(len(rows), -1).T
    centre, scale = np.asarray(model._y_train_mean, float), np.asarray(model._y_train_std, float)
    return _Rows(rows, weights, centre, scale, of_kernel(model.kernel_))


def _joined(sums: Sequence[_Sum], columns: Columns, centre: np.ndarray, off: np.ndarray) -> Process:
    n = max(len(own.rows) for own in sums)
    return Process(
        columns,
        tuple(own.part.shape for own in sums),
        centre,
        np.ones(len(centre)),
        np.array([own.lengths for own in sums]),
        np.array([np.pad(own.rows, ((0, n - len(own.rows)), (0, 0))) for own in sums]),
        np.array([np.pad(own.weights, (0, n - len(own.weights))) for own in sums]),
        tuple(own.output for own in sums),
        np.array([own.part.parameter for own in sums]),
        off,
    )


def _seen(before: Layered) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return which of our columns are which that a process sees, with factors and shifts. Raises StudyError where they
    are mixed."""
    (weights,) = (term.weights for term in before.terms.values())
    ours, theirs = np.nonzero(weights)
    if len(set(ours)) < len(ours) or sorted(theirs) != list(range(before.width)):
        raise StudyError("GaussianProcessRegressor behind a step that mixes columns has no proven bounds")
    return ours, theirs, weights[ours, theirs], before.offset[theirs]


def _centres(rows: np.ndarray, ours: np.ndarray, columns: Columns) -> np.ndarray:
    """Return what to count columns of numbers from, as differences of rounded numbers are then of their own size (D,);
    those of categories from 0."""
    of_number = np.repeat(columns.levels == 0, np.maximum(columns.levels, 1))
    centres = np.zeros(len(of_number))
    centres[ours] = rows.mean(axis=0)
    return np.where(of_number, centres, 0.0)


def _of_inputs(centres: np.ndarray | None, columns: Columns) -> np.ndarray:
    """Return centres by input."""
    assert centres is not None
    width = np.maximum(columns.levels, 1)
    return centres[np.cumsum(width) - width]


def of_kernel(kernel: Any) -> Kernel:
    """Return a kernel as its parts. Raises StudyError for one that has no bounds."""
    name = type(kernel).__name__
    if name == "ConstantKernel":
        return Kernel(float(kernel.constant_value))
    if name == "WhiteKernel":
        return Kernel(0.0)
    if name == "RBF":
        return Kernel(0.0, (Part(1.0, "rbf", np.asarray(kernel.length_scale, float)),))
    if name == "Matern" and kernel.nu in MATERN:
        return Kernel(0.0, (Part(1.0, MATERN[kernel.nu], np.asarray(kernel.length_scale, float)),))
    if name == "RationalQuadratic":
        length = np.asarray(kernel.length_scale, float)
        return Kernel(0.0, (Part(1.0, "rational", length, float(kernel.alpha)),))
    if name in ("Sum", "Product"):
        first, second = of_kernel(kernel.k1), of_kernel(kernel.k2)
        if name == "Sum":
            return Kernel(first.constant + second.constant, first.parts + second.parts)
        if not (first.parts and second.parts):
            times, other = (second.constant, first) if first.parts else (first.constant, second)
            parts = tuple(part._replace(amplitude=times * part.amplitude) for part in other.parts)
            return Kernel(times * other.constant, parts if times else ())
    raise StudyError(
        f"kernel {kernel} has no proven bounds; expected sums of RBF, Matern (nu 0.5, 1.5 or 2.5), RationalQuadratic, "
        "constants and WhiteKernel, and products with constants"
    )
