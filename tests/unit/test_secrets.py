"""Passwords and tokens of a tracking server are in nothing that is said."""

import http.server
import threading

import pytest

from preimage.errors import StudyError, without_secrets
from preimage.tracking import sending, store


@pytest.mark.parametrize(
    ("address", "shown", "secret"),
    [
        ("http://user:secret-word@host:5000", "http://host:5000", "secret-word"),
        ("http://user:se@cret-word@host:5000/path", "http://host:5000/path", "se@cret-word"),
        ("http://user:se/cret-word@host:5000", "http://host:5000", "se/cret-word"),
        ("http://user:secret%2Dword@host", "http://host", "secret-word"),
        ("postgresql://user@host/db?sslmode=on&password=secret-word", "postgresql://host/db", "secret-word"),
        ("https://secret-word@host", "https://host", "https://secret-word@host"),
        ("sqlite:///results/mlflow.db", "sqlite:///results/mlflow.db", "no secret"),
        ("sqlite:////home/a/results/mlflow.db", "sqlite:////home/a/results/mlflow.db", "no secret"),
    ],
)
def test_an_address_is_shown_without_user_and_password(address, shown, secret, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    assert store.shown_uri() == shown
    said = store.redacted(OSError(f"no route to {address}, tried {secret}"))
    assert "no route to" in said and (secret == "no secret" or secret not in said)


def test_secrets_of_the_environment_are_cut_out_of_any_text(monkeypatch):
    secrets = {
        "MLFLOW_TRACKING_PASSWORD": "word-one", "MLFLOW_TRACKING_TOKEN": "word-two",
        "AWS_SECRET_ACCESS_KEY": "word+three", "DATABRICKS_TOKEN": "word.four",
    }  # fmt: skip
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    text = without_secrets("a " + " ".join(secrets.values()) + " b http://u:p@h/x")
    assert text == "a *** *** *** *** b http://h/x"


class OldServer(http.server.BaseHTTPRequestHandler):
    """Answers everything with nothing, and its version."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"2.22.1" if self.path == "/version" else b"{}")

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_):
        pass


def test_a_server_of_an_older_major_version_is_named(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    server = http.server.HTTPServer(("127.0.0.1", 0), OldServer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{server.server_port}")
        with pytest.raises(StudyError, match=r"the server is MLflow 2.22.1, expected 3.0 or later"):
            sending.Sender()
        assert "the server is MLflow 2.22.1" in sending.create_store()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
