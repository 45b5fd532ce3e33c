"""`preimage certify` and `preimage.certify`, against the libraries' own predictions all over a space."""

import json
from functools import cache

import numpy as np
import pandas as pd
import pytest
import skops.io
import xgboost
from sklearn.ensemble import RandomForestRegressor

import preimage
from preimage.commands import certify, main
from preimage.core.space import Input, Space
from preimage.results import Model

from ..conftest import refusal
from .test_certified_processes import model as process

GRID = np.linspace(0, 1, 401)
CUBE = {"a": (0, 1), "b": (0, 1)}


@cache
def boosted(named=True):
    """Return a boosting of two inputs, what it predicts all over a grid that no leaf escapes, and that grid."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 21, (200, 2)) / 20.0
    y = np.sin(7 * X[:, 0]) + X[:, 0] * X[:, 1]
    frame = pd.DataFrame(X, columns=["a", "b"]) if named else X
    model = xgboost.XGBRegressor(n_estimators=15, max_depth=3).fit(frame, y)
    P = np.stack(np.meshgrid(GRID, GRID), axis=-1).reshape(-1, 2)
    return model, model.predict(pd.DataFrame(P, columns=["a", "b"]) if named else P).astype(float), P


@pytest.fixture
def file(here):
    boosted()[0].save_model(here / "m.json")
    return "m.json"


def say(capsys, *words):
    """Return what the command prints and its exit status."""
    with pytest.raises(SystemExit) as ended:
        main.main(["certify", *words])
    return capsys.readouterr().out, ended.value.code


def test_the_command_prints_the_optimum_that_is_proven(file, capsys):
    _, y, P = boosted()
    said, status = say(capsys, file, "--maximize", "y", "--within", "0 <= a <= 1", "b >= 0", "b <= 1", "a + b <= 1")
    best = y[P.sum(axis=1) <= 1].max()
    assert status == 0 and said.startswith("proven: largest y\n")
    lines = dict(line.split(maxsplit=1) for line in said.splitlines()[2:])
    assert float(lines["optimum"]) == float(lines["bound"]) == best and lines["gap"] == "0"
    at = dict(part.split(" = ") for part in lines["at"].split(", "))
    assert float(at["a"]) + float(at["b"]) <= 1 + 1e-9


def test_a_flag_that_is_repeated_adds_to_what_it_said(file, capsys):
    bounds = ["0 <= a <= 1", "0 <= b <= 1", "a + b <= 1"]
    once, _ = say(capsys, file, "--maximize", "y", "--within", *bounds)
    each, _ = say(capsys, file, "--maximize", "y", *(word for b in bounds for word in ("--within", b)))
    assert [line for line in each.splitlines() if not line.startswith("  seconds")] == [
        line for line in once.splitlines() if not line.startswith("  seconds")
    ]


def test_the_exit_status_says_what_was_proven(file, capsys):
    _, y, _ = boosted()
    bounds = ("--within", "0 <= a <= 1", "0 <= b <= 1")
    low, high = y.min(), y.max()
    assert say(capsys, file, "--band", f"{high + 0.1} <= y <= 9", *bounds)[1] == 4
    assert say(capsys, file, "--target", f"y = {high}", "--tolerance", "0.01", *bounds)[1] == 0
    said, status = say(capsys, file, "--minimize", "y", *bounds, "--boxes", "1", "--json")
    found = json.loads(said)
    assert status == {"open": 3, "proven": 0}[found["status"]]
    assert found["bound"] <= low <= found["value"] and list(found["x"]) == ["a", "b"]
    said, status = say(capsys, file, "--minimize", "y", *bounds, "a + b >= 3")
    assert status == 4 and "no point within the bounds satisfies" in said


def test_an_open_search_says_how_far_it_came(here):
    rng = np.random.default_rng(0)
    X = rng.uniform(size=(300, 6))
    xgboost.XGBRegressor(n_estimators=80, max_depth=5).fit(X, np.sin(9 * X).sum(axis=1)).save_model("deep.ubj")
    space = {f"x{k}": (0, 1) for k in range(6)}
    proof = preimage.certify("deep.ubj", space, {"maximize": "y"}, boxes=5)
    assert proof.status == "open" and proof.gap == proof.bound - proof.value > 0 and proof.boxes >= 5
    sure = preimage.certify("deep.ubj", space, {"maximize": "y"}, boxes=5, gap=proof.gap)
    assert sure.status == "proven"


def test_a_file_without_names_takes_the_order_of_the_space(here):
    model, y, P = boosted(named=False)
    model.save_model("plain.ubj")
    kept = P[:, 1] <= 0.25
    assert preimage.certify("plain.ubj", {"u": (0, 1), "v": (0, 0.25)}, {"maximize": "y"}).value == y[kept].max()
    swapped = preimage.certify("plain.ubj", {"v": (0, 0.25), "u": (0, 1)}, {"maximize": "y"}, inputs=["u", "v"])
    assert swapped.value == y[kept].max()


def test_several_outputs_are_named_and_limits_kept(here):
    rng = np.random.default_rng(1)
    X = rng.uniform(size=(150, 2))
    frame = pd.DataFrame(X, columns=["a", "b"])
    model = RandomForestRegressor(8, random_state=0).fit(frame, np.column_stack([X.sum(axis=1), X[:, 0] - X[:, 1]]))
    skops.io.dump(model, "two.skops")
    P = np.stack(np.meshgrid(GRID, GRID), axis=-1).reshape(-1, 2)
    Y = model.predict(pd.DataFrame(P, columns=["a", "b"]))
    asked = {"maximize": "y", "subject_to": {"z": {"at_most": -0.3}}}
    proof = preimage.certify("two.skops", CUBE, asked, outputs=["y", "z"])
    # Of grid points some leaves are missed, none is exceeded.
    assert proof.status == "proven" and Y[Y[:, 1] <= -0.3, 0].max() <= proof.value <= Y[:, 0].max()
    assert proof.outputs["z"] <= -0.3 and proof.value == proof.outputs["y"]
    assert "--outputs" in refusal(preimage.certify, "two.skops", CUBE, {"maximize": "y"})


def test_a_model_of_results_brings_its_bounds_and_categories():
    found, _, _ = process(category=True)
    labels = ("red", "green", "blue")
    space = Space((Input("x0", -1.0, 1.0), Input("x1", -1.0, 1.0), Input("x2", 0, 2, categories=labels)))
    own = Model("gp", "gaussian_process", space, ["y", "z"], 0.9, found, None)
    proof = preimage.certify(own, {"x0": (-0.5, 0.5)}, {"minimize": "y"})
    side = np.linspace(-1, 1, 101)
    P = np.stack(np.meshgrid(side / 2, side, range(3)), axis=-1).reshape(-1, 3)
    least = found.predict(P)[:, 0].min()
    assert proof.status == "proven" and proof.bound <= least and proof.value <= least + 1e-12
    assert proof.x["x2"] in labels and abs(proof.x["x0"]) <= 0.5
    assert "expected red, green, blue" in refusal(
        preimage.certify, own, {"x2": {"categories": ["red"]}}, {"minimize": "y"}
    )


def test_what_stands_on_the_command_line_is_read_as_a_study_says_it():
    inputs, constraints = certify.space_of(
        ["0 <= `wt% (Fe)` <= 3", "n >= 1", "n <= 9", "k = 2", "s in 1, 2.5", "grade in {soft, hard}", "a+n<=4"], ["n"]
    )
    assert inputs == {
        "wt% (Fe)": {"low": 0, "high": 3},
        "n": {"low": 1, "high": 9, "integer": True},
        "k": {"fixed": 2},
        "s": {"values": [1, 2.5]},
        "grade": {"categories": ["soft", "hard"]},
    }
    assert constraints == [{"expression": "a+n", "at_most": 4}]


@pytest.mark.parametrize(
    "words, said",
    [
        (["--maximize", "y", "--within", "0 <= a <= 1"], "input 'b': found none, expected both bounds"),
        (["--maximize", "y", "--within", "0 <= a <= 1", "b <= 2"], "input 'b': found high 2, expected both bounds"),
        (["--maximize", "y", "--within", "0 <= a <= 1", "0 <= bb <= 1"], "no input 'bb'; did you mean 'b'?"),
        (["--maximize", "y", "--within", "0 < a"], "found '<' in the expression, expected '<='"),
        (["--maximize", "y", "--within", "a"], "found 'a', expected a comparison"),
        (["--target", "y = 2", "--within", "0 <= a <= 1", "0 <= b <= 1"], "a target needs a tolerance"),
        (["--target", "y <= 2"], "expected 'y = ' and a number; --band takes a range"),
        (["--band", "y = 2"], "found 'y = 2', expected a range"),
        (["--minimize", "y", "--integer", "c"], "--integer: no bounds of 'c'"),
        (["--minimize", "y", "--surrogate", "gp"], "--surrogate: 'm.json' is no folder of results"),
    ],
)
def test_bad_input_is_one_message(file, capsys, words, said):
    with pytest.raises(SystemExit) as ended:
        main.main(["certify", file, *words])
    assert said in str(ended.value.code)


def test_what_is_no_model_is_refused(here):
    (here / "m.pkl").write_bytes(b"")
    assert "a pickle can run code" in refusal(preimage.certify, "m.pkl", CUBE, {"minimize": "y"})
    assert "no such file" in refusal(preimage.certify, "m.json", CUBE, {"minimize": "y"})
    assert "found a RandomForestRegressor" in refusal(preimage.certify, RandomForestRegressor(), CUBE, {})
