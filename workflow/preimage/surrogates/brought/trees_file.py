"""What models of other libraries come to: an ensemble of trees as arrays, with the names that the file gives.

Their files are read by modules of ours because treelite (4.8.1) keeps every bit of thresholds, leaves and base scores
but not what else decides an answer: the inputs' names, the best iteration, the names of booster and objective, and
whether LightGBM takes 0 for missing. It also reads a LightGBM file that was cut short as a smaller model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from preimage.exact.linked_trees import LinkedTrees
from preimage.support.errors import StudyError
from preimage.surrogates.brought import categories
from preimage.surrogates.brought.categories import Column
from preimage.surrogates.brought.signature import Signature
from preimage.trees.category_splits import as_thresholds
from preimage.trees.forest import Forest, Nodes, assemble
from preimage.trees.links import IDENTITY, LINKED

# Categories are numbered from 0, at most so far.
MOST_CATEGORIES = 2**24
SAY_CATEGORIES = "say its `categories` under problem.inputs"


class Tree(NamedTuple):
    """A tree as a file has it: its nodes, and of those that split by categories the codes in the set (nodes whose
    thresholds mean nothing)."""

    nodes: Nodes
    sets: Mapping[int, np.ndarray] = {}


def checked(tree: Tree, inputs: int) -> Tree:
    """Return a tree whose nodes refer to what there is. Raises ValueError for any other, which a file may hold."""
    nodes = tree.nodes
    inner = nodes.left >= 0
    children = np.concatenate([nodes.left[inner], nodes.right[inner]])
    if len(children) and not (children.min() > 0 and children.max() < len(nodes.left)):
        raise ValueError("a node has a child that is none")
    if len(np.unique(children)) < len(children):
        raise ValueError("a node is the child of two")
    if not ((nodes.feature[inner] >= 0) & (nodes.feature[inner] < inputs)).all():
        raise ValueError("a split names an input that is none")
    if not np.isfinite(nodes.value[~inner]).all():
        raise ValueError("a leaf is no finite number")
    for node, codes in tree.sets.items():
        if not (0 <= node < len(inner) and inner[node]):
            raise ValueError("a set of categories is of no split")
        if len(codes) and not 0 <= codes.min() <= codes.max() < MOST_CATEGORIES:
            raise ValueError("a set holds a category that is none")
    return tree


@dataclass(frozen=True)
class TreesModel:
    """A model that the arrays are all of: they predict, and are searched.

    Attributes:
        parts: the trees as the file has them.
        start, divisor: see `Forest`.
        inside_left: whether the categories of a split's set go left; all others go the other way.
        labels: what the file knows each input's categories by, in the order of its codes, from the study's categories
            of each input: () for a number, and where it knows none.
        link: what the library makes of the sum at last (`trees.links`).
        strict: whether the library refuses categories that it does not know, rather than to take them as missing.
        columns, codes: the model's inputs as the study has them, and what each of their categories is to the model: the
            file's code, or of an input that is a number to it that number.
    """

    parts: tuple[Tree, ...]
    start: np.ndarray
    divisor: float
    signature: Signature
    resolution: float
    inside_left: bool
    labels: Callable[[Sequence[Column]], Sequence[Sequence[Any]]]
    strict: bool = False
    link: str = IDENTITY
    columns: tuple[Column, ...] = ()
    codes: tuple[np.ndarray, ...] = field(default=(), repr=False)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return outputs (n, m) at points (n, d)."""
        return self._summed.predict(X) if self.link == IDENTITY else self.exact_form().predict(X)

    def labelled(self, columns: Sequence[Column]) -> TreesModel:
        """Return the model of points whose categories are positions in the study's lists.

        Raises StudyError where those are not the model's.
        """
        by_set = {int(tree.nodes.feature[k]) for tree in self.parts for k in tree.sets}
        by_number = {int(f) for tree in self.parts for f in np.unique(tree.nodes.feature[_by_number(tree)])}
        labels = self.labels(columns)
        codes = []
        for j, (column, known) in enumerate(zip(columns, labels, strict=True)):
            if not column.categories and (len(known) or j in by_set):
                said = f" ({categories.listed(known)})" if len(known) else ""
                raise StudyError(f"input '{column.name}' is a category to the model{said}: {SAY_CATEGORIES}")
            own = categories.codes(column, known) if len(known) else _numbers(column, any(map(len, labels)))
            if len(known) and (self.strict or j in by_number):
                categories.refuse_unknown(column, own, known)
            codes.append(own)
        return replace(self, columns=tuple(columns), codes=tuple(codes))

    @property
    def unknown(self) -> dict[str, list[str]]:
        """The categories that the model does not know, by input: it takes them as missing."""
        pairs = zip(self.columns, self.codes, strict=True)
        found = {c.name: categories.unknown(c, own) for c, own in pairs if own.dtype.kind == "i"}
        return {name: strange for name, strange in found.items() if strange}

    @property
    def trees(self) -> Forest:
        """The arrays, of points in the study's own codes. Raises StudyError where their sum is not the output."""
        if self.link != IDENTITY:
            raise StudyError(LINKED.format(self.link))
        return self._summed

    def exact_form(self) -> LinkedTrees:
        """Return the arrays with the link of their sum."""
        return LinkedTrees.of(self._summed, (self.link,) * len(self.start), self.signature.inputs or 0)

    @cached_property
    def _summed(self) -> Forest:
        return assemble([self._as_thresholds(tree) for tree in self.parts], self.start, self.divisor)

    def _as_thresholds(self, tree: Tree) -> Nodes:
        """Return a tree whose splits of categories are thresholds on their positions in the study's lists."""
        nodes = tree.nodes
        turned = [j for j, own in enumerate(self.codes) if not np.array_equal(own, np.arange(len(own)))]
        numbers = np.flatnonzero(_by_number(tree) & np.isin(nodes.feature, turned))
        if not tree.sets and not len(numbers):
            return nodes
        levels = np.array([len(own) for own in self.codes])
        by_set, goes_left = np.full(len(nodes.left), -1), np.zeros((len(tree.sets) + len(numbers), levels.max()), bool)
        for row, node in enumerate([*tree.sets, *numbers.tolist()]):
            own = self.codes[nodes.feature[node]]
            inside = np.isin(own, tree.sets[node]) == self.inside_left if node in tree.sets else None
            by_set[node] = row
            low = own.astype(nodes.threshold.dtype) <= nodes.threshold[node]
            goes_left[row, : len(own)] = low if inside is None else inside
        found = as_thresholds(nodes, by_set, goes_left, levels)
        return found._replace(threshold=found.threshold.astype(nodes.threshold.dtype))


def _numbers(column: Column, of_a_table: bool) -> np.ndarray:
    """Return what the categories of an input are to a model that has no labels of it (levels,): their positions, or the
    numbers that they are where the model learned from a table that had labels of others."""
    found = categories.numbers(column) if of_a_table else np.arange(len(column.categories))
    if found is None:
        raise StudyError(
            f"input '{column.name}' is a number to the model, found the categories "
            f"{categories.listed(column.categories)}"
        )
    return found


def _by_number(tree: Tree) -> np.ndarray:
    """Return which nodes (nodes,) split by a threshold."""
    found = tree.nodes.left >= 0
    found[list(tree.sets)] = False
    return found


def no_labels(columns: Sequence[Column]) -> list[tuple[str, ...]]:
    """Return the labels of a file that knows none."""
    return [()] * len(columns)
