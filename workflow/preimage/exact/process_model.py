"""Means of Gaussian processes as a model of boxes (`exact.model`); their bounds are in `process_bounds`.

Trees have leaves that a box attains or not, and a state of leaves that boxes inside take over, so they keep bounds of
their own (`tree_model`), and for plain questions a search on their cells (`trees.branch_and_bound`), which is faster
still; the search over boxes, its conditions and proofs are the same for both.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from preimage.core.space import Space
from preimage.exact import covariances, process_bounds
from preimage.exact.expansions import LANES, Processes
from preimage.exact.forms import Process
from preimage.exact.kernels import over
from preimage.exact.model import Side
from preimage.exact.smooth import Predict, SmoothModel

UNIT = 2.0**-53
# A squared norm is known well enough where this share of it is open.
CLOSE = 1e-3
ROWS_AT_A_TIME = 256


class ProcessModel(SmoothModel):
    """Means on boxes of a space."""

    def __init__(self, form: Process, space: Space, sides: Sequence[Side], predict: Predict) -> None:
        super().__init__(space, sides, predict)
        self.form, weights = form, self.of_sides(len(form.centre))
        of_sums = weights[:, form.outputs]
        used = np.flatnonzero(of_sums.any(axis=0))
        self.weights, self.processes = np.ascontiguousarray(of_sums[:, used]), processes(form, used)
        self.outward = np.abs(weights) @ rounding(form)
        own = np.array([error(form, m, LANES) for m in range(len(form.weights))])
        # Beside that, moments are off, in boxes of a length scale by about three times as much as a value.
        self.margin = self.outward + 6 * np.abs(of_sums) @ (form.scale[form.outputs] * own)

    def _ends(self, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        (n, d), k = start.shape, len(self.sides)
        ends, worth, plane, slope = np.zeros((n, k)), np.zeros((n, k, d)), np.zeros((n, k)), np.zeros((n, k, d))
        over(
            process_bounds.bound, n, self.form.columns, self.processes,
            self.weights, self.sign, start, end, ends, worth, plane, slope,
        )  # fmt: skip
        return ends + self.sign * self.outward, worth, plane + self.sign * self.outward, slope


def processes(form: Process, used: np.ndarray) -> Processes:
    """Return some sums (M,) as `process_bounds.bound` takes them, filled up with rows of weight 0. The centre of an
    output stands beside its first sum."""
    n, lanes, own = form.rows.shape[1], LANES, form.outputs[used]
    first = np.isin(np.arange(len(own)), np.unique(own, return_index=True)[1])
    more = -n % lanes
    return Processes(
        np.pad(form.rows[used], ((0, 0), (0, more), (0, 0))).transpose(0, 2, 1).copy(),
        np.pad(form.weights[used], ((0, 0), (0, more))),
        np.ascontiguousarray(form.lengths[used]),
        np.array([squared_norm(form, m) for m in used], float),
        np.array([error(form, m, lanes) for m in used], float),
        np.where(first, form.centre[own], 0.0),
        form.scale[own],
        np.array([covariances.CODES[form.kernels[m]] for m in used], np.int64),
        np.array([_parameter(form, m) for m in used], float),
        _away(form) / form.lengths[used],
    )


def _away(form: Process) -> np.ndarray:
    """Return the sizes of what columns are counted from, in their own scale (D,)."""
    c = form.columns
    return np.repeat(np.where(c.levels > 0, 0.0, np.abs(c.centre / c.scale)), np.maximum(c.levels, 1))


def _parameter(form: Process, m: int) -> float:
    return 0.0 if form.parameters is None else float(form.parameters[m])


def error(form: Process, m: int, lanes: int = 1) -> float:
    """Return what a sum of covariances times weights is off by, at most, that is added up in lanes."""
    n, D = form.rows.shape[1:]
    # A power is off by its exponent, in roundings of what it is of.
    return float((n / lanes + D + 44 + 4 * _parameter(form, m)) * UNIT * np.abs(form.weights[m]).sum())


def reach(form: Process) -> np.ndarray:
    """Return how large each output may be anywhere, (m,)."""
    # Only rounding errors depend on it: double precision is enough.
    norms = np.sqrt([sum(_squared_norm(form, m, np.float64)) for m in range(len(form.weights))])
    return np.asarray((np.abs(form.centre) + form.scale * _by_output(form, norms)) * (1 + 1e-12) + rounding(form))


def _by_output(form: Process, of_sums: np.ndarray) -> np.ndarray:
    """Return what the sums of each output have (M,), added up (m,)."""
    return np.bincount(form.outputs, of_sums, len(form.centre))


def rounding(form: Process) -> np.ndarray:
    """Return what `predict`, and what is added to its bounds here, are off by, at most (m,)."""
    sums = _by_output(form, np.abs(form.weights).sum(axis=1))
    own = _by_output(form, np.array([error(form, m) for m in range(len(form.weights))]))
    off = form.scale * own + 8 * UNIT * (np.abs(form.centre) + form.scale * sums)
    return np.asarray(off if form.off is None else off + form.off)


def squared_norm(form: Process, m: int) -> float:
    """Return what the squared norm of an output's mean in the kernel's space is not above.

    Weights of both signs cancel: where double precision leaves too much open, it is summed in extended precision, as
    far as the machine has it.
    """
    found, off = _squared_norm(form, m, np.float64)
    if off > CLOSE * found:
        found, off = _squared_norm(form, m, np.longdouble)
    return max(found, 0.0) + off


def _squared_norm(form: Process, m: int, real: type) -> tuple[float, float]:
    """Return a squared norm, computed in a precision, and what it is off by at most."""
    rows, weights = form.rows[m].astype(real), form.weights[m].astype(real)
    n, D = rows.shape
    total = real(0.0)
    for i in range(0, n, ROWS_AT_A_TIME):
        squared = sum((rows[i : i + ROWS_AT_A_TIME, None, j] - rows[None, :, j]) ** 2 for j in range(D))
        found = covariances.of_rows(form.kernels[m], _parameter(form, m), np.asarray(squared))
        total += weights[i : i + ROWS_AT_A_TIME] @ (found @ weights)
    sums = float(np.abs(weights).sum())
    return float(total), (2 * n + D + 20 + 4 * _parameter(form, m)) * float(np.finfo(real).eps) * sums**2
