"""What a run leaves for those who make it again; runs and files that can't be; and tables held against each other."""

import json

import numpy as np
import pandas as pd
import pytest

from preimage import study
from preimage.running import invocation, reproduction
from preimage.running.comparing import compare
from preimage.study import origin
from preimage.support import limits
from preimage.support.files import read_json, sha256, write_json
from preimage.tracking.names import INVOCATION_TAG
from preimage.tracking.sender import Sender
from preimage.tracking.store import client as client_of_store

from ..conftest import refusal

TEXT = """
study: mixes
problem: {table: {file: mixes.csv, outputs: [strength], new: more}}
surrogates: {forest: {kind: random_forest}}
objectives: {sixty: {target: {strength: 60}, tolerance: 1}}
inverters: {random: {kind: random}}
"""
TABLE = pd.DataFrame({"a": [1.0, 2.0, np.nan], "b": [1, 2, 3], "name": ["x", None, "z"], "good": [True, False, True]})


@pytest.fixture
def left(store, tmp_path):
    """A run that has left its record and tables in a store, as a finished invocation does: its id."""
    pd.DataFrame({"cement": range(20), "strength": range(20)}).to_csv("mixes.csv", index=False)
    (tmp_path / "more").mkdir()
    pd.DataFrame({"cement": range(20), "strength": range(20)}).to_csv("more/part2.csv", index=False)
    (tmp_path / "mixes.yaml").write_text(TEXT)
    found = study.load("mixes.yaml")
    folder = tmp_path / "results/mixes"
    folder.mkdir()
    TABLE.to_parquet(folder / "candidates.parquet")
    described = invocation._description("now", "mixes", study.plain(found))
    value = reproduction.origin(found, "mixes.yaml")
    value["tables"] = reproduction.tables_of("mixes")
    step = {
        **described,
        **{"rule": "gather", "name": "gather", "invocation": "now", "artifacts": [str(folder / "candidates.parquet")]},
        "outputs": {"candidates.parquet": value["tables"]["candidates.parquet"]},
    }
    whole = {**described, "origin": value}
    sender = Sender()
    write_json(folder / "tracking/invocation-now.json", whole)
    sender.step(step, "gather.1")
    sender.end_invocation({**whole, "status": "FINISHED", "ended": 1})
    return sender.find(sender.experiment("mixes"), INVOCATION_TAG, "now").info.run_id


def test_a_run_is_fetched_under_a_new_name_and_what_differs_here_is_named(left, tmp_path):
    said = []
    path = reproduction.fetch(left, said.append)
    found = study.load(path)
    assert found["study"] == f"mixes-reproduced-{left[:8]}"
    assert found["problem"]["table"]["new"] == ["more/part2.csv"]
    value = read_json(path.parent / "origin.json")
    assert value["files"] == {p: sha256(p) for p in ("mixes.csv", "more/part2.csv")}
    assert value["text"] == TEXT
    assert all("-dirty" in s for s in said)  # what differs nowhere is not mentioned
    pd.testing.assert_frame_equal(pd.read_parquet(path.parent / "tables/candidates.parquet"), TABLE)
    assert reproduction.asked({"run": int("12" * 16)}) == "12" * 16
    value.update(commit="a" * 40, lock="b" * 64, python="3.10.0", packages={**value["packages"], "numpy": "1.0"})
    commit, python, lock = reproduction.differences(value)
    assert "a" * 40 in commit and "3.10.0 there" in python and "numpy 1.0 there" in lock
    (tmp_path / "more/part2.csv").write_text("cement,strength\n1,1\n")
    assert f"run {left}: more/part2.csv has changed since" in refusal(reproduction.fetch, left, print)
    (tmp_path / "mixes.csv").unlink()
    assert f"run {left}: mixes.csv: no such file" in refusal(reproduction.fetch, left, print)


def test_a_run_that_cannot_be_made_again_is_refused_and_leaves_nothing(left, tmp_path):
    client = client_of_store()
    experiment = client.get_experiment_by_name("mixes").experiment_id

    def other(status="FINISHED", **tags):
        made = client.create_run(experiment, tags={INVOCATION_TAG: "other", **tags}).info.run_id
        client.set_terminated(made, status)
        return made

    assert "has no such run" in refusal(reproduction.fetch, "0" * 32)
    assert f"run={left}" in refusal(reproduction.fetch, other(**{"mlflow.parentRunId": left}))
    assert "status KILLED" in refusal(reproduction.fetch, other("KILLED"))
    assert "it has no origin.json" in refusal(reproduction.fetch, other())
    assert "not a run of this workflow" in refusal(reproduction.fetch, client.create_run(experiment).info.run_id)
    for bad in ("", "../../etc", "a b", "x" * 1000 + "/"):
        assert "expected the id of a run" in refusal(reproduction.fetch, bad)
    newer = other()
    client.log_dict(newer, {"format": 2, "study": {}, "tables": {}}, "origin.json")
    assert "has no tables" in refusal(reproduction.fetch, newer)
    client.log_dict(newer, {"format": 1, "study": {}, "tables": {"gone.csv": "0" * 64}}, "origin.json")
    assert "gone.csv: no run" in refusal(reproduction.fetch, newer)
    assert not (tmp_path / "results/.reproduced").exists() or not list((tmp_path / "results/.reproduced").iterdir())


