"""Tolerance boxes as columns and as words."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestRegressor

from preimage.core import objective
from preimage.core.space import Input, Space
from preimage.evidence.windows import with_windows
from preimage.reporting import windows
from preimage.trees.forest import from_sklearn

SPACE = Space((Input("a", -10, 10, unit="kg"), Input("grade", 0, 2, categories=("x", "y", "z")), Input("b", -10, 10)))
NEAR = objective.build("near", {"target": {"y": 40}, "tolerance": 15}, ["y"])
LOW = objective.build("low", {"minimize": "y", "tolerance": 12}, ["y"])
AT = objective.build("at", {"within": {"y": [20, 60]}, "fixed": {"a": 3}}, ["y"])
TABLE = objective.build("many.0", {"target": {"y": 40}, "tolerance": 15}, ["y"])
OBJECTIVES = {w.name: w for w in (NEAR, LOW, AT, TABLE)}


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.uniform(-10, 10, 400), rng.integers(0, 3, 400), rng.uniform(-10, 10, 400)])
    y = X[:, 0] ** 2 + X[:, 2] ** 2 + 20 * (X[:, 1] == 2)
    return RandomForestRegressor(15, random_state=0, n_jobs=1).fit(X, y)


def table(model, *rows):
    """Rows of (surrogate, objective, x) with windows; the least loss that is known of "low" is that at the origin."""
    frame = pd.DataFrame(
        {
            "surrogate": [r[0] for r in rows],
            "objective": [r[1] for r in rows],
            **SPACE.decode(np.array([r[2] for r in rows], float), "x."),
        }
    )
    best = {("forest", name): 0.0 for name in OBJECTIVES}
    best["forest", "low"] = float(model.predict([[0.0, 0.0, 0.0]])[0])
    return with_windows(frame, SPACE, {"forest": from_sklearn(model)}, OBJECTIVES, best)


def inside(rng, row, n=2000):
    low, high = (
        SPACE.encode(pd.DataFrame([{m: row[f"tolerance_{end}.{m}"] for m in SPACE.names}]))[0]
        for end in ("low", "high")
    )
    X = rng.uniform(low, high, (n, 3))
    X[:, 1] = rng.integers(int(low[1]), int(high[1]) + 1, n)
    return X


def test_windows_hold_by_scikit_learns_own_word_and_contain_their_candidate(model):
    found = table(model, ("forest", "near", [4, 0, 5]), ("forest", "low", [0.5, 1, 0.5]), ("forest", "at", [3, 1, 5]))
    rng = np.random.default_rng(1)
    assert (found["tolerance_width"] > 0).all() and (found["tolerance_low.a"] <= found["x.a"]).all()
    near, low, at = (model.predict(inside(rng, row)) for _, row in found.iterrows())
    assert (np.abs(near - 40) <= 15).all()
    assert (low <= model.predict([[0.0, 0.0, 0.0]])[0] + 12).all()
    assert ((at >= 20) & (at <= 60)).all()
    assert found["tolerance_low.a"][2] == found["tolerance_high.a"][2] == 3


def test_no_window_where_none_can_be_had(model):
    nan = [np.nan] * 3
    found = table(
        model,
        ("forest", "near", [0, 0, 0]),  # not met
        ("forest", "near", nan),  # no point
        ("network", "near", [4, 0, 5]),  # no trees
        ("forest", "many.0", [4, 0, 5]),  # of a table of targets
    )
    assert found[["tolerance_width", "tolerance_low.a", "tolerance_high.grade"]].isna().all(axis=None)
    assert windows.window(found.iloc[0].to_dict(), NEAR, SPACE, {}) == ""
    assert windows.ends(found.iloc[0].to_dict(), SPACE.inputs[0]) == (None, None)


def test_words_name_the_tightest_inputs_and_what_is_proven():
    row = {
        "surrogate": "forest", "tolerance_width": 0.1, "tolerance_low.a": 3.0, "tolerance_high.a": 5.0,
        "tolerance_low.grade": "x", "tolerance_high.grade": "y", "tolerance_low.b": 4.0, "tolerance_high.b": 14.0,
    }  # fmt: skip
    units = {"y": "MPa"}
    said = windows.window(row, NEAR, SPACE, units)
    assert said == (
        "Keep a between 3 and 5 kg, b between 4 and 14 and grade x or y: everywhere in that window, forest predicts y "
        "between 25 and 55 MPa (proven)."
    )
    assert "a between" not in windows.window(row, AT, SPACE, units)
    assert "stays within 12 MPa of the best found" in windows.window(row, LOW, SPACE, units)
