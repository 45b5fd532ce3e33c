"""Proofs on forests with limits and formulas against HiGHS on the same model, as a mixed-integer program."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor

from preimage.benchmarks.forest_program import Sum, least
from preimage.core import formulas, objective
from preimage.core.space import Input, Linear, Space
from preimage.inversion.question import Question
from preimage.trees.forest import from_sklearn

from .test_exact import prove

NAMES = ["y", "cost"]
SLOPE = np.array([1.0, -0.5, 2.0])


def question(seed):
    rng = np.random.default_rng(seed)
    inputs = tuple(Input(f"x{j}", 0.0, float(rng.choice([1.0, 50.0]))) for j in range(3))
    high = np.array([i.high for i in inputs])
    rows = (Linear((("x0", 1 / high[0]), ("x1", 1 / high[1])), 0.3, 1.4),) if seed % 2 else ()
    space = Space(inputs, rows)
    X = rng.random((80, 3)) * high
    y = (np.sin(4 * X / high) @ rng.normal(size=3))[:, None]
    model = RandomForestRegressor(int(rng.integers(2, 5)), max_leaf_nodes=8, random_state=seed).fit(X, y[:, 0])
    forest = from_sklearn(model)
    found = formulas.build({"cost": {"expression": "x0 - 0.5*x1 + 2*x2"}}, space, ["y"])
    Y = found.extended(X, y)
    values = found.extended(X, forest.predict(X))
    entry = (
        {"minimize": "cost", "subject_to": {"y": {"at_least": float(np.quantile(values[:, 0], 0.8))}}},
        {"minimize": "y", "subject_to": {"cost": {"at_most": float(np.quantile(values[:, 1], 0.4))}}},
    )[seed // 2 % 2]
    wanted = objective.build("o", entry, NAMES, Y.std(axis=0), np.ptp(Y, axis=0), Y)
    return Question(space, wanted, lambda X: found.extended(X, forest.predict(X)), X, Y, np.arange(80), trees=forest,
                    formulas=found)  # fmt: skip


def check(seed):
    q = question(seed)
    sums = Sum(np.zeros(3), 1.0), Sum(SLOPE, 0.0)
    limits = [(sums[limit.column], limit.low, limit.high) for limit in q.objective.limits]
    theirs = least(q.trees, q.space, sums[q.objective.columns[0]], limits, 60)
    answer, Y = prove(q)
    if theirs is None:
        assert answer.status == ["no_answer"]
        return
    # The solver's tolerance is a millionth of a row's scale.
    assert answer.certificate["closed"] and q.objective.violation(Y)[0] == 0
    assert abs(q.objective.loss(Y)[0] - theirs) <= 1e-5 * q.objective.loss_unit


@pytest.mark.parametrize("seed", range(8))
def test_a_proven_optimum_is_that_of_highs(seed):
    check(seed)


@pytest.mark.long
def test_200_proven_optima_are_those_of_highs():
    for seed in range(8, 208):
        check(seed)
