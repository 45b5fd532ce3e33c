"""`make run` killed at random moments, called again each time with no command in between: the same bytes."""

import base64
import random
import re
import subprocess
import sys
import time

import pytest

from ..finished import finished_study
from ..running import ROOT, TINY, environment, snakemake, study_argument, write_study
from .killing import STUDY, assert_nothing_left, assert_same_files, ended_steps, finish, kill_many, killed, start

TABLES = ["unbroken/candidates.parquet", "unbroken/summary.csv"]
# Whose steps keep what they have in between.
SMALL = """
study: unbroken
problem: {simulator: paraboloid, dimension: 2, samples: 60}
surrogates: {forest: {kind: random_forest, trees: 5, folds: 2, tune: {evaluations: 2}}}
objectives: {lowest: {minimize: y}}
inverters:
  tpe: {kind: hyperopt, evaluations: 30}
  certified: {kind: certified, boxes: 2000}
"""


unbroken = finished_study("unbroken", SMALL, TABLES)


@pytest.mark.long
def test_killed_as_steps_work_a_rerun_ends_with_the_same_bytes(unbroken, tmp_path):
    """What makes the tables; the long tests kill whole runs, and each program alone."""
    write_study(tmp_path, SMALL)
    tables = [f"results/{table}" for table in TABLES]
    for ended in (1, 4):
        process = start(tmp_path, *tables, *STUDY)
        while ended_steps(tmp_path) < ended:
            assert process.poll() is None
            time.sleep(0.01)
        assert killed(process, "everything", random.Random(0))
    said = finish(tmp_path, *tables, *STUDY)
    assert_same_files(unbroken, tmp_path, TABLES)
    assert_nothing_left(tmp_path, said)


@pytest.mark.long
@pytest.mark.parametrize("whole_group", [True, False], ids=["everything killed", "only the launcher killed"])
def test_killed_at_random_moments_a_rerun_ends_with_the_same_bytes(unbroken, tmp_path, whole_group):
    write_study(tmp_path, SMALL)
    moments = random.Random(0)
    for _ in range(2):
        process = start(tmp_path)
        time.sleep(moments.uniform(0.5, 9))
        killed(process, "everything" if whole_group else "the launcher", moments)
    ends_as(unbroken, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(5))
def test_a_hundred_kills_end_with_the_same_bytes(unbroken, tmp_path, seed):
    """Twenty of each seed: of everything, of one of the programs above the steps, or of a step or the sender."""

    def fresh(kills):
        return write_study(tmp_path / f"after {kills}", SMALL)

    kill_many(fresh, lambda folder: ends_as(unbroken, folder), seed, 20)


def ends_as(whole, folder):
    """Run to the end, and compare the tables with those of a run that nothing broke."""
    said = finish(folder)
    assert_same_files(whole, folder, TABLES)
    assert_nothing_left(folder, said)


@pytest.mark.long
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
def test_two_runs_at_once_wait_for_each_other_and_both_succeed(unbroken, tmp_path, apart):
    write_study(tmp_path, SMALL)
    first = start(tmp_path)
    time.sleep(apart)
    second = start(tmp_path)
    outputs = [p.communicate(timeout=600)[0] for p in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], outputs
    # Of two in the same second, either may be the first.
    waited = [said for said in outputs if "another run is at work" in said and "Nothing to be done" in said]
    assert waited == outputs[1:] or (not apart and waited == outputs[:1])
    assert_same_files(unbroken, tmp_path, TABLES)


@pytest.mark.long
def test_of_two_plain_snakemakes_in_the_same_second_one_runs_and_the_other_says_so(unbroken, tmp_path):
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
    # The latter is Snakemake's word where the other has begun to write before this one locks the folder.
    assert any(said in refused for said in ("Directory cannot be locked", "IncompleteFilesException"))
    assert "Traceback" not in refused
    assert_same_files(unbroken, tmp_path, TABLES)
