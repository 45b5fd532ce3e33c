"""Distinct solutions are scipy's single-linkage clusters."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist

from preimage.evidence.clusters import CELL, LINK, clusters


def reference(X):
    """Single linkage by scipy at the same distance; numbers in order of first appearance."""
    if len(X) == 1:
        return [0]
    label = fcluster(linkage(X, "single"), LINK, "distance")
    return [list(dict.fromkeys(label)).index(v) for v in label]


@given(st.integers(0, 2**32 - 1), st.integers(1, 120), st.integers(1, 8), st.sampled_from([0.0, 0.003, 0.02, 0.2]))
def test_clusters_are_those_of_single_linkage(seed, n, d, spread):
    rng = np.random.default_rng(seed)
    centres = rng.random((rng.integers(1, 6), d))
    X = centres[rng.integers(len(centres), size=n)] + spread * rng.standard_normal((n, d)) / np.sqrt(d)
    distance = pdist(X)
    if not (np.abs(distance - LINK) < 2 * CELL * LINK).any():  # else the two may differ, as documented
        assert clusters(X).tolist() == reference(X)


def test_a_chain_is_one_cluster_and_a_gap_makes_two():
    chain = np.arange(0, 1, 0.049)[:, None]
    assert clusters(chain).tolist() == [0] * len(chain)
    gap = np.concatenate([chain, chain + 1.06])
    assert clusters(gap).tolist() == [0] * len(chain) + [1] * len(chain)


@pytest.mark.parametrize("d", [1, 3, 10])
def test_the_link_is_a_twentieth(d):
    step = np.ones(d) / np.sqrt(d)
    for length, count in ((0.0499, 1), (0.0501, 2)):
        assert clusters(np.array([0 * step, length * step])).max() + 1 == count


def test_numbers_are_by_first_appearance():
    X = np.array([[0.9], [0.1], [0.91], [0.5], [0.11]])
    assert clusters(X).tolist() == [0, 1, 0, 2, 1]


def test_repeats_are_one_place():
    assert clusters(np.zeros((1000, 3))).tolist() == [0] * 1000


def test_nothing_has_no_clusters():
    assert clusters(np.empty((0, 3))).shape == (0,)


@pytest.mark.parametrize("d", [1, 2])
def test_a_dense_cloud_is_one_cluster(d):
    assert set(clusters(np.random.default_rng(0).random((3000, d)) * 0.1)) == {0}


@pytest.mark.parametrize(("gap", "count"), [(0.02, 1), (0.08, 2)])
def test_clouds_too_dense_for_all_their_pairs_are_told_apart_all_the_same(gap, count):
    rng = np.random.default_rng(1)
    cloud = rng.random((8000, 2)) * 0.1
    X = np.concatenate([cloud, cloud + np.array([0.1 + gap, 0])])
    label = clusters(X)
    assert label.max() + 1 == count
    assert len(set(label[:8000])) == len(set(label[8000:])) == 1
