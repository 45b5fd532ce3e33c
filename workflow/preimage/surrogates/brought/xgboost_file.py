"""An XGBoost model in its own JSON or UBJSON, read without XGBoost: text and numbers, nothing that could run.

XGBoost compares float32(x) < threshold, which is float32(x) <= the float32 before it, and adds leaves up in float32.
Where it splits by categories, those in the set go right.
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
from preimage.surrogates.brought import ubjson
from preimage.surrogates.brought.categories import Column
from preimage.surrogates.brought.signature import Signature
from preimage.surrogates.brought.supported import XGBOOST_LINKS
from preimage.surrogates.brought.trees_file import Tree, TreesModel, checked, no_labels
from preimage.trees.forest import Nodes
from preimage.trees.links import IDENTITY

# Objectives whose output is the sum of the trees itself.
SUMS = frozenset(
    {
        "reg:squarederror", "reg:linear", "reg:squaredlogerror", "reg:pseudohubererror", "reg:absoluteerror",
        "reg:quantileerror", "reg:expectileerror",
    }
)  # fmt: skip


def read(path: Path) -> TreesModel:
    """Load a model. Raises StudyError for a damaged file, and by name for what is no sum of trees."""
    learner = _document(path)
    try:
        return _model(learner, path)
    except StudyError:
        raise
    except MemoryError:
        raise limits.too_much(path) from None
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise StudyError(f"{path}: damaged, or no XGBoost model ({type(error).__name__}: {error})") from None


def _document(path: Path) -> Mapping[str, Any]:
    limits.check_file(path)
    with path.open("rb") as stream:
        if stream.read(1) != b"{":
            raise StudyError(f"{path}: damaged, or no XGBoost model in JSON or UBJSON")
    try:
        data = path.read_bytes()
        text = data[:1] == b"{" and data[1:].lstrip()[:1] in (b'"', b"}")
        found = json.loads(data) if text else ubjson.loads(data)
        learner: Mapping[str, Any] = found["learner"]
        return learner
    except MemoryError:
        raise limits.too_much(path) from None
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise StudyError(f"{path}: damaged, or no XGBoost model in JSON or UBJSON ({error})") from None


def _model(learner: Mapping[str, Any], path: Path) -> TreesModel:
    said = learner["objective"]["name"]
    if said not in (*SUMS, *XGBOOST_LINKS):
        taken = ", ".join(sorted([*SUMS, *XGBOOST_LINKS]))
        raise StudyError(f"{path}: objective '{said}': no sum of trees; expected {taken}")
    link = XGBOOST_LINKS.get(said, IDENTITY)
    booster, weights = learner["gradient_booster"], None
    if booster["name"] == "dart":  # a sum of trees with weights
        booster, weights = booster["gbtree"], np.array(booster["weight_drop"], np.float32)
    elif booster["name"] != "gbtree":
        raise StudyError(f"{path}: booster '{booster['name']}', expected gbtree or dart")
    about, model = learner["learner_model_param"], booster["model"]
    targets = max(1, int(about["num_target"]))
    _check_targets(targets, model["trees"], path)
    base = np.array(json.loads(about["base_score"]), np.float32).ravel()
    start = np.resize(_margin(base, link), targets)
    trees, group = model["trees"], [int(g) for g in model["tree_info"]]
    used = _used(learner, model, len(trees))
    if not used:
        raise StudyError(f"{path}: the model has no trees")
    inputs = int(about["num_feature"])
    parts = [checked(_tree(tree, group[k], targets, path), inputs) for k, tree in enumerate(trees[:used])]
    if weights is not None:
        parts = [_weighted(tree, weight) for tree, weight in zip(parts, weights[:used], strict=True)]
    known = _labels(model.get("cats") or {}, inputs)
    names = tuple(str(n) for n in learner.get("feature_names") or ())
    signature = Signature(inputs, targets, names)
    return TreesModel(
        tuple(parts), start, 1.0, signature, float(np.finfo(np.float32).eps), inside_left=False,
        labels=partial(_same, known) if any(map(len, known)) else no_labels, strict=True,
        link=link,
    )  # fmt: skip


def _margin(base: np.ndarray, link: str) -> np.ndarray:
    """Return what sums start from: a file has it as an output."""
    if link == "exp":
        return np.log(base)
    return -np.log(1 / base - 1) if link == "logistic" else base


def _weighted(tree: Tree, weight: np.float32) -> Tree:
    """Return a tree whose leaves count so much, as XGBoost computes it: in float32."""
    value = (tree.nodes.value.astype(np.float32) * weight).astype(float)
    return tree._replace(nodes=tree.nodes._replace(value=value))


def _same(known: Sequence[Sequence[Any]], columns: Sequence[Column]) -> Sequence[Sequence[Any]]:
    return known


def _labels(cats: Mapping[str, Any], inputs: int) -> list[list[Any]]:
    """Return the categories of each input in the order of their codes, [] where the file has none (before 3.1)."""
    found = [_values(entry) for entry in cats.get("enc") or ()]
    if found and len(found) != inputs:
        raise ValueError(f"categories of {len(found)} inputs, expected {inputs}")
    return found or [[]] * inputs


def _values(entry: Mapping[str, Any]) -> list[Any]:
    values = np.asarray(entry["values"])
    if "offsets" not in entry:
        return list(values.tolist())
    ends, text = [int(v) for v in entry["offsets"]], values.astype(np.int64).astype(np.uint8).tobytes()
    if ends and not (ends[0] == 0 and ends == sorted(ends) and ends[-1] == len(text)):
        raise ValueError("the texts of categories end where there are none")
    return [text[a:b].decode() for a, b in pairwise(ends)]


def _check_targets(targets: int, trees: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Raise ValueError where there are fewer trees, and fewer values in their leaves, than the targets that the file
    states, and StudyError where arrays of so many don't fit."""
    if targets > max([len(trees), *(len(tree.get("leaf_weights", ())) for tree in trees)]):
        raise ValueError(f"num_target is {targets}, with {len(trees)} trees")
    if 8 * targets * sum(len(tree["left_children"]) for tree in trees) > limits.process_memory():
        raise limits.too_much(path)


