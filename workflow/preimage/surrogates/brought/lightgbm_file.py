"""A LightGBM model in its text format, read without LightGBM: text and numbers, nothing that could run.

LightGBM compares the float64 itself, x <= threshold, takes inputs of at most 1e-35 in size for 0, and adds up leaves,
which are in full precision in the file, in float64. Where it splits by categories, those in the set go left.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from preimage.support import limits
from preimage.support.errors import StudyError
from preimage.surrogates.brought.categories import Column, listed, numbers
from preimage.surrogates.brought.signature import Signature
from preimage.surrogates.brought.supported import LIGHTGBM_LINKS
from preimage.surrogates.brought.trees_file import SAY_CATEGORIES, Tree, TreesModel, checked, no_labels
from preimage.trees.forest import Nodes
from preimage.trees.links import IDENTITY

# Objectives whose output is the sum of the trees itself.
SUMS = frozenset({"regression", "regression_l1", "huber", "fair", "quantile", "mape", "custom"})
# Inputs up to this size count as 0 (`kZeroThreshold`).
ZERO = float(np.float32(1e-35))
# Bits of a node's decision type.
CATEGORICAL, MISSING = 1, 12
MISSING_IS_ZERO = 4


def read(path: Path) -> TreesModel:
    """Load a model. Raises StudyError for a damaged file, and by name for what is no sum of trees."""
    limits.check_file(path)
    with path.open("rb") as stream:
        ours = stream.read(6).replace(b"\r\n", b"\n").startswith(b"tree\n")
    try:
        text = path.read_text(encoding="utf-8") if ours else ""
        blocks = text.partition("\nend of trees")[0].split("\nTree=")
        if len(blocks) < 2 or "\nend of trees" not in text:
            raise StudyError(f"{path}: damaged, or no LightGBM model saved with save_model")
        return _model(_entries(blocks[0]), [_entries(block) for block in blocks[1:]], _labels(text), path)
    except StudyError:
        raise
    except UnicodeDecodeError:
        raise StudyError(f"{path}: no text, expected a LightGBM model saved with save_model") from None
    except MemoryError:
        raise limits.too_much(path) from None
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise StudyError(f"{path}: damaged, or no LightGBM model ({type(error).__name__}: {error})") from None


def _entries(block: str) -> dict[str, str]:
    found = {}
    for line in block.splitlines():
        key, _, value = line.partition("=")
        found[key] = value
    return found


def _model(
    head: Mapping[str, str], trees: list[dict[str, str]], known: Sequence[Sequence[Any]], path: Path
) -> TreesModel:
    # A fitted objective is said with its options; none is said of a custom one.
    said, *options = head.get("objective", "custom").split()
    link = LIGHTGBM_LINKS.get(said, "signed_square" if "sqrt" in options else IDENTITY)
    if said not in (*SUMS, *LIGHTGBM_LINKS) or ("sqrt" in options and said in LIGHTGBM_LINKS) or _steep(options):
        words, known = " ".join([said, *options]), ", ".join(sorted([*SUMS, *LIGHTGBM_LINKS]))
        raise StudyError(f"{path}: objective '{words}': no sum of trees; expected {known}")
    if int(head["num_tree_per_iteration"]) != 1:
        raise StudyError(f"{path}: found {head['num_tree_per_iteration']} trees an iteration, expected 1 (a regressor)")
    divisor = float(len(trees)) if "average_output" in head else 1.0
    inputs = int(head["max_feature_idx"]) + 1
    signature = Signature(inputs, 1, _names(head))
    parts = tuple(checked(_tree(tree, path), inputs) for tree in trees)
    labels = partial(_in_order, known) if known else no_labels
    return TreesModel(
        parts,
        np.zeros(1),
        divisor,
        signature,
        float(np.finfo(float).eps),
        inside_left=True,
        labels=labels,
        link=link,
    )


def _steep(options: Sequence[str]) -> bool:
    """Whether a logistic function of a multiple of the sum is stated."""
    return any(o.startswith("sigmoid:") and float(o.partition(":")[2]) != 1.0 for o in options)


def _labels(text: str) -> list[list[Any]]:
    """Return the categories of the columns of the data frame that were categories, in their order; [] where there was
    none, or no frame."""
    line = next((v for v in reversed(text.splitlines()) if v.startswith("pandas_categorical:")), ":null")
    found = json.loads(line.partition(":")[2]) or []
    if not all(isinstance(values, list) for values in found):
        raise ValueError("categories that are no lists")
    return list(found)


def _in_order(known: Sequence[Sequence[Any]], columns: Sequence[Column]) -> list[Sequence[Any]]:
    """Return the categories of each input, () where that is a number to the model, as one whose labels are numbers may
    be. Raises StudyError where the study has more, or fewer, that are categories.

    LightGBM itself tells them apart by nothing but their order in the frame.
    """
    ours = [column for column in columns if column.categories]
    if len(ours) > len(known):
        texts = [column for column in ours if numbers(column) is None]
        ours = texts if len(texts) == len(known) else ours
    if len(ours) != len(known):
        names, theirs = ", ".join(column.name for column in ours), "; ".join(map(listed, known))
        raise StudyError(
            f"the model has {len(known)} inputs that are categories ({theirs}), the study has {len(ours)}"
            f"{': ' if ours else ''}{names}; {SAY_CATEGORIES}"
        )
    found = {column.name: own for column, own in zip(ours, known, strict=True)}
    return [found.get(column.name, ()) for column in columns]


def _names(head: Mapping[str, str]) -> tuple[str, ...]:
    """Return the inputs' names, () where LightGBM made them up."""
    names = tuple(head.get("feature_names", "").split())
    return () if names == tuple(f"Column_{k}" for k in range(len(names))) else names


