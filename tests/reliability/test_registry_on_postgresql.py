"""The registry under faults on an MLflow server with PostgreSQL and proxied artifacts, started here."""

import socket
import threading

import pytest

from preimage.tracking.registry import Registry

from ..conftest import refusal
from ..mlflow_server import free_port, programs
from .registry_cases import *  # noqa: F403
from .registry_cases import relearn, study
from .registry_faults import GOOD, POOR

pytestmark = pytest.mark.long  # the same cases on SQLite are not


@pytest.fixture(scope="module")
def address():
    with programs() as (_, server):
        yield server.address


class Wire:
    """A port of this machine that leads to the server, and can be cut."""

    def __init__(self, address):
        self.there = ("127.0.0.1", int(address.rpartition(":")[2]))
        self.port, self.open = free_port(), []

    def mend(self):
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def cut(self):
        for s in (self.listener, *self.open):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
            finally:
                s.close()
        self.open.clear()

    def _accept(self, listener):
        while True:
            try:
                here = listener.accept()[0]
            except OSError:
                return
            there = socket.create_connection(self.there)
            self.open += [here, there]
            for pair in ((here, there), (there, here)):
                threading.Thread(target=self._carry, args=pair, daemon=True).start()

    @staticmethod
    def _carry(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return


def test_a_server_that_really_goes_between_training_and_promotion(at, library, monkeypatch):
    wire = Wire(at)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://name:secret-word@127.0.0.1:{wire.port}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    wire.mend()
    name, store = f"{study()}.forest", Registry()
    relearn(library, name, POOR, store)
    promote = Registry.promote

    def cut(self, *arguments):
        wire.cut()
        return promote(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Registry, "promote", cut)
        message = refusal(relearn, library, name, GOOD, store)
    assert "nothing was promoted" in message and "secret-word" not in message
    assert "can't be used" in refusal(Registry)
    wire.mend()
    assert Registry().alias(name).version == "1"
    found = relearn(library, name, GOOD)
    assert found["promoted"] and found["version"] == "2" and Registry().alias(name).version == "2"
    wire.cut()