def _used(learner: Mapping[str, Any], model: Mapping[str, Any], count: int) -> int:
    """Return how many trees predict: up to the best iteration where training stopped early, as in XGBRegressor."""
    best = (learner.get("attributes") or {}).get("best_iteration")
    if best is None or "iteration_indptr" not in model:
        return count
    ends = [int(v) for v in model["iteration_indptr"]]
    return ends[min(int(best) + 1, len(ends) - 1)]


def _tree(tree: Mapping[str, Any], group: int, targets: int, path: Path) -> Tree:
    left, right, feature = (
        np.asarray(tree[key], np.int64) for key in ("left_children", "right_children", "split_indices")
    )
    leaf = left < 0
    condition = np.asarray(tree["split_conditions"], np.float32)
    sets = _sets(tree, np.asarray(tree["split_type"], np.int64), leaf)
    if np.isnan(np.delete(condition, [*np.flatnonzero(leaf), *sets])).any():
        raise StudyError(f"{path}: a threshold is not a number")
    value = np.zeros((len(left), targets))
    if int(tree["tree_param"]["size_leaf_vector"]) > 1:
        # The leaves of a tree for all targets at once: the right child says which.
        value[leaf] = np.asarray(tree["leaf_weights"], np.float32).reshape(-1, targets)[right[leaf]]
    else:
        value[leaf, group] = condition[leaf]
    return Tree(Nodes(left, right, feature, np.nextafter(condition, np.float32(-np.inf)), value), sets)


def _sets(tree: Mapping[str, Any], kind: np.ndarray, leaf: np.ndarray) -> dict[int, np.ndarray]:
    """Return the categories of each node that splits by them."""
    nodes, begin, size, codes = (
        np.asarray(tree.get(key, ()), np.int64)
        for key in ("categories_nodes", "categories_segments", "categories_sizes", "categories")
    )
    if set(nodes.tolist()) != set(np.flatnonzero((kind != 0) & ~leaf).tolist()):
        raise ValueError("the splits by categories are not those with sets of them")
    if len(nodes) and not (begin.min() >= 0 and size.min() >= 0 and (begin + size).max() <= len(codes)):
        raise ValueError("a set of categories ends where there are none")
    return {int(k): codes[a : a + n] for k, a, n in zip(nodes, begin, size, strict=True)}