def _tree(tree: Mapping[str, str], path: Path) -> Tree:
    if tree.get("is_linear", "0") != "0":
        raise StudyError(f"{path}: the model has linear trees, expected constant leaves")
    leaves = _numbers(tree, "leaf_value", float)
    count = int(tree["num_leaves"])
    if len(leaves) != count:
        raise ValueError(f"{len(leaves)} leaf values of {count} leaves")
    if count == 1:
        nothing = np.array([-1])
        return Tree(Nodes(nothing, nothing, np.array([0]), np.zeros(1), leaves[:, None]))
    kind = _numbers(tree, "decision_type", np.int64)
    by_set = (kind & CATEGORICAL) > 0
    if ((kind[~by_set] & MISSING) == MISSING_IS_ZERO).any():
        raise StudyError(f"{path}: the model takes 0 for missing (zero_as_missing), which is no threshold")
    inner = count - 1
    # A child below 0 is the leaf of that number: -1 the first.
    left, right = (
        np.where(child < 0, inner - 1 - child, child)
        for child in (_numbers(tree, "left_child", np.int64), _numbers(tree, "right_child", np.int64))
    )
    ends = np.full(count, -1)
    threshold = _numbers(tree, "threshold", float)
    nodes = Nodes(
        np.r_[left, ends],
        np.r_[right, ends],
        np.r_[_numbers(tree, "split_feature", np.int64), np.zeros(count, np.int64)],
        np.r_[_last_left(threshold), np.zeros(count)],
        np.r_[np.zeros(inner), leaves][:, None],
    )
    return Tree(nodes, _sets(tree, np.flatnonzero(by_set), threshold[by_set].astype(np.int64)))


def _sets(tree: Mapping[str, str], nodes: np.ndarray, which: np.ndarray) -> dict[int, np.ndarray]:
    """Return the categories of each node that splits by them: bits, 32 a number, of the sets named `which`."""
    if not len(nodes):
        return {}
    ends, words = (_numbers(tree, key, np.int64) for key in ("cat_boundaries", "cat_threshold"))
    if not (ends[0] == 0 and (np.diff(ends) >= 0).all() and ends[-1] == len(words) and which.min() >= 0):
        raise ValueError("a set of categories ends where there are none")
    bits = [np.flatnonzero((words[a:b, None] >> np.arange(32)) & 1) for a, b in pairwise(ends)]
    return {int(k): bits[i] for k, i in zip(nodes, which, strict=True)}


def _numbers(tree: Mapping[str, str], key: str, dtype: type) -> np.ndarray:
    return np.array(tree[key].split(), dtype)


def _last_left(threshold: np.ndarray) -> np.ndarray:
    """Return the largest x that goes left, where all that is small counts as 0."""
    if np.isnan(threshold).any():
        raise ValueError("a threshold is not a number")
    small = np.abs(threshold) <= ZERO
    turned = np.where(threshold >= 0, ZERO, np.nextafter(-ZERO, -np.inf))
    return np.where(small, turned, threshold)
