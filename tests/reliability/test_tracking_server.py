"""Tracking on a real server, PostgreSQL with proxied artifacts, through faults: the tables of science are complete, and
after `sync_tracking` the store is what it is of a run that nothing disturbed."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import mlflow
import pytest

from preimage.support.files import write_json

from ..mlflow_server import Server, programs
from ..running import ROOT, environment, snakemake, study_argument, write_study

pytestmark = pytest.mark.long

SMALL = """
study: small
problem: {simulator: paraboloid, dimension: 2, samples: 60}
surrogates: {forest: {kind: random_forest, trees: 5, folds: 2}}
objectives: {lowest: {minimize: y}}
inverters: {random: {kind: random, evaluations: 5}}
"""
FOLDERS, STEPS, METRICS = 8, 8, 50
DISK_MB = 1


def contents(address, study):
    """What a store has of a study: each run by name, round and seed, with its metrics, parameters, tags and artifacts;
    of times and identities only that they are there."""
    client = mlflow.MlflowClient(address)
    found = client.get_experiment_by_name(study)
    if found is None:
        return Counter()
    runs = Counter()
    for run in client.search_runs([found.experiment_id], max_results=1000):
        rule = run.data.tags.get("rule", "invocation")
        history = [(k, m.step) for k in run.data.metrics for m in client.get_metric_history(run.info.run_id, k)]
        artifacts = sorted(a.path for a in client.list_artifacts(run.info.run_id))
        tags = sorted(k for k in run.data.tags if not k.startswith("mlflow."))
        models = len(run.outputs.model_outputs) if run.outputs else 0
        name = rule if rule == "invocation" else run.info.run_name
        parts = (sorted(history), sorted(run.data.params), tags, artifacts, models, run.info.status)
        runs[(name, run.data.tags.get("wildcard.seed", ""), *map(repr, parts))] += 1
    return runs


def tables(folder):
    names = ("candidates.parquet", "summary.csv", "best_of.csv")
    return {n: hashlib.sha256((folder / "results/small" / n).read_bytes()).hexdigest() for n in names}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """What the store has of a small study that nothing disturbed, and the tables of that."""
    folder = write_study(tmp_path_factory.mktemp("undisturbed"), SMALL, "small.yaml")
    with programs() as (_, server):
        done = snakemake(folder, *study_argument("small.yaml"), MLFLOW_TRACKING_URI=server.address)
        assert done.returncode == 0, done.stderr[-4000:]
        found = contents(server.address, "small")
    assert sum(found.values()) > 10
    return found, tables(folder)


def disturbed(folder, address, fault):
    """Run the study with a fault from the fifth record on, then sync; return the tables."""
    write_study(folder, SMALL, "small.yaml")

    def wait_and_break():
        while len(list((folder / "results/small/tracking").rglob("*.json"))) < 5:
            time.sleep(0.1)
        fault()

    thread = threading.Thread(target=wait_and_break)
    thread.start()
    done = snakemake(folder, *study_argument("small.yaml"), MLFLOW_TRACKING_URI=address)
    thread.join()
    assert done.returncode == 0, done.stderr[-4000:]
    found = tables(folder)
    synced = snakemake(folder, "sync_tracking", *study_argument("small.yaml"), MLFLOW_TRACKING_URI=address)
    assert synced.returncode == 0, synced.stderr[-4000:]
    return found


def test_a_server_that_is_killed_and_comes_back(undisturbed, tmp_path):
    with programs() as (_, server):

        def fault():
            server.stop(signal.SIGKILL)
            time.sleep(5)
            server.start()

        assert disturbed(tmp_path, server.address, fault) == undisturbed[1]
        assert contents(server.address, "small") == undisturbed[0]


def test_a_database_that_is_away_for_a_minute(undisturbed, tmp_path):
    with programs() as (store, server):

        def fault():
            store.stop()
            time.sleep(60)
            store.start()

        assert disturbed(tmp_path, server.address, fault) == undisturbed[1]
        assert contents(server.address, "small") == undisturbed[0]


def test_a_full_disk_of_artifacts(undisturbed, tmp_path, tmp_path_factory):
    disk = tmp_path_factory.mktemp("disk")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", disk], capture_output=True)
    if mounted.returncode:
        pytest.skip("no small disk can be mounted here: a full one was not tested")
    try:
        (disk / "filling").write_bytes(os.urandom(DISK_MB * 2**20 - 2**16))
        with programs(disk) as (_, server):
            waiting = []

            def room():
                while not (tmp_path / "results/small/report.html").exists():
                    time.sleep(0.1)
                time.sleep(5)
                records = len(list((tmp_path / "results/small/tracking").rglob("*.json")))
                sent = len(list((tmp_path / "results/small/tracking/sent").rglob("*.json")))
                waiting.append(records - 2 * sent)  # a receipt is a file of its own
                subprocess.run(["mount", "-o", "remount,size=200m", disk], check=True)

            assert disturbed(tmp_path, server.address, room) == undisturbed[1]
            assert waiting[0] > 3
            assert contents(server.address, "small") == undisturbed[0]
    finally:
        subprocess.run(["umount", "-l", disk], check=False)


# -- many at once ------------------------------------------------------------------------------------------------------


def write_records(folder, k):
    """Eight steps of an invocation write their records at about the same time, as concurrent jobs do."""
    base = {
        "invocation": f"one-{k}", "started": 1, "ended": 2, "inputs": {}, "outputs": {}, "artifacts": [], "model": None,
        "imported": [], "timing": {}, "others": {},
    }  # fmt: skip
    records = folder / "results/many/tracking"
    whole = {
        **base, "study": "many", "rule": "invocation", "name": f"many {k}", "wildcards": {}, "params": {"folder": k},
        "metrics": [], "tags": {}, "status": "FINISHED", "origin": {"text": "study: many", "tables": {}},
    }  # fmt: skip
    write_json(records / f"invocation-one-{k}.json", whole)

    def one(j):
        time.sleep(0.2 * j)
        value = {
            **base, "study": "many", "rule": "invert", "name": f"invert {k}.{j}", "wildcards": {"seed": str(j)},
            "params": {"folder": k, "step": j}, "metrics": [["loss", i / 7, i] for i in range(METRICS)], "tags": {},
        }  # fmt: skip
        write_json(records / f"invert.{k}.{j}.json", value)

    threads = [threading.Thread(target=one, args=(j,)) for j in range(STEPS)]
    for thread in threads:
        thread.start()
    return threads


def test_64_concurrent_steps_lose_no_run(tmp_path):
    with programs() as (_, server):
        senders, writers = [], []
        for k in range(FOLDERS):
            folder = tmp_path / str(k)
            (folder / "results/.tracking").mkdir(parents=True)
            (folder / "results/.tracking/store.created").touch()
            command = [sys.executable, "-m", "preimage.tracking"]
            variables = environment(MLFLOW_TRACKING_URI=server.address, PYTHONPATH=str(ROOT / "workflow"))
            senders.append(subprocess.Popen(command, cwd=folder, env=variables, stdin=subprocess.PIPE))
            writers += write_records(folder, k)
        for thread in writers:
            thread.join()
        for sender in senders:
            sender.stdin.close()
            assert sender.wait(timeout=600) == 0
        client = mlflow.MlflowClient(server.address)
        runs = client.search_runs([client.get_experiment_by_name("many").experiment_id], max_results=1000)
        names = Counter(r.info.run_name for r in runs)
        wanted = [f"many {k}" for k in range(FOLDERS)]
        wanted += [f"invert {k}.{j}" for k in range(FOLDERS) for j in range(STEPS)]
        assert names == Counter(wanted)
        assert {r.info.status for r in runs} == {"FINISHED"}
        parents = {r.info.run_id: r.info.run_name for r in runs if r.info.run_name.startswith("many")}
        for run in runs:
            if run.info.run_id not in parents:
                assert len(client.get_metric_history(run.info.run_id, "loss")) == METRICS
                of = run.info.run_name.removeprefix("invert ").partition(".")[0]
                assert parents[run.data.tags["mlflow.parentRunId"]] == f"many {of}"


# -- the start without containers --------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    """One that others may read, until a server is started in it."""
    folder = tmp_path / "server"
    folder.mkdir()
    folder.chmod(0o755)
    return folder


def open_to_others(folder):
    return [str(p) for p in [folder, *folder.rglob("*")] if p.stat().st_mode & 0o077]


def test_a_server_on_sqlite_keeps_its_data_in_files_of_its_owner_alone(folder):
    server = Server(folder)
    client = mlflow.MlflowClient(server.address)
    server.start()
    try:
        run = client.create_run(client.create_experiment("kept"))
        client.log_text(run.info.run_id, "text", "a.txt")
        assert open_to_others(folder) == []
        server.stop(signal.SIGKILL)
        server.start()
        assert client.get_experiment_by_name("kept") is not None
        kept = f"runs:/{run.info.run_id}/a.txt"
        assert Path(mlflow.artifacts.download_artifacts(kept, tracking_uri=server.address)).read_text() == "text"
    finally:
        server.stop()
    assert server.process.returncode == 0 and not server.answers()


def test_nobody_gets_in_without_a_password(folder, monkeypatch):
    pytest.importorskip("flask_wtf", reason="Flask-WTF is not installed: basic auth was not tested")
    secrets = {"MLFLOW_AUTH_ADMIN_PASSWORD": "a-long-password", "MLFLOW_FLASK_SERVER_SECRET_KEY": "a-long-key"}
    server = Server(folder, "", ["--app-name", "basic-auth"], MLFLOW_AUTH_ADMIN_USERNAME="admin", **secrets)
    server.start()
    try:
        client = mlflow.MlflowClient(server.address)
        with pytest.raises(mlflow.MlflowException, match=r"401|not authenticated|authenticat"):
            client.search_experiments()
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "a-long-password")
        client.create_experiment("kept")
        assert (folder / "users.db").exists() and open_to_others(folder) == []
    finally:
        server.stop()
