"""Every step in MLflow, once; and a run that goes on without it."""

import json
import shutil
import subprocess
import sys

import mlflow
import numpy as np
import pandas as pd
import pytest

from preimage.running import reproduction
from preimage.support.files import read_json, remove, sha256, write_json

from ..running import ROOT, environment, snakemake, study_argument, write_study

SMALL = """
study: small
problem: {simulator: paraboloid, dimension: 2, samples: 60}
surrogates: {plane: {kind: linear}}
objectives: {lowest: {minimize: y}}
inverters: {random: {kind: random, evaluations: 5}}
"""
# An address where nothing listens: port 9 of this machine.
AWAY = "http://user:secret-word@127.0.0.1:9"
SECRETS = {"MLFLOW_TRACKING_PASSWORD": "pass-secret-word", "MLFLOW_TRACKING_TOKEN": "token-secret-word"}


def runs(folder, study="tiny"):
    client = mlflow.MlflowClient(f"sqlite:///{folder}/results/mlflow.db")
    found = client.get_experiment_by_name(study)
    return client, [] if found is None else client.search_runs([found.experiment_id])


def steps(folder, study="tiny"):
    """The records of steps: those of invocations become runs only where a step ran."""
    records = (folder / f"results/{study}/tracking").rglob("*.json")
    return [p for p in records if "sent" not in p.parts and not p.name.startswith("invocation-")]


COMPARED = ("metrics", "params", "tags")


def later(run):
    """Metrics that a later step found of a run's, or the report of a study's."""
    found = {n for n in run.data.metrics if n.startswith(("timing/", "inversion/", "answer.", "model."))}
    return found if "rule" not in run.data.tags or run.data.tags["rule"] == "invert" else {
        n for n in found if n.startswith("timing/")
    }  # fmt: skip


def test_one_parent_an_invocation_and_one_child_a_step(tiny):
    _, found = runs(tiny)
    parents = [r for r in found if "mlflow.parentRunId" not in r.data.tags]
    children = [r for r in found if "mlflow.parentRunId" in r.data.tags]
    assert len(parents) == 1 and parents[0].info.status == "FINISHED"
    assert {r.data.tags["mlflow.parentRunId"] for r in children} == {parents[0].info.run_id}
    assert len(children) == len(steps(tiny))
    assert {r.info.status for r in children} == {"FINISHED"}


def test_the_run_of_a_study_has_what_it_came_to(tiny):
    client, found = runs(tiny)
    (parent,) = (r for r in found if "mlflow.parentRunId" not in r.data.tags)
    first = pd.read_parquet(tiny / "results/tiny/round0/seed0/solutions.parquet")
    for objective in ("ring", "lowest"):  # the searches on the simulator itself lead
        row = first[(first["objective"] == objective) & (first["surrogate"] == "simulator")].iloc[0]
        assert parent.data.metrics[f"answer.{objective}/predicted_loss"] == row["predicted_loss"]
    about = read_json(tiny / "results/tiny/round0/seed0/surrogates/forest/surrogate.json")
    assert parent.data.metrics["model.forest/rmse.y"] == pytest.approx(about["test"]["y"]["rmse"], rel=1e-12)
    names = {a.path for a in client.list_artifacts(parent.info.run_id)}
    assert {"report.html", "summary.csv", "figures"} <= names
    assert "`report.html` among the artifacts" in parent.data.tags["mlflow.note.content"]


def test_a_step_carries_parameters_metrics_digests_and_tags(tiny):
    client, found = runs(tiny)
    (train,) = (r for r in found if r.info.run_name == "train forest" and r.data.tags["wildcard.seed"] == "0")
    assert train.data.params["surrogate.trees"] == "10"
    assert {"test/rmse", "test/r2", "test/coverage", "timing/wall_seconds"} <= set(train.data.metrics)
    history = client.get_metric_history(train.info.run_id, "tuning/cross_validated_error")
    assert [m.step for m in history] == [0, 1, 2]
    written = tiny / "results/tiny/round0/seed0/surrogates/forest/test.parquet"
    assert f"test.parquet={sha256(written)}" in train.data.tags["preimage.outputs"].split()
    assert train.data.tags["rule"] == "train"
    assert {a.path for a in client.list_artifacts(train.info.run_id)} == {
        *("surrogate.json", "test.parquet", "record.json")
    }


def test_a_study_has_few_columns_and_what_is_not_compared_is_in_each_runs_record(tiny, tmp_path):
    client, found = runs(tiny)
    # As `mlflow.search_runs` has them: six of its own, and one for each name.
    columns = [{f"{kind}.{name}" for r in found for name in getattr(r.data, kind)} for kind in COMPARED]
    assert 6 + sum(map(len, columns)) < 60
    for run in found:
        value = read_json(client.download_artifacts(run.info.run_id, "record.json", str(tmp_path)))
        assert value["name"] == run.info.run_name and value["tags"]["lock_digest"]
        assert {n for n, *_ in value["metrics"]} >= {n for n in run.data.metrics if "/" in n} - later(run)


