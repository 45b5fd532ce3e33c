"""A local tracking store is there whole or not at all, however early its maker is killed."""

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from ..running import ROOT, environment

# Ends as if killed, in the middle of the migrations that make MLflow's tables.
KILLED = """
import os, signal
from alembic.runtime.migration import HeadMaintainer
from preimage.tracking import sending
update, done = HeadMaintainer.update_to_step, []
def counted(self, step):
    done.append(step)
    if len(done) == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    update(self, step)
HeadMaintainer.update_to_step = counted
print(sending.create_store())
"""
CREATED = "from preimage.tracking import sending; print(sending.create_store())"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


def python(code):
    """Run `code` in a process of its own: MLflow keeps the stores that it met by their addresses, which two folders
    of one process share."""
    path = environment(PYTHONPATH=str(ROOT / "workflow"))
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=path)


def names():
    return sorted(path.name for path in Path("results").iterdir())


@pytest.mark.long
def test_a_store_whose_maker_was_killed_is_made_again(folder):
    done = python(KILLED)
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr
    assert len(names()) > 1 and "mlflow.db" not in names()  # half of a store is there, under another name
    done = python(CREATED)
    assert done.returncode == 0 and "is away" not in done.stdout, done.stdout + done.stderr
    assert names() == [".tracking", "mlflow.db"]
    with sqlite3.connect("results/mlflow.db") as store:
        assert store.execute("select name from experiments").fetchall() == [("Default",)]
