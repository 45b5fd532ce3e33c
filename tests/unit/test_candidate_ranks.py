"""Which candidate of an answer is ranked first: what a user without a simulator takes to the laboratory."""

import numpy as np

from preimage.core import objective
from preimage.core.space import Input, Space
from preimage.inversion.question import Answer, Question
from preimage.inversion.table import frame

ROWS = np.random.default_rng(0).uniform(-10, 10, (40, 1))
UNIT = float((3 * ROWS).std())


def ranks(entry, misses, on_simulator=False):
    """Return the ranks of candidates that miss 30 by these shares of the training rows' standard deviation."""
    wanted = objective.build("o", entry, ["y"], [1.0], [100.0])
    Y = 30 + UNIT * np.array(misses)[:, None]
    n = len(Y)
    space = Space((Input("a", -100, 100),))
    question = Question(space, wanted, lambda X: 3 * X, ROWS, 3 * ROWS, np.arange(40), on_simulator=on_simulator)
    answer = Answer(Y / 3, [1] * n, ["ok"] * n, [""] * n)
    return frame(answer, Y, question, ["y"])["rank"].tolist()


def test_of_answers_that_meet_a_models_target_the_first_start_leads():
    target = {"target": {"y": 30}}
    assert ranks(target, [1e-7, 1e-9, -1e-8]) == [1, 2, 3]
    assert ranks(target, [2e-6, 1e-9, 1e-7]) == [3, 1, 2]
    assert ranks({**target, "scaled": True}, [1e-7, 1e-9]) == [1, 2]


def test_on_a_simulator_nearer_is_better_to_the_last_digit():
    assert ranks({"target": {"y": 30}}, [1e-7, 1e-9, -1e-8], on_simulator=True) == [3, 1, 2]


def test_a_direction_has_no_target_to_meet():
    assert ranks({"minimize": "y"}, [1e-7, 1e-9, -1e-8]) == [3, 2, 1]