def test_data_and_models_are_there_with_digest_source_and_the_metrics_of_their_rows(tiny):
    client, found = runs(tiny)
    (parent,) = (r for r in found if "mlflow.parentRunId" not in r.data.tags)
    (data,) = (i.dataset for i in parent.inputs.dataset_inputs)
    digest = sha256(tiny / "results/tiny/round0/seed0/data.parquet")
    assert (data.name, data.digest, data.source_type) == ("tiny", digest[:36], "code") and "paraboloid" in data.source
    assert json.loads(data.profile)["num_rows"] == 200
    (train,) = (r for r in found if r.info.run_name == "train forest")
    used = {i.tags[0].value: i.dataset for i in train.inputs.dataset_inputs}
    assert used["test"].digest == sha256(tiny / "results/tiny/round0/seed0/test.parquet")[:36]
    (model,) = client.search_logged_models([train.info.experiment_id])
    assert (model.name, model.source_run_id, model.params["surrogate.trees"]) == ("forest", train.info.run_id, "10")
    (rmse,) = (m for m in model.metrics if m.key == "test/rmse")
    assert (rmse.dataset_name, rmse.dataset_digest) == ("test", used["test"].digest)
    assert rmse.value == train.data.metrics["test/rmse"]


def test_the_experiment_leads_to_the_latest_report(tiny):
    client, found = runs(tiny)
    (parent,) = (r.info for r in found if "mlflow.parentRunId" not in r.data.tags)
    said = client.get_experiment(parent.experiment_id).tags["mlflow.note.content"]
    assert f"(#/experiments/{parent.experiment_id}/runs/{parent.run_id}/artifacts/report.html)" in said


def test_what_is_known_only_later_stands_on_the_runs_of_the_inversions(tiny):
    """Inverters compare by metrics of one name; the truth of their answers comes from the evidence step."""
    import pandas as pd

    _, found = runs(tiny)
    summary = pd.read_csv(tiny / "results/tiny/summary.csv")
    inversions = [r for r in found if r.data.tags.get("rule") == "invert"]
    assert len(inversions) == len(summary) > 1
    for run in inversions:
        tag = {k: run.data.tags[f"wildcard.{k}"] for k in ("surrogate", "objective", "inverter", "seed")}
        case = summary.astype({"seed": str})[list(tag)].eq(pd.Series(tag)).all(axis=1)
        (row,) = summary[case].to_dict("records")
        for name in ("predicted_loss", "simulated_loss", "surrogate_regret"):
            # A method without an answer has no number there.
            assert run.data.metrics.get(f"inversion/{name}", np.nan) == pytest.approx(row[name], rel=1e-12, nan_ok=True)


def test_the_model_has_signature_and_example_and_predicts_as_the_forest_does(tiny):
    import pandas as pd

    from preimage.trees.forest import Forest

    _, found = runs(tiny)
    (train,) = (r for r in found if r.info.run_name == "train forest" and r.data.tags["wildcard.seed"] == "0")
    mlflow.set_tracking_uri(f"sqlite:///{tiny}/results/mlflow.db")
    model = mlflow.pyfunc.load_model(f"models:/{train.outputs.model_outputs[0].model_id}")
    assert [c.name for c in model.metadata.signature.inputs] == ["x1", "x2"]
    example = model.input_example
    assert isinstance(example, pd.DataFrame) and list(example) == ["x1", "x2"]
    ours = Forest.load(tiny / "results/tiny/round0/seed0/surrogates/forest/model/forest.npz")
    # To a rounding: the one takes its trees' mean back to the user's units, the other each leaf.
    assert model.predict(example) == pytest.approx(ours.predict(example.to_numpy())[:, 0], rel=1e-11)


@pytest.mark.long
def test_sending_again_changes_nothing(tiny):
    _, before = runs(tiny)
    for receipt in (tiny / "results/tiny/tracking/sent").rglob("*.json"):
        receipt.unlink()
    done = snakemake(tiny, "sync_tracking", *study_argument("tiny.yaml"))
    assert done.returncode == 0, done.stderr
    _, after = runs(tiny)
    assert {r.info.run_id for r in after} == {r.info.run_id for r in before}
    assert {r.info.run_id: r.data.metrics for r in after} == {r.info.run_id: r.data.metrics for r in before}


