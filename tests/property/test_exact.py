"""Exact searches with limits, formulas and spaces in pieces against brute force over every point, and by programs."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestRegressor

from preimage.core import formulas, objective
from preimage.core.conditions import Condition, Count, Curved, Exclusion
from preimage.core.expressions import Expression
from preimage.core.objective import reference
from preimage.core.space import Input, Linear, Space
from preimage.exact.preimage import preimage
from preimage.inversion import asking, proving
from preimage.inversion.question import Question
from preimage.support.errors import StudyError
from preimage.trees.domain import isolation
from preimage.trees.forest import from_sklearn
from preimage.trees.tolerance_box import tolerance_box

from ..conftest import examples, inverter
from .test_forest_certificates import last_going_left

LABELS = ("a", "b", "c", "d")
TEXTS = (
    "{a} - 2*{b} + 0.5",
    "0.3*{a} + {y}",
    "{a} / ({b} + 6)",
    "{a}*{b} - {y}",
    "max({a}, {y}) + abs({b})",
    "2*{y} - {z}",
)


def stepwise_input(rng, name):
    """Return an input of few values, of some kind, and the values."""
    kind = rng.choice(["integer", "category", "values", "step", "gap"])
    if kind == "category":
        n = int(rng.integers(2, 5))
        return Input(name, 0, n - 1, categories=LABELS[:n]), np.arange(n)
    if kind == "integer":
        low = int(rng.integers(-3, 1))
        return Input(name, low, low + 4, integer=True), np.arange(low, low + 5)
    if kind == "gap":
        return Input(name, 0, 5, integer=True, zero_or=2.0), np.array([0, 2, 3, 4, 5])
    values = np.unique(np.round(rng.uniform(-3, 4, 4), 1)) if kind == "values" else np.round(np.arange(5) * 0.7, 1)
    if rng.random() < 0.5:
        values = np.unique(np.r_[0.0, values])
    return Input(name, float(values[0]), float(values[-1]), values=tuple(values.tolist())), values


def conditions_of(rng, inputs, points):
    """Return linear rows, counts, exclusions and curved constraints that some of the points meet."""
    numbers = [i for i in inputs if not i.categories]
    rows, counts, exclusions, curved = [], [], [], []
    if len(numbers) > 1 and rng.random() < 0.4:
        slope = rng.choice([-1.0, 1.0, 2.0], len(numbers))
        at = sorted(points[rng.integers(len(points), size=2)][:, [i in numbers for i in inputs]] @ slope)
        ends = rng.choice(3)
        rows.append(
            Linear(
                tuple((i.name, float(c)) for i, c in zip(numbers, slope, strict=True)),
                -np.inf if ends == 0 else float(at[0]),
                float(at[0]) if ends == 2 else float(at[1]) if ends == 0 else np.inf,
            )
        )
    if len(numbers) > 1 and rng.random() < 0.5:
        point = points[rng.integers(len(points))] if rng.random() < 0.5 else np.zeros(len(inputs))
        reference = tuple(float(point[inputs.index(i)]) for i in numbers)
        least = int(rng.integers(0, len(numbers)))
        counts.append(Count(tuple(i.name for i in numbers), least, int(rng.integers(least, len(numbers))), reference))
    if rng.random() < 0.5:
        chosen = [inputs[j] for j in rng.choice(len(inputs), min(2, len(inputs)), replace=False)]
        exclusions.append(Exclusion(tuple(condition_of(rng, i, points[:, inputs.index(i)]) for i in chosen)))
    if len(numbers) > 1 and rng.random() < 0.3:
        a, b = (i.name for i in numbers[:2])
        expression = Expression.parse(f"{a} * {b} + {a}", [i.name for i in inputs])
        values = expression.evaluate({i.name: points[:, j] for j, i in enumerate(inputs)})
        curved.append(Curved(expression, -np.inf, float(np.quantile(values, 0.6))))
    return tuple(rows), tuple(counts), tuple(exclusions), tuple(curved)


def condition_of(rng, i, values):
    if i.categories:
        return Condition(i.name, codes=tuple(sorted({int(c) for c in rng.integers(0, len(i.categories), 2)})))
    low, high = sorted(rng.choice(values, 2))
    return Condition(i.name, *((low, np.inf) if rng.random() < 0.3 else (float(low), float(high))))


def stepwise_question(rng, d):
    """Return a question of inputs with few values each, and every point (n, d) within the bounds."""
    made = [stepwise_input(rng, f"x{j}") for j in range(d)]
    inputs = [i for i, _ in made]
    points = np.array(list(itertools.product(*(values for _, values in made))), float)
    space = Space(tuple(inputs), *conditions_of(rng, inputs, points))
    n = int(rng.integers(4, 40))
    X = points[rng.integers(len(points), size=n)]
    Y = rng.normal(size=(n, 2)) * 10.0 ** rng.integers(-1, 2, 2)
    model = RandomForestRegressor(int(rng.integers(1, 6)), max_leaf_nodes=int(rng.integers(2, 9)), random_state=0)
    forest = from_sklearn(model.fit(X, Y))
    numbers = [i.name for i in inputs if not i.categories] or ["y0"]
    texts = [t.format(a=numbers[0], b=numbers[-1], y="y0", z="y1") for t in rng.choice(TEXTS, 2, replace=False)]
    found = formulas.build({f"f{k}": {"expression": text} for k, text in enumerate(texts)}, space, ["y0", "y1"])
    return asked(rng, space, forest, found, X, Y), points


def asked(rng, space, forest, found, X, Y):
    outputs = ["y0", "y1", *found.names]

    def predict(X):
        return found.extended(X, forest.predict(X)) if found else forest.predict(X)

    values = predict(X)
    entry = entry_of(rng, outputs, values)
    wanted = objective.build("o", entry, outputs, values.std(axis=0), np.ptp(values, axis=0), values)
    extended = found.extended(X, Y) if found else Y
    return Question(space, wanted, predict, X, extended, np.arange(len(X)), trees=forest, formulas=found)


def entry_of(rng, outputs, values):
    """Return an entry of some kind, with or without limits."""
    entry, chosen = {}, rng.choice(outputs, 2, replace=False)
    kind = rng.choice(["minimize", "maximize", "target", "within"])
    at = {o: float(rng.choice(values[:, outputs.index(o)])) for o in outputs}
    size = {o: float(np.ptp(values[:, outputs.index(o)])) * 0.1 + 0.01 for o in outputs}
    if kind in ("minimize", "maximize"):
        entry[kind] = str(chosen[0]) if rng.random() < 0.7 else {str(o): float(rng.normal()) for o in chosen}
    elif kind == "target":
        entry |= {"target": {str(chosen[0]): at[chosen[0]]}, "tolerance": size[chosen[0]]}
    else:
        entry[kind] = {str(chosen[0]): [at[chosen[0]], at[chosen[0]] + size[chosen[0]]]}
    if rng.random() < 0.8:
        o = str(rng.choice([o for o in outputs if o != chosen[0]]))
        ends = {"at_least": at[o] - size[o] * rng.random(), "at_most": at[o] + size[o]}
        if rng.random() < 0.5:
            ends.pop(str(rng.choice(list(ends))))
        entry["subject_to"] = {o: ends}
    return entry


def prove(question, **options):
    ask = inverter("certified", {"boxes": 200_000, "gap": 0.0, "memory": 100, "starts": 2, **options})
    return asking.ask(ask, [question], np.random.default_rng(0))[0]


def assert_empty(question):
    """A space without a point is refused, or proven to have no answer."""
    try:
        answer, _ = prove(question)
    except StudyError as error:
        assert "no point within the bounds" in str(error)
    else:
        assert answer.status == ["no_answer"] and "proven" in answer.message[0]


def near_data(rng, question, X):
    """Return options that keep to inputs near the data, and which of points (n, d) these are."""
    if rng.random() < 0.5:
        distance = float(rng.uniform(0.05, 0.6))
        rows = question.space.coordinates(question.X)
        away = np.linalg.norm(question.space.coordinates(X)[:, None] - rows, axis=2).min(axis=1, initial=np.inf)
        return {"distance": distance}, away <= distance * (1 + 1e-12)
    levels = np.array([len(i.categories) for i in question.space.inputs])
    score = float(rng.uniform(0.4, 0.6))
    # The seed that the search draws first of all.
    common = isolation(question.X, score, int(np.random.default_rng(0).integers(2**31)), levels)
    return {"isolation": score}, common.said(X) <= score


def check_against_brute_force(seed, d, limited=False):
    rng = np.random.default_rng(seed)
    question, points = stepwise_question(rng, d)
    wanted = question.objective
    valid = points[question.space.contains(points)]
    Y = question.predict(valid) if len(valid) else np.empty((0, 4))
    kept = wanted.violation(Y) == 0
    if not len(valid):
        assert_empty(question)
        return
    options = {}
    if limited:
        options, near = near_data(rng, question, valid)
        kept &= near
    answer, predicted = prove(question, **options)
    if not kept.any():
        assert answer.status == ["no_answer"] and "proven" in answer.message[0], answer.message
        return
    least = wanted.loss(Y[kept]).min()
    proof, found = answer.certificate, wanted.loss(predicted)[0]
    scale = max(wanted.loss_unit, np.abs(wanted.loss(Y)).max())
    assert proof["closed"] and wanted.violation(predicted)[0] == 0 and question.space.contains(answer.X)[0]
    assert proof["bound"] <= least <= found <= least + 1e-9 * scale
    assert proof["bound"] >= found - 1e-7 * scale


@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
@examples(40)
def test_the_proven_optimum_is_that_of_every_point(seed, d):
    check_against_brute_force(seed, d)


@given(st.integers(0, 2**32 - 1), st.integers(1, 3))
@examples(15)
def test_the_proven_optimum_near_the_data_is_that_of_every_point_there(seed, d):
    check_against_brute_force(seed, d, limited=True)


@pytest.mark.long
@pytest.mark.parametrize("d", range(1, 5))
def test_1000_proven_optima_are_those_of_every_point(d):
    for seed in range(250):
        check_against_brute_force(1000 * d + seed, d)


def nearest_question(rng, d):
    """Return a question for the nearest change of some point, which need not be a valid one, and every point."""
    question, points = stepwise_question(rng, d)
    space, outputs = question.space, ["y0", "y1", *question.formulas.names]
    values = question.predict(question.X)
    named = [str(o) for o in rng.choice(outputs, int(rng.integers(1, 3)), replace=False)]
    at = {o: values[:, outputs.index(o)] for o in outputs}
    if rng.random() < 0.5:
        wish = {"target": {o: float(rng.choice(at[o])) for o in named}}
        wish["tolerance"] = {o: float(np.ptp(at[o])) * 0.1 + 0.01 for o in named}
    else:
        wish = {"within": {o: {rng.choice(["at_least", "at_most"]): float(rng.choice(at[o]))} for o in named}}
    if rng.random() < 0.5 and (left := [o for o in outputs if o not in named]):
        o = str(rng.choice(left))
        wish["subject_to"] = {o: {"at_most": float(np.quantile(at[o], 0.7))}}
    if rng.random() < 0.5:
        wish["change_at_most"] = int(rng.integers(1, d + 1))
    if d > 1 and rng.random() < 0.3:
        wish["keep"] = [space.names[int(rng.integers(d))]]
    x = points[rng.integers(len(points))] + (rng.random(d) < 0.2) * ~space.categorical * 0.3
    today = {name: column.tolist()[0] for name, column in space.decode(x[None]).items()}
    wish["closest_to"] = {"row": 1}
    wanted = objective.build("o", wish, outputs, values.std(axis=0), np.ptp(values, axis=0), values)
    try:
        wanted = wanted.nearest_to(reference.build("o", wish, space, {"1": today}), np.ptp(values, axis=0))
        return replace(question, objective=wanted, space=wanted.allowed(space)), points
    except StudyError:
        return None, points


def check_nearest(seed, d):
    question, points = nearest_question(np.random.default_rng(seed), d)
    if question is None:
        return
    wanted, space = question.objective, question.space
    near = wanted.near
    # What is kept stays at its value in the reference, which may lie between the others.
    values = [np.unique(np.r_[points[:, j], near.values[j]]) for j in range(d)]
    points = np.array(list(itertools.product(*values)))
    valid = points[space.contains(points)]
    if not len(valid):
        assert_empty(question)
        return
    met = wanted.met(question.predict(valid))
    answer, predicted = prove(question)
    if not met.any():
        assert answer.status == ["no_answer"] and answer.certificate["feasible"] == "no", answer.message
        return
    least, found = near.distance(valid[met]).min(), near.distance(answer.X)[0]
    proof = answer.certificate
    assert proof["closed"] and wanted.met(predicted)[0] and space.contains(answer.X)[0]
    assert near.most is None or near.changed(answer.X)[0].sum() <= near.most
    # Distances are added up in another order of inputs.
    assert proof["bound"] - 1e-12 <= least <= found + 1e-12 <= least + 1e-9 and proof["bound"] >= found - 1e-7


@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
@examples(40)
def test_the_proven_nearest_change_is_that_of_every_point(seed, d):
    check_nearest(seed, d)


@pytest.mark.long
@pytest.mark.parametrize("d", range(1, 5))
def test_1000_proven_nearest_changes_are_those_of_every_point(d):
    for seed in range(250):
        check_nearest(1000 * d + seed, d)


@given(st.integers(0, 2**32 - 1), st.integers(1, 3))
@examples(20)
def test_the_proven_nearest_change_of_any_numbers_is_that_of_every_cell(seed, d):
    """The nearest point of a cell is that of each of its inputs' intervals."""
    rng = np.random.default_rng(seed)
    space = Space(tuple(Input(f"x{j}", 0.0, float(rng.choice([1e-3, 1.0, 500.0]))) for j in range(d)))
    X = rng.random((40, d)) * space.high
    Y = rng.normal(size=(40, 2))
    model = RandomForestRegressor(3, max_leaf_nodes=8, random_state=0).fit(X, Y)
    wish = {"within": {"y": {"at_least": float(np.quantile(Y[:, 0], 0.7))}}, "closest_to": {"row": 1}}
    wish |= {
        "subject_to": {"z": {"at_most": float(np.quantile(Y[:, 1], 0.8))}},
        "change_at_most": int(rng.integers(1, d + 1)),
    }
    wanted = objective.build("o", wish, ["y", "z"], Y.std(axis=0), np.ptp(Y, axis=0), Y)
    near = reference.build("o", wish, space, {"1": dict(zip(space.names, X[0].tolist(), strict=True))})
    wanted = wanted.nearest_to(near, np.ptp(Y, axis=0))
    forest = from_sklearn(model)
    question = Question(wanted.allowed(space), wanted, forest.predict, X, Y, np.arange(40), trees=forest)
    cells = [cells_of(model, i, j, ()) for j, i in enumerate(space.inputs)]
    values = [[min(max(v, a), b) for a, b in own] for v, own in zip(near.values, cells, strict=True)]
    points = np.array(list(itertools.product(*values)))
    good = (near.changed(points).sum(axis=1) <= near.most) & wanted.met(model.predict(points))
    answer, predicted = prove(question)
    if not good.any():
        assert answer.status == ["no_answer"] and answer.certificate["feasible"] == "no"
        return
    least, found = near.distance(points[good]).min(), near.distance(answer.X)[0]
    assert answer.certificate["closed"] and wanted.met(predicted)[0] and near.changed(answer.X)[0].sum() <= near.most
    assert answer.certificate["bound"] - 1e-12 <= least <= found + 1e-12 <= least + 1e-7


