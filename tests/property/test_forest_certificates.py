"""Certified inversion of forests against brute force over every cell, and against samples that lie on thresholds."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor

from preimage.core import objective
from preimage.core.space import TOLERANCE, Input, Linear, Space
from preimage.inversion import asking, certified
from preimage.inversion.question import Question
from preimage.trees import boxes as tree_boxes
from preimage.trees import forest
from preimage.trees.boxes import build, last_left
from preimage.trees.forest import from_sklearn

from ..conftest import examples, inverter
from .test_forest import on_thresholds

ULP = float(np.spacing(np.float32(1)))
CERTIFIED = {"boxes": 200_000, "gap": 0.0, "memory": 100, "starts": 2}


def small_forest(rng, d, m=1):
    """Return a fitted forest of a few short trees on rows at most 10 apart, some of them whole numbers."""
    n = int(rng.integers(2, 25))
    X = rng.uniform(-5, 5, (n, d))
    if rng.random() < 0.5:
        X = np.round(X * 2) / 2
    if rng.random() < 0.3:
        X = 1 + ULP * rng.integers(0, 7, (n, d))  # neighbouring float32: thresholds between them are none
    Y = rng.normal(size=(n, m)) * 10.0 ** rng.integers(-2, 3)
    if rng.random() < 0.3:
        Y = np.round(Y)
    kind = ExtraTreesRegressor if rng.random() < 0.3 else RandomForestRegressor
    model = kind(int(rng.integers(1, 6)), max_leaf_nodes=int(rng.integers(2, 9)), random_state=0, n_jobs=1)
    return model.fit(X, Y if m > 1 else Y[:, 0]), X, Y


def small_space(rng, d, X):
    inputs = []
    fine = np.ptp(X) < 1
    for j in range(d):
        if fine:  # bounds that are no float32, a rounding away from thresholds
            low, high = np.sort(rng.uniform(1 - ULP, 1 + 7 * ULP, 2))
            inputs.append(Input(f"x{j}", float(low), float(high)))
            continue
        kind = rng.choice(["continuous", "continuous", "integer", "category", "fixed"])
        if kind == "integer":
            inputs.append(Input(f"x{j}", -4, 4, integer=True))
        elif kind == "category":
            inputs.append(Input(f"x{j}", 0, 2, categories=("a", "b", "c")))
        else:
            low, high = np.sort(rng.uniform(-6, 6, 2))
            fixed = float(rng.uniform(low, high)) if kind == "fixed" else None
            inputs.append(Input(f"x{j}", float(low), float(high), fixed=fixed))
    return Space(tuple(inputs))


def own_cells(model, space):
    """Return for each input one value in every cell, found by bisection on what scikit-learn's comparison does."""
    values = []
    for j, i in enumerate(space.inputs):
        if space.discrete[j]:
            values.append(np.arange(space.low[j], space.high[j] + 1))
            continue
        trees = [e.tree_ for e in model.estimators_]
        cuts = {float(t) for tree in trees for t in tree.threshold[tree.feature == j]}
        last = [v for v in (last_going_left(c) for c in sorted(cuts)) if i.lower <= v < i.upper]
        values.append(np.unique([i.lower, i.upper, *last, *(np.nextafter(v, np.inf) for v in last)]))
    return values


def last_going_left(threshold):
    """Return the largest float64 that scikit-learn sends left, by bisection over floats."""
    a, b = threshold - 1e-3 - abs(threshold) * 1e-3, threshold + 1e-3 + abs(threshold) * 1e-3
    while np.nextafter(a, np.inf) < b:
        middle = a / 2 + b / 2
        a, b = (middle, b) if np.float64(np.float32(middle)) <= threshold else (a, middle)
    return a


def brute(model, space):
    """Return a point of every cell (n, d) and scikit-learn's predictions (n, m) there."""
    X = np.array(list(itertools.product(*own_cells(model, space))))
    Y = model.predict(X)
    return X, Y[:, None] if Y.ndim == 1 else Y


def ask(kind, model, space, entry, X, Y, **options):
    outputs = [f"y{k}" for k in range(Y.shape[1])]
    wanted = objective.build("o", entry, outputs, Y.std(axis=0), np.ptp(Y, axis=0))
    trees = from_sklearn(model)
    question = Question(space, wanted, trees.predict, X, Y, np.arange(len(X)), trees=trees)
    given_ = {**CERTIFIED, **options} if kind == "certified" else {"starts": 6, **options}
    return wanted, *asking.ask(inverter(kind, given_), [question], np.random.default_rng(0))[0]


