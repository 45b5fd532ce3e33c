"""scikit-learn's trees trained on columns in a unit of their own, and taken back to the user's units.

scikit-learn rounds inputs to float32, splits nothing closer than 1e-7, and stops at an impurity of 2e-16 and at a gain
of less than minus that: what it learns would depend on the units of the table. Here a number is moved by its median and
divided by a power of two, so that these limits lie far below its resolution, and a category is a column of 0 and 1 for
each of its values, in an order that its list has no say in. A threshold goes back to the largest float64 that still
goes left, so that trees decide on each float64 of the user's what scikit-learn decides on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from preimage.core.canonical import input_order
from preimage.trees.category_splits import as_thresholds
from preimage.trees.forest import Forest, Nodes, assemble, float32_floor, last_left

# The power of two below which the input lies that is farthest from the median.
FARTHEST_INPUT = 60
# Outputs become whole numbers, the typical one between these; in between so small that sums of all rows are exact: then
# splits that are equally good are so in floating point, and in any unit.
TYPICAL_OUTPUT = 2.0**24, 2.0**40
EXACT = 2.0**53
# Squares of more steps than these would not add up exactly.
MOST_STEPS = 2**16
ANY_GAIN = -1e300


@dataclass(frozen=True)
class Inputs:
    """Points (n, d) as columns (n, D): numbers first, then one for each value of each category.

    Attributes:
        levels: number of values of each input, 0 where it is a number (d,).
        source: the input that each column comes from (D,).
        value: the category's value that each column stands for, -1 where it is a number (D,).
        shift, unit: subtracted from and divided by, a power of two; of each column, 0 and 1 for categories (D,).
    """

    levels: np.ndarray
    source: np.ndarray
    value: np.ndarray
    shift: np.ndarray
    unit: np.ndarray

    @classmethod
    def of(cls, X: np.ndarray, Y: np.ndarray, levels: np.ndarray) -> Inputs:
        """Return the columns of training rows (n, d) with outputs (n, m), in an order that follows from what they hold;
        a category's values come in the order of their first rows."""
        levels = np.asarray(levels, np.int64)
        order = input_order(X, Y, levels)
        numbers, categories = order[levels[order] == 0], order[levels[order] > 0]
        shift = _median(X[:, numbers])
        none = int(levels.sum())
        return cls(
            levels,
            np.r_[numbers, np.repeat(categories, levels[categories])],
            np.concatenate([np.full(len(numbers), -1), *(_by_first_row(X[:, j], levels[j]) for j in categories)]),
            np.r_[shift, np.zeros(none)],
            np.r_[_power_above(np.abs(X[:, numbers] - shift).max(axis=0), -FARTHEST_INPUT), np.ones(none)],
        )

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """Return the columns (n, D) of points (n, d)."""
        taken = X[:, self.source]
        return np.where(self.value < 0, (taken - self.shift) / self.unit, taken == self.value)

    def trees(self, trees: Sequence[Any], values: Sequence[np.ndarray]) -> Iterator[Nodes]:
        """Yield scikit-learn's trees of these columns in the user's units, with values of their nodes (nodes, m)."""
        ends = np.cumsum([len(t.feature) for t in trees])[:-1]
        column = np.concatenate([t.feature for t in trees])
        threshold = np.split(self._last_left(column, np.concatenate([t.threshold for t in trees])), ends)
        for tree, last, value in zip(trees, threshold, values, strict=True):
            column = np.maximum(tree.feature, 0)  # a leaf has none
            nodes = Nodes(tree.children_left, tree.children_right, self.source[column], last, value)
            if self.levels.any():
                by_value = np.where(self.value[column] < 0, -1, column)
                nodes = as_thresholds(nodes, by_value, self._other_values, self.levels)
            yield nodes

    @cached_property
    def _other_values(self) -> np.ndarray:
        """Which values have a 0 in each column, and so go left (D, largest level)."""
        return self.value[:, None] != np.arange(self.levels.max(initial=0))

    def _last_left(self, column: np.ndarray, threshold: np.ndarray) -> np.ndarray:
        """Return the largest float64 that goes left at thresholds of columns (n,); what is no number's stays.

        The way there, (x - shift) / unit in float64 and then in float32, never falls as x grows. The division is exact,
        and what rounding may do is bounded by the spacing of the largest number involved.
        """
        out = threshold.copy()
        number = np.flatnonzero((column >= 0) & (self.value[np.maximum(column, 0)] < 0))
        of = column[number]
        shift, most = self.shift[of], last_left(float32_floor(threshold[number])) * self.unit[of]
        around = 2 * np.spacing(np.maximum(np.abs(most), np.abs(shift)))
        left, right = ordered(most + shift - 2 * around), ordered(most + shift + 2 * around)
        while len(open_ := np.flatnonzero(left + 1 < right)):
            a, b = left[open_], right[open_]
            middle = (a >> 1) + (b >> 1) + (a & b & 1)
            goes_left = from_ordered(middle) - shift[open_] <= most[open_]
            left[open_], right[open_] = np.where(goes_left, middle, a), np.where(goes_left, b, middle)
        out[number] = from_ordered(left)
        return out


