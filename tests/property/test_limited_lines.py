"""Line searches under limits and on formulas: no line through where they end leads to anything better."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestRegressor

from preimage.core import formulas, objective
from preimage.core.space import Input, Linear, Space
from preimage.inversion import asking
from preimage.inversion.question import Question
from preimage.trees.forest import from_sklearn
from preimage.trees.line_search import lines

from ..conftest import examples, inverter

OUTPUTS = ["y", "z", "cost", "profit"]
# Where formulas meet an end of a limit or of a stretch, to this share of what they span.
CLOSE = 1e-6


def question(rng, d):
    """Return a question with limits, of outputs of a forest and of formulas that are linear in the inputs."""
    inputs = []
    for j in range(d):
        kind = rng.choice(["number", "whole", "category"], p=[0.7, 0.2, 0.1])
        kinds = {"whole": {"integer": True}, "category": {"categories": ("a", "b", "c")}}
        inputs.append(Input(f"x{j}", 0, 2 if kind == "category" else 8, **kinds.get(kind, {})))
    space = Space(tuple(inputs))
    numbers = [n for n, category in zip(space.names, space.categorical, strict=True) if not category] or ["y"]
    if len(numbers) > 1 and rng.random() < 0.6:
        total = float(rng.integers(4, 6 * len(numbers)))
        row = Linear(tuple((n, 1.0) for n in numbers), total if rng.random() < 0.4 else -np.inf, total)
        space = Space(space.inputs, (row,))
    X = np.where(space.discrete, rng.integers(0, space.high + 1, (40, d)), rng.random((40, d)) * space.high)
    Y = rng.normal(size=(40, 2)) * [1.0, 30.0]
    forest = from_sklearn(RandomForestRegressor(5, max_leaf_nodes=9, random_state=0).fit(X, Y))
    cost = " + ".join(f"{c:.2f}*{n}" for c, n in zip(rng.uniform(-1, 3, len(numbers)), numbers, strict=True))
    texts = {"cost": cost, "profit": "3*y - cost"}
    found = formulas.build({n: {"expression": text} for n, text in texts.items()}, space, ["y", "z"])
    rows = found.extended(X, Y)
    aim, *limited = rng.permutation(OUTPUTS)[: int(rng.integers(2, 4))].tolist()
    at = {o: np.quantile(rows[:, k], [0.3, 0.6]).tolist() for k, o in enumerate(OUTPUTS)}
    wishes = [{"minimize": aim}, {"maximize": aim}, {"target": {aim: at[aim][0]}}, {"within": {aim: at[aim]}}]
    ends = [{"at_least": 0}, {"at_most": 1}, {"at_least": 0, "at_most": 1}]
    entry = dict(wishes[rng.integers(4)])
    entry["subject_to"] = {o: {end: at[o][k] for end, k in ends[rng.integers(3)].items()} for o in limited}
    wanted = objective.build("o", entry, OUTPUTS, rows.std(axis=0), np.ptp(rows, axis=0), rows)

    def predict(X):
        return found.extended(X, forest.predict(X))

    return Question(space, wanted, predict, X, rows, np.arange(40), trees=forest, formulas=found)


def merits(asked, X):
    Y = asked.predict(X)
    return asked.objective.violation(Y), asked.objective.loss(Y)


def along(asked, x, v):
    """Return many valid points of a line through a point: on a fine grid, and on both sides of every threshold."""
    space, forest = asked.space, asked.trees
    reach = (space.high - space.low).max() / np.abs(v[v != 0]).min()
    cut = forest.feature >= 0
    f, t = forest.feature[cut], forest.threshold[cut]
    f, t = f[v[f] != 0], t[v[f] != 0]
    places = (t - x[f]) / v[f]
    places = np.concatenate([np.linspace(-reach, reach, 1501), *(places + e for e in (-1e-6, 1e-6)), np.arange(-9, 10)])
    X = x + places[:, None] * v
    return X[space.contains(X)]


def check(seed, d):
    rng = np.random.default_rng(seed)
    asked = question(rng, d)
    answer, _ = asking.ask(inverter("coordinate", {"starts": 4}), [asked], np.random.default_rng(0))[0]
    violation, loss = merits(asked, answer.X)
    assert asked.space.contains(answer.X).all()
    unit = max(asked.objective.loss_unit, 1e-9)
    for x, missed, least in zip(answer.X, violation, loss, strict=True):
        for v in lines(asked.space, np.random.default_rng(0)).directions:
            others, losses = merits(asked, along(asked, x, v))
            kept = others == 0
            assert missed == 0 or not kept.any()
            if missed == 0 and kept.any():
                assert losses[kept].min() >= least - CLOSE * unit


@given(st.integers(0, 2**32 - 1), st.integers(1, 3))
@examples(40)
def test_no_line_leads_to_anything_better(seed, d):
    check(seed, d)


@pytest.mark.parametrize("wish", ["cheapest", "dearest"])
def test_the_cheapest_of_one_input_is_where_the_output_is_enough(wish):
    """A single threshold and a price: the answer is just behind it, or as far as the budget goes."""
    space = Space((Input("x", 0.0, 1.0),))
    X = np.array([[0.1], [0.2], [0.8], [0.9]])
    forest = from_sklearn(RandomForestRegressor(1, bootstrap=False).fit(X, [0, 0, 1, 1]))
    found = formulas.build({"cost": {"expression": "10*x"}}, space, ["y"])
    entries = {
        "cheapest": {"minimize": "cost", "subject_to": {"y": {"at_least": 0.5}}},
        "dearest": {"maximize": "y", "subject_to": {"cost": {"at_least": 6, "at_most": 6.5}}},
    }
    rows = found.extended(X, np.array([[0.0], [0], [1], [1]]))
    wanted = objective.build("o", entries[wish], ["y", "cost"], rows.std(axis=0), np.ptp(rows, axis=0), rows)
    asked = Question(
        space, wanted, lambda X: found.extended(X, forest.predict(X)), X, rows, np.arange(4), trees=forest,
        formulas=found,
    )  # fmt: skip
    answer, Y = asking.ask(inverter("coordinate", {"starts": 4}), [asked], np.random.default_rng(0))[0]
    assert (wanted.violation(Y) == 0).all() and (Y[:, 0] == 1).all()
    low, high = {"cheapest": (0.5, 0.5 + 1e-7), "dearest": (0.6, 0.65)}[wish]
    assert low <= answer.X.min() and answer.X.max() <= high
