"""Tables at addresses: told from files, checked before any job, and downloaded by a storage plugin."""

import functools
import http.server
import importlib.util
import threading

import pytest

from preimage.data import remote
from preimage.study import data_checks, paths
from preimage.support.errors import StudyError

from ..running import snakemake, study_argument, write_study

STUDY = """
study: far
problem: {{table: {{file: "{address}", outputs: [y]}}}}
surrogates: {{plane: {{kind: linear}}}}
objectives: {{o: {{minimize: y}}}}
inverters: {{r: {{kind: random, evaluations: 5}}}}
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("https://host/a.csv", True), ("http://host:1/a.csv", True), ("s3://bucket/key.parquet", True),
        ("data/https.csv", False), ("C:/a.csv", False), ("https://", False), ("ftp://host/a.csv", False),
    ],
)  # fmt: skip
def test_addresses_are_told_from_files(path, expected):
    assert remote.is_remote(path) is expected


@pytest.fixture
def installed(monkeypatch):
    """Have storage plugins found, or none."""
    found = {"snakemake_storage_plugin_http", "snakemake_storage_plugin_s3"}
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n: n in found or None if "storage" in n else real(n))
    return found


def test_a_study_of_an_address_is_read_and_its_rows_wait(load, installed):
    found = load(STUDY.format(address="https://host/a.csv"))
    assert found["problem"]["table"]["file"] == "https://host/a.csv"
    (said,) = data_checks.check(found)
    assert said.startswith("https://host/a.csv: downloaded as the run starts")
    paths.locate(found, "/tmp")
    assert found["problem"]["table"]["file"] == "https://host/a.csv"


def test_a_password_in_an_address_is_refused_and_not_repeated(load, installed):
    found = load(STUDY.format(address="https://me:hidden-word@host/a.csv"))
    with pytest.raises(StudyError, match="found a password in an address") as raised:
        data_checks.check(found)
    assert "hidden-word" not in str(raised.value)


def test_a_plugin_that_is_not_installed_is_named(load, installed):
    installed.clear()
    for address, package in (("s3://lab/a.csv", "s3"), ("http://host/a.csv", "http")):
        with pytest.raises(StudyError, match=f"pip install snakemake-storage-plugin-{package}"):
            data_checks.check(load(STUDY.format(address=address)))


def test_a_step_reads_what_was_downloaded():
    table = {"targets": "s3://b/t.csv", "features": "f.csv", "ignore": ["n"]}
    found = remote.local(table, ["f.csv", ".snakemake/storage/s3/b/t.csv"])
    assert found == {"features": "f.csv", "targets": ".snakemake/storage/s3/b/t.csv", "ignore": ["n"]}


@pytest.mark.long
def test_a_table_on_a_server_of_this_machine_is_read_and_read_again_once_it_has_changed(tmp_path):
    pytest.importorskip("snakemake_storage_plugin_http", reason="the storage plugin for http is not installed")
    served = tmp_path / "served"
    served.mkdir()
    rows = "".join(f"{k},{(k * 7) % 11},{3 * k}\n" for k in range(30))
    (served / "a.csv").write_text("a,b,y\n" + rows)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(served))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}/a.csv"
        folder = write_study(tmp_path / "run", STUDY.format(address=address), "far.yaml")
        wanted = ["results/far/round0/data.json", *study_argument("far.yaml")]
        done = snakemake(folder, *wanted)
        assert done.returncode == 0 and f'"{address}"' in (folder / wanted[0]).read_text(), done.stderr
        again = snakemake(folder, *wanted, "--dry-run")
        assert "Nothing to be done" in again.stdout + again.stderr
        (served / "a.csv").write_text("a,b,y\n" + rows + "31,1,93\n")
        assert snakemake(folder, *wanted).returncode == 0
        assert '"rows": 31' in (folder / wanted[0]).read_text()
        server.shutdown()
