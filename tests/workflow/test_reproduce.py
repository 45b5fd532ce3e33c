"""Runs of a table made again from what they left in MLflow; test_tracking.py has the short test."""

import shutil

import mlflow
import numpy as np
import pandas as pd
import pytest

from preimage.support.files import read_json

from ..running import snakemake, study_argument, write_study

pytestmark = pytest.mark.long

MIXES = """
study: mixes
problem: {table: {file: mixes.csv, outputs: [strength]}}
surrogates: {forest: {kind: random_forest, trees: 5, folds: 2}}
objectives: {sixty: {target: {strength: 60}, tolerance: 1}}
inverters: {random: {kind: random, evaluations: 5}}
"""


def client(folder):
    return mlflow.MlflowClient(f"sqlite:///{folder}/results/mlflow.db")


def parents(folder, study="mixes"):
    api = client(folder)
    found = api.search_runs([api.get_experiment_by_name(study).experiment_id])
    return [r for r in found if "mlflow.parentRunId" not in r.data.tags], found


def reproduce(folder, run, *more):
    return snakemake(folder, "reproduce", "--config", f"run={run}", *more)


def refused(folder, run):
    done = reproduce(folder, run)
    said = done.stdout + done.stderr
    assert done.returncode != 0 and "Traceback" not in said
    (message,) = [line for line in said.splitlines() if "preimage: " in line]
    return message


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a finished study of a table; its run; and what reproducing that said."""
    folder = write_study(tmp_path_factory.mktemp("mixes"), MIXES, "mixes.yaml")
    X = np.random.default_rng(0).uniform(size=(30, 2))
    table = pd.DataFrame({"cement": X[:, 0], "water": X[:, 1], "strength": 50 + 20 * X[:, 0] - 5 * X[:, 1]})
    table.to_csv(folder / "mixes.csv", index=False)
    done = snakemake(folder, *study_argument("mixes.yaml"))
    assert done.returncode == 0, done.stderr[-4000:]
    (parent,), _ = parents(folder)
    return folder, parent.info.run_id


@pytest.fixture(scope="module")
def again(finished):
    folder, run = finished
    # The study's file is not what it was, and is not needed: MLflow has it.
    (folder / "mixes.yaml").unlink()
    done = reproduce(folder, run)
    return folder / f"results/mixes-reproduced-{run[:8]}", done


def test_a_run_leaves_what_it_started_from(finished):
    folder, run = finished
    api = client(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert api.download_artifacts(run, "study.yaml", str(folder)) and (folder / "study.yaml").read_text() == MIXES
        origin = read_json(api.download_artifacts(run, "origin.json", str(folder)))
    assert set(origin["files"]) == {"mixes.csv"} and len(origin["files"]["mixes.csv"]) == 64
    assert set(origin["tables"]) == {"candidates.parquet", "summary.csv", "best_of.csv"}
    assert len(origin["packages"]) > 100 and "numpy" in origin["packages"]
    assert origin["commit"] and origin["lock"] and origin["python"]


def test_the_same_files_give_equal_tables_in_a_new_folder(finished, again):
    folder, run = finished
    made, done = again
    assert done.returncode == 0, done.stderr[-4000:]
    said = pd.read_csv(made / "reproduced.csv")
    assert list(said["result"]) == ["equal"] * 3
    assert done.stdout.count(": equal\n") == 3
    assert (made / "report.html").exists() and (folder / "results/mixes/report.html").exists()
    (parent,), _ = parents(folder, made.name)
    assert parent.data.tags["preimage.reproduces"] == run


def test_a_changed_file_an_unknown_run_and_a_step_are_refused_by_name(finished, again, tmp_path):
    folder, run = finished
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    text = (tmp_path / "mixes.csv").read_text()
    (tmp_path / "mixes.csv").write_text(text + "1,1,1\n")
    assert f"run {run}: mixes.csv has changed since" in refused(tmp_path, run)
    assert "has no such run" in refused(tmp_path, "0123456789abcdef0123456789abcdef")
    step = next(r for r in parents(folder)[1] if "mlflow.parentRunId" in r.data.tags)
    assert f"run={run}" in refused(tmp_path, step.info.run_id)
    assert "expected the id of a run" in refused(tmp_path, "../../etc")