def check_front(seed, d):
    rng = np.random.default_rng(seed)
    question, points = stepwise_question(rng, d)
    outputs = ["y0", "y1", *question.formulas.names]
    chosen = [str(o) for o in rng.choice(outputs, int(rng.integers(2, 4)), replace=False)]
    large = int(rng.integers(0, len(chosen) + 1))
    named = {"maximize": chosen[:large], "minimize": chosen[large:]}
    entry = {"pareto": {way: of for way, of in named.items() if of}, "tolerance": 0.0}
    rows = question.predict(question.X)
    if rng.random() < 0.6:
        other = str(rng.choice([o for o in outputs if o not in chosen]))
        entry["subject_to"] = {other: {"at_least": float(np.quantile(rows[:, outputs.index(other)], 0.3))}}
    wanted = objective.build("o", entry, outputs, rows.std(axis=0), np.ptp(rows, axis=0), rows)
    question = replace(question, objective=wanted)
    valid = points[question.space.contains(points)]
    if not len(valid):
        assert_empty(question)
        return
    # The search alone is to find it: a population tries every point of spaces as small as these.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(proving, "_evolved", lambda question, starts, rng: question.X[:0])
        answer, predicted = prove(replace(question, X=question.X[:1]))
    Y = question.predict(valid)
    Y = Y[wanted.violation(Y) == 0]
    if not len(Y):
        assert answer.status == ["no_answer"] and answer.certificate["feasible"] == "no"
        return
    front, found = (np.unique(wanted.shares(y), axis=0) for y in (Y[wanted.best(Y)], predicted))
    assert answer.certificate["closed"] and front.shape == found.shape
    assert np.allclose(front, found, rtol=1e-9, atol=1e-9)
    corners = wanted.shares_of(np.array(answer.certificate["front"]))
    assert all((point >= corners - 1e-12).all(axis=1).any() for point in wanted.shares(Y))