@dataclass(frozen=True)
class Outputs:
    """Outputs (n, m) as whole numbers of about equal variance: less `shift`, over `step`, rounded, times `weight` (m,).

    scikit-learn adds up the variances of several outputs, so each is measured in its own standard deviation. Where all
    that were learned from are multiples of a step (readings of so many digits), that step is the unit, and equal sums
    of them are equal in floating point too.

    Attributes:
        learned: of each output the whole numbers that were learned from, in order, and the outputs that these were.
    """

    shift: np.ndarray
    step: np.ndarray
    weight: np.ndarray
    learned: tuple[tuple[np.ndarray, np.ndarray], ...] = ()

    @classmethod
    def of(cls, Y: np.ndarray) -> Outputs:
        shift = _median(Y)
        farthest = _power_above(np.abs(Y - shift).max(axis=0), 0)
        part = (Y - shift) / farthest  # at most 1: squares of it stay numbers
        varies = part.any(axis=0)
        spread = np.where(varies, part.std(axis=0), 1.0)
        largest = np.where(varies, np.abs(part).max(axis=0), 1.0)
        typical = [np.median(np.abs(p[p != 0])) if p.any() else 1.0 for p in part.T]
        fine, finest = (of * np.max(spread / typical) for of in TYPICAL_OUTPUT)
        exact = EXACT / len(Y) * np.min(spread / largest)
        step = farthest * spread / _power_above(np.asarray(np.clip(exact, fine, finest)), -1)
        stated = np.array([_step(y) for y in Y.T])
        weight = np.where(stated > 0, _power_above(np.where(stated > 0, stated, step) / step, 0), 1.0)
        plain = cls(shift, np.where(stated > 0, stated, step), weight)
        learned = (np.unique(v, return_index=True) for v in plain(Y).T)
        return replace(plain, learned=tuple((v, y[at]) for (v, at), y in zip(learned, Y.T, strict=True)))

    def __call__(self, Y: np.ndarray) -> np.ndarray:
        return np.rint((Y - self.shift) / self.step) * self.weight

    def back(self, V: np.ndarray) -> np.ndarray:
        """Return outputs (n, m) in the user's units; what was learned from becomes the very number that it was."""
        out = V / self.weight * self.step + self.shift
        for k, (known, y) in enumerate(self.learned):
            at = np.minimum(np.searchsorted(known, V[:, k]), len(known) - 1)
            out[:, k] = np.where(known[at] == V[:, k], y[at], out[:, k])
        return out


def _step(y: np.ndarray) -> float:
    """Return the step that outputs (n,) are multiples of but for rounding, from the first of them; 0 for none."""
    rounding = 4 * np.spacing(np.abs(y).max())
    gaps = np.diff(np.unique(y))
    gaps = gaps[gaps > rounding]
    if not len(gaps) or np.ptp(y) > MOST_STEPS * gaps.min():
        return 0.0
    step = np.ptp(y) / np.rint(np.ptp(y) / gaps.min())
    steps = (y - y.min()) / step
    off = np.abs(steps - np.rint(steps)).max() * step
    return float(step) if off <= rounding < step / 8 else 0.0


@dataclass(frozen=True)
class Trees:
    """A fitted forest of scikit-learn's (random forest or extra trees) on such columns."""

    model: Any
    inputs: Inputs
    outputs: Outputs

    @cached_property
    def forest(self) -> Forest:
        """The arrays, in the user's units."""
        trees = [e.tree_ for e in self.model.estimators_]
        values = [t.value[:, :, 0] for t in trees]
        back = self.inputs.trees([_Pruned(t) for t in trees], [self.outputs.back(v) for v in values])
        return assemble(list(back), np.zeros(len(self.outputs.shift)), float(len(trees)))


class _Pruned:
    """A tree without splits of nodes whose outputs are equal but for what rounding makes of their variance."""

    def __init__(self, tree: Any) -> None:
        square = (tree.value[:, :, 0] ** 2).mean(axis=1)
        equal = tree.impurity <= np.finfo(float).eps * tree.n_node_samples * square
        self.children_left = np.where(equal, -1, tree.children_left)
        self.children_right, self.feature, self.threshold = tree.children_right, tree.feature, tree.threshold


def fit(model: Any, X: np.ndarray, Y: np.ndarray, levels: np.ndarray) -> Trees:
    """Fit a forest of scikit-learn's to points (n, d) and outputs (n, m); see `preimage.data.rows.Rows.levels`."""
    from sklearn import config_context

    inputs, outputs = Inputs.of(X, Y, levels), Outputs.of(Y)
    V = outputs(Y)
    # A gain may be none, and below it by a rounding, which is what scikit-learn's 2e-16 means for outputs of about 1.
    with config_context(skip_parameter_validation=True):
        model.set_params(min_impurity_decrease=ANY_GAIN).fit(inputs(X), V if V.shape[1] > 1 else V[:, 0])
    for one in (model, *model.estimators_):
        one.set_params(min_impurity_decrease=0.0)
    return Trees(model, inputs, outputs)


def _median(A: np.ndarray) -> np.ndarray:
    """Return the lower median of each column: a number of the column, so that units change nothing about it."""
    return np.asarray(np.sort(A, axis=0)[(len(A) - 1) // 2])


def _by_first_row(column: np.ndarray, count: int) -> np.ndarray:
    """Return the values 0 to `count` of a category in the order of their first rows, last those that have none."""
    first = [np.append(np.flatnonzero(column == k), len(column))[0] for k in range(count)]
    return np.argsort(first, kind="stable")


def _power_above(size: np.ndarray, times: int) -> np.ndarray:
    """Return the power of two above each size, times 2 to the power of `times`; no smaller than the normal numbers."""
    return np.ldexp(1.0, np.maximum(np.frexp(size)[1] + times, -1022))


def ordered(x: np.ndarray) -> np.ndarray:
    """Return whole numbers in the order of float64, neighbours next to each other."""
    bits = x.view(np.int64)
    return np.where(bits < 0, np.iinfo(np.int64).min - bits, bits)


def from_ordered(ordered: np.ndarray) -> np.ndarray:
    return np.where(ordered < 0, np.iinfo(np.int64).min - ordered, ordered).view(float)
