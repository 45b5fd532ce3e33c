"""Files that a study names lie beside it, and otherwise in the working directory."""

from pathlib import Path

import pytest

from preimage import study
from preimage.running import reproduction
from preimage.study import paths

TABLE = """
study: s
problem: {table: {file: rows.csv, outputs: [y]}}
surrogates: {plane: {kind: linear}}
objectives: {o: {minimize: y}}
inverters: {r: {kind: random}}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    here = tmp_path / "here"
    (here / "mine").mkdir(parents=True)
    monkeypatch.chdir(here)
    Path("mine/s.yaml").write_text(TABLE)
    return here


def file_of(path="mine/s.yaml"):
    return study.load(path)["problem"]["table"]["file"]


def test_beside_the_study_comes_first_and_the_working_directory_second(folder):
    assert file_of() == "rows.csv"  # in neither place: as it was written
    Path("rows.csv").write_text("a,y\n")
    assert file_of() == "rows.csv" and study.ambiguous({"s": "mine/s.yaml"}) == []
    Path("mine/rows.csv").write_text("a,y\n")
    assert file_of() == "mine/rows.csv" == file_of(folder / "mine/s.yaml")
    assert study.ambiguous({"s": "mine/s.yaml"}) == []  # the same, wherever it is read
    Path("mine/rows.csv").write_text("b,y\n")
    (said,) = study.ambiguous({"s": "mine/s.yaml"})
    assert said.startswith("mine/s.yaml: key 'problem.table.file': found rows.csv beside the study (mine) and another")
    assert str(folder / "rows.csv") in said


def test_a_study_outside_of_the_working_directory_is_read_from_anywhere(folder, monkeypatch):
    Path("mine/rows.csv").write_text("a,y\n")
    (folder.parent / "there").mkdir()
    monkeypatch.chdir(folder.parent / "there")
    assert file_of("../here/mine/s.yaml") == str(folder / "mine/rows.csv")
    # What a run leaves says where: the study that is fetched stands elsewhere.
    origin = reproduction.origin(study.load("../here/mine/s.yaml"), "../here/mine/s.yaml")
    assert origin["study"]["problem"]["table"]["file"] == str(folder / "mine/rows.csv") and "beside" not in origin


def test_every_path_of_a_study_follows_it(folder):
    names = ["f.csv", "t.csv", "new.csv", "wanted.csv", "series.csv", "cases.csv", "model.onnx", "seen.npz"]
    for name in names:
        (folder / "mine" / name).write_text("")
    given = {
        "problem": {"table": {"features": "f.csv", "targets": "t.csv", "new": ["new.csv", "/abs.csv"]}},
        "objectives": {
            "many": {"targets": "wanted.csv"}, "one": {"fit": {"data": "series.csv"}},
            "wide": {"fit": {"data": {"cases": "cases.csv"}}}, "low": {"minimize": "y"},
        },
        "surrogates": {"own": {"kind": "model", "path": "model.onnx"}, "plane": {"kind": "linear"}},
        "observations": {"table": "seen.npz", "simulate": 3},
    }  # fmt: skip
    paths.locate(given, "mine")
    found = [one.path for one in paths._named(given)]
    assert sorted(found) == sorted([*(f"mine/{name}" for name in names), "/abs.csv"])
