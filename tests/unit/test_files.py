"""Files are there whole or not at all, and digests are of the bytes."""

import hashlib
import json

import numpy as np
import pytest

from preimage.support import files


def test_a_write_that_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.txt"
    files.write_text(path, "before")
    with pytest.raises(RuntimeError, match="midway"), files.replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError("midway")
    assert path.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_folder_replaces_a_folder_whole(tmp_path):
    path = tmp_path / "deep" / "model"
    for name in ("old", "new"):
        with files.replacing(path) as temporary:
            temporary.mkdir()
            (temporary / name).write_text(name)
    assert [p.name for p in path.iterdir()] == ["new"]
    assert [p.name for p in path.parent.iterdir()] == ["model"]


def test_a_folder_that_fails_midway_is_not_left(tmp_path):
    with pytest.raises(RuntimeError), files.replacing(tmp_path / "model") as temporary:
        temporary.mkdir()
        (temporary / "half").write_text("x")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_the_file_appears_only_at_the_end(tmp_path):
    path = tmp_path / "a.txt"
    with files.replacing(path) as temporary:
        temporary.write_text("x")
        assert not path.exists()
        written = temporary.stat().st_ino
    assert path.read_text() == "x" and path.stat().st_ino == written  # moved in one step, not copied


def test_what_a_killed_writer_left_is_cleared(tmp_path):
    (tmp_path / ".a[1].txt.999999.tmp").write_text("half")
    (tmp_path / ".ab.txt.999999.tmp").write_text("another's")
    files.write_text(tmp_path / "a[1].txt", "whole")
    assert sorted(p.name for p in tmp_path.iterdir()) == [".ab.txt.999999.tmp", "a[1].txt"]


def test_json_reads_back_to_the_same_floats(tmp_path):
    value = {"a": [0.1, 1e-300, 2**53 + 1, np.float64(1 / 3)], "b": np.arange(3), "c": None, "é": "ß"}
    files.write_json(tmp_path / "a.json", value)
    assert files.read_json(tmp_path / "a.json") == {**value, "b": [0, 1, 2]}


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), {1, 2}])
def test_json_refuses_what_it_cannot_say_and_writes_nothing(tmp_path, bad):
    with pytest.raises((ValueError, TypeError)):
        files.write_json(tmp_path / "a.json", {"x": bad})
    assert list(tmp_path.iterdir()) == []


def test_sha256_of_a_file_is_that_of_its_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"preimage" * 100_000)
    assert files.sha256(tmp_path / "a") == hashlib.sha256(b"preimage" * 100_000).hexdigest()


def test_sha256_of_a_folder_changes_with_names_bytes_and_places(tmp_path):
    def folder(name, **content):
        for path, text in content.items():
            target = tmp_path / name / path.replace("__", "/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        return files.sha256(tmp_path / name)

    same = [folder("one", a="1", b="2"), folder("two", b="2", a="1")]
    others = [folder("three", a="1", c="2"), folder("four", a="1", b="3"), folder("five", a="1", sub__b="2")]
    assert same[0] == same[1]
    assert len({same[0], *others}) == 4


def test_digest_is_of_the_value_not_of_the_order_of_its_keys():
    assert files.digest({"a": 1, "b": [1, 2]}) == files.digest({"b": [1, 2], "a": 1})
    assert files.digest({"a": 1, "b": [1, 2]}) != files.digest({"a": 1, "b": [2, 1]})
    assert files.digest({"a": 1}) == hashlib.sha256(json.dumps({"a": 1}).encode()).hexdigest()
