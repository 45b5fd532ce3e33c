"""What models of other libraries come to: an ensemble of trees as arrays, with the names that the file gives.

Their files are read by modules of ours because treelite (4.8.1) keeps every bit of thresholds, leaves and base scores
but not what else decides an answer: the inputs' names, the best iteration, the names of booster and objective, and
whether LightGBM takes 0 for missing. It also reads a LightGBM file that was cut short as a smaller model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from preimage.surrogates.brought.signature import Signature
from preimage.trees.forest import Forest, Nodes


def checked(tree: Nodes, inputs: int) -> Nodes:
    """Return a tree whose nodes refer to what there is. Raises ValueError for any other, which a file may hold."""
    inner = tree.left >= 0
    children = np.concatenate([tree.left[inner], tree.right[inner]])
    if len(children) and not (children.min() > 0 and children.max() < len(tree.left)):
        raise ValueError("a node has a child that is none")
    if len(np.unique(children)) < len(children):
        raise ValueError("a node is the child of two")
    if not ((tree.feature[inner] >= 0) & (tree.feature[inner] < inputs)).all():
        raise ValueError("a split names an input that is none")
    if not np.isfinite(tree.value[~inner]).all():
        raise ValueError("a leaf is no finite number")
    return tree


@dataclass(frozen=True)
class TreesModel:
    """A model that the arrays are all of: they predict, and are searched."""

    trees: Forest
    signature: Signature
    resolution: float

    def predict(self, X: np.ndarray) -> np.ndarray:
        return self.trees.predict(X)
