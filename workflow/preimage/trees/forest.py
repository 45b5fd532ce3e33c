"""An ensemble of trees as flat arrays, and its fast evaluation: bit-identical to the library that trained it.

Libraries differ in three things, and each is kept as data. What is compared: scikit-learn's forests compare float32(x)
with a float64 threshold, and float32(x) <= t holds exactly when float32(x) is at most the largest float32 not above t,
so thresholds are kept as that float32; histogram boosting and LightGBM compare the float64 itself, and keep float64
thresholds, as do forests that learned from standardised columns (`preimage.trees.standardised`). What is added:
leaf values in the order of the trees from a start, in float64, or in XGBoost in float32.
What is done last: a forest divides by the number of its trees. (`n_jobs=1`: threads would add in varying order.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from preimage.core.portable import Portable
from preimage.support import npz
from preimage.support.files import replacing
from preimage.support.numba_cache import numba

ROWS_AT_A_TIME = 10_000


@dataclass(frozen=True)
class Forest:
    """Trees in preorder, one after the other: the left child of an inner node k is k + 1.

    Attributes:
        feature: input tested at each node, -1 at a leaf; int32 (nodes,).
        threshold: go left where x, rounded to the dtype of this, is <= threshold; float32 or float64 (nodes,).
        right: right child at an inner node, position in `values` at a leaf; int32 (nodes,).
        values: outputs of the leaves; float64 (leaves, m).
        roots: first node of each tree; int32 (trees,).
        start: what the sums start from, (m,); they are added up in the dtype of this, float32 or float64.
        divisor: by which sums are divided: the number of trees for a mean, 1 for a sum.
    """

    feature: np.ndarray
    threshold: np.ndarray
    right: np.ndarray
    values: np.ndarray
    roots: np.ndarray
    start: np.ndarray
    divisor: float

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return outputs (n, m) at points (n, d)."""
        total = np.tile(self.start, (len(X), 1))
        _add(self._seen(X), self.feature, self.threshold, self.right, self.values, self.roots, total)
        return total.astype(np.float64) / self.divisor

    def spread(self, X: np.ndarray) -> np.ndarray:
        """Return the standard deviation over trees (n, m) at points (n, d)."""
        out = np.empty((len(X), self.values.shape[1]))
        for start in range(0, len(X), ROWS_AT_A_TIME):
            part = slice(start, start + ROWS_AT_A_TIME)
            out[part] = self.values[self.leaves(X[part])].std(axis=1)
        return out

    def leaves(self, X: np.ndarray) -> np.ndarray:
        """Return the position in `values` that each point (n, d) reaches in each tree, int32 (n, trees)."""
        out = np.empty((len(X), len(self.roots)), np.int32)
        _leaves(self._seen(X), self.feature, self.threshold, self.right, self.roots, out)
        return out

    def of_inputs(self, places: Sequence[int]) -> Forest:
        """Return the trees of points whose input places[k] is the k-th here."""
        inner = self.feature >= 0
        feature = np.where(inner, np.array(places, np.int32)[np.where(inner, self.feature, 0)], -1)
        return replace(self, feature=feature.astype(np.int32))

    def _seen(self, X: np.ndarray) -> np.ndarray:
        """Return points as comparisons see them."""
        return np.ascontiguousarray(X, self.threshold.dtype)

    @property
    def trees(self) -> Forest:
        """What exact searches take (see `preimage.inversion.Question`): itself."""
        return self

    def portable(self) -> Portable:
        """Return the trees without what follows from their order: right children and the positions of leaves."""
        inner = self.feature >= 0
        arrays = {"feature": self.feature, "threshold": self.threshold[inner], "values": self.values}
        return Portable(
            "trees",
            {**arrays, "start": self.start},
            {
                "trees": len(self.roots),
                "divisor": self.divisor,
                "single_inputs": self.threshold.dtype == np.float32,
                "single_sums": self.start.dtype == np.float32,
            },
        )

    def save(self, path: Path) -> None:
        with replacing(path) as temporary, temporary.open("wb") as stream:
            np.savez(stream, **{f.name: getattr(self, f.name) for f in fields(self)})

    @classmethod
    def load(cls, path: Path) -> Forest:
        arrays = npz.read(path)
        parts: dict[str, Any] = {f.name: arrays[f.name] for f in fields(cls)}
        return cls(**{**parts, "divisor": float(parts["divisor"])})


class Nodes(NamedTuple):
    """One tree in any order, the root first: children (-1 at a leaf), input, threshold, and value of each node
    (nodes, m)."""

    left: np.ndarray
    right: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    value: np.ndarray