@pytest.fixture(scope="module")
def without_server(tmp_path_factory, forked):
    """A finished small study whose tracking server could not be reached, and what was printed."""
    folder = write_study(tmp_path_factory.mktemp("away"), SMALL, "small.yaml")
    away = {"MLFLOW_TRACKING_URI": AWAY, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    done = snakemake(folder, *study_argument("small.yaml"), python=forked, **away, **SECRETS)
    return folder, done


def test_an_unreachable_server_is_one_warning_and_results_are_complete(without_server):
    folder, done = without_server
    assert done.returncode == 0, done.stderr[-4000:]
    assert (folder / "results/small/report.html").exists()
    said = done.stdout + done.stderr
    assert said.count("preimage: warning:") == 1
    assert "is away" in said and "sync_tracking" in said


def test_the_password_of_a_tracking_address_is_written_nowhere(without_server):
    folder, done = without_server
    assert "secret-word" not in done.stdout + done.stderr
    holders = [p for p in folder.rglob("*") if p.is_file() and b"secret-word" in p.read_bytes()]
    assert holders == []


def test_sync_sends_what_waited(without_server):
    folder, _ = without_server
    assert runs(folder, "small")[1] == []
    done = snakemake(folder, "sync_tracking", *study_argument("small.yaml"))
    assert done.returncode == 0, done.stderr
    assert len(runs(folder, "small")[1]) == 1 + len(steps(folder, "small"))


@pytest.mark.long
def test_a_sender_killed_midway_leaves_nothing_twice(without_server, tmp_path):
    """Kill the sender after a few runs; the next sync completes the store without a run said twice."""
    folder = shutil.copytree(without_server[0], tmp_path / "copy")
    for left in (*(folder / "results").glob("ml*"), folder / "results/small/tracking/sent"):  # by the sync above
        remove(left)
    killer = (
        "import os; from preimage.tracking import sending; real = sending.write_json; n = []\n"
        "def fatal(*a):\n    n.append(1)\n    os._exit(9) if len(n) == 4 else real(*a)\n"
        "sending.write_json = fatal; sending.send()"
    )
    killed = subprocess.run(
        [sys.executable, "-c", killer], cwd=folder, env=environment(PYTHONPATH=str(ROOT / "workflow")), check=False
    )
    assert killed.returncode == 9
    assert 0 < len(runs(folder, "small")[1]) < len(steps(folder, "small"))
    assert snakemake(folder, "sync_tracking", *study_argument("small.yaml")).returncode == 0
    _, found = runs(folder, "small")
    assert len(found) == 1 + len(steps(folder, "small"))
    assert {r.info.status for r in found} == {"FINISHED"}


@pytest.mark.long
def test_forceall_keeps_the_store(tmp_path):
    folder = write_study(tmp_path, SMALL, "small.yaml")
    assert snakemake(folder, *study_argument("small.yaml")).returncode == 0
    before = {r.info.run_id for r in runs(folder, "small")[1]}
    assert snakemake(folder, *study_argument("small.yaml"), "--forceall").returncode == 0
    after = {r.info.run_id for r in runs(folder, "small")[1]}
    assert before < after
    assert len(after) == 2 * len(before)


@pytest.mark.long
def test_a_run_is_made_again_and_each_table_held_against_what_it_left(without_server, monkeypatch):
    """After the sync: the run's tables are fetched, two are altered, and the study is run by what MLflow has of it."""
    folder, _ = without_server
    (run,) = (r.info.run_id for r in runs(folder, "small")[1] if "mlflow.parentRunId" not in r.data.tags)
    (folder / "small.yaml").unlink()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/results/mlflow.db")
    tables = reproduction.fetch(run).parent / "tables"
    origin = read_json(tables.parent / "origin.json")
    candidates = pd.read_parquet(tables / "candidates.parquet")
    candidates.loc[2, "x.x2"] += 1.0
    candidates.to_parquet(tables / "candidates.parquet", index=False)
    summary = pd.read_csv(tables / "summary.csv", float_precision="round_trip")
    summary["predicted.y"] *= 1 + 1e-12
    summary.to_csv(tables / "summary.csv", index=False)
    origin["tables"].update({name: sha256(tables / name) for name in ("candidates.parquet", "summary.csv")})
    write_json(tables.parent / "origin.json", origin)
    done = snakemake(folder, "reproduce", "--config", f"run={run}")
    found = pd.read_csv(folder / f"results/small-reproduced-{run[:8]}/reproduced.csv").set_index("table")
    assert found["result"].to_dict() == {
        "best_of.csv": "equal",
        "diagnosis.csv": "equal",
        "candidates.parquet": "different",
        "summary.csv": "equal within tolerance",
    }
    assert found.loc["candidates.parquet", "where"].startswith("row 3, column 'x.x2':")
    assert found.loc["summary.csv", "where"].startswith("row 1, column 'predicted.y':")
    assert done.returncode != 0 and "was not reproduced" in done.stderr and "Traceback" not in done.stderr
