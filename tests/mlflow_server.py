"""MLflow on PostgreSQL, started by contrib/tracking-server/start.sh, for as long as a test module needs it."""

import os
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

from .running import ROOT, environment

START = ROOT / "contrib/tracking-server/start.sh"
PATIENCE_SECONDS = 300


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Postgres:
    """A database of its own on loopback. PostgreSQL refuses root: there its user `postgres` runs it."""

    def __init__(self, folder):
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: float(p.parts[-2]))
        if not found:
            pytest.skip("PostgreSQL is not installed: nothing was tested against a server")
        self.programs, self.port, self.data = found[-1], free_port(), folder / "postgres"
        self.who = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
        self.data.mkdir()
        if self.who:
            shutil.chown(self.data, "postgres", "postgres")
        self._run("initdb", "--username=mlflow", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")

    @property
    def address(self):
        return f"postgresql://mlflow@127.0.0.1:{self.port}/postgres"

    def start(self):
        settings = f"-h 127.0.0.1 -p {self.port} -c fsync=off -c unix_socket_directories="
        self._run("pg_ctl", "start", "--wait", f"--log={self.data}/log", "-o", settings)

    def stop(self):
        self._run("pg_ctl", "stop", "--wait", "--mode=fast")

    def _run(self, program, *arguments):
        command = [self.programs / program, "-D", self.data, *arguments]
        subprocess.run(command, stdout=subprocess.DEVNULL, cwd=self.data, check=True, **self.who)


class Server:
    """MLflow's server, on SQLite where no address of a database is given."""

    def __init__(self, folder, backend="", options=(), **variables):
        port, self.folder, self.process = free_port(), folder, None
        self.address, self.command = f"http://127.0.0.1:{port}", [START, *options]
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.variables = environment(
            PATH=path, FOLDER=str(folder), PORT=str(port), MLFLOW_BACKEND_STORE_URI=backend, **variables
        )

    def start(self):
        with self.folder.with_suffix(".log").open("ab") as out:
            self.process = subprocess.Popen(
                self.command, stdout=out, stderr=out, env=self.variables, start_new_session=True
            )
        until = time.monotonic() + PATIENCE_SECONDS
        while not self.answers():
            assert self.process.poll() is None and time.monotonic() < until, self.said()
            time.sleep(0.1)

    def answers(self):
        try:
            with urllib.request.urlopen(f"{self.address}/health", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def said(self):
        return self.folder.with_suffix(".log").read_text(errors="replace")

    def stop(self, by=signal.SIGTERM):
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, by)
            self.process.wait(timeout=60)


@contextmanager
def programs(artifacts=None):
    """Give a database and a server on it, both running, to be stopped and started.

    Skips the test where PostgreSQL or its driver is not installed.
    """
    pytest.importorskip("psycopg2", reason="psycopg2 is not installed: nothing was tested against a server")
    # Not below pytest's folders, which only their owner may enter; PostgreSQL's user must.
    folder = Path(tempfile.mkdtemp(prefix="preimage-server-"))
    folder.chmod(0o755)
    try:
        store = Postgres(folder)
        server = Server(folder / "server", store.address)
        if artifacts is not None:
            server.folder.mkdir()
            (server.folder / "artifacts").symlink_to(artifacts)
        store.start()
        try:
            server.start()
            yield store, server
        finally:
            server.stop()
            store.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
