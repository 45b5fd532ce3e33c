"""Tracking on a real server, PostgreSQL with proxied artifacts, through faults: the tables of science are complete, and
after `sync_tracking` the store is what it is of a run that nothing disturbed."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from functools import partial
from pathlib import Path

import mlflow
import pytest

import tracking_server
from preimage.support.files import write_json

from ..mlflow_server import free_port, programs
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
    with programs() as (address, _, _):
        done = snakemake(folder, *study_argument("small.yaml"), MLFLOW_TRACKING_URI=address)
        assert done.returncode == 0, done.stderr[-4000:]
        found = contents(address, "small")
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
    with programs() as (address, _, server):

        def fault():
            server.stop(signal.SIGKILL)
            time.sleep(5)
            server.start()

        assert disturbed(tmp_path, address, fault) == undisturbed[1]
        assert contents(address, "small") == undisturbed[0]


def test_a_database_that_is_away_for_a_minute(undisturbed, tmp_path):
    with programs() as (address, store, _):

        def fault():
            store.stop()
            time.sleep(60)
            store.start()

        assert disturbed(tmp_path, address, fault) == undisturbed[1]
        assert contents(address, "small") == undisturbed[0]


def test_a_full_disk_of_artifacts(undisturbed, tmp_path, tmp_path_factory):
    disk = tmp_path_factory.mktemp("disk")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", disk], capture_output=True)
    if mounted.returncode:
        pytest.skip("no small disk can be mounted here: a full one was not tested")
    try:
        (disk / "filling").write_bytes(os.urandom(DISK_MB * 2**20 - 2**16))
        with programs(artifacts=disk) as (address, _, _):
            waiting = []

            def room():
                while not (tmp_path / "results/small/report.html").exists():
                    time.sleep(0.1)
                time.sleep(5)
                records = len(list((tmp_path / "results/small/tracking").rglob("*.json")))
                sent = len(list((tmp_path / "results/small/tracking/sent").rglob("*.json")))
                waiting.append(records - 2 * sent)  # a receipt is a file of its own
                subprocess.run(["mount", "-o", "remount,size=200m", disk], check=True)

            assert disturbed(tmp_path, address, room) == undisturbed[1]
            assert waiting[0] > 3
            assert contents(address, "small") == undisturbed[0]
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
    with programs() as (address, _, _):
        senders, writers = [], []
        for k in range(FOLDERS):
            folder = tmp_path / str(k)
            (folder / "results/.tracking").mkdir(parents=True)
            (folder / "results/.tracking/store.created").touch()
            command = [sys.executable, "-m", "preimage.tracking"]
            variables = environment(MLFLOW_TRACKING_URI=address, PYTHONPATH=str(ROOT / "workflow"))
            senders.append(subprocess.Popen(command, cwd=folder, env=variables, stdin=subprocess.PIPE))
            writers += write_records(folder, k)
        for thread in writers:
            thread.join()
        for sender in senders:
            sender.stdin.close()
            assert sender.wait(timeout=600) == 0
        client = mlflow.MlflowClient(address)
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
                assert parents[run.data.tags["mlflow.parentRunId"]] == f"many {run.data.params['folder']}"


# -- the command -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("auth", [False, True])
def test_the_command_serves_keeps_its_data_and_lets_nobody_in_without_a_password(tmp_path_factory, auth):
    if tracking_server.postgres_programs() is None:
        pytest.skip("PostgreSQL is not installed: nothing was tested against a server")
    if auth:
        pytest.importorskip("flask_wtf", reason="Flask-WTF is not installed: basic auth was not tested")
    folder, port = Path(tempfile.mkdtemp(prefix="preimage-server-")), free_port()
    folder.chmod(0o755)
    command = [sys.executable, ROOT / "workflow/tracking_server.py", "--folder", folder / "server", "--port", str(port)]
    address = f"http://127.0.0.1:{port}"
    for k in range(2):
        process = subprocess.Popen(
            [*map(str, command), *(["--auth"] if auth else [])],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment(),
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_IGN),  # as a script's `&` starts it
        )  # fmt: skip
        said = [process.stdout.readline() for _ in range(3 if auth else 2)]
        assert "is ready" in said[0] and address in said[1], said + process.stdout.readlines()
        kept = [p for p in (folder / "server").rglob("*") if p.name.endswith((".password", ".key"))]
        assert kept and all(p.stat().st_mode & 0o077 == 0 for p in kept)
        with pytest.MonkeyPatch.context() as patch:
            if auth:
                client = mlflow.MlflowClient(address)
                with pytest.raises(mlflow.MlflowException, match=r"401|not authenticated|authenticat"):
                    client.search_experiments()
                secret = (folder / "server/admin.password").read_text()
                patch.setenv("MLFLOW_TRACKING_USERNAME", "admin")
                patch.setenv("MLFLOW_TRACKING_PASSWORD", secret)
            client = mlflow.MlflowClient(address)
            if k == 0:
                client.create_experiment("kept")
                refused = subprocess.run([*map(str, command)], capture_output=True, text=True, env=environment())
                assert refused.returncode and refused.stderr.startswith(
                    f"preimage: port {port} of this machine is in use"
                )
            else:
                assert client.get_experiment_by_name("kept") is not None
        # Once asked to stop; once killed, which leaves the database at work: the next start sees to it.
        process.send_signal(signal.SIGKILL if k == 0 else signal.SIGTERM if auth else signal.SIGINT)
        process.communicate(timeout=60)
        if k == 0:
            port = free_port()
            command[-1], address = str(port), f"http://127.0.0.1:{port}"
    assert process.returncode == 0
    shutil.rmtree(folder)


def test_lost_passwords_and_a_half_written_pid_file_are_made_again_and_all_files_are_the_owners_alone():
    if tracking_server.postgres_programs() is None:
        pytest.skip("PostgreSQL is not installed: nothing was tested against a server")
    folder = Path(tempfile.mkdtemp(prefix="preimage-server-"))
    folder.chmod(0o755)
    server = folder / "server"
    for damage in ("", "short"):
        port = free_port()
        command = [sys.executable, ROOT / "workflow/tracking_server.py", "--folder", server, "--port", port]
        process = subprocess.Popen(
            list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment()
        )
        said = [process.stdout.readline() for _ in range(3 if damage else 2)]
        assert any("is ready" in line for line in said), said
        assert not damage or "database.password was damaged" in said[0]
        client = mlflow.MlflowClient(f"http://127.0.0.1:{port}")
        if damage:
            assert client.get_experiment_by_name("kept") is not None
        else:
            client.create_experiment("kept")
        open_to_others = [str(p) for p in [server, *server.rglob("*")] if p.lstat().st_mode & 0o007]
        assert [p for p in open_to_others if not Path(p).is_symlink()] == []
        assert all(p.stat().st_mode & 0o077 == 0 for p in server.iterdir())
        process.terminate()
        process.communicate(timeout=60)
        assert process.returncode == 0
        (server / "database.password").write_text("cut sho")
        pid_file = server / "postgres/data/postmaster.pid"
        pid_file.write_text("")
        shutil.chown(pid_file, pid_file.parent.owner())
    shutil.rmtree(folder)
