"""Whole preimages under linear constraints against brute force: every cell's points, and areas by cutting polygons."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestRegressor

from preimage.core import objective
from preimage.core.space import Input, Linear, Space
from preimage.support import checkpoints, stopping
from preimage.trees import paving as tree_paving
from preimage.trees.forest import from_sklearn
from preimage.trees.preimage import preimage

from ..conftest import examples, refusal
from .test_forest_certificates import brute, own_cells, small_forest, small_space
from .test_forest_preimage import band_of


def constrained(rng, space, n):
    """Return the space with n inequalities, and equalities of whole numbers where there are any."""
    rows = []
    categories = np.array([bool(i.categories) for i in space.inputs])
    middle = (space.low + space.high) / 2
    for _ in range(n):
        slope = np.round(rng.normal(size=len(space.inputs)), 1)
        slope[(rng.random(len(slope)) < 0.2) | categories] = 0
        if not slope.any():
            continue
        at = float(slope @ middle + rng.normal() * 0.3 * (np.abs(slope) @ (space.high - space.low)))
        names = [(n, float(c)) for n, c in zip(space.names, slope, strict=True) if c]
        rows.append(Linear(tuple(names), **{str(rng.choice(["low", "high"])): at}))
    whole = [i.name for i in space.inputs if i.integer]
    if len(whole) > 1 and rng.random() < 0.5:
        rows.append(Linear(((whole[0], 0.1), (whole[1], 0.2)), 0.3, 0.3))
    return Space(space.inputs, tuple(rows))


@given(st.integers(0, 2**32 - 1), st.integers(1, 3))
@examples(150)
def test_boxes_hold_what_is_valid_and_in_the_band_and_proven_ones_nothing_else(seed, d):
    rng = np.random.default_rng(seed)
    model, X, Y = small_forest(rng, d)
    space = constrained(rng, small_space(rng, d, X), int(rng.integers(1, 3)))
    band = band_of(rng, Y)
    found = preimage(from_sklearn(model), space, band, 400)
    points, values = brute(model, space)
    more = np.where(space.discrete, 0, rng.uniform(space.low, space.high, (2000, d)))
    more = np.where(space.discrete, np.round(rng.uniform(space.low - 0.5, space.high + 0.5, more.shape)), more)
    more = np.clip(more, space.low, space.high)
    points, values = np.concatenate([points, more]), np.concatenate([values, model.predict(more)[:, None]])
    belongs = space.contains(points) & band.met(values)
    inside = ((points[:, None] >= found.low) & (points[:, None] <= found.high)).all(axis=2)
    assert np.array_equal(inside.sum(axis=1)[belongs], np.ones(belongs.sum()))
    assert (inside.sum(axis=1) <= 1).all()
    assert not inside[:, found.certain][~belongs].any()
    low, high = found.bracket
    assert 0 <= low <= high <= 1
    if space.discrete.all() and found.stopped == "closed":
        assert found.certain.all() and low == high == pytest.approx(belongs[: len(points) - 2000].mean())


def cut(polygon, slope, limit):
    """Return the part of a polygon where slope @ x <= limit (Sutherland and Hodgman 1974, CACM 17)."""
    kept = []
    for a, b in zip(polygon, polygon[1:] + polygon[:1], strict=True):
        over_a, over_b = slope @ a - limit, slope @ b - limit
        if over_a <= 0:
            kept.append(a)
        if (over_a < 0 < over_b) or (over_b < 0 < over_a):
            kept.append(a + (b - a) * over_a / (over_a - over_b))
    return kept


def area(polygon):
    pairs = zip(polygon, polygon[1:] + polygon[:1], strict=True)
    return abs(sum(a[0] * b[1] - a[1] * b[0] for a, b in pairs)) / 2


@given(st.integers(0, 2**32 - 1))
@examples(25)
def test_the_bracket_holds_the_area_that_polygons_give_and_narrows(seed):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-5, 5, (40, 2))
    Y = X.sum(axis=1, keepdims=True) ** 2
    model = RandomForestRegressor(3, max_leaf_nodes=6, random_state=0, n_jobs=1).fit(X, Y[:, 0])
    free = Space((Input("x0", -5, 4.5), Input("x1", -4, 5)))
    space = constrained(rng, free, 2)
    band = band_of(rng, Y)
    matrix, low, high = space.rows
    exact = 0.0
    ends = [np.unique(np.r_[v[0], v[1:-1:2], v[-1]]) for v in own_cells(model, free)]
    for (a, b), (c, e) in itertools.product(*(list(itertools.pairwise(v)) for v in ends)):
        if not band.met(model.predict([[a / 2 + b / 2, c / 2 + e / 2]])[:, None])[0]:
            continue
        polygon = [np.array(p) for p in ((a, c), (b, c), (b, e), (a, e))]
        for row, least, most in zip(matrix, low, high, strict=True):
            polygon = cut(polygon, row, most) if np.isfinite(most) else cut(polygon, -row, -least)
        exact += area(polygon)
    exact /= np.prod(free.high - free.low)
    last = (0.0, 1.0)
    for boxes in (50, 500, 5000):
        found = preimage(from_sklearn(model), space, band, boxes)
        inner, outer = found.bracket
        assert last[0] - 1e-9 <= inner <= exact + 1e-6 and exact - 1e-6 <= outer <= last[1] + 1e-9
        last = (inner, outer)
    assert outer - inner < 0.01
    assert found.volume.sum() == pytest.approx(outer * np.prod(free.high - free.low))


def test_equalities_need_whole_numbers():
    X = np.array(list(itertools.product(range(4), repeat=2)), float)
    model = from_sklearn(RandomForestRegressor(5, random_state=0, n_jobs=1).fit(X, X[:, 0] * 2 + X[:, 1]))
    band = objective.build("o", {"within": {"y": [1, 8]}}, ["y"])
    mix = Linear((("a", 1.0), ("b", 1.0)), 3.0, 3.0)
    whole = Space((Input("a", 0, 3, integer=True), Input("b", 0, 3, integer=True)), (mix,))
    found = preimage(model, whole, band, 1000)
    assert found.stopped == "closed" and found.low.tolist() == found.high.tolist()
    assert {tuple(x) for x in found.low} <= {(0, 3), (1, 2), (2, 1), (3, 0)} and len(found.low)
    loose = Space((Input("a", 0, 3), whole.inputs[1]), (mix,))
    assert "not whole numbers (a) leaves a plane" in refusal(preimage, model, loose, band, 1000)
    assert preimage(model, loose.fix({"a": 1.0}), band, 1000).stopped == "closed"


class Killed(BaseException):
    pass


@pytest.mark.parametrize("rows", [(), (Linear((("x0", 1.0), ("x1", 2.0)), high=1.0),)])
def test_a_paving_that_is_killed_again_and_again_ends_the_same(rows, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.uniform(-5, 5, (150, 3))
    model = from_sklearn(RandomForestRegressor(8, random_state=0, n_jobs=1).fit(X, (X**2).sum(axis=1)))
    space = Space(tuple(Input(f"x{j}", -5, 5) for j in range(3)), rows)
    band = objective.build("o", {"within": {"y": [10, 25]}}, ["y"])
    whole = preimage(model, space, band, 3000)
    monkeypatch.setattr(checkpoints, "SAVE_EVERY_SECONDS", -1.0)
    step, path, kills = tree_paving.Paving.step, tmp_path / "state", 0

    def dying(paving):
        nonlocal kills
        if rng.random() < 0.2 and kills < 6:
            kills += 1
            raise Killed
        step(paving)

    monkeypatch.setattr(tree_paving.Paving, "step", dying)
    while True:
        try:
            found = preimage(model, space, band, 3000, state=path)
            break
        except Killed:
            pass
    assert kills > 2 and path.exists()
    assert found.table().equals(whole.table()) and found.examined == whole.examined


def test_a_step_that_is_asked_to_end_saves_the_paving_at_once(tmp_path, monkeypatch):
    X = np.random.default_rng(0).uniform(-5, 5, (150, 3))
    model = from_sklearn(RandomForestRegressor(8, random_state=0, n_jobs=1).fit(X, (X**2).sum(axis=1)))
    space = Space(tuple(Input(f"x{j}", -5, 5) for j in range(3)))
    band = objective.build("o", {"within": {"y": [10, 25]}}, ["y"])
    whole, step = preimage(model, space, band, 3000), tree_paving.Paving.step

    def asked(paving):
        step(paving)
        if paving.examined > 500:
            stopping._asked.set()

    with monkeypatch.context() as patch:
        patch.setattr(tree_paving.Paving, "step", asked)
        with pytest.raises(SystemExit):
            preimage(model, space, band, 3000, state=tmp_path / "state")
    stopping._asked.clear()
    resumed = preimage(model, space, band, 3000, state=tmp_path / "state")
    assert resumed.table().equals(whole.table()) and math.fsum(resumed.share) > 0
