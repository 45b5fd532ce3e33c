"""Where experiments are likely to succeed: the estimate, in any unit, and batches that keep away from failures."""

import numpy as np
import pytest

from preimage.acquisition import batch
from preimage.acquisition.success import Success
from preimage.core import objective
from preimage.core.space import Input, Space
from preimage.relearning.acquire import Ask, acquire

SQUARE = Space((Input("a", 0, 1), Input("b", 0, 1)))
RNG = np.random.default_rng(0)
POINTS = RNG.random((40, 2))
FAILED = POINTS[:, 0] > 0.6


def test_the_estimate_is_the_share_of_successes_by_inverse_distances():
    good, bad = POINTS[~FAILED], POINTS[FAILED]
    every = np.concatenate([good, bad])
    found = Success(SQUARE, good, bad).chance(np.array([[0.2, 0.4], [0.61, 0.5], [0.95, 0.2]]))
    for x, value in zip([[0.2, 0.4], [0.61, 0.5], [0.95, 0.2]], found, strict=True):
        weights = [np.linalg.norm(np.array(x) - p) ** -4 for p in every]
        expected = sum(weights[: len(good)]) / sum(weights)
        assert value == pytest.approx(expected, rel=1e-9)
    assert found[0] > 0.9 and found[2] < 0.1
    assert Success(SQUARE, good, bad).chance(every).tolist() == [1.0] * len(good) + [0.0] * len(bad)


def test_no_unit_and_no_order_of_points_matters():
    scale = np.array([1e-6, 1e9])
    far = Space(tuple(Input(n, 0, s) for n, s in zip("ab", scale, strict=True)))
    Q = RNG.random((50, 2))
    one = Success(SQUARE, POINTS[~FAILED], POINTS[FAILED]).chance(Q)
    other = Success(far, POINTS[~FAILED] * scale, POINTS[FAILED][::-1] * scale).chance(Q * scale)
    np.testing.assert_allclose(one, other, rtol=1e-6)


def test_without_failures_nothing_is_changed():
    assert (Success(SQUARE, POINTS, np.empty((0, 2))).chance(POINTS) == 1).all()


def wish():
    return objective.build("o", {"maximize": "y"}, ["y"])


@pytest.mark.long
def test_batches_keep_away_from_where_the_simulator_fails():
    """The best of all lies where everything fails; a hole between the points that have failed may still be tried."""
    blind, aware, wishes = 0, 0, [batch.Wish(SQUARE, wish())]
    for seed in range(3):
        X = np.random.default_rng(seed).random((40, 2))
        good = X[:, 0] <= 0.6
        known, failed = X[good], X[~good]
        one, _ = batch.choose(SQUARE, wishes, known, known[:, :1], 6, 0.34, np.random.default_rng(seed))
        other, _ = batch.choose(SQUARE, wishes, known, known[:, :1], 6, 0.34, np.random.default_rng(seed), None, failed)
        blind, aware = blind + (one.X[:, 0] > 0.7).sum(), aware + (other.X[:, 0] > 0.7).sum()
        assert not (other.X[:, None] == failed[None]).all(axis=2).any()
    assert blind >= 14 and aware <= 7


def test_a_round_simulates_no_candidate_that_is_likely_to_fail():
    good = ~FAILED
    candidates = np.array([[0.95, 0.5], [0.9, 0.1], [0.3, 0.3]])
    ask = Ask(SQUARE, wish(), candidates)
    found = acquire([ask], POINTS[good], POINTS[good][:, :1], 4, 0.0, np.random.default_rng(0), POINTS[FAILED])
    assert found.why[0] == "candidate" and found.X[0].tolist() == [0.3, 0.3] and found.why.count("candidate") == 1
