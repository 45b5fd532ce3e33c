"""Trees of other libraries through the whole workflow: searched exactly, checked by the library that trained them."""

import lightgbm
import numpy as np
import pandas as pd
import pytest
import skops.io
import xgboost
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import Ridge

from preimage import study
from preimage.support.files import read_json

from ..conftest import refusal
from ..running import snakemake, study_argument, write_study

STUDY = """
study: trees
problem: {simulator: paraboloid, dimension: 2, samples: 300}
surrogates:
  boosted: {kind: model, path: boosted.skops}
  xgb: {kind: model, path: xgb.ubj}
  lgbm: {kind: model, path: lgbm.txt}
  ridge: {kind: model, path: ridge.skops}
objectives:
  lowest: {minimize: y}
  ring: {target: {y: 5000}, tolerance: 300, preimage: true}
  beyond: {within: {y: [-9000, -8000]}}
inverters:
  certified: {kind: certified}
  coordinate: {kind: coordinate, starts: 10}
"""
NAMES = ["x2", "x1"]  # not in the table's order
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def models():
    X = np.random.default_rng(0).uniform(-100, 100, (500, 2))
    frame, y = pd.DataFrame(X, columns=NAMES), (X**2).sum(axis=1)
    return {
        "boosted": GradientBoostingRegressor(n_estimators=40, random_state=0).fit(frame, y),
        "xgb": xgboost.XGBRegressor(n_estimators=40, max_depth=4, n_jobs=1).fit(frame, y),
        "lgbm": lightgbm.LGBMRegressor(n_estimators=40, verbosity=-1, n_jobs=1).fit(frame, y),
        "ridge": Ridge().fit(frame, y),
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory, models):
    folder = write_study(tmp_path_factory.mktemp("trees"), STUDY, "trees.yaml")
    for name in ("boosted", "ridge"):
        skops.io.dump(models[name], folder / f"{name}.skops")
    models["xgb"].save_model(folder / "xgb.ubj")
    models["lgbm"].booster_.save_model(folder / "lgbm.txt")
    return folder


@pytest.fixture(scope="module")
def finished(folder):
    done = snakemake(folder, *study_argument("trees.yaml"))
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


def test_exact_methods_work_on_what_is_made_of_trees_and_on_nothing_else(folder, monkeypatch):
    monkeypatch.chdir(folder)
    found = study.load("trees.yaml")
    assert found["inverters"]["certified"].on == ["boosted", "xgb", "lgbm"]
    (folder / "named.yaml").write_text(STUDY.replace("kind: coordinate", "kind: coordinate, on: [ridge]"))
    assert "coordinate does not support 'ridge' (model, skops): it requires a tree model" in refusal(
        study.load, "named.yaml"
    )


def test_answers_are_what_the_libraries_say_and_certificates_hold(finished, models):
    table = pd.read_parquet(finished / "results/trees/candidates.parquet")
    summary = pd.read_csv(finished / "results/trees/summary.csv").set_index(["surrogate", "objective", "inverter"])
    P = pd.DataFrame(np.random.default_rng(1).uniform(-99, 99, (20_000, 2)), columns=NAMES)
    for name in ("boosted", "xgb", "lgbm"):
        mine = table[(table["surrogate"] == name) & (table["status"] == "ok")]
        own = models[name].predict(mine[["x.x2", "x.x1"]].set_axis(NAMES, axis=1))
        assert np.array_equal(mine["predicted.y"], own.astype(float))
        proof = summary.loc[name, "lowest", "certified"]
        assert proof["gap"] == 0 and proof["certified_bound"] <= models[name].predict(P).min()
        assert summary.loc[name, "beyond", "certified"]["feasible"] == "no"
        assert summary.loc[name, "ring", "certified"]["tolerance_width"] > 0
        boxes = pd.read_parquet(finished / f"results/trees/round0/seed0/preimage/{name}/ring.parquet")
        met = np.abs(models[name].predict(P) - 5000) <= 300
        assert boxes["share"].sum() == pytest.approx(met.mean(), abs=0.02)
    assert not (finished / "results/trees/round0/seed0/preimage/ridge").exists()


def test_the_files_are_kept_as_they_are(finished):
    about = read_json(finished / "results/trees/round0/seed0/surrogates/xgb/surrogate.json")
    assert about["parameters"]["format"] == "xgboost" and about["parameters"]["inputs"] == NAMES