@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
@examples(20)
def test_the_proven_front_is_that_of_every_point(seed, d):
    check_front(seed, d)


@pytest.mark.long
@pytest.mark.parametrize("d", range(1, 5))
def test_300_proven_fronts_are_those_of_every_point(d):
    for seed in range(75):
        check_front(1000 * d + seed, d)


def check_preimage(seed, d):
    rng = np.random.default_rng(seed)
    question, points = stepwise_question(rng, d)
    outputs = ["y0", "y1", *question.formulas.names]
    rows = question.predict(question.X)
    column = int(rng.integers(len(outputs)))
    low, high = np.quantile(rows[:, column], sorted(rng.random(2)))
    entry = {"within": {outputs[column]: [float(low), float(high) + 1e-3]}}
    if rng.random() < 0.5:
        other = (column + 1) % len(outputs)
        entry["subject_to"] = {outputs[other]: {"at_least": float(np.quantile(rows[:, other], 0.3))}}
    wanted = objective.build("o", entry, outputs, rows.std(axis=0), np.ptp(rows, axis=0), rows)
    found = preimage(question.trees, question.space, wanted, 100_000, formulas=question.formulas)
    belongs = question.space.contains(points) & wanted.met(question.predict(points))
    inside = ((points[:, None] >= found.low) & (points[:, None] <= found.high)).all(axis=2)
    assert found.stopped == "closed" and found.certain.all()
    assert np.array_equal(inside.sum(axis=1), belongs.astype(int))
    assert found.share.sum() == pytest.approx(belongs.mean(), abs=1e-12)


