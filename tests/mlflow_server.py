"""An MLflow server on PostgreSQL with proxied artifacts, on loopback, for as long as a test module needs one."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

from .running import environment

PATIENCE_SECONDS = 120


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def postgres_programs():
    """Return the folder of initdb and postgres, the newest where Debian has several; None where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: float(p.parts[-3]))
    if on_path := shutil.which("initdb"):
        found.append(Path(on_path))
    return found[-1].resolve().parent if found else None


def unprivileged():
    """Return who runs PostgreSQL, which refuses root: arguments of a subprocess."""
    if os.getuid() != 0:
        return {}
    known = {p.pw_name: p for p in pwd.getpwall()}
    user = known.get("postgres") or known["nobody"]
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


@contextmanager
def started(command, log, ready, stop, **options):
    """Run a program until the block ends, and stop it by that signal; enter the block once `ready()` is true."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True, **options)
    try:
        until = time.monotonic() + PATIENCE_SECONDS
        while not ready():
            assert process.poll() is None and time.monotonic() < until, log.read_text()[-4000:]
            time.sleep(0.1)
        yield
    finally:
        for name in (stop, signal.SIGKILL):
            if process.poll() is None:
                os.killpg(process.pid, name)
                try:
                    process.wait(timeout=10)
                except subprocess.TimeoutExpired:
                    continue


@contextmanager
def mlflow_on_postgres():
    """Give the address of a running server; skips the test where PostgreSQL or its driver is not installed."""
    programs = postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed: nothing was tested against a server")
    pytest.importorskip("psycopg2", reason="psycopg2 is not installed: nothing was tested against a server")
    # Not below pytest's folders, which only their owner may enter.
    folder = Path(tempfile.mkdtemp(prefix="preimage-postgres-"))
    who = unprivileged()
    try:
        if who:
            os.chown(folder, who["user"], who["group"])
        with database(folder, programs, who) as backend, server(folder, backend) as address:
            yield address
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def database(folder, programs, who):
    import psycopg2

    data, port = folder / "data", free_port()
    made = subprocess.run(
        [programs / "initdb", "-D", data, "-U", "mlflow", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
        capture_output=True, text=True, cwd=folder, **who,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr

    def ready():
        try:
            psycopg2.connect(host="127.0.0.1", port=port, user="mlflow", dbname="postgres").close()
            return True
        except psycopg2.OperationalError:
            return False

    command = [programs / "postgres", "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", folder, "-c", "fsync=off"]
    with started(command, folder / "postgres.log", ready, signal.SIGINT, cwd=folder, **who):
        yield f"postgresql://mlflow@127.0.0.1:{port}/postgres"


@contextmanager
def server(folder, backend):
    address = f"http://127.0.0.1:{free_port()}"

    def ready():
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", address.rpartition(":")[2]]
    command += ["--backend-store-uri", backend, "--artifacts-destination", str(folder / "artifacts"), "--workers", "1"]
    options = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with started(command, folder / "mlflow.log", ready, signal.SIGKILL, cwd=folder, env=environment(**options)):
        yield address
