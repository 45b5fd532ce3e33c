"""The data scores like the data; what is far from it scores 1."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from preimage.core.candidates import DOMAIN_LIMIT as LIMIT
from preimage.core.domain import NEIGHBOUR, Domain
from preimage.core.neighbours import EveryRow


def reference(rows, points):
    """The definition by brute force: distance to the 5th nearest other training row, as a share of training rows."""
    rows = np.unique(rows, axis=0)
    k = min(NEIGHBOUR, len(rows) - 1)
    own = np.sort(cdist(rows, rows), axis=1)[:, k]
    distance = np.sort(cdist(points, rows), axis=1)
    kth = np.where(distance[:, 0] == 0, distance[:, k], distance[:, k - 1])
    return np.array([np.mean(own <= value) for value in kth])


@given(st.integers(0, 2**32 - 1), st.integers(2, 80), st.integers(1, 5))
def test_the_score_is_the_definition(seed, n, d):
    rng = np.random.default_rng(seed)
    rows = rng.random((n, d))
    points = np.concatenate([rows, rng.random((20, d)), rng.normal(0.5, 1, (20, d))])
    # Distances by a tree and by brute force may differ in the last bit, which moves a score by one row.
    np.testing.assert_allclose(Domain(rows).score(points), reference(rows, points), atol=1 / n + 1e-12)


def test_training_rows_score_uniformly_and_19_of_20_are_in_the_domain():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(2000, 3))
    score = Domain(rows).score(rows)
    assert stats.kstest(score, "uniform").pvalue > 0.5
    assert (score <= LIMIT).mean() == LIMIT == 0.95
    assert score.min() > 0 and score.max() == 1


def test_new_rows_like_the_data_score_like_the_data():
    rng = np.random.default_rng(1)
    score = Domain(rng.random((3000, 2))).score(rng.random((3000, 2)))
    assert 0.9 < (score <= LIMIT).mean() < 0.97
    assert 0.4 < np.median(score) < 0.6


def test_far_points_score_1():
    rows = np.random.default_rng(2).random((200, 2))
    assert Domain(rows).score(np.array([[5.0, 5.0], [-3.0, 0.5], [0.5, 2.0]])).tolist() == [1, 1, 1]


def test_a_hole_in_the_data_is_out_of_the_domain():
    rng = np.random.default_rng(3)
    angle, radius = 2 * np.pi * rng.random(1000), rng.uniform(0.4, 0.5, 1000)
    ring = 0.5 + radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    score = Domain(ring).score(np.array([[0.5, 0.5], [0.95, 0.5]]))
    assert score[0] == 1 and score[1] <= LIMIT


def test_repeats_count_once():
    rows = np.random.default_rng(4).random((50, 2))
    points = np.random.default_rng(5).random((30, 2))
    repeated = np.repeat(rows, 7, axis=0)
    assert Domain(repeated).score(points).tolist() == Domain(rows).score(points).tolist()


def test_order_of_rows_plays_no_part():
    rng = np.random.default_rng(6)
    rows, points = rng.random((300, 3)), rng.random((50, 3))
    assert Domain(rows[::-1]).score(points).tolist() == Domain(rows).score(points).tolist()


def test_many_rows_are_represented_by_some_of_them():
    rng = np.random.default_rng(7)
    rows, points = rng.random((25_000, 2)), rng.random((500, 2))
    score = Domain(rows).score(points)
    assert np.abs(score - reference_sample(rows, points)).max() < 0.03


def reference_sample(rows, points):
    from scipy.spatial import cKDTree

    tree = cKDTree(rows)
    own = np.sort(tree.query(rows, NEIGHBOUR + 1)[0][:, -1])
    return np.searchsorted(own, tree.query(points, NEIGHBOUR)[0][:, -1], side="right") / len(rows)


def test_no_points_have_no_scores():
    assert Domain(np.random.default_rng(8).random((20, 2))).score(np.empty((0, 2))).shape == (0,)


def test_looking_at_every_row_finds_what_a_tree_finds():
    rng = np.random.default_rng(4)
    rows = np.concatenate([rng.random((20_000, 12)), 1e3 + rng.random((200, 12)), np.zeros((5, 12))])
    points = np.concatenate([rows[:50], rng.normal(0, 1, (50, 12)), 1e3 + rng.random((20, 12)), np.zeros((1, 12))])
    distance, index = EveryRow(rows).query(points, range(1, 7))
    found, _ = cKDTree(rows).query(points, range(1, 7))
    np.testing.assert_allclose(distance, found, rtol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(rows[index] - points[:, None], axis=2), found, rtol=1e-12)