@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
@examples(20)
def test_the_whole_preimage_is_that_of_every_point(seed, d):
    check_preimage(seed, d)


def check_window(seed, d):
    """A window holds wherever its inputs are allowed values, and no wider one does that grows along one input."""
    rng = np.random.default_rng(seed)
    question, points = stepwise_question(rng, d)
    Y = question.trees.predict(points)
    k = int(rng.integers(len(points)))
    ends = {f"y{c}": [float(Y[k, c] - s), float(Y[k, c] + s)] for c, s in enumerate(rng.random(2) * np.ptp(Y, axis=0))}
    entry = {"within": {"y0": ends["y0"]}, "subject_to": {"y1": {"at_least": ends["y1"][0]}}}
    wanted = objective.build("o", entry, ["y0", "y1"])
    window = tolerance_box(question.trees, question.space, wanted, points[k], 10_000)
    met = wanted.met(Y)
    within = (points >= window.low) & (points <= window.high)
    assert within[k].all() and met[within.all(axis=1)].all() and window.largest
    for j in range(d):
        others = np.delete(within, j, axis=1).all(axis=1)
        x = points[:, j]
        above, below = x[x > window.high[j]], x[x < window.low[j]]
        if len(above):
            assert not met[others & (x >= window.low[j]) & (x <= above.min())].all()
        if len(below):
            assert not met[others & (x <= window.high[j]) & (x >= below.max())].all()