def random_entry(rng, Y):
    """Return an objective of some kind, inside or outside what the model can give."""
    outputs = [f"y{k}" for k in range(Y.shape[1])]
    kind = rng.choice(["minimize", "maximize", "target", "within", "within"])
    chosen = outputs if rng.random() < 0.7 else outputs[:1]
    if kind in ("minimize", "maximize"):
        if len(chosen) == 1 and rng.random() < 0.6:
            return {kind: chosen[0], "tolerance": 1e-9}
        return {kind: {o: float(rng.normal()) for o in chosen}, "tolerance": 1e-9}
    middle = {o: float(y.mean() + 1.5 * np.ptp(y) * rng.normal()) for o, y in zip(outputs, Y.T, strict=True)}
    size = float(np.ptp(Y[:, 0]) * rng.uniform(0.01, 0.3)) + 1e-6
    if kind == "target":
        return {"target": {o: middle[o] for o in chosen}, "tolerance": size, "scaled": bool(rng.random() < 0.5)}
    return {"within": {o: [middle[o] - size, middle[o] + size] for o in chosen}}


def check_against_brute_force(seed, d, m):
    rng = np.random.default_rng(seed)
    model, X, Y = small_forest(rng, d, m)
    space = small_space(rng, d, X)
    entry = random_entry(rng, Y)
    wanted, answer, predicted = ask("certified", model, space, entry, X, Y)
    _, values = brute(model, space)
    loss = wanted.loss(values)
    found = wanted.loss(predicted)[0]
    proof = answer.certificate
    assert proof["closed"] and found == proof["loss"]
    if len(wanted.columns) == 1:
        assert found == loss.min() == proof["bound"]  # to the last bit
    else:
        scale = max(found, np.abs(values).max() ** (2 if wanted.bounded else 1))
        assert found == pytest.approx(loss.min(), rel=1e-9, abs=1e-12 * scale)
        assert found - 1e-9 * scale <= proof["bound"] <= found
        assert proof["bound"] <= loss.min()
    met = wanted.met(values, loss.min()).any()
    assert proof["feasible"] == ("yes" if met else "no")
    assert np.array_equal(predicted[0], np.atleast_1d(model.predict(answer.X[:1])[0]))
    if wanted.bounded and met:
        assert wanted.met(predicted).any()


@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(1, 2))
@examples(250)
def test_optimum_and_feasibility_are_those_of_brute_force(seed, d, m):
    check_against_brute_force(seed, d, m)


def too_tight(grid, trees):
    """Bounds 1 % nearer than they may be."""
    return grid, trees._replace(score=trees.score - 0.01 * np.abs(trees.score))


def without_a_leaf(grid, trees):
    """The best leaf of the first tree is not seen."""
    score = trees.score.copy()
    n = int(trees.roots[1]) if len(trees.roots) > 1 else len(trees.node)
    for c in range(len(score)):
        first = trees.node[:n, 2][trees.node[:n, 0] < 0]
        score[c, first[np.argmax(score[c, first])]] = score[c].min() - 1
    most = np.zeros_like(trees.most)

    def largest(c, k):
        right = trees.node[k, 2]
        leaf = trees.node[k, 0] < 0
        most[c, k] = [score[c, right]] * 2 if leaf else [largest(c, k + 1), largest(c, right)]
        return most[c, k].max()

    for c in range(len(score)):
        for root in trees.roots:
            largest(c, root)
    return grid, trees._replace(score=score, most=most)


