"""Certified search of every format of trees under constraints, `distance` and `isolation`, against brute force.

Brute force goes over all cells: in each it finds the valid point nearest to each row by trying every set of bounds and
constraints that may be active there. The nearest point of a convex set solves one of these systems of equations.
"""

import itertools
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestRegressor,
)

from preimage.core import objective
from preimage.core.space import Input, Linear, Space
from preimage.inversion import asking
from preimage.inversion.question import Question
from preimage.support.errors import StudyError

from ..conftest import examples, inverter
from .test_ensembles import fitted
from .test_forest_certificates import CERTIFIED, last_going_left, random_entry
from .test_forest_isolation import scores, with_isolation

LIBRARIES = [
    RandomForestRegressor, ExtraTreesRegressor, GradientBoostingRegressor, HistGradientBoostingRegressor,
    "xgboost", "lightgbm",
]  # fmt: skip
SEVERAL = [RandomForestRegressor, ExtraTreesRegressor, "xgboost"]
MOST_CELLS = 40_000
DISTANCES = [0.05, 0.1, 0.2, 0.25, 0.3, 0.5]


# -- problems ----------------------------------------------------------------------------------------------------------


def table(rng, d, m):
    """Return inputs of all kinds, rows (n, d) and outputs (n, m)."""
    n = int(rng.integers(4, 26))
    inputs, columns = [], []
    for j in range(d):
        kind = rng.choice(["number", "number", "integer", "category"])
        if kind == "integer":
            low, high = [(-4, 4), (0, 10), (0, 1)][rng.integers(3)]
            inputs.append(Input(f"x{j}", low, high, integer=True))
            columns.append(rng.integers(low, high + 1, n).astype(float))
        elif kind == "category":
            inputs.append(Input(f"x{j}", 0, 3, categories=("a", "b", "c", "d")))
            columns.append(rng.integers(0, 3, n).astype(float))  # no row has the last
        else:
            unit = 10.0 ** rng.integers(-3, 4)
            column = rng.uniform(-5, 5, n)
            column = unit * (np.round(column) if rng.random() < 0.4 else column)
            low, high = np.sort(unit * rng.uniform(-6, 6, 2)) if rng.random() < 0.3 else (-6 * unit, 6 * unit)
            fixed = float(rng.uniform(low, high)) if rng.random() < 0.1 else None
            inputs.append(Input(f"x{j}", float(low), float(high), fixed=fixed))
            columns.append(column)
    Y = rng.normal(size=(n, m)) * 10.0 ** rng.integers(-2, 3)
    return inputs, np.column_stack(columns), np.round(Y, 1) if rng.random() < 0.3 else Y


def constraints(rng, inputs):
    """Return up to two rows, most of them through a point of the space."""
    numbers = [i for i in inputs if not i.categories]
    rows = []
    for _ in range(int(rng.integers(0, 3)) if numbers else 0):
        named = [i for i in numbers if rng.random() < 0.8] or numbers[:1]
        unit = [1.0 if i.integer else 10.0 ** np.round(np.log10(i.high - i.low)) for i in named]
        slope = [float(rng.choice([-1.0, 1.0, 1.0, 2.0])) / u for u in unit]
        if rng.random() < 0.3:
            slope = [float(rng.normal()) / u for u in unit]
        inner = [rng.integers(i.lower, i.upper + 1) if i.integer else rng.uniform(i.lower, i.upper) for i in named]
        at = float(np.dot(slope, inner))
        if rng.random() < 0.2:
            at = float(np.round(at + rng.normal()))
        ends = {"equals": (at, at), "low": (at, np.inf), "high": (-np.inf, at), "both": (at - 0.1, at + 0.1)}
        rows.append(
            Linear(tuple((i.name, c) for i, c in zip(named, slope, strict=True)), *ends[str(rng.choice(list(ends)))])
        )
    return tuple(rows)


# -- brute force -------------------------------------------------------------------------------------------------------


