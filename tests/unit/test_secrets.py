"""Passwords and tokens of a tracking server are in nothing that is said."""

import http.server
import os
import subprocess
import sys
import threading

import pytest

from preimage.support.errors import StudyError, without_secrets
from preimage.tracking import record, sending, store
from preimage.tracking.record import Record

from ..running import ROOT


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


@pytest.mark.parametrize(
    "name",
    [
        "GH_PAT", "PGPASS", "PGPASSWORD", "mlflow_password", "Mlflow_Tracking_Password", "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_STORAGE_KEY", "AZURE_CLIENT_SECRET", "OPENAI_API_KEY",
        "AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_SAS_TOKEN", "github_token", "DB_PWD", "HF_TOKEN", "APIKEY",
        "GOOGLE_CREDENTIALS", "KEY", "SSH_PASSPHRASE",
    ],
)  # fmt: skip
def test_the_value_of_a_variable_with_the_name_of_a_secret_is_masked(name, monkeypatch):
    monkeypatch.setenv(name, "hunter/2+x")
    for said in ("a hunter/2+x b", "a hunter%2F2%2Bx b"):
        assert without_secrets(said) == "a *** b"
    assert "hunter" not in str(StudyError("can't log in with hunter/2+x"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PWD", "/home/me/here"), ("OLDPWD", "/home/me/here"), ("PGPASSFILE", "/root/.pgpass"), ("MAX_TOKENS", "4096"),
        ("TOKENIZERS_PARALLELISM", "false"), ("USE_PASSWORD", "true"), ("PASSENGERS", "many"), ("KEYBOARD", "german"),
        ("MONKEY", "banana"), ("PATH", "/usr/bin"),
    ],
)  # fmt: skip
def test_what_is_no_secret_stays(name, value, monkeypatch):
    monkeypatch.setenv(name, value)
    assert without_secrets(f"a {value} b") == f"a {value} b"


@pytest.mark.parametrize(
    "text",
    [
        "https://host/a?token=hunter2x&b=1", "https://host/a?b=1&sig=hunter2x", "https://host?X-Amz-Signature=hunter2x",
        "https://hunter2x@host/a", "https://x-access-token:hunter2x@host/a", "mlflow_password=hunter2x",
        "MLFLOW_PASSWORD='hunter2x'", '{"mlflow_password": "hunter2x"}', "AccountName=a;AccountKey=hunter2x;b=c",
        "Authorization: Bearer hunter2xy", "host=h password=hunter2x dbname=d", "https://h/?api_key=hunter2x",
    ],
)  # fmt: skip
def test_what_is_a_secret_by_its_place_is_masked(text):
    assert "hunter2x" not in without_secrets(text)


@pytest.mark.parametrize(
    "token", ["ghp_" + "a1" * 18, "github_pat_" + "a1" * 20, "AKIA" + "A1" * 8, "glpat-" + "a1" * 10]
)
def test_a_token_is_known_by_its_form(token):
    assert token not in without_secrets(f"found {token} there")


def test_parts_of_addresses_in_the_environment_are_masked(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:hunter2x@host/db")
    monkeypatch.setenv("PIP_INDEX_URL", "https://averylongtokenofsomebody@host/simple")
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", "AccountName=mine;AccountKey=hunter3x==;EndpointSuffix=a.b")
    assert without_secrets("hunter2x averylongtokenofsomebody hunter3x== user mine") == "*** *** *** user mine"


ORDINARY = [
    "s.yaml: line 3, key 'token': found text 'none', expected a number",
    "problem.inputs.a: low 3 is above high 2; name one with 'start'",
    "objective 'o' asks for y = [3, 4], outside the measured range [0, 1]; do not trust any model there",
    "study=alloys surrogate=forest version=3 reason=wrong", "sqlite:///results/mlflow.db", "passes=20, key=3",
]  # fmt: skip


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_messages_stay_as_they_are(text):
    assert without_secrets(text) == text


def test_what_is_kept_of_a_step_has_no_secrets(tmp_path, monkeypatch):
    """Its log with a traceback of the user's, what it prints, and its record."""
    monkeypatch.setenv("GH_PAT", "hunter2x")
    (tmp_path / "run.py").write_text(STEP)
    done = subprocess.run(
        [sys.executable, "run.py"], capture_output=True, text=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / "workflow")},
    )  # fmt: skip
    assert done.returncode == 1 and "ValueError: no access with ***" in done.stderr and "printed ***" in done.stdout
    log = (tmp_path / "log").read_text()
    assert "logged ***" in log and "ValueError: no access with ***" in log
    Record("s", "r", "n", {}, "none", 0, params={"a": "hunter2x", "b": ["hunter2x"]}, tags={"t": "hunter2x"},
           outputs={"hunter2x": "0"}).write(tmp_path / "record.json")  # fmt: skip
    kept = record.read(tmp_path / "record.json")
    assert record.intact(kept) and kept["params"] == {"a": "***", "b": ["***"]} and kept["tags"] == {"t": "***"}
    assert kept["outputs"] == {"hunter2x": "0"}  # a path is what it is


STEP = """
import logging, os
from types import SimpleNamespace
from preimage.running.step import step

made = SimpleNamespace(params={}, wildcards={}, rule="r", input=[], output=SimpleNamespace(record="r"), log=["log"])
with step(made):
    secret = os.environ["GH_PAT"]
    print("printed", secret)
    logging.info("logged %s", secret)
    raise ValueError(f"no access with {secret}")
"""


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
