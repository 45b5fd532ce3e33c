"""What the solvers' edges do: rounding removed, and a message where even they find nothing."""

import numpy as np

from preimage.core import polytope
from preimage.core.space import Input, Linear, Space

from ..conftest import refusal


def test_polish_rounds_whole_numbers_and_lets_the_others_make_up_for_it():
    space = Space(
        (Input("n", 0, 9, integer=True), Input("a", 0, 1), Input("b", 0, 1000)),
        (Linear((("n", 1.0), ("a", 1.0), ("b", 1e-3)), 4.0, 4.0),),
    )
    polished = polytope.polish(space, np.array([2.9999999, 0.5 + 1e-7, 500.0]))
    assert polished[0] == 3
    assert space.contains(polished[None])[0]
    # The step is as large in units of each width: nobody's input is moved to spare another's.
    np.testing.assert_allclose(polished[1:], [0.5, 500.0], atol=1e-4)


def test_polish_stops_an_input_at_its_bound():
    space = Space((Input("a", 0, 1), Input("b", 0, 1)), (Linear((("a", 1.0), ("b", 1.0)), 1.5, 1.5),))
    polished = polytope.polish(space, np.array([1.0 - 1e-9, 0.3]))
    assert space.contains(polished[None])[0] and polished.max() == 1.0


def test_constraints_closer_than_the_solver_can_see_are_refused_rather_than_broken():
    rows = (Linear((("a", 1.0), ("b", 1.0)), high=1.0), Linear((("a", 1.0), ("b", 1.0)), low=1.0 + 2e-8))
    space = Space((Input("a", 0, 1), Input("b", 0, 1)), rows)
    assert "constraints: no point" in refusal(polytope.sample, space, 3, np.random.default_rng(0))
    assert "constraints: no point" in refusal(polytope.repair, space, np.zeros((1, 2)))


def test_repair_of_a_box_clips_and_rounds():
    space = Space((Input("a", -1, 1), Input("n", 0, 5, integer=True), Input("c", 0, 2, fixed=2.0)))
    repaired, moved = polytope.repair(space, np.array([[3.0, 2.4, 0.0], [0.5, 3.0, 2.0]]))
    assert repaired.tolist() == [[1, 2, 2], [0.5, 3, 2]]
    np.testing.assert_allclose(moved, [2 / 2 + 0.4 / 5 + 2 / 2, 0])
