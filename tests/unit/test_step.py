"""What a step keeps to go on after a kill, as a file or as a folder."""

import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

from preimage.running import invocation
from preimage.running.step import Step

from ..running import ROOT, environment


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


SHORT = """
import resource
from types import SimpleNamespace
import numpy as np
from preimage.running.step import step

job = SimpleNamespace(params={}, wildcards={"study": "s", "round": "0", "surrogate": "forest"}, rule="train", input=[],
                      output=[], log=["train.log"])
with step(job):
    resource.setrlimit(resource.RLIMIT_DATA, (2 * 10**9, 2 * 10**9))
    np.ones(10**12)
"""


def test_a_step_that_memory_does_not_suffice_for_ends_with_one_line(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", SHORT], capture_output=True, text=True, cwd=tmp_path,
        env=environment(PYTHONPATH=str(ROOT / "workflow"), PREIMAGE_MEMORY="3000000000"),
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("preimage: train forest: memory ran out: there are 3 GB here; fewer rows, trees")
    assert done.stderr.count("\n") == 1
    assert "MemoryError" in (tmp_path / "train.log").read_text()