@given(st.integers(0, 2**32 - 1), st.integers(1, 3))
@examples(20)
def test_a_window_keeps_the_objective_and_its_limits_and_can_not_grow(seed, d):
    check_window(seed, d)


def amounts_question(rng, d):
    """Return a question of amounts (0, at least some, or any) with a mixture's sum, a count and linear formulas."""
    inputs = []
    for j in range(d):
        kind = rng.choice(["gap", "any", "whole", "listed"], p=[0.4, 0.4, 0.1, 0.1])
        gap = {"zero_or": float(np.round(rng.uniform(0.5, 3), 1))} if kind == "gap" else {}
        listed = {"values": (0.0, 1.5, 4.0, 7.5)} if kind == "listed" else {}
        inputs.append(Input(f"x{j}", 0.0, 7.5 if listed else 8.0, integer=bool(kind == "whole"), **gap, **listed))
    names = [i.name for i in inputs]
    rows = []
    if rng.random() < 0.7:
        total = float(rng.integers(3, 4 * d))
        rows.append(Linear(tuple((n, 1.0) for n in names), total if rng.random() < 0.6 else -np.inf, total))
    if rng.random() < 0.4:
        rows.append(Linear((("x0", 1.0), ("x1", -float(rng.uniform(0.3, 2)))), float(rng.choice([-np.inf, 0.0])), 0.5))
    counts = (Count(tuple(names), 0, int(rng.integers(1, d + 1)), (0.0,) * d),) if rng.random() < 0.6 else ()
    excluded = Exclusion((Condition("x0", 2.0, 5.0), Condition("x1", float(rng.integers(0, 4)), np.inf)))
    space = Space(tuple(inputs), tuple(rows), counts, (excluded,) if rng.random() < 0.4 else ())
    X = np.where(rng.random((30, d)) < 0.3, 0.0, np.round(rng.uniform(0, 8, (30, d)), 1))
    Y = np.column_stack([X.sum(axis=1) + rng.normal(size=30), X @ rng.normal(size=d)])
    model = RandomForestRegressor(int(rng.integers(1, 4)), max_leaf_nodes=int(rng.integers(3, 7)), random_state=0)
    model.set_params(n_jobs=1).fit(X, Y)
    price = np.round(rng.uniform(-1, 3, d), 2)
    cost = " + ".join(f"{p}*{n}" for p, n in zip(price, names, strict=True)) + " + 0.5"
    texts = {"cost": cost, "profit": "2*y0 - cost"}
    found = formulas.build({n: {"expression": text} for n, text in texts.items()}, space, ["y0", "y1"])
    return asked(rng, space, from_sklearn(model), found, X, Y), model, price


