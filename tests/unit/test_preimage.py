"""Whole preimages as a step of a study: what is asked and refused, what words and figures make of the boxes."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestRegressor

from preimage import study
from preimage.core import objective
from preimage.core.space import Input, Space
from preimage.figures import style
from preimage.figures.preimage_set import _curve, preimage_set
from preimage.reporting import preimages
from preimage.support import checkpoints
from preimage.trees import preimage
from preimage.trees.forest import from_sklearn

from ..conftest import refusal

STUDY = """
study: bowl
problem: {simulator: paraboloid}
surrogates: {forest: {kind: random_forest}, gp: {kind: gaussian_process}}
objectives:
  lowest: {minimize: y}
  ring: {target: {y: 5000}, tolerance: 200, preimage: true}
  band: {within: {y: [1, 2]}, preimage: {boxes: 50, seconds: 2}}
  not: {within: {y: [1, 2]}, preimage: false}
"""
MODELS = "{forest: {kind: random_forest}, gp: {kind: gaussian_process}}"
GRADES = ("a", "b", "c")
SPACE = Space((Input("x", -10, 10, unit="kg"), Input("grade", 0, 2, categories=GRADES), Input("n", 0, 4, integer=True)))


def test_a_study_says_which_preimages_it_wants_and_nothing_else_depends_on_it(study_file):
    found = study.load(study_file(STUDY))
    assert found["preimages"] == {"ring": {"boxes": 200_000}, "band": {"boxes": 50, "seconds": 2}}
    assert study.preimages(found) == [("forest", "ring"), ("forest", "band")]
    assert not any("preimage" in entry for entry in found["objectives"].values())
    without = study.load(study_file(STUDY.replace("forest: {kind: random_forest}, ", "")))
    assert study.preimages(without) == [("gp", "ring"), ("gp", "band")]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("minimize: y}", "minimize: y, preimage: true}", "objectives.lowest.preimage': a preimage needs target values"),
        (MODELS, "{}", "objectives.ring.preimage': a preimage needs a tree model"),
        (
            "simulator: paraboloid}", "simulator: paraboloid, constraints: [{linear: {x1: 1}, equals: 3}]}",
            "a preimage is made of boxes, and an equality of inputs that are not whole numbers (x1)",
        ),
        ("boxes: 50", "boxes: 0", "objectives.band.preimage.boxes': found 0, expected at least 1"),
        ("boxes: 50", "box: 50", "did you mean 'boxes'"),
    ],
)  # fmt: skip
def test_what_cannot_be_had_is_refused_by_name(old, new, said, study_file):
    assert said in refusal(study.load, study_file(STUDY.replace(old, new)))


def test_inequalities_and_equalities_of_whole_numbers_are_taken(study_file):
    problem = "simulator: paraboloid, inputs: {x1: {integer: true}}, constraints: "
    for row in ("{linear: {x1: 1, x2: 1}, at_most: 3}", "{linear: {x1: 1}, equals: 3}"):
        asked = STUDY.replace("simulator: paraboloid}", f"{problem}[{row}]}}")
        assert study.load(study_file(asked))["preimages"]["band"]["boxes"] == 50


@pytest.fixture(scope="module")
def forest():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.uniform(-10, 10, 300), rng.integers(0, 3, 300), rng.integers(0, 5, 300)])
    y = X[:, 0] ** 2 + 30 * (X[:, 1] == 2) + X[:, 2]
    return RandomForestRegressor(10, random_state=0, n_jobs=1).fit(X, y)


def found(forest, low, high, space=SPACE, **limits):
    band = objective.build("o", {"within": {"y": [low, high]}}, ["y"])
    return preimage.preimage(from_sklearn(forest), space, band, **{"boxes": 10**6, **limits})


def test_the_clock_marks_rows_as_not_reproducible_and_the_limit_of_boxes_does_not(forest):
    assert found(forest, 20, 50).table()["reproducible"].all()
    few = found(forest, 20, 50, boxes=3)
    assert few.stopped == "boxes" and few.table()["reproducible"].all() and not few.certain.all()
    stopped = found(forest, 20, 50, seconds=1e-9)
    assert stopped.stopped == "seconds" and not stopped.table()["reproducible"].any()


def test_progress_says_what_is_undecided_and_what_is_inside(forest, monkeypatch):
    monkeypatch.setattr(checkpoints, "SHOW_EVERY_SECONDS", 0.0)
    seen = []
    whole = found(forest, 20, 50, report=lambda done, open_, **more: seen.append((open_, more["inside"])))
    assert seen[-1] == (0, pytest.approx(whole.bracket[0])) and seen[0][0] > seen[-1][0]


def say(p, space=SPACE):
    return preimages.preimage(
        p.table(), {"inner": p.bracket[0], "outer": p.bracket[1], "stopped": p.stopped}, "forest", space
    )


def test_words_of_a_whole_an_open_and_an_empty_preimage(forest):
    whole = found(forest, 90, 200)
    said = " ".join(say(whole))
    assert (
        f"All inputs that meet this objective on the model forest are known: {100 * whole.bracket[0]:.4g} % of" in said
    )
    assert "It is proven that nothing outside them does." in said
    assert say(found(forest, 1e6, 2e6)) == [
        "The preimage is empty: it is proven that no inputs meet this objective on the model forest."
    ]
    (first, *_) = say(found(forest, 20, 50, boxes=3))
    assert "at least 0 % and at most" in first and "stopped by its limit of boxes" in first
    table = pd.DataFrame(
        {
            "low.x": [-3.0, 4.0], "high.x": [-2.0, 5.0], "low.grade": ["b", "b"], "high.grade": ["b", "c"],
            "low.n": [0.0, 0.0], "high.n": [4.0, 4.0],
        }
    )  # fmt: skip
    said = preimages.preimage(table, {"inner": 0.1, "outer": 0.1, "stopped": "closed"}, "forest", SPACE)
    assert said[1] == "All inputs that meet it have x from -3 to 5 kg and grade b or c."


def test_shares_by_value_are_those_of_a_grid(forest):
    p = found(forest, 20, 50)
    for j, values in enumerate((np.linspace(-9.99, 9.99, 41), np.arange(3.0), np.arange(5.0))):
        begin, height = _curve(p.low, p.high, p.share, SPACE, j)
        rng = np.random.default_rng(1)
        for v in values:
            X = np.column_stack([rng.uniform(-10, 10, 4000), rng.integers(0, 3, 4000), rng.integers(0, 5, 4000)])
            X[:, j] = v
            y = forest.predict(X)
            share = ((y >= 20) & (y <= 50)).mean()
            assert height[np.searchsorted(begin, v, side="right") - 1] == pytest.approx(share, abs=0.05)


@pytest.mark.parametrize("fixed", [{}, {"n": 2}, {"n": 2, "grade": "a"}, {"x": 5.0}])
def test_there_is_a_figure_in_any_dimension_and_none_of_nothing(forest, fixed):
    space = SPACE.fix(fixed)
    p = found(forest, 20, 50, space, boxes=40)
    figure = preimage_set(p.low, p.high, p.share, p.certain, space, np.array([[5.0, 0.0, 2.0]]))
    svg = style.to_svg(figure, "a")
    assert "meets it, proven" in svg and "solutions" in svg and "<svg" in svg
    assert style.to_svg(preimage_set(p.low, p.high, p.share, p.certain, space, np.array([[5.0, 0.0, 2.0]])), "a") == svg
    empty = found(forest, 1e6, 2e6, space)
    assert preimage_set(empty.low, empty.high, empty.share, empty.certain, space, np.empty((0, 3))) is None
