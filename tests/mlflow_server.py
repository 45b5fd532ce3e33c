"""An MLflow server on PostgreSQL with proxied artifacts, on loopback, for as long as a test module needs one."""

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

import tracking_server
from tracking_server import free_port


@contextmanager
def programs(auth=False, artifacts=None):
    """Give the address of a running server and its two programs, database and server, to be stopped and started.

    Skips the test where PostgreSQL or its driver is not installed.
    """
    if tracking_server.postgres_programs() is None:
        pytest.skip("PostgreSQL is not installed: nothing was tested against a server")
    pytest.importorskip("psycopg2", reason="psycopg2 is not installed: nothing was tested against a server")
    # Not below pytest's folders, which only their owner may enter; PostgreSQL's user must.
    folder = Path(tempfile.mkdtemp(prefix="preimage-server-"))
    folder.chmod(0o755)
    if artifacts is not None:
        (folder / "artifacts").symlink_to(artifacts)
    try:
        port = free_port()
        store, backend = tracking_server.database(folder, ["fsync=off"])
        server = tracking_server.mlflow_server(folder, backend, port, auth)
        with tracking_server.running(store, server):
            yield f"http://127.0.0.1:{port}", store, server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def mlflow_on_postgres():
    """Give the address of a running server."""
    with programs() as (address, _, _):
        yield address
