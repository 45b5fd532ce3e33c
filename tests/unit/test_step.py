"""What a step keeps to go on after a kill, as a file or as a folder."""

import time
from pathlib import Path
from types import SimpleNamespace

from preimage.running import invocation
from preimage.running.step import Step


class Output(list):
    record = "results/s/tracking/train.json"


def step(code):
    return Step(
        SimpleNamespace(params={"code": code}, wildcards={"study": "s", "seed": "0"}, rule="train", input=[],
                        output=Output())
    )  # fmt: skip


def test_a_folder_of_state_outlives_a_kill_but_neither_success_nor_a_change_of_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    killed = step("one").state
    killed.mkdir(parents=True)
    (killed / "weights.npz").write_bytes(b"1")
    again = step("one")
    assert (again.state / "weights.npz").exists()
    other = step("two").state
    assert other != killed and not killed.exists()
    other.mkdir()
    (other / "weights.npz").write_bytes(b"2")
    last = step("two")
    assert last.state == other
    last.finish(time.time())
    assert not other.exists() and (tmp_path / Output.record).exists()


def test_calls_of_a_simulator_are_kept_until_the_whole_run_has_succeeded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    last = step("one")
    assert last.calls != step("two").calls
    last.calls.parent.mkdir(parents=True)
    last.calls.write_bytes(b"1")
    last.finish(time.time())
    # Snakemake may be killed before it knows that the step has ended, and then runs it again.
    assert last.calls.exists()
    monkeypatch.setattr(invocation, "_records", {Path("absent.json"): {"study": "s"}})
    invocation.end("FAILED")
    assert last.calls.exists()
    invocation.end("FINISHED")
    assert not last.calls.exists()


def test_a_part_is_named_as_snakemake_names_it():
    parts = SimpleNamespace(params={}, wildcards={"scatteritem": "12-of-12"}, rule="invert_part", input=[])
    assert Step(parts).part == (11, 12)
