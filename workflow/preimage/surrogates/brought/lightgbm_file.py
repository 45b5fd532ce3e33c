"""A LightGBM model in its text format, read without LightGBM: text and numbers, nothing that could run.

LightGBM compares the float64 itself, x <= threshold, takes inputs of at most 1e-35 in size for 0, and adds up leaves,
which are in full precision in the file, in float64.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from preimage.support import limits
from preimage.support.errors import StudyError
from preimage.surrogates.brought.signature import Signature
from preimage.surrogates.brought.trees_file import TreesModel, checked
from preimage.trees.forest import Nodes, assemble

# Objectives whose output is the sum of the trees itself.
SUMS = frozenset({"regression", "regression_l1", "huber", "fair", "quantile", "mape", "custom"})
# Inputs up to this size count as 0 (`kZeroThreshold`).
ZERO = float(np.float32(1e-35))
# Bits of a node's decision type.
CATEGORICAL, MISSING = 1, 12
MISSING_IS_ZERO = 4


def read(path: Path) -> TreesModel:
    """Load a model. Raises StudyError for a damaged file, and by name for what is no sum of threshold trees."""
    limits.check_file(path)
    with path.open("rb") as stream:
        ours = stream.read(6).replace(b"\r\n", b"\n").startswith(b"tree\n")
    try:
        text = path.read_text(encoding="utf-8") if ours else ""
        blocks = text.partition("\nend of trees")[0].split("\nTree=")
        if len(blocks) < 2 or "\nend of trees" not in text:
            raise StudyError(f"{path}: damaged, or no LightGBM model saved with save_model")
        return _model(_entries(blocks[0]), [_entries(block) for block in blocks[1:]], path)
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


def _model(head: Mapping[str, str], trees: list[dict[str, str]], path: Path) -> TreesModel:
    # A fitted objective is said with its options; none is said of a custom one.
    said, *options = head.get("objective", "custom").split()
    if said not in SUMS or "sqrt" in options:
        words = " ".join([said, *options])
        raise StudyError(f"{path}: objective '{words}': no sum of trees; expected {', '.join(sorted(SUMS))}")
    if int(head["num_tree_per_iteration"]) != 1:
        raise StudyError(f"{path}: found {head['num_tree_per_iteration']} trees an iteration, expected 1 (a regressor)")
    divisor = float(len(trees)) if "average_output" in head else 1.0
    inputs = int(head["max_feature_idx"]) + 1
    signature = Signature(inputs, 1, _names(head))
    forest = assemble([checked(_nodes(tree, path), inputs) for tree in trees], np.zeros(1), divisor)
    return TreesModel(forest, signature, float(np.finfo(float).eps))


def _names(head: Mapping[str, str]) -> tuple[str, ...]:
    """Return the inputs' names, () where LightGBM made them up."""
    names = tuple(head.get("feature_names", "").split())
    return () if names == tuple(f"Column_{k}" for k in range(len(names))) else names


def _nodes(tree: Mapping[str, str], path: Path) -> Nodes:
    if tree.get("is_linear", "0") != "0":
        raise StudyError(f"{path}: the model has linear trees, expected constant leaves")
    leaves = _numbers(tree, "leaf_value", float)
    count = int(tree["num_leaves"])
    if len(leaves) != count:
        raise ValueError(f"{len(leaves)} leaf values of {count} leaves")
    if count == 1:
        nothing = np.array([-1])
        return Nodes(nothing, nothing, np.array([0]), np.zeros(1), leaves[:, None])
    kind = _numbers(tree, "decision_type", np.int64)
    if int(tree["num_cat"]) or (kind & CATEGORICAL).any():
        raise StudyError(f"{path}: the model has categorical splits, which are no thresholds; give it numbers instead")
    if ((kind & MISSING) == MISSING_IS_ZERO).any():
        raise StudyError(f"{path}: the model takes 0 for missing (zero_as_missing), which is no threshold")
    inner = count - 1
    # A child below 0 is the leaf of that number: -1 the first.
    left, right = (
        np.where(child < 0, inner - 1 - child, child)
        for child in (_numbers(tree, "left_child", np.int64), _numbers(tree, "right_child", np.int64))
    )
    ends = np.full(count, -1)
    return Nodes(
        np.r_[left, ends],
        np.r_[right, ends],
        np.r_[_numbers(tree, "split_feature", np.int64), np.zeros(count, np.int64)],
        np.r_[_last_left(_numbers(tree, "threshold", float)), np.zeros(count)],
        np.r_[np.zeros(inner), leaves][:, None],
    )


def _numbers(tree: Mapping[str, str], key: str, dtype: type) -> np.ndarray:
    return np.array(tree[key].split(), dtype)


def _last_left(threshold: np.ndarray) -> np.ndarray:
    """Return the largest x that goes left, where all that is small counts as 0."""
    if np.isnan(threshold).any():
        raise ValueError("a threshold is not a number")
    small = np.abs(threshold) <= ZERO
    turned = np.where(threshold >= 0, ZERO, np.nextafter(-ZERO, -np.inf))
    return np.where(small, turned, threshold)
