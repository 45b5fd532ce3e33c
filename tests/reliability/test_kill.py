"""`make run` killed at random moments, called again each time with no command in between: the same bytes."""

import base64
import os
import random
import re
import signal
import subprocess
import sys
import time

import pytest

from ..running import ROOT, TINY, environment, snakemake, study_argument, write_study

TABLES = ["candidates.parquet", "summary.csv"]


def start(folder):
    """Start what `make run` starts, in a process group of its own."""
    command = [sys.executable, str(ROOT / "workflow/run.py"), "-s", str(ROOT / "Snakefile"), "--cores", "2"]
    return subprocess.Popen(
        [*command, *study_argument("tiny.yaml")], cwd=folder, env=environment(), start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


@pytest.mark.parametrize("whole_group", [True, False], ids=["everything killed", "only the launcher killed"])
def test_killed_at_random_moments_a_rerun_ends_with_the_same_bytes(tiny, tmp_path, whole_group):
    survives(tiny, tmp_path, whole_group, kills=2, seed=0)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 31))
def test_three_hundred_kills_end_with_the_same_bytes(tiny, tmp_path, seed):
    survives(tiny, tmp_path, seed % 2 == 0, kills=10, seed=seed)


def survives(tiny, tmp_path, whole_group, kills, seed):
    """Kill a run that many times at random moments, let it end, and compare its tables with an unbroken run's."""
    write_study(tmp_path, TINY)
    moments = random.Random(seed)
    for _ in range(kills):
        process = start(tmp_path)
        time.sleep(moments.uniform(0.5, 9))
        if whole_group:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.stdout.close()
        process.wait()
    process = start(tmp_path)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said[-4000:]
    for table in TABLES:
        ours, whole = (folder / "results/tiny" / table for folder in (tmp_path, tiny))
        assert ours.read_bytes() == whole.read_bytes()
    leftovers = [p for p in (tmp_path / "results").rglob("*") if p.name.endswith(".tmp")]
    assert leftovers == []
    assert not any((tmp_path / "results/tiny/.resume").glob("*"))


def test_a_store_left_half_made_does_not_hide_the_steps_after_it(tmp_path):
    # Snakemake plans nothing else beside a job that is redone, where the others take its output as `ancient`; and that
    # mark, put on a rule's output in one place, holds for every rule that names it.
    write_study(tmp_path, TINY)
    store = "results/.tracking/store.created"
    incomplete = tmp_path / ".snakemake/incomplete" / base64.b64encode(store.encode()).decode()
    for path in (tmp_path / store, incomplete):
        path.parent.mkdir(parents=True)
        path.write_text("{}", encoding="utf-8")
    done = snakemake(tmp_path, "--rerun-incomplete", "-n", *study_argument("tiny.yaml"))
    assert done.returncode == 0, done.stderr
    planned = set(re.findall(r"^(\w+) +\d+$", done.stdout + done.stderr, re.M))
    assert {"tracking_store", "train", "gather", "report"} <= planned


def test_two_runs_at_once_wait_for_each_other_and_both_succeed(tiny, tmp_path):
    write_study(tmp_path, TINY)
    first = start(tmp_path)
    time.sleep(3)
    second = start(tmp_path)
    outputs = [p.communicate(timeout=300)[0] for p in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], outputs
    assert "another run is at work" in outputs[1] and "Nothing to be done" in outputs[1]
    for table in TABLES:
        assert (tmp_path / "results/tiny" / table).read_bytes() == (tiny / "results/tiny" / table).read_bytes()