def cells(space, cuts):
    """Return smallest and largest input (n, d) of every cell between the cuts, a list of which each input has."""
    axes = []
    for j, own in enumerate(cuts):
        low, high = space.low[j], space.high[j]
        if space.discrete[j]:
            axes.append(np.tile(np.arange(low, high + 1)[:, None], 2))
            continue
        own = np.array(sorted({c for c in own if low <= c < high}))
        axes.append(np.column_stack([np.r_[low, np.nextafter(own, np.inf)], np.r_[own, high]]))
    index = np.stack([g.ravel() for g in np.meshgrid(*(np.arange(len(a)) for a in axes), indexing="ij")], axis=1)
    return tuple(np.column_stack([a[index[:, j], side] for j, a in enumerate(axes)]) for side in (0, 1))


def cuts_of(forest, rare, d):
    """Return the largest inputs that go left at some node, of each input."""
    cuts = []
    for j in range(d):
        own = np.unique(forest.threshold[forest.feature == j])
        own = [float(t) if own.dtype == np.float64 else last_going_left(float(t)) for t in own]
        for tree in [e.tree_ for e in rare.estimators_] if rare else []:
            own += [last_going_left(float(t)) for t in tree.threshold[tree.feature == j]]
        cuts.append(own)
    return cuts


def away(space, X, rows):
    """Return distances (n, k) of points from rows: numbers by their range, other categories 1 away."""
    total = np.zeros((len(X), len(rows)))
    for j, i in enumerate(space.inputs):
        off = X[:, [j]] - rows[:, j]
        total += off != 0 if i.categories else (off / ((i.high - i.low) or 1.0)) ** 2
    return np.sqrt(total)


def reached(space, start, end, rows, distance, surely):
    """Return which cells (n,) hold a valid point at most `distance` from a row.

    Surely, or perhaps: where all tolerances are taken in, and some more.
    """
    near = distance * (1 if surely else 1 + 1e-9)
    cell, row = np.nonzero(boxed(space, start, end, rows) <= near)
    found = np.zeros(len(start), bool)
    if not space.constraints:
        found[cell] = True
        return found
    matrix, low, high = space.rows
    wide = 0.0 if surely else 2e-9 * space.row_scale
    low, high = low - wide, high + wide
    numbers = np.flatnonzero([not i.categories for i in space.inputs])
    moving = [j for j in numbers if not space.discrete[j] and space.free[j]]
    data, least, most = rows[row], start[cell], end[cell]
    # What stands still: whole numbers, categories and what is fixed.
    still = least.copy()
    for sides in itertools.product(("least", "most", "free"), repeat=len(moving)):
        free = [j for j, side in zip(moving, sides, strict=True) if side == "free"]
        point = still.copy()
        for j, side in zip(moving, sides, strict=True):
            point[:, j] = {"least": least, "most": most, "free": data}[side][:, j]
        for active in itertools.product((None, "low", "high"), repeat=len(matrix)):
            held = [r for r, side in enumerate(active) if side]
            target = np.array([(low if active[r] == "low" else high)[r] for r in held])
            if not np.isfinite(target).all() or (held and not free):
                continue
            x = point.copy()
            if held:
                square = space.width[free] ** 2
                part = matrix[np.ix_(held, free)]
                back = (square * part).T @ np.linalg.pinv((part * square) @ part.T)
                x[:, free] += (target - point @ matrix[held].T) @ back.T
            rounding = 1e-12 * space.width
            kept = ((x >= least - rounding) & (x <= most + rounding)).all(axis=1)
            x = np.clip(x, least, most)
            value = x @ matrix.T
            kept &= ((value >= low - 1e-10 * space.row_scale) & (value <= high + 1e-10 * space.row_scale)).all(axis=1)
            if kept.any():
                k = np.flatnonzero(kept)
                k = k[[away(space, x[[i]], data[[i]])[0, 0] <= near for i in k]]
                found[cell[k]] = True
    return found


def boxed(space, start, end, rows):
    """Return the distance (n, k) of each box from each row."""
    total = np.zeros((len(start), len(rows)))
    for j, i in enumerate(space.inputs):
        off = np.maximum(0, np.maximum(start[:, [j]] - rows[:, j], rows[:, j] - end[:, [j]]))
        total += off > 0 if i.categories else (off / ((i.high - i.low) or 1.0)) ** 2
    return np.sqrt(total)


def first_reached(space, start, end, order, rows, distance, surely):
    """Return the first cell of an order that is reached, None where none is."""
    size = 64
    while len(order):
        part, order, size = order[:size], order[size:], 4 * size
        held = reached(space, start[part], end[part], rows, distance, surely)
        if held.any():
            return int(part[np.argmax(held)])
    return None


