"""Answers rounded to what can be weighed keep what they have, where any rounding does."""

from types import SimpleNamespace

import numpy as np
import pytest

from preimage.core import objective
from preimage.core.formulas import Formulas
from preimage.core.space import Input, Linear, Space
from preimage.data.rows import Rows
from preimage.evidence import recipes
from preimage.surrogates.kinds.random_forest import RandomForest

SPACE = Space((Input("a", 0, 100), Input("b", 0, 50)), (Linear((("a", 1.0), ("b", 1.0)), -np.inf, 120.0),))
NONE = Formulas(())


def rounded(spec, predict, x, space=SPACE):
    wanted = objective.build("best", spec, ["y"], [1.0], [10.0])
    return recipes._rounded(wanted, space, np.array([x]), SimpleNamespace(predict=predict), NONE)[0]


def steps(least_a, most_b):
    """A model that is 10 in the corner where a is large and b is small, and 0 elsewhere."""
    return lambda X: 10.0 * ((X[:, [0]] >= least_a) & (X[:, [1]] <= most_b))


@pytest.mark.parametrize("spec", [{"maximize": "y"}, {"target": {"y": 10}, "tolerance": 0.5}])
def test_an_answer_at_the_edge_of_a_step_is_rounded_to_its_inner_side(spec):
    assert rounded(spec, steps(33.3301, 20.049), (33.3302, 20.048)).tolist() == [34.0, 20.0]


def test_steps_become_finer_where_the_step_itself_has_no_room():
    x = rounded({"maximize": "y"}, lambda X: 10.0 * (np.abs(X[:, [0]] - 33.35) < 0.08), (33.35, 7.0))
    assert x[1] == 7.0 and 33.27 < x[0] < 33.43 and x[0] == round(x[0], 1)


def test_where_nothing_is_lost_the_nearest_stays():
    assert rounded({"maximize": "y"}, lambda X: X[:, [0]] / 1000, (33.3302, 20.048)).tolist() == [33.0, 20.0]
    # Nor where the answer has nothing to lose.
    assert rounded({"target": {"y": 99}}, steps(33.3301, 20.049), (33.3302, 20.048)).tolist() == [33.0, 20.0]


@pytest.mark.parametrize("seed", range(5))
def test_what_a_forest_is_believed_to_reach_it_reaches_as_rounded(seed):
    """Optima by brute force lie anywhere in their cells; a rounding in the same cell is as good."""
    rng = np.random.default_rng(seed)
    X = rng.uniform([0, 0], [100, 50], (80, 2))
    rows = Rows.plain(X, np.sin(X[:, [0]] / 9) + np.cos(X[:, [1]] / 5))
    forest = RandomForest(trees=10, folds=2).train(rows, rng).surrogate
    tried = rng.uniform([0, 0], [100, 50], (4000, 2))
    tried = tried[SPACE.contains(tried)]
    best = tried[np.argmax(forest.predict(tried)[:, 0])]
    found = rounded({"maximize": "y", "tolerance": 1e-9}, forest.predict, best)
    assert SPACE.contains(found[None])[0] and (np.abs(found - best) < [1.0, 0.1]).all()
    assert forest.predict(found[None])[0, 0] >= forest.predict(best[None])[0, 0] - 1e-9