def float32_floor(threshold: np.ndarray) -> np.ndarray:
    """Return the largest float32 not above each float64."""
    rounded = threshold.astype(np.float32)
    return np.where(rounded > threshold, np.nextafter(rounded, np.float32(-np.inf)), rounded).astype(np.float32)


def last_left(threshold: np.ndarray) -> np.ndarray:
    """Return the largest float64 x that goes left: that with float32(x) <= threshold for float32 thresholds (n,), the
    threshold itself for float64 ones.

    Rounding is to nearest, ties to even: the last is halfway to the next float32, or just below.
    """
    if threshold.dtype == np.float64:
        return threshold
    after = np.nextafter(threshold, np.float32(np.inf)).astype(float)
    halfway = threshold.astype(float) / 2 + after / 2
    with np.errstate(over="ignore"):
        goes_left = halfway.astype(np.float32) <= threshold
    return np.where(goes_left, halfway, np.nextafter(halfway, -np.inf))


def from_sklearn(model: Any) -> Forest:
    """Return the arrays of a fitted scikit-learn forest (random forest or extra trees)."""
    nodes = nodes_of(model)
    return assemble(nodes, np.zeros(nodes[0].value.shape[1]), float(len(nodes)))


def nodes_of(model: Any) -> list[Nodes]:
    """Return the trees of a fitted scikit-learn forest."""
    trees = [e.tree_ for e in model.estimators_]
    return plain(trees, [t.value[:, :, 0] for t in trees])


def plain(trees: Sequence[Any], values: Sequence[np.ndarray]) -> list[Nodes]:
    """Return scikit-learn's trees of plain points, with values of their nodes (nodes, m)."""
    return [
        Nodes(t.children_left, t.children_right, t.feature, float32_floor(t.threshold), value)
        for t, value in zip(trees, values, strict=True)
    ]


def assemble(trees: Sequence[Nodes], start: np.ndarray, divisor: float = 1.0) -> Forest:
    """Return trees as one set of arrays, in their order."""
    parts: dict[str, list[np.ndarray]] = {n: [] for n in ("feature", "threshold", "right", "values", "roots")}
    nodes = leaves = 0
    for tree in trees:
        order = _preorder(tree.left, tree.right)
        leaf = tree.left[order] < 0
        place = np.empty(len(tree.left), np.int64)
        place[order] = np.arange(len(order))
        right = np.where(leaf, leaves + np.cumsum(leaf) - 1, nodes + place[tree.right[order]])
        parts["roots"].append(np.array([nodes]))
        parts["feature"].append(np.where(leaf, -1, tree.feature[order]))
        parts["threshold"].append(np.where(leaf, tree.threshold.dtype.type(0), tree.threshold[order]))
        parts["right"].append(right)
        parts["values"].append(tree.value[order][leaf])
        nodes, leaves = nodes + len(order), leaves + int(leaf.sum())
    joined = {name: np.concatenate(part) for name, part in parts.items()}
    return Forest(
        joined["feature"].astype(np.int32),
        joined["threshold"],
        joined["right"].astype(np.int32),
        np.ascontiguousarray(joined["values"], np.float64),
        joined["roots"].astype(np.int32),
        start,
        divisor,
    )


def _preorder(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the nodes of one tree in preorder; scikit-learn grows trees that way unless leaves are limited."""
    inner = np.flatnonzero(left >= 0)
    if (left[inner] == inner + 1).all():
        return np.arange(len(left))
    order, stack = [], [0]
    while stack:
        k = stack.pop()
        order.append(k)
        if left[k] >= 0:
            stack += [right[k], left[k]]
    return np.array(order)


@numba.njit(cache=True)
def _add(X, feature, threshold, right, values, roots, total):  # type: ignore[no-untyped-def]
    for root in roots:
        for i in range(X.shape[0]):
            k = root
            while feature[k] >= 0:
                k = k + 1 if X[i, feature[k]] <= threshold[k] else right[k]
            for j in range(values.shape[1]):
                total[i, j] += values[right[k], j]


@numba.njit(cache=True)
def _leaves(X, feature, threshold, right, roots, out):  # type: ignore[no-untyped-def]
    for t in range(len(roots)):
        for i in range(X.shape[0]):
            k = roots[t]
            while feature[k] >= 0:
                k = k + 1 if X[i, feature[k]] <= threshold[k] else right[k]
            out[i, t] = right[k]
