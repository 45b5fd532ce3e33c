"""Valid points near the data in a box, and the proof that there is none: small cases with known answers."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.ensemble import RandomForestRegressor

from preimage.core import objective
from preimage.core.space import Input, Linear, Space
from preimage.inversion import asking
from preimage.inversion.question import Question
from preimage.trees import nearest, projection
from preimage.trees.domain import Near
from preimage.trees.forest import from_sklearn

from ..conftest import inverter

OPTIONS = {"boxes": 100_000, "gap": 0.0, "memory": 100, "starts": 2}


def asked(model, space, entry, X, Y, **options):
    outputs = [f"y{k}" for k in range(Y.shape[1])]
    wanted = objective.build("o", entry, outputs, Y.std(axis=0), np.ptp(Y, axis=0))
    trees = from_sklearn(model)
    question = Question(space, wanted, trees.predict, X, Y, np.arange(len(X)), trees=trees)
    return asking.ask(inverter("certified", {**OPTIONS, **options}), [question], np.random.default_rng(0))[0]


def equal(space_names, at, slope=1.0):
    return Linear(tuple((name, slope) for name in space_names), at, at)


@pytest.mark.parametrize("distance", [0.05, 0.1, 0.2, 0.3])
@pytest.mark.parametrize("sense", ["maximize", "minimize"])
def test_of_two_whole_numbers_with_a_sum_the_best_near_a_row_is_proven(distance, sense):
    for seed in range(8):
        rng = np.random.default_rng(seed)
        X = rng.integers(0, 11, (25, 2)).astype(float)
        Y = (X[:, :1] - 4) ** 2 + 3 * X[:, 1:]
        model = RandomForestRegressor(5, random_state=0, n_jobs=1).fit(X, Y[:, 0])
        space = Space(tuple(Input(n, 0, 10, integer=True) for n in "ab"), (equal("ab", 7.0),))
        answer, predicted = asked(model, space, {sense: "y0"}, X, Y, distance=distance)
        points = np.array([(a, 7 - a) for a in range(8)], float)
        near = np.linalg.norm((points[:, None] - X) / 10, axis=2).min(axis=1) <= distance * (1 + 1e-12)
        if not near.any():
            assert "proven that no input" in answer.message[0]
            continue
        best = getattr(np, sense[:3])(model.predict(points[near]))
        assert answer.certificate["closed"] and predicted[0, 0] == best and "proven optimum" in answer.message[0]


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_of_numbers_on_a_plane_the_best_near_a_row_is_proven_in_any_unit(scale):
    rng = np.random.default_rng(0)
    X = scale * rng.uniform(0, 1, (60, 3))
    Y = np.sin(6 * X.sum(axis=1, keepdims=True) / scale) + X[:, :1] / scale
    model = RandomForestRegressor(8, random_state=0, n_jobs=1).fit(X / scale, Y[:, 0])
    trees = from_sklearn(model)
    # The same trees in another unit: thresholds in it, as float64.
    trees = replace(trees, threshold=trees.threshold.astype(float) * scale)
    names = [f"x{j}" for j in range(3)]
    space = Space(tuple(Input(n, 0, scale) for n in names), (equal(names, 1.25 * scale),))
    wanted = objective.build("o", {"maximize": "y0"}, ["y0"], Y.std(axis=0), np.ptp(Y, axis=0))
    question = Question(space, wanted, trees.predict, X, Y, np.arange(60), trees=trees)
    for distance in (0.02, 0.1):
        options = {**OPTIONS, "distance": distance}
        ((answer, predicted),) = asking.ask(inverter("certified", options), [question], np.random.default_rng(0))
        assert answer.certificate["closed"] and space.contains(answer.X)[0]
        points = rng.uniform(0, 1, (20_000, 3))
        points = scale * (points + (1.25 - points.sum(axis=1, keepdims=True)) / 3)
        points = points[((points >= 0) & (points <= scale)).all(axis=1)]
        points = points[Near(X, distance).holds(space, points)]
        assert len(points) and trees.predict(points).max() <= predicted[0, 0]


@pytest.mark.parametrize("limits", [{"distance": 0.3}, {"distance": 1.02}])
def test_the_order_of_categories_changes_nothing(limits):
    rng = np.random.default_rng(3)
    labels = np.array(["copper", "iron", "zinc", "tin"])
    metal, x = rng.integers(0, 3, 80), rng.uniform(0, 1, 80)  # no row is of tin
    Y = (np.array([0.0, 2.0, 1.0])[metal] + x)[:, None]
    said = []
    for order in itertools.permutations(range(4)):
        place = np.argsort(order)  # where each label is in the list
        X = np.column_stack([place[metal], x]).astype(float)
        # Fitted to the same function of metal and x, which one deep tree repeats exactly.
        model = RandomForestRegressor(1, bootstrap=False, random_state=0, n_jobs=1)
        points = np.array([(p, t) for p in range(4) for t in np.linspace(0, 1, 21)])
        truth = np.array([5.0 if order[int(p)] == 3 else [0.0, 2.0, 1.0][order[int(p)]] + t for p, t in points])
        model.fit(points, truth)
        inputs = (Input("metal", 0, 3, categories=tuple(labels[list(order)])), Input("x", 0, 1))
        answer, predicted = asked(model, Space(inputs), {"maximize": "y0"}, X, Y, **limits)
        assert answer.certificate["closed"]
        said.append((str(labels[list(order)][int(answer.X[0, 0])]), float(predicted[0, 0])))
    # Another metal than that of a row is as far as a whole range.
    assert set(said) == {("iron", 3.0) if limits["distance"] < 1 else ("tin", 5.0)}


def test_a_distance_that_is_met_exactly_is_met():
    X = np.array([[0.7], [2.0]])
    space = Space((Input("x", 0, 2),))
    # 0.8 - 0.7 is a rounding more than 0.1; 0.05 of the range reaches it all the same.
    assert Near(X, 0.05).holds(space, np.array([[0.8]]))[0]
    found = nearest.near_point(space, Near(X, 0.05), np.array([0.8]), np.array([1.0]))
    assert found is not None and found[0] == 0.8
    assert nearest.near_point(space, Near(X, 0.05), np.array([0.8 + 1e-9]), np.array([1.0])) is None


def test_whole_numbers_that_no_sum_can_make_are_proven_to_be_none():
    whole = {"integer": True}
    space = Space(
        (Input("a", 0, 5000, **whole), Input("b", 0, 5000, **whole), Input("c", 0, 1, **whole)),
        (Linear((("a", 2.0), ("b", 4.0), ("c", 3.0)), 7001.0, 7001.0),),
    )
    rows = np.array([[1500.0, 1000.0, 0.0], [1490.0, 1003.0, 0.0]])
    start, end = np.array([0.0, 0, 0]), np.array([5000.0, 5000, 0])
    assert nearest.near_point(space, Near(rows, 0.01), start, end) is None
    found = nearest.near_point(space, Near(rows, 1.01), start, np.array([5000.0, 5000, 1]))
    assert space.contains(found)[0] and found[2] == 1


@pytest.mark.parametrize("seed", range(40))
def test_bounds_hold_for_any_multipliers_and_meet_the_projection(seed):
    rng = np.random.default_rng(seed)
    d, m = int(rng.integers(1, 5)), int(rng.integers(1, 4))
    matrix, unit = rng.normal(size=(m, d)), 10.0 ** rng.uniform(-2, 2, d)
    matrix = matrix / unit
    if m > 1 and seed % 2:
        matrix[1] = matrix[0] + 1e-3 * matrix[1]  # almost parallel
    least, most = unit * -rng.uniform(-1, 3, d), unit * 3.0
    inner = rng.uniform(least, most)
    low = matrix @ inner - rng.choice([0, 0.1, np.inf], m)
    high = matrix @ inner + rng.choice([0, 0.1], m)
    wanted = minimize(
        lambda s: ((s / unit) ** 2).sum(), inner, jac=lambda s: 2 * s / unit**2, bounds=np.column_stack([least, most]),
        constraints=[{"type": "ineq", "fun": lambda s: (high + 1e-12) - matrix @ s, "jac": lambda s: -matrix},
                     {"type": "ineq", "fun": lambda s: np.nan_to_num(matrix @ s - low, posinf=1.0) + 1e-12,
                      "jac": lambda s: np.where(np.isfinite(low), 1.0, 0.0)[:, None] * matrix}],
        method="SLSQP", options={"ftol": 1e-15, "maxiter": 500},
    )  # fmt: skip
    slack = 1e-11
    for _ in range(20):
        multipliers = np.abs(rng.normal(size=m)) * 10.0 ** rng.uniform(-3, 2)
        bound = projection.least_square(matrix, low - slack, high + slack, unit, least, most, multipliers)
        assert bound <= ((inner / unit) ** 2).sum()
    multipliers, step = projection.least_distance(matrix, low, high, unit, least, most)
    square = ((step / unit) ** 2).sum()
    assert (matrix @ step <= high + 1e-9).all() and (matrix @ step >= low - 1e-9).all()
    assert square <= wanted.fun + 1e-6 * (1 + wanted.fun) or not wanted.success
    bound = projection.least_square(matrix, low, high, unit, least, most, multipliers)
    assert bound == pytest.approx(square, rel=1e-6, abs=1e-9)


def test_a_cell_that_is_left_undecided_is_said_so(monkeypatch):
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.uniform(0.9, 1, 20), rng.uniform(0, 0.1, 20)])
    Y = X.sum(axis=1, keepdims=True)
    model = RandomForestRegressor(4, random_state=0, n_jobs=1).fit(X, Y[:, 0])
    # Both lines pass near the rows, but meet far from them: at (0.5, 0.5).
    other = Linear((("a", 1.0), ("b", 1.2)), 1.1, 1.1)
    space = Space((Input("a", 0, 1), Input("b", 0, 1)), (equal("ab", 1.0), other))
    answer, _ = asked(model, space, {"maximize": "y0"}, X, Y, distance=0.1)
    assert "proven that no input" in answer.message[0]
    monkeypatch.setattr(nearest, "PARTS", 0)
    answer, _ = asked(model, space, {"maximize": "y0"}, X, Y, distance=0.1)
    assert "undecided whether any input" in answer.message[0]
    answer, _ = asked(model, space, {"maximize": "y0"}, X, Y, distance=0.7)
    assert answer.certificate["closed"]


def test_a_sum_of_outputs_is_proven_to_its_rounding():
    rng = np.random.default_rng(0)
    X = rng.uniform(0, 1, (60, 2))
    Y = np.column_stack([X.sum(axis=1), X[:, 0] ** 2])
    model = RandomForestRegressor(10, random_state=0, n_jobs=1).fit(X, Y)
    space = Space((Input("a", 0, 1), Input("b", 0, 1)))
    answer, _ = asked(model, space, {"minimize": {"y0": 1.0, "y1": -2.5}}, X, Y)
    proof = answer.certificate
    gap = proof["loss"] - proof["bound"]
    assert proof["closed"] and 0 < gap < 1e-11
    (said,) = answer.message
    assert "proven optimum of the surrogate to rounding (within " in said
    assert gap <= float(said.split("within ")[1].split(")")[0]) <= 2 * gap
    assert "rounding" not in asked(model, space, {"minimize": "y0"}, X, Y)[0].message[0]