def test_what_was_fetched_and_is_damaged_is_fetched_again(left, tmp_path):
    folder, said = reproduction.fetch(left).parent, []
    kept = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for path, content in kept.items():
        for broken in (b"", content[: len(content) // 2], b"[]", content.replace(b"mixes", b"mixed")):
            if broken != content:
                path.write_bytes(broken)
                reproduction.fetch(left, said.append)
                assert {p: p.read_bytes() for p in kept} == kept and "damaged" in said.pop(0)
                said.clear()
    kept_origin = folder / "origin.json"
    kept_origin.unlink()
    reproduction.fetch(left)
    assert kept_origin.read_bytes() == kept[kept_origin]


@pytest.mark.parametrize(("kind", "name"), [("model", "origin.json"), ("table", "candidates.parquet")])
def test_what_is_fetched_is_measured_first(left, monkeypatch, kind, name):
    monkeypatch.setenv(limits.MEMORY, str(10**9))
    monkeypatch.setitem(limits.PARTS, kind, (10**8, "a part"))
    found = refusal(reproduction.fetch, left)
    assert f"{name}': its files have " in found and "expected at most 10 bytes, a part of the memory here" in found


GOOD = {
    "format": 1, "study": {
        "study": "bowl", "problem": {"simulator": "paraboloid"}, "objectives": {"lowest": {"minimize": "y"}},
        "inverters": {"random": {"kind": "random"}},
    },
    "text": "", "files": {"a.csv": "0" * 64}, "packages": {"numpy": "2.0"}, "commit": "a", "lock": "b", "python": "3",
    "tables": {"summary.csv": "1" * 64},
}  # fmt: skip
ODD = {
    **{f"no {key}": {k: v for k, v in GOOD.items() if k != key} for key in GOOD},
    **{f"{key} a {type(odd).__name__}": {**GOOD, key: odd} for key in GOOD for odd in (None, [], 3.5, [{}], {"a": {}})},
    "format true": {**GOOD, "format": True},
    "study name a path": {**GOOD, "study": {**GOOD["study"], "study": "../../x"}},
    "study name a list": {**GOOD, "study": {**GOOD["study"], "study": ["x"]}},
    "study with an unknown key": {**GOOD, "study": {**GOOD["study"], "run": "rm"}},
    "study with nan": {**GOOD, "study": {**GOOD["study"], "seed": float("nan")}},
    "table of a path": {**GOOD, "tables": {"../x.csv": "1" * 64}},
    "table of a dot": {**GOOD, "tables": {"..csv": "1" * 64}},
    "table with an end": {**GOOD, "tables": {"a\0.csv": "1" * 64}},
    "table without digest": {**GOOD, "tables": {"a.csv": "' or '1'='1"}},
    "file without digest": {**GOOD, "files": {"a.csv": "x"}},
    "file with an end": {**GOOD, "files": {"a\0": "0" * 64}},
    "beside above": {**GOOD, "beside": "../.."},
    "beside elsewhere": {**GOOD, "beside": "/etc"},
}


@pytest.mark.parametrize("odd", ODD)
def test_a_record_that_is_not_what_a_run_leaves_is_refused_in_one_message(odd):
    origin.check("7", GOOD)
    assert refusal(origin.check, "7", ODD[odd]).startswith("run 7: ")


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[]", b"3", b"null", b"\xff", b"[" * 100_000, b'{"a": ' * 100_000, b"9" * 5000, b'{"text": "\\ud800"}',
     b"x" * (origin.LARGEST + 1)],
    ids=range(11),
)  # fmt: skip
def test_a_record_that_is_no_json_is_refused_in_one_message(text):
    assert refusal(origin.parsed, "7", text).startswith("run 7: its record")


def test_nothing_is_written_before_a_record_is_known_to_be_good(left, tmp_path):
    client = client_of_store()
    good = read_json(client.download_artifacts(left, "origin.json", str(tmp_path)))
    for odd in ({**good, "files": 3}, {**good, "study": {}}, {**good, "beside": 1}, {**good, "commit": None}, [good]):
        made = client.create_run(client.get_experiment_by_name("mixes").experiment_id, tags={INVOCATION_TAG: "odd"})
        client.set_terminated(made.info.run_id, "FINISHED")
        client.log_text(made.info.run_id, json.dumps(odd), "origin.json")
        refusal(reproduction.fetch, made.info.run_id)
        assert not (tmp_path / "results/.reproduced").exists()


@pytest.mark.parametrize("path", ["/dev/zero", "/", "x" * 5000, "no/such"])
def test_a_file_that_a_record_names_is_read_only_where_it_is_one(path):
    assert "no such file" in refusal(reproduction._check_files, "7", {path: "0" * 64})


def test_code_that_a_fetched_study_names_runs_only_where_the_user_trusts_it(own_file):
    own_file("def bake(X):\n    return X\n", "oven.py")
    studies = {"a": {"problem": {"simulator": "oven:bake"}}, "b": {"problem": {"simulator": "paraboloid"}}}
    for no in (None, False, "no", "", "false", 0):
        said = refusal(reproduction.check_trust, "7", studies, no)
        assert "oven:bake" in said and "oven.py" in said and "trust=yes" in said
    for yes in (True, "yes", "true"):
        reproduction.check_trust("7", studies, yes)
    reproduction.check_trust("7", {"b": studies["b"]}, None)


def test_the_folder_beside_which_a_study_has_its_code_is_kept(own_file):
    own_file("def bake(X):\n    return X\n", "lab/oven.py")
    entry = "{simulator: 'oven:bake', inputs: {a: {low: 0, high: 1}}, outputs: {y: }}"
    path = own_file(f"study: s\nproblem: {entry}\nobjectives: {{o: {{minimize: y}}}}\n", "lab/s.yaml")
    left = reproduction.origin(study.load("lab/s.yaml"), "lab/s.yaml")
    assert left["beside"] == "lab" and set(left["files"]) == {"lab/oven.py"}
    again = own_file(path.read_text(), "results/.reproduced/7/study.yaml")
    assert study.load_located([again], left["beside"])[0]["s"]["problem"]["simulator"] == "lab/oven:bake"


def test_a_store_that_is_away_is_one_message_without_its_password(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert "no tracking store" in refusal(reproduction.fetch, "0" * 32)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:secret-word@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    message = refusal(reproduction.fetch, "0" * 32)
    assert "127.0.0.1:9 says" in message and "secret-word" not in message


@pytest.mark.parametrize(
    ("change", "result", "where"),
    [
        (lambda t: t, "equal", ""),
        (lambda t: t.assign(a=t["a"] * (1 + 1e-9)), "equal within tolerance", "row 1, column 'a'"),
        (lambda t: t.assign(a=[1.0, 2.0, 3.0]), "different", "row 3, column 'a': nothing there, 3.0 here"),
        (lambda t: t.assign(b=[1, 2, 4]), "different", "row 3, column 'b': 3 there, 4 here"),
        (lambda t: t.assign(b=[0, 2, 3], a=[1.0, 9.0, np.nan]), "different", "row 1, column 'b'"),
        (lambda t: t.assign(name=["x", "y", "z"]), "different", "row 2, column 'name': nothing there, 'y' here"),
        (lambda t: t.assign(good=[True, True, True]), "different", "row 2, column 'good': False there, True here"),
        (lambda t: t.assign(a=[np.inf, 2.0, np.nan]), "different", "row 1, column 'a': 1.0 there, inf here"),
        (lambda t: t[:2], "different", "3 rows there, 2 here"),
        (lambda t: t.drop(columns="a").assign(c=1), "different", "columns: 'a' only there, 'c' only here"),
        (lambda t: t[["b", "a", "name", "good"]], "different", "columns: in another order"),
        (lambda t: t.astype({"b": "Int64"}).assign(b=[1, None, 3]), "different", "row 2, column 'b'"),
    ],
)
def test_tables_compare_by_their_first_cell(change, result, where):
    found = compare(TABLE, change(TABLE.copy()), 1e-6)
    assert found[0] == result and found[1].startswith(where) and bool(found[1]) == bool(where)


def test_small_differences_are_judged_by_the_largest_of_the_column():
    there = pd.DataFrame({"loss": [1e-12, 1000.0]})
    assert compare(there, there + 1e-7, 1e-9)[0] == "equal within tolerance"
    assert compare(there, there + 1e-5, 1e-9)[0] == "different"
    nothing = pd.DataFrame({"loss": [0.0, 0.0], "x": [np.nan, np.nan]})
    assert compare(nothing, nothing.copy(), 0.0) == ("equal", "")
    assert compare(nothing[:0], nothing[:0], 0.0) == ("equal", "")
