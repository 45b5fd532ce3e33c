"""Fronts of points: by brute force, and in closed form."""

from itertools import product

import numpy as np
import pytest

from preimage.core import fronts


def better(a, b):
    return (a <= b).all() and (a < b).any()


def points(k, n=60, seed=0, levels=8):
    """Points on a grid, so that many are equal in some output, and some in all."""
    return np.random.default_rng(seed).integers(levels, size=(n, k)) / levels


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_the_undominated_and_their_fronts_are_those_of_brute_force(k, seed):
    F = points(k, seed=seed)
    alone = [not any(better(other, point) for other in F) for point in F]
    assert fronts.undominated(F).tolist() == alone
    assert fronts.dominated_by(F, F).tolist() == [not one for one in alone]
    number, left = np.full(len(F), -1), np.ones(len(F), bool)
    for front in range(len(F)):
        here = [bool(left[i]) and not any(better(F[j], F[i]) for j in np.flatnonzero(left)) for i in range(len(F))]
        number[here], left = front, left & ~np.array(here)
    assert fronts.sorted_fronts(F).tolist() == number.tolist()


def test_points_without_a_number_are_on_no_front():
    F = np.array([[np.nan, 0.0], [0.5, 0.5], [0.6, 0.6]])
    assert fronts.undominated(F).tolist() == [False, True, False]
    assert fronts.sorted_fronts(F).tolist() == [3, 0, 1]
    assert fronts.hypervolume(F) == 0.25


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_a_hypervolume_is_the_number_of_cells_that_some_point_dominates(k, seed):
    levels = 8
    F = points(k, n=12, seed=seed, levels=levels)
    cells = [any((point <= np.array(cell) / levels).all() for point in F) for cell in product(range(levels), repeat=k)]
    assert fronts.hypervolume(F) == pytest.approx(sum(cells) / levels**k, abs=1e-12)


def test_a_hypervolume_reaches_beyond_the_best_and_not_beyond_the_worst():
    assert fronts.hypervolume(np.array([[-1.0, 0.0]])) == 2
    assert fronts.hypervolume(np.array([[0.2, 1.0], [0.5, 1.5]])) == 0
    assert fronts.hypervolume(np.empty((0, 2))) == 0


def test_a_hypervolume_does_not_depend_on_the_order_of_outputs():
    F = np.random.default_rng(0).random((40, 3))
    assert fronts.hypervolume(F) == pytest.approx(fronts.hypervolume(F[:, [2, 0, 1]]), rel=1e-12)


def test_an_order_that_spreads_takes_ends_first_and_then_halves():
    F = np.stack([np.linspace(0, 1, 9), 1 - np.linspace(0, 1, 9)], axis=1)
    order = fronts.spread_order(F, 4)
    assert order[0] == 4 and set(order[1:3]) == {0, 8} and set(order[3:5]) == {2, 6}
    assert sorted(order) == list(range(9))


def test_crowding_is_that_of_the_paper():
    F = np.array([[0.0, 4.0], [1.0, 3.0], [2.0, 1.0], [4.0, 0.0]])
    assert fronts.crowding(F).tolist() == [np.inf, 2 / 4 + 3 / 4, 3 / 4 + 3 / 4, np.inf]
    assert fronts.crowding(F[:, ::-1] * 1000)[1] == fronts.crowding(F)[1]
    assert np.isinf(fronts.crowding(np.zeros((3, 2)))[[0, -1]]).all()