# -- the comparison ----------------------------------------------------------------------------------------------------


def tried(library, seed, folder):
    """Compare one random model, objective and domain with brute force: "right", "undecided" or "left out"; a wrong one
    raises."""
    name = library if isinstance(library, str) else library.__name__
    rng = np.random.default_rng([zlib.crc32(name.encode()), seed])
    d, m = int(rng.integers(1, 4)), int(rng.integers(1, 3)) if library in SEVERAL else 1
    inputs, X, Y = table(rng, d, m)
    space = Space(tuple(inputs), constraints(rng, inputs))
    try:
        forest, own = fitted(rng, library, folder, X, Y)
    except StudyError as error:
        assert "a leaf is no finite number" in str(error)  # LightGBM writes NaN now and then
        return "left out"
    options, rare = {}, None
    if rng.random() < 0.75:
        options["distance"] = float(rng.choice(DISTANCES))
    if rng.random() < 0.35:
        rare = IsolationForest(n_estimators=int(rng.integers(1, 5)), max_samples=min(len(X), 8), random_state=0)
        rare.fit(X)
        options["isolation"] = float(rng.choice(scores(rare, X)))
    entry = random_entry(rng, Y)
    start, end = cells(space, cuts_of(forest, rare, d))
    if len(start) > MOST_CELLS:
        return "left out"
    wanted = objective.build("o", entry, [f"y{k}" for k in range(m)], Y.std(axis=0), np.ptp(Y, axis=0))
    question = Question(space, wanted, forest.predict, X, Y, np.arange(len(X)), trees=forest)
    with pytest.MonkeyPatch.context() as patch:
        if rare:
            with_isolation(patch, rare)
        try:
            ((answer, predicted),) = asking.ask(
                inverter("certified", {**CERTIFIED, **options}), [question], np.random.default_rng(0)
            )
        except StudyError as error:
            assert "no point within the bounds satisfies" in str(error)
            answer = None
    loss = wanted.loss(own(start))
    kept = np.flatnonzero(scores(rare, start) <= options["isolation"]) if rare else np.arange(len(start))
    order = kept[np.argsort(loss[kept], kind="stable")]
    rows, distance = (X, options["distance"]) if "distance" in options else (space.low[None], np.inf)
    surely = first_reached(space, start, end, order, rows, distance, True)
    perhaps = first_reached(space, start, end, order, rows, distance, False)
    if answer is None:
        assert surely is None
        return "right"
    if answer.status == ["no_answer"]:
        if "proven that no input" not in answer.message[0]:
            return "undecided"
        assert surely is None
        return "right"
    proof, found = answer.certificate, wanted.loss(predicted)[0]
    assert perhaps is not None and space.contains(answer.X).all()
    assert away(space, answer.X, rows).min(axis=1).max() <= distance * (1 + 1e-12)
    assert rare is None or (scores(rare, answer.X) <= options["isolation"]).all()
    assert np.array_equal(predicted, own(answer.X))
    exact = len(wanted.columns) == 1
    unit = 0.0 if exact else 1e-9 if forest.start.dtype == np.float64 else 1e-5
    margin = unit * max(abs(found), np.abs(own(start)).max() ** (2 if wanted.bounded else 1))
    assert loss[perhaps] - margin <= found and proof["bound"] <= found
    assert surely is None or proof["bound"] <= loss[surely]
    if not proof["closed"]:
        return "undecided"
    assert surely is None or found <= loss[surely] + margin
    return "right"


@pytest.mark.parametrize("library", LIBRARIES, ids=str)
@given(st.integers(0, 2**32 - 1))
@examples(12)
def test_what_is_proven_under_limits_is_what_every_cell_says(library, tmp_path, seed):
    assert tried(library, seed, tmp_path) in ("right", "left out")


@pytest.mark.long
@pytest.mark.parametrize("library", LIBRARIES, ids=str)
def test_of_ten_thousand_models_none_is_wrong_or_undecided(library, tmp_path):
    said = [tried(library, seed, tmp_path) for seed in range(10_000 // len(LIBRARIES) + 1)]
    assert set(said) <= {"right", "left out"} and said.count("right") > 0.95 * len(said)