FAULTS = {
    "a bound 1 % too tight": ("build", too_tight),
    "a leaf dropped": ("build", without_a_leaf),
    "a half-open side flipped": ("last_left", lambda t: np.nextafter(last_left(np.nextafter(t, -np.inf)), -np.inf)),
    "a threshold not rounded to float32": ("float32_floor", lambda t: t),
    "a threshold taken as a float64": ("last_left", lambda t: t.astype(float)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_does_not_pass(fault, monkeypatch):
    name, change = FAULTS[fault]
    if name == "build":
        monkeypatch.setattr(certified, "build", lambda *arguments: change(*build(*arguments)))
    else:
        monkeypatch.setattr(tree_boxes if name == "last_left" else forest, name, change)
    caught = 0
    for seed in range(40):
        try:
            check_against_brute_force(seed, 1 + seed % 3, 1)
        except (AssertionError, RuntimeError):  # the search itself sees that a point contradicts a bound
            caught += 1
    assert caught > 0


@given(st.integers(0, 2**32 - 1), st.integers(1, 3))
@examples(150)
def test_coordinate_never_beats_the_certificate_and_ends_where_no_line_leads_lower(seed, d):
    rng = np.random.default_rng(seed)
    model, X, Y = small_forest(rng, d)
    space = small_space(rng, d, X)
    entry = random_entry(rng, Y)
    wanted, answer, predicted = ask("coordinate", model, space, entry, X, Y)
    assert space.contains(answer.X).all() and len(answer.X) == 6
    _, values = brute(model, space)
    loss = wanted.loss(values)
    assert (wanted.loss(predicted) >= loss.min()).all()
    axes = own_cells(model, space)
    for x, y in zip(answer.X, wanted.loss(predicted), strict=True):
        for j in range(d):
            line = np.tile(x, (len(axes[j]), 1))
            line[:, j] = axes[j]
            other = model.predict(line)
            # An interval thinner than the line search tells apart may hold less; these have a cell each here.
            assert y <= wanted.loss(other[:, None] if other.ndim == 1 else other).min() + 1e-9 * (1 + abs(y))


def constrained(rng, d):
    """Return a space of continuous and whole inputs with a row or two that a known point satisfies."""
    inputs, point = [], []
    for j in range(d):
        whole = rng.random() < 0.3
        low, high = (-4.0, 4.0) if whole else (float(rng.uniform(-6, -1)), float(rng.uniform(1, 6)))
        inputs.append(Input(f"x{j}", low, high, integer=bool(whole)))
        point.append(float(rng.integers(-4, 5)) if whole else float(rng.uniform(low, high)))
    rows = []
    for _ in range(int(rng.integers(1, 3))):
        c = np.where([i.integer for i in inputs], rng.choice([-1.0, 1.0, 2.0], d), rng.normal(size=d))
        value = float(c @ point)
        kind = rng.choice(["equals", "at_most"])
        terms = tuple((i.name, float(v)) for i, v in zip(inputs, c, strict=True))
        rows.append(Linear(terms, value if kind == "equals" else -np.inf, value))
    return Space(tuple(inputs), tuple(rows)), np.array(point)


def cells_that_meet(model, space):
    """Return predictions (n, m) in every cell that a linear program finds a valid point in, to a margin of 1e-7."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    matrix, low, high = space.rows
    kept = []
    axes = []
    for j, i in enumerate(space.inputs):
        if i.integer:
            axes.append([(v, v) for v in np.arange(i.low, i.high + 1)])
            continue
        trees = [e.tree_ for e in model.estimators_]
        cuts = sorted({last_going_left(float(c)) for t in trees for c in t.threshold[t.feature == j]})
        cuts = [c for c in cuts if i.low <= c < i.high]
        axes.append(list(zip([i.low, *(np.nextafter(c, np.inf) for c in cuts)], [*cuts, i.high], strict=True)))
    for box in itertools.product(*axes):
        start, end = np.array(box).T
        for widened, sure in ((0.0, True), (1e-6, False)):
            row = LinearConstraint(matrix, low - widened * space.row_scale, high + widened * space.row_scale)
            if milp(np.zeros(len(start)), constraints=row, bounds=Bounds(start, end)).x is not None:
                kept.append((model.predict(start[None])[0], sure))
                break
    return kept


@given(st.integers(0, 2**32 - 1), st.integers(2, 3))
@examples(60)
def test_the_optimum_under_constraints_is_that_of_brute_force_with_linear_programs(seed, d):
    rng = np.random.default_rng(seed)
    model, X, Y = small_forest(rng, d)
    space, _ = constrained(rng, d)
    sense = rng.choice(["minimize", "maximize"])
    _, answer, predicted = ask("certified", model, space, {str(sense): "y0"}, X, Y)
    sign = 1 if sense == "minimize" else -1
    cells = cells_that_meet(model, space)
    best = min(sign * v for v, _ in cells)
    surely = min(sign * v for v, sure in cells if sure)
    found = sign * predicted[0, 0]
    assert space.violation(answer.X)[0] == 0
    proof = answer.certificate
    assert proof["bound"] <= found
    if proof["closed"]:
        assert proof["bound"] == found
    # Cells that only a widened row reaches may or may not count: yes and no are stated to a tolerance.
    assert best <= found + 1e-12 and (found <= surely + 1e-12 or not proof["closed"])
    assert space.row_scale.min() > 0 and TOLERANCE == 1e-9


@given(st.integers(0, 2**32 - 1))
@examples(10)
def test_a_certificate_is_not_contradicted_by_samples_on_and_around_thresholds(seed):
    rng = np.random.default_rng(seed)
    d = int(rng.integers(2, 7))
    X = rng.uniform(-10, 10, (150, d))
    Y = (X**2).sum(axis=1, keepdims=True)
    model = RandomForestRegressor(15, random_state=0, n_jobs=1).fit(X, Y[:, 0])
    space = Space(tuple(Input(f"x{j}", -9, 9) for j in range(d)))
    near = np.clip(on_thresholds(model, X, rng, 1000), -9, 9)
    points = np.concatenate([near, rng.uniform(-9, 9, (90_000, d))])
    values = model.predict(points)
    for sense, sign in (("minimize", 1), ("maximize", -1)):
        for boxes in (40, 200_000):
            _, answer, predicted = ask("certified", model, space, {sense: "y0"}, X, Y, boxes=boxes)
            proof = answer.certificate
            assert proof["bound"] <= (sign * values).min()
            assert proof["bound"] <= sign * predicted[0, 0] == proof["loss"]


def test_bands_inside_and_outside_the_range_are_decided_right():
    rng = np.random.default_rng(4)
    X = rng.uniform(-10, 10, (400, 4))
    Y = (X**2).sum(axis=1, keepdims=True)
    model = RandomForestRegressor(20, random_state=0, n_jobs=1).fit(X, Y[:, 0])
    space = Space(tuple(Input(f"x{j}", -10, 10) for j in range(4)))
    low = ask("certified", model, space, {"minimize": "y0"}, X, Y)[2][0, 0]
    high = ask("certified", model, space, {"maximize": "y0"}, X, Y)[2][0, 0]
    for _ in range(20):
        a = rng.uniform(low, high)
        w, answer, predicted = ask("certified", model, space, {"within": {"y0": [a, a + 1]}}, X, Y)
        assert answer.certificate["feasible"] == "yes" and w.met(predicted)[0] and a <= predicted[0, 0] <= a + 1
        width = rng.uniform(0, 50)
        b = high + 1e-9 if rng.random() < 0.5 else low - width - 1e-9
        w, answer, predicted = ask("certified", model, space, {"within": {"y0": [b, b + width]}}, X, Y)
        assert answer.certificate["feasible"] == "no" and answer.certificate["closed"]
        assert predicted[0, 0] == (high if b > high else low)  # the nearest that there is


@given(st.floats(-(2.0**127), 2.0**127, width=32))
def test_last_left_is_the_largest_float64_that_rounds_to_at_most_the_threshold(value):
    (last,) = last_left(np.array([value], np.float32))
    with np.errstate(over="ignore"):
        assert np.float32(last) <= np.float32(value) < np.float32(np.nextafter(last, np.inf))


@given(st.integers(0, 2**32 - 1), st.integers(2, 4))
@examples(60)
def test_coordinate_keeps_constraints_and_stays_above_the_certificate(seed, d):
    rng = np.random.default_rng(seed)
    model, X, Y = small_forest(rng, d)
    space, _ = constrained(rng, d)
    sense = str(rng.choice(["minimize", "maximize"]))
    wanted, answer, predicted = ask("coordinate", model, space, {sense: "y0"}, X, Y)
    assert space.contains(answer.X).all() and set(answer.status) == {"ok"}
    proof = ask("certified", model, space, {sense: "y0"}, X, Y)[1].certificate
    assert (wanted.loss(predicted) >= proof["bound"]).all()


def test_along_a_mixture_coordinate_finds_the_proven_optimum():
    rng = np.random.default_rng(6)
    X = rng.dirichlet(np.ones(4), 300)
    Y = ((X - [0.1, 0.2, 0.3, 0.4]) ** 2).sum(axis=1, keepdims=True)
    model = RandomForestRegressor(30, random_state=0, n_jobs=1).fit(X, Y[:, 0])
    inputs = tuple(Input(f"x{j}", 0, 1) for j in range(4))
    space = Space(inputs, (Linear(tuple((i.name, 1.0) for i in inputs), 1.0, 1.0),))
    wanted, answer, predicted = ask("coordinate", model, space, {"minimize": "y0"}, X, Y, starts=20)
    proof = ask("certified", model, space, {"minimize": "y0"}, X, Y)[1].certificate
    assert np.abs(answer.X.sum(axis=1) - 1).max() <= 1e-12
    assert proof["closed"] and wanted.loss(predicted).min() == proof["bound"]
