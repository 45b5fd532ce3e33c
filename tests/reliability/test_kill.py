"""`make run` killed at random moments, called again each time with no command in between: the same bytes."""

import base64
import os
import random
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress

import psutil
import pytest

from ..running import ROOT, TINY, environment, snakemake, study_argument, write_study

TABLES = ["candidates.parquet", "summary.csv"]
VICTIMS = ["everything", "the launcher", "Snakemake", "a step"]
SMALL = """
study: tiny
problem: {simulator: paraboloid, dimension: 2, samples: 60}
surrogates: {forest: {kind: random_forest, trees: 5, folds: 2, tune: {evaluations: 2}}}
objectives: {lowest: {minimize: y}}
inverters:
  tpe: {kind: hyperopt, evaluations: 30}
  certified: {kind: certified, boxes: 2000}
"""


def start(folder):
    """Start what `make run` starts, in a process group of its own."""
    command = [sys.executable, str(ROOT / "workflow/run.py"), "-s", str(ROOT / "Snakefile"), "--cores", "2"]
    return subprocess.Popen(
        [*command, *study_argument("tiny.yaml")], cwd=folder, env=environment(), start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The folder of a finished small study, whose steps keep what they have in between."""
    folder = write_study(tmp_path_factory.mktemp("small"), SMALL)
    done = snakemake(folder, *study_argument("tiny.yaml"))
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


@pytest.mark.parametrize("whole_group", [
    pytest.param(True, id="everything killed"),
    pytest.param(False, id="only the launcher killed", marks=pytest.mark.long),
])  # fmt: skip
def test_killed_at_random_moments_a_rerun_ends_with_the_same_bytes(small, tmp_path, whole_group):
    write_study(tmp_path, SMALL)
    moments = random.Random(0)
    for _ in range(2):
        process = start(tmp_path)
        time.sleep(moments.uniform(0.5, 9))
        killed(process, "everything" if whole_group else "the launcher", moments)
    ends_as(small, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(15))
def test_three_hundred_kills_end_with_the_same_bytes(small, tmp_path, seed):
    """Twenty of each seed: of everything, of one of the programs above the steps, or of a step or the sender."""
    moments, folder, kills = random.Random(seed), None, 0
    while kills < 20:
        if folder is None:
            folder = write_study(tmp_path / f"after {kills}", SMALL)
        process, before = start(folder), ended_steps(folder)
        while process.poll() is None and ended_steps(folder) < before + (kills + seed) % 4:
            time.sleep(0.05)
        time.sleep(moments.uniform(0, 3))
        kills += killed(process, moments.choice(VICTIMS), moments)
        if process.returncode == 0:
            ends_as(small, folder)
            folder = None
    if folder is not None:
        ends_as(small, folder)


def ended_steps(folder):
    """Count the records that steps have written, each as it ended."""
    records = (folder / "results/tiny/tracking").rglob("*.json")
    return sum("sent" not in path.parts and not path.name.startswith("invocation") for path in records)


def killed(process, victim, moments):
    """Kill a running launcher, all of its group, or a program below it; return whether there was one to kill."""
    if process.poll() is not None:
        said, _ = process.communicate()
        assert process.returncode == 0, said[-4000:]
        return False
    with suppress(psutil.NoSuchProcess):
        below = psutil.Process(process.pid).children(recursive=True)
        if victim == "everything":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            found = {"Snakemake": below[:1], "a step": below[1:]}.get(victim) or [process]
            moments.choice(found).kill()
    if victim == "a step":
        process.communicate(timeout=600)
    else:
        process.stdout.close()  # whoever is left alive can write there no more, as in a terminal that was closed
        process.wait()
    return True


def ends_as(whole, folder):
    """Run to the end, and compare the tables with those of a run that nothing broke."""
    process = start(folder)
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 0, said[-4000:]
    for table in TABLES:
        assert (folder / "results/tiny" / table).read_bytes() == (whole / "results/tiny" / table).read_bytes()
    assert [p for p in (folder / "results").rglob("*") if p.name.endswith(".tmp")] == []
    assert not any((folder / "results/tiny/.resume").glob("*"))


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


@pytest.mark.long
@pytest.mark.parametrize("apart", [0, 3])
def test_two_runs_at_once_wait_for_each_other_and_both_succeed(small, tmp_path, apart):
    write_study(tmp_path, SMALL)
    first = start(tmp_path)
    time.sleep(apart)
    second = start(tmp_path)
    outputs = [p.communicate(timeout=600)[0] for p in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], outputs
    # Of two in the same second, either may be the first.
    waited = [said for said in outputs if "another run is at work" in said and "Nothing to be done" in said]
    assert waited == outputs[1:] or (not apart and waited == outputs[:1])
    for table in TABLES:
        assert (tmp_path / "results/tiny" / table).read_bytes() == (small / "results/tiny" / table).read_bytes()


@pytest.mark.long
def test_of_two_plain_snakemakes_in_the_same_second_one_runs_and_the_other_says_so(small, tmp_path):
    write_study(tmp_path, SMALL)
    command = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), "--cores", "2"]
    both = [
        subprocess.Popen(
            [*command, *study_argument("tiny.yaml")], cwd=tmp_path, env=environment(), stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    outputs = [process.communicate(timeout=600)[0] for process in both]
    (refused,) = [said for process, said in zip(both, outputs, strict=True) if process.returncode]
    assert "Directory cannot be locked" in refused and "Traceback" not in refused
    for table in TABLES:
        assert (tmp_path / "results/tiny" / table).read_bytes() == (small / "results/tiny" / table).read_bytes()
