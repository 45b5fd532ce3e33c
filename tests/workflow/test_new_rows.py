"""A table's next file, through the whole workflow: what it brings, and a registry that is away in between."""

import json

import mlflow
import numpy as np
import pandas as pd
import pytest

from ..running import snakemake, study_argument, write_study

STUDY = """
study: mixes
problem:
  table: {file: first.csv, outputs: [y], new: [second.csv], incomplete: leave_out}
  inputs: {a: {low: 0, high: 1}, b: {low: 0, high: 1}}
surrogates: {forest: {kind: random_forest, trees: 5, folds: 2}}
objectives: {low: {minimize: y}}
inverters: {random: {kind: random, evaluations: 20}}
split: {method: hold_out}
relearning: {gate: 0.5}
"""
pytestmark = pytest.mark.long
# An address where nothing listens: port 9 of this machine.
AWAY = "http://user:secret-word@127.0.0.1:9"
FAR = {"a": 7.25, "b": -3.5, "y": 60.0}


def rows(n, seed):
    X = np.random.default_rng(seed).random((n, 2))
    return pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "y": (X**2).sum(axis=1)})


@pytest.fixture(scope="module")
def away(tmp_path_factory):
    """The folder of a relearning whose registry was away, and what was printed."""
    folder = write_study(tmp_path_factory.mktemp("mixes"), STUDY, "mixes.yaml")
    gap = pd.DataFrame([{**FAR, "b": None}])
    pd.concat([rows(20, 2), gap, rows(60, 0)]).to_csv(folder / "first.csv", index=False)
    second = pd.concat([rows(10, 1), pd.DataFrame([FAR, {**FAR, "b": None}]), rows(60, 0).head(1)])
    second.to_csv(folder / "second.csv", index=False)
    done = snakemake(folder, "relearn", *study_argument("mixes.yaml"), "--keep-going", MLFLOW_TRACKING_URI=AWAY)
    return folder, done


def test_without_a_registry_models_train_and_one_message_says_that_nothing_was_promoted(away):
    folder, done = away
    said = done.stdout + done.stderr
    assert done.returncode != 0 and "Traceback" not in said and "secret-word" not in said
    messages = [line for line in said.splitlines() if "nothing was promoted" in line]
    assert len(messages) == 1 and "the model registry at http://127.0.0.1:9 can't be used" in messages[0]
    assert (folder / "results/mixes/round0/seed0/surrogates/forest/model").exists()
    assert not list((folder / "results/mixes").rglob("promotion.json"))


@pytest.fixture(scope="module")
def whole(away):
    """The same folder after a second run, with the registry there."""
    folder, _ = away
    trained = folder / "results/mixes/round0/seed0/surrogates/forest/surrogate.json"
    before = trained.stat().st_mtime_ns
    done = snakemake(folder, "relearn", *study_argument("mixes.yaml"))
    assert done.returncode == 0, done.stderr[-4000:]
    assert trained.stat().st_mtime_ns == before
    return folder, done.stdout + done.stderr


def test_the_rerun_goes_on_from_there(whole):
    folder, _ = whole
    client = mlflow.MlflowClient(f"sqlite:///{folder}/results/mlflow.db")
    versions = client.search_model_versions("name = 'mixes.forest'")
    assert sorted(v.tags["round"] for v in versions) == ["0", "1"]
    assert str(client.get_model_version_by_alias("mixes.forest", "champion").version) == "1"


def test_gaps_of_the_first_table_are_left_out_and_said(whole):
    folder, said = whole
    assert "problem.table: 1 row with empty cells (row 21), left out" in said
    numbers = pd.read_parquet(folder / "results/mixes/round0/data.parquet")["__row__"]
    assert numbers.tolist() == [*range(1, 21), *range(22, 82)]
    page = (folder / "results/mixes/report.html").read_text(encoding="utf-8")
    assert 'Rows with empty cells, left out</td><td class="text"><code>1 of 81<' in page


def test_rows_outside_the_bounds_are_kept_as_measured_and_said(whole):
    folder, said = whole
    here = folder / "results/mixes/round1/seed0"
    new, train, gate = (pd.read_parquet(here / f"{name}.parquet") for name in ("new", "train", "gate"))
    assert len(new) == 11 and len(train) + len(gate) == 56 + 11
    found = pd.concat([train, gate]).query("a > 1")
    assert found[["a", "b", "y"]].to_dict("records") == [FAR]
    first = json.loads((folder / "results/mixes/round0/seed0/split.json").read_text())
    assert first["train_rows"] == 42
    for sentence in (
        "second.csv: 1 row outside the study's bounds, kept",
        "second.csv: 1 row with empty cells (row 12), left out",
    ):
        assert sentence in said or any(sentence in p.read_text() for p in here.rglob("*.json"))
