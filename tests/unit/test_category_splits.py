"""Splits by any set of a category's values, as thresholds: the same leaf for every combination of values."""

import itertools

import numpy as np
import pytest

from preimage.trees.category_splits import as_thresholds
from preimage.trees.forest import Nodes, assemble

LEVELS = np.array([6, 0, 4])


def random_tree(rng, inner):
    """Return a tree with `inner` random splits, of sets of values or of the number, its nodes in no special order."""
    n = 2 * inner + 1
    left, right, feature = np.full(n, -1), np.full(n, -1), np.full(n, -1)
    threshold, by_set, sets = np.zeros(n), np.full(n, -1), np.zeros((n, LEVELS.max()), bool)
    leaves, used = [0], 1
    for _ in range(inner):
        k = leaves.pop(rng.integers(len(leaves)))
        left[k], right[k] = rng.permutation([used, used + 1])
        feature[k], used = rng.integers(3), used + 2
        leaves += [left[k], right[k]]
        if LEVELS[feature[k]]:
            by_set[k], sets[k] = k, rng.random(LEVELS.max()) < rng.choice([0.2, 0.5, 0.9])
        else:
            threshold[k] = rng.integers(5) + 0.5
    return Nodes(left, right, feature, threshold, np.arange(n, dtype=float)[:, None]), by_set, sets


def leaf(tree, by_set, sets, x):
    k = 0
    while tree.left[k] >= 0:
        j = tree.feature[k]
        goes_left = x[j] <= tree.threshold[k] if by_set[k] < 0 else sets[by_set[k], int(x[j])]
        k = tree.left[k] if goes_left else tree.right[k]
    return k


@pytest.mark.parametrize("seed", range(40))
def test_every_combination_of_values_reaches_its_leaf(seed):
    rng = np.random.default_rng(seed)
    tree, by_set, sets = random_tree(rng, int(rng.integers(0, 25)))
    found = assemble([as_thresholds(tree, by_set, sets, LEVELS)], np.zeros(1))
    points = np.array(list(itertools.product(range(6), range(6), range(4))), float)
    expected = [leaf(tree, by_set, sets, x) for x in points]
    assert found.predict(points)[:, 0].tolist() == expected
    # No more leaves than combinations of values, whatever was copied.
    assert len(found.values) <= len(points)


def test_a_set_of_one_value_takes_two_thresholds():
    tree = Nodes(
        *(np.array(a) for a in ([1, -1, -1], [2, -1, -1], [0, -1, -1], [0.0, 0.0, 0.0])), np.arange(3.0)[:, None]
    )
    found = as_thresholds(tree, np.array([0, -1, -1]), np.arange(6)[None] == 3, LEVELS)
    assert sorted(found.threshold[found.feature == 0]) == [2.5, 3.5] and found.value[found.left < 0, 0].tolist() == [
        2,
        1,
        2,
    ]