def cells_of(model, i, j, more):
    """Return the intervals of an input on which neither the model nor a condition changes."""
    cuts = {last_going_left(float(c)) for e in model.estimators_ for c in e.tree_.threshold[e.tree_.feature == j]}
    cuts |= {end for v in more for end in (v, np.nextafter(v, -np.inf))} | {0.0}
    if i.values or i.integer:
        values = i.values or np.arange(i.low, i.high + 1)
        return [(v, v) for v in values if v == 0 or v >= (i.zero_or or 0)]
    ends = sorted(c for c in cuts if i.low <= c < i.high)
    cells = list(zip([i.low, *(np.nextafter(c, np.inf) for c in ends)], [*ends, i.high], strict=True))
    gap = i.zero_or or 0.0
    return [(a if a == 0 else max(a, gap), b) for a, b in cells if b == 0 or b >= gap]


def best_by_programs(question, model, price, slack, inside):
    """Return the least loss in any cell by a linear program of each, where rows may be missed by `slack` of their scale
    and limits are kept by `inside` more."""
    from scipy.optimize import linprog

    space, wanted = question.space, question.objective
    more = [
        [
            end
            for e in space.exclusions
            for c in e.conditions
            if c.input == i.name
            for end in (c.low, np.nextafter(c.high, np.inf))
        ]
        for i in space.inputs
    ]
    matrix, low, high = space.rows
    best = np.inf
    for box in itertools.product(*(cells_of(model, i, j, more[j]) for j, i in enumerate(space.inputs))):
        start, end = np.array(box, float).T
        if any((end > 0).sum() > c.most for c in space.counts):
            continue
        if any(
            all(
                (start[space.names.index(c.input)] >= c.low) & (end[space.names.index(c.input)] <= c.high)
                for c in e.conditions
            )
            for e in space.exclusions
        ):
            continue
        y = model.predict(start[None])[0]
        # Each output as a sum of inputs and a constant, in this cell.
        forms = [(np.zeros(len(price)), y[0]), (np.zeros(len(price)), y[1]), (price, 0.5), (-price, 2 * y[0] - 0.5)]
        A, b = [*matrix, *(-matrix)], [*(high + slack * space.row_scale), *(-low + slack * space.row_scale)]
        for limit in wanted.limits:
            slope, constant = forms[limit.column]
            A += [slope, -slope]
            b += [limit.high - constant - inside, constant - limit.low - inside]
        A, b = np.array(A).reshape(-1, len(price)), np.array(b)
        use = np.isfinite(b)
        slope, constant = (
            sum(w * wanted.sign * forms[c][k] for w, c in zip(wanted.low, wanted.columns, strict=True)) for k in (0, 1)
        )
        rows = {"A_ub": A[use], "b_ub": b[use]} if use.any() else {}
        solved = linprog(slope, **rows, bounds=np.column_stack([start, end]))
        if solved.x is not None:
            best = min(best, solved.fun + constant)
    return best


def check_against_programs(seed, d):
    rng = np.random.default_rng(seed)
    question, model, price = amounts_question(rng, d)
    if question.objective.bounded:
        return
    try:
        answer, predicted = prove(question)
    except StudyError as error:
        assert "no point within the bounds" in str(error)
        assert not np.isfinite(best_by_programs(question, model, price, 0.0, 1e-7))
        return
    surely = best_by_programs(question, model, price, 0.0, 1e-7)
    perhaps = best_by_programs(question, model, price, 1e-8, -1e-7)
    scale = 1e-6 * question.objective.unit
    if answer.status == ["no_answer"]:
        assert "proven" in answer.message[0] and not np.isfinite(surely)
        return
    found, proof = question.objective.loss(predicted)[0], answer.certificate
    assert question.objective.violation(predicted)[0] == 0 and question.space.contains(answer.X)[0]
    assert proof["closed"] and proof["bound"] <= found <= proof["bound"] + scale
    assert perhaps - scale <= found and (found <= surely + scale)


@given(st.integers(0, 2**32 - 1), st.integers(2, 3))
@examples(20)
def test_the_proven_optimum_of_amounts_is_that_of_a_program_in_each_cell(seed, d):
    check_against_programs(seed, d)
