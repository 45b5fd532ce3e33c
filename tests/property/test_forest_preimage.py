"""Whole preimages and tolerance boxes of small forests against brute force over every cell."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestRegressor

from preimage.core import objective
from preimage.core.space import Input, Linear, Space
from preimage.trees.forest import from_sklearn
from preimage.trees.objective import accepted
from preimage.trees.preimage import preimage
from preimage.trees.tolerance_box import tolerance_box

from ..conftest import examples, refusal
from .test_forest_certificates import brute, own_cells, small_forest, small_space


def band_of(rng, Y):
    a, b = np.sort(rng.uniform(Y.min() - 0.1, Y.max() + 0.1, 2))
    return objective.build("o", {"within": {"y": [float(a), float(b)]}}, ["y"])


@given(st.integers(0, 2**32 - 1), st.integers(1, 3))
@examples(150)
def test_every_input_is_in_one_box_exactly_where_its_output_is_in_the_band(seed, d):
    rng = np.random.default_rng(seed)
    model, X, Y = small_forest(rng, d)
    space = small_space(rng, d, X)
    band = band_of(rng, Y)
    found = preimage(from_sklearn(model), space, band, 10**6)
    points, values = brute(model, space)
    inside = ((points[:, None] >= found.low) & (points[:, None] <= found.high)).all(axis=2).sum(axis=1)
    assert found.certain.all()
    assert np.array_equal(inside, band.met(values).astype(int))
    assert found.bracket[0] == found.bracket[1] <= 1 + 1e-9
    if band.met(values).all():
        assert found.bracket[0] == pytest.approx(1)
    rest = ["volume", "share", "certain", "reproducible"]
    assert list(found.table()) == [f"{e}.{n}" for n in space.names for e in ("low", "high")] + rest
    whole = np.where(space.free, space.high - space.low + space.discrete, 1.0).prod()
    assert np.allclose(found.volume, found.share * whole, rtol=1e-9) and found.stopped == "closed"


@given(st.integers(0, 2**32 - 1))
@examples(20)
def test_stopped_early_it_brackets_the_whole(seed):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-5, 5, (100, 3))
    Y = (X**2).sum(axis=1, keepdims=True)
    forest = from_sklearn(RandomForestRegressor(5, random_state=0, n_jobs=1).fit(X, Y[:, 0]))
    space = Space(tuple(Input(f"x{j}", -5, 5) for j in range(3)))
    band = band_of(rng, Y)
    whole = preimage(forest, space, band, 10**7)
    assert whole.certain.all()
    (exact, _), last = whole.bracket, (0.0, 1.0)
    for boxes in (1, 100, 1000):
        low, high = preimage(forest, space, band, boxes).bracket
        assert last[0] - 1e-9 <= low <= exact + 1e-9 and exact - 1e-9 <= high <= last[1] + 1e-9
        last = (low, high)
    points = rng.uniform(-5, 5, (20_000, 3))
    hit = band.met(forest.predict(points)).mean()
    assert hit == pytest.approx(exact, abs=5 * np.sqrt(0.25 / 20_000))


@given(st.floats(-1e3, 1e3), st.floats(0, 10))
def test_accepted_values_are_those_that_meet_the_objective_to_the_bit(value, tolerance):
    wanted = objective.build("o", {"target": {"y": value}, "tolerance": tolerance}, ["y"])
    (low,), (high,) = accepted(wanted)
    for end, out in ((low, -np.inf), (high, np.inf)):
        assert wanted.met(np.array([[end]]))[0] and not wanted.met(np.array([[np.nextafter(end, out)]]))[0]


def test_a_preimage_needs_intervals_and_a_box():
    forest = from_sklearn(RandomForestRegressor(1, n_jobs=1).fit(np.arange(4.0)[:, None], np.arange(4.0)))
    box = Space((Input("x", 0, 3),))
    assert "use within or target" in refusal(preimage, forest, box, objective.build("o", {"minimize": "y"}, ["y"]), 10)
    plane = Space(box.inputs, (Linear((("x", 1.0),), 2.0, 2.0),))
    band = objective.build("o", {"within": {"y": [0, 1]}}, ["y"])
    assert "leaves a plane" in refusal(preimage, forest, plane, band, 10)


def largest_by_brute_force(model, space, wanted, x, best):
    """Return the best (smallest relative width, volume) of all runs of cells around x, by trying each."""
    axes = []
    for j in range(len(space.inputs)):
        values = own_cells(model, space)[j]
        pairs = [(a, b) for a in values for b in values if a <= x[j] <= b]
        axes.append((values, pairs))
    top = (-1.0, -1.0)
    for box in itertools.product(*(pairs for _, pairs in axes)):
        width = np.array(
            [
                (b - a + space.discrete[j]) / (space.high[j] - space.low[j] + space.discrete[j])
                for j, (a, b) in enumerate(box)
                if space.free[j]
            ]
        )
        size = (width.min(), width.prod()) if len(width) else (1.0, 1.0)
        if size <= top:
            continue
        inside = [values[(values >= a) & (values <= b)] for (values, _), (a, b) in zip(axes, box, strict=True)]
        grid = np.array(list(itertools.product(*inside)))
        Y = model.predict(grid)[:, None]
        if wanted.met(Y, best).all():
            top = size
    return top


@given(st.integers(0, 2**32 - 1), st.integers(1, 2))
@examples(60)
def test_the_window_is_the_largest_of_all(seed, d):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(4, 12))
    X = rng.uniform(-5, 5, (n, d))
    y = rng.normal(size=n)
    model = RandomForestRegressor(2, max_leaf_nodes=4, random_state=0, n_jobs=1).fit(X, y)
    inputs = [Input(f"x{j}", -4.0, 4.0, integer=bool(rng.random() < 0.3)) for j in range(d)]
    space = Space(tuple(inputs))
    kind = rng.choice(["target", "within", "minimize", "maximize"])
    size = float(np.ptp(y) * rng.uniform(0.05, 0.7))
    x = np.round(rng.uniform(-4, 4, d))
    here = float(model.predict(x[None])[0])
    entry = {
        "target": {"target": {"y": here + 0.3 * size}, "tolerance": size},
        "within": {"within": {"y": [here - size, here + size / 2]}},
        "minimize": {"minimize": "y", "tolerance": size},
        "maximize": {"maximize": "y", "tolerance": size},
    }[str(kind)]
    wanted = objective.build("o", entry, ["y"])
    best = None if wanted.bounded else float(wanted.loss(np.array([[here]]))[0])
    window = tolerance_box(from_sklearn(model), space, wanted, x, 10_000, best)
    assert window is not None and window.largest
    assert (window.low <= x).all() and (x <= window.high).all()
    width = (window.high - window.low + space.discrete) / (space.high - space.low + space.discrete)
    expected = largest_by_brute_force(model, space, wanted, x, best)
    assert window.width == pytest.approx(expected[0], rel=1e-9)
    assert width.prod() == pytest.approx(expected[1], rel=1e-9)


def test_a_window_cut_short_still_holds_and_none_is_where_the_objective_fails():
    rng = np.random.default_rng(5)
    X = rng.uniform(-5, 5, (300, 4))
    model = RandomForestRegressor(10, random_state=0, n_jobs=1).fit(X, (X**2).sum(axis=1))
    forest = from_sklearn(model)
    space = Space(tuple(Input(f"x{j}", -5, 5) for j in range(4)))
    x = np.zeros(4)
    here = float(forest.predict(x[None])[0, 0])
    wanted = objective.build("o", {"within": {"y": [0, here + 8]}}, ["y"])
    window = tolerance_box(forest, space, wanted, x, 3)
    assert window is not None and not window.largest and window.width > 0
    inside = rng.uniform(window.low, window.high, (20_000, 4))
    assert (model.predict(inside) <= here + 8).all()
    longer = tolerance_box(forest, space, wanted, x, 300)
    assert longer is not None and longer.width >= window.width
    assert tolerance_box(forest, space, objective.build("o", {"within": {"y": [-2, -1]}}, ["y"]), x, 10) is None
